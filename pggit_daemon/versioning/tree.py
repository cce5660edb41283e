"""The tree of a commit: every object of the schema, and one hash over all of them.

In: a tree and what changed. Out: a new tree that shares all that did not change. Called by `versioning/plan.py`.
The hash is the root of a Merkle tree: schema, type of object, one of 256 buckets by the SHA-256 of the
identity, identity. A change costs its bucket and the nodes above it, not the tree. (Shelves are in no hash.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from pggit_daemon.model.objects import Blob, ObjectId, ObjectKey

BUCKETS = 256


@dataclass(frozen=True, slots=True)
class Leaf:
    """An object in a tree: which catalog object carries it, and its blob (SHA-256, 32 bytes)."""

    oid: ObjectId
    blob: bytes


def blob_hash(blob: Blob) -> bytes:
    """The address of a definition: SHA-256 over all its parts, each with its length before it."""
    later = "" if blob.later is None else f"+{blob.later}"
    framed = bytearray()
    for part in (blob.definition, later, *blob.depends):
        encoded = part.encode()
        framed += len(encoded).to_bytes(8, "big") + encoded
    return hashlib.sha256(framed).digest()


def _entry(name: str, digest: bytes) -> bytes:
    """What a node says of one child: its name and its hash, each framed. In one go, as a commit makes a dozen."""
    encoded = name.encode()
    return b"".join((len(encoded).to_bytes(8, "big"), encoded, len(digest).to_bytes(8, "big"), digest))


@dataclass(frozen=True, slots=True)
class _Bucket:
    """`entry`: what the node above says of it, kept, as each change hashes all the entries of a node."""

    leaves: Mapping[str, Leaf]
    entry: bytes

    @classmethod
    def of(cls, name: str, leaves: Mapping[str, Leaf]) -> _Bucket:
        entries = [_entry(one, leaves[one].blob) for one in sorted(leaves)]
        return cls(leaves, _entry(name, hashlib.sha256(b"".join(entries)).digest()))


@dataclass(frozen=True, slots=True)
class _Node:
    """A level above the buckets: children by name, in the order of their names.

    Schemas, then types, then shelves, then buckets. There are hundreds of buckets, and each commit hashes the entries
    of all of them: a shelf holds those with the same first digit, and its entry is theirs, one behind the other. So a
    commit copies and gathers shelves, and not all buckets.
    """

    children: Mapping[str, _Node | _Bucket]
    entry: bytes

    @classmethod
    def of(cls, name: str, children: Mapping[str, _Node | _Bucket]) -> _Node:
        entries = [child.entry for child in children.values()]
        return cls(children, _entry(name, hashlib.sha256(b"".join(entries)).digest()))

    @classmethod
    def shelf(cls, buckets: Mapping[str, _Node | _Bucket]) -> _Node:
        return cls(buckets, b"".join([bucket.entry for bucket in buckets.values()]))

    @property
    def digest(self) -> bytes:
        return self.entry[-hashlib.sha256().digest_size :]


_EMPTY = _Node.of("", {})


@dataclass(frozen=True, slots=True)
class Tree:
    """All objects by key, as a persistent value: `changed` gives a new one."""

    root: _Node = field(default=_EMPTY)

    @property
    def hash(self) -> str:
        """The tree hash, 64 hexadecimal digits."""
        return self.root.digest.hex()

    def get(self, key: ObjectKey) -> Leaf | None:
        node: _Node | _Bucket | None = self.root
        for name in _path(key):
            if not isinstance(node, _Node):
                return None
            node = node.children.get(name)
        return node.leaves.get(key.identity) if isinstance(node, _Bucket) else None

    def changed(self, changes: Mapping[ObjectKey, Leaf | None]) -> Tree:
        """The tree with these leaves set (or, for None, gone)."""
        grouped: dict[tuple[str, ...], dict[str, Leaf | None]] = {}
        for key, leaf in changes.items():
            grouped.setdefault(_path(key), {})[key.identity] = leaf
        return Tree(_rebuilt("", self.root, grouped) or _EMPTY) if grouped else self


def _path(key: ObjectKey) -> tuple[str, str, str, str]:
    # A schema's name cannot be empty, so the empty name is free for what lies outside schemas.
    bucket = _bucket(key.identity)
    return (key.schema or "", key.type, bucket[0], bucket)


@lru_cache(maxsize=256)
def _bucket(identity: str) -> str:
    """A commit asks for the same names some times over."""
    return f"{hashlib.sha256(identity.encode()).digest()[0] % BUCKETS:02x}"


def _rebuilt(
    named: str, node: _Node | None, grouped: Mapping[tuple[str, ...], Mapping[str, Leaf | None]]
) -> _Node | None:
    children: dict[str, _Node | _Bucket] = dict(node.children) if node else {}
    below: dict[str, dict[tuple[str, ...], Mapping[str, Leaf | None]]] = {}
    for path, leaves in grouped.items():
        below.setdefault(path[0], {})[path[1:]] = leaves
    grows = not below.keys() <= children.keys()
    for name, part in below.items():
        old = children.get(name)
        new: _Node | _Bucket | None
        if () in part:
            new = _merged(name, old if isinstance(old, _Bucket) else None, part[()])
        else:
            new = _rebuilt(name, old if isinstance(old, _Node) else None, part)
        if new is None:
            children.pop(name, None)
        else:
            children[name] = new
    if grows:
        children = dict(sorted(children.items()))
    if not children:
        return None
    return _Node.shelf(children) if any(() in part for part in below.values()) else _Node.of(named, children)


def _merged(name: str, bucket: _Bucket | None, leaves: Mapping[str, Leaf | None]) -> _Bucket | None:
    merged = dict(bucket.leaves) if bucket else {}
    for identity, leaf in leaves.items():
        if leaf is None:
            merged.pop(identity, None)
        else:
            merged[identity] = leaf
    return _Bucket.of(name, merged) if merged else None

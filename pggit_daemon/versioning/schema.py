"""The recorded schema, and what statements make of it.

In: the events of a decision, in WAL order. Out: the objects that really changed, each once. Pure state of the
database's worker: loaded from `object_version`, moved by planning, loaded anew when a store failed.

The catalog's ids tell what became of an object: a set of a known id under another name is a rename, a drop and a
create of one name in one transaction is a change. What ends as it began is no change.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.versioning.tree import Leaf, Tree, blob_hash

UNREAD = "unread"
"""In place of a type: of this object only the address is known; see `record.py`."""


class Operation(StrEnum):
    CREATED = "created"
    ALTERED = "altered"
    RENAMED = "renamed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object that a commit changes. `old_key` is None for a created one, `key` for a dropped one."""

    operation: Operation
    old_key: ObjectKey | None
    key: ObjectKey | None
    oid: ObjectId
    blob: Blob | None
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class _Now:
    """What a touched object is after the statements; a digest with no blob is one that is stored already."""

    key: ObjectKey
    blob: Blob | None
    digest: bytes


@dataclass(slots=True)
class Schema:
    """Mutable: `apply` moves it. `keys` maps the catalog's ids to names, `moved` has those whose id alone changed."""

    tree: Tree = field(default_factory=Tree)
    keys: dict[ObjectId, ObjectKey] = field(default_factory=dict)
    moved: dict[ObjectKey, ObjectId] = field(default_factory=dict)

    @classmethod
    def load(cls, leaves: Mapping[ObjectKey, Leaf]) -> Schema:
        """The schema of the newest commit, as stored."""
        return cls(Tree().changed(leaves), {leaf.oid: key for key, leaf in leaves.items()})

    def replace(self, other: Schema) -> None:
        """Be what another one is."""
        self.tree, self.keys, self.moved = other.tree, other.keys, other.moved

    def name_of(self, event: ObjectEvent) -> ObjectKey | None:
        """The name that what was dropped has in the record; None for what is no object of ours."""
        key = self.keys.get(event.oid)
        if key is not None:
            return key if key.type != UNREAD else event.key
        return event.key if event.key is not None and self.tree.get(event.key) is not None else None

    def apply(self, events: Iterable[ObjectEvent]) -> tuple[ObjectChange, ...]:
        """Move on over these events; what changed, sorted by name."""
        touched: dict[ObjectId, _Now | None] = {}
        holders: dict[ObjectKey, ObjectId] = {}  # who got a name last
        for event in events:
            if event.op is ObjectOp.DROP:
                touched[self._dropped(event, touched, holders)] = None
            elif event.op is ObjectOp.SET and event.key is not None and event.blob is not None:
                # One name has one object: who held it until now was made anew by the server, as ALTER COLUMN TYPE does
                # with indexes, or has gone unseen. At once: a later drop or rename names only the new one.
                holder = self._holder(event.key, touched, holders)
                if holder is not None and holder != event.oid:
                    touched[holder] = None
                holders[event.key] = event.oid
                touched[event.oid] = _Now(event.key, event.blob, blob_hash(event.blob))
        changes = self._changes(touched)
        self._move(changes)
        return changes

    def replaced(
        self, objects: Iterable[ObjectEvent], *, keeping: Container[ObjectId] = ()
    ) -> tuple[ObjectChange, ...]:
        """Move to exactly these objects (a snapshot); what is not among them is dropped, unless it is to be kept."""
        events = list(objects)
        there = {event.oid for event in events}
        gone = (
            ObjectEvent(ObjectOp.DROP, oid, direct=True, key=None, blob=None)
            for oid in list(self.keys)
            if oid not in there and oid not in keeping
        )
        return self.apply([*gone, *events])

    def take_moved(self) -> tuple[tuple[ObjectKey, ObjectId], ...]:
        """The objects whose id alone changed, to be stored; they are returned once."""
        moved, self.moved = tuple(self.moved.items()), {}
        return moved

    def _dropped(
        self, event: ObjectEvent, touched: Mapping[ObjectId, _Now | None], holders: Mapping[ObjectKey, ObjectId]
    ) -> ObjectId:
        """Which id is gone: REINDEX CONCURRENTLY gives an index another one without an event, but not another name."""
        if event.oid in touched or event.oid in self.keys or event.key is None:
            return event.oid
        holder = self._holder(event.key, touched, holders)
        return holder if holder is not None else event.oid

    def _holder(
        self, key: ObjectKey, touched: Mapping[ObjectId, _Now | None], holders: Mapping[ObjectKey, ObjectId]
    ) -> ObjectId | None:
        """Who has this name after the statements so far."""
        holder = holders.get(key)
        if holder is not None:
            held = touched[holder]
            return holder if held is not None and held.key == key else None
        leaf = self.tree.get(key)
        return leaf.oid if leaf is not None and leaf.oid not in touched else None

    def _changes(self, touched: Mapping[ObjectId, _Now | None]) -> tuple[ObjectChange, ...]:
        before = {oid: key for oid in touched if (key := self.keys.get(oid)) is not None}
        after = {oid: now for oid, now in touched.items() if now is not None}
        dropped = {key: oid for oid, key in before.items() if oid not in after}
        changes = []
        for oid, now in after.items():
            old = before.get(oid)
            if old is None and now.key in dropped:
                old = now.key  # dropped and made again
                del dropped[now.key]
            change = self._set(old, now, oid)
            if change is not None:
                changes.append(change)
        changes += [ObjectChange(Operation.DROPPED, key, None, oid, None, None) for key, oid in dropped.items()]
        return tuple(sorted(changes, key=_sort_key))

    def _set(self, old: ObjectKey | None, now: _Now, oid: ObjectId) -> ObjectChange | None:
        if old is None:
            return ObjectChange(Operation.CREATED, None, now.key, oid, now.blob, now.digest)
        if old != now.key:
            return ObjectChange(Operation.RENAMED, old, now.key, oid, now.blob, now.digest)
        leaf = self.tree.get(old)
        if leaf is not None and leaf.blob == now.digest:
            if leaf.oid != oid:
                # The same object under a new id: nothing that a user sees, but drops will name the new one.
                self.keys.pop(leaf.oid, None)
                self.keys[oid] = now.key
                self.moved[now.key] = oid
                self.tree = self.tree.changed({now.key: Leaf(oid, now.digest)})
            return None
        return ObjectChange(Operation.ALTERED, old, now.key, oid, now.blob, now.digest)

    def _move(self, changes: Iterable[ObjectChange]) -> None:
        leaves: dict[ObjectKey, Leaf | None] = {}
        for change in changes:
            for key in (change.old_key, change.key):
                self.moved.pop(key, None)  # type: ignore[arg-type]  # None is no key
            if change.old_key is not None:
                leaves.setdefault(change.old_key, None)
                leaf = self.tree.get(change.old_key)
                if leaf is not None and self.keys.get(leaf.oid) == change.old_key:
                    del self.keys[leaf.oid]
        for change in changes:
            if change.key is not None and change.digest is not None:
                leaves[change.key] = Leaf(change.oid, change.digest)
                self.keys[change.oid] = change.key
        self.tree = self.tree.changed(leaves)


def _sort_key(change: ObjectChange) -> tuple[str, str, str]:
    key = change.key or change.old_key
    return (key.type, key.schema or "", key.identity) if key is not None else ("", "", "")

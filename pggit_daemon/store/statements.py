"""What a planned step writes, as operations with their parameters.

In: a `Step`. Out: (name, parameters), in the order in which they must run: the function `store_NAME` of sql/store does
it. Parameters become one JSON object; lists of the same length are the columns of a table. Pure; called by
`store/writer.py`, which sends them all as one document. Here: commits, versions, conflicts, facts; what rows of history
tables write is in `store/migrations.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import islice
from typing import Any, TypeVar

from pggit_daemon.model.decision import Attribution, CommitKind, Fact
from pggit_daemon.model.objects import ObjectKey
from pggit_daemon.store.migrations import link_statements, linked_commits
from pggit_daemon.store.statement import Statement
from pggit_daemon.versioning.plan import Commit, Step
from pggit_daemon.versioning.record import Told
from pggit_daemon.versioning.schema import ObjectChange

T = TypeVar("T")

AT_ONCE = 500
"""Objects of one operation, so that a plan can be cut in pieces."""

MOST_CONFLICTS = 20
"""Objects of one comparison that become conflicts of their own."""


def statements(step: Step) -> Iterator[Statement]:
    """Everything that one step writes, but for the progress."""
    if step.commit is not None:
        yield from _commit(step.commit)
        yield from _conflicts(step.commit, unexplained=step.unexplained)
    for link in step.links:
        yield from link_statements(link, step)
    if step.part_of is not None and step.commit is not None:
        change = step.part_of.row.principal
        yield from linked_commits(step.part_of, step)
        # A migration that the SQL API began remembers the newest of its parts until it ends.
        yield "mark_part", {"source": change.source, "row_key": change.row_key, "last_part": str(step.lsn)}
    for some in _batched(step.told, AT_ONCE):
        yield "put_logged", {"names": [_told(one) for one in some]}
    for attribution in step.attributions:
        yield from _attributed(attribution)
    for unreadable in step.unreadable:
        # Text cannot hold NUL, and nothing may be lost for that.
        raw = unreadable.raw.replace("\0", "\\0")
        yield "quarantine", {"lsn": str(unreadable.lsn), "xid": step.xid, "raw": raw, "reason": unreadable.reason}
    if step.moved:
        ids = {"classid": [oid.classid for _, oid in step.moved], "objid": [oid.objid for _, oid in step.moved]}
        yield "move_versions", {**_keys(key for key, _ in step.moved), **ids}
    if step.events:
        yield "handled_events", {"ids": list(step.events)}
    if step.requests:
        yield "handled_requests", {"ids": list(step.requests)}
    yield from _remembered(step.facts)


def _commit(commit: Commit) -> Iterator[Statement]:
    """The commit with the objects that it changes; what ends does so before anything of its name begins."""
    ended = [_keys(keys) for keys in _batched((change.old_key for change in commit.changes if change.old_key), AT_ONCE)]
    versions = (_begun(change.key, change) for change in commit.changes if change.key is not None)
    begun = [list(some) for some in _batched(versions, AT_ONCE)]
    first: dict[str, Any] = {"ended": ended.pop(0)} if ended else {}
    if begun and not ended:
        first["begun"] = begun.pop(0)
    yield (
        "insert_commit",
        {
            "hash": commit.hash,
            "parent": commit.parent,
            "message": commit.message,
            "summary": commit.summary,
            "author": commit.author,
            "time": commit.time.astimezone(UTC),
            "tree_hash": commit.tree_hash,
            **({"recorded_tree": commit.recorded_tree} if commit.recorded_tree is not None else {}),
            "metadata": commit.metadata,
            "kind": commit.kind.value,
            "lsn": str(commit.lsn),
            "xid": commit.xid,
            "changed": len(commit.changes),
            **first,
        },
    )
    for keys in ended:
        yield "close_versions", {"hash": commit.hash, **keys}
    for some in begun:
        yield "open_versions", {"hash": commit.hash, "begun": some}


def _begun(key: ObjectKey, change: ObjectChange) -> list[Any]:
    """A version, as `begin_versions` of sql/store reads it."""
    oid, blob = change.oid, change.blob
    version = [key.type, key.schema, key.identity, oid.classid, oid.objid, change.digest]
    return [*version, blob.definition, blob.later, blob.depends] if blob is not None else version


def _told(told: Told) -> list[Any]:
    """A name, as `store_put_logged` reads it."""
    key, leaf = told.key, told.leaf
    named = [key.type, key.schema, key.identity, told.apart]
    return [*named, leaf.oid.classid, leaf.oid.objid, leaf.blob] if leaf is not None else [*named, None, None, None]


def _conflicts(commit: Commit, *, unexplained: bool) -> Iterator[Statement]:
    old = [change.old_key for change in commit.changes if change.old_key is not None]
    if unexplained:
        yield "tree_conflicts", {"hash": commit.hash, **_unexplained(commit)}
    elif commit.kind is CommitKind.OUT_OF_BAND and old:
        yield "out_of_band_conflicts", {"hash": commit.hash, **_keys(old)}
    elif commit.kind in {CommitKind.MIGRATION, CommitKind.ROLLBACK} and old:
        yield "settle_conflicts", _keys(old)
    now = [change.key for change in commit.changes if change.key is not None]
    if now and (unexplained or commit.kind is CommitKind.OUT_OF_BAND):
        yield "undone_conflicts", _keys(now)


def _unexplained(commit: Commit) -> dict[str, list[str]]:
    """A conflict for each object; where there are many, one for all of them."""
    named = [
        (key, f"{key.type} {key.identity} was {change.operation.value} and no recorded statement explains it")
        for change in commit.changes
        if (key := change.key or change.old_key) is not None
    ]
    if len(named) > MOST_CONFLICTS:
        some = ", ".join(f"{key.type} {key.identity}" for key, _ in named[:MOST_CONFLICTS])
        said = f"{len(named)} objects changed and no recorded statement explains it: {some}, …"
        return {"type": ["commit"], "identity": [commit.hash], "description": [said]}
    return {
        "type": [key.type for key, _ in named],
        "identity": [key.identity for key, _ in named],
        "description": [said for _, said in named],
    }


def _batched(items: Iterable[T], count: int) -> Iterator[tuple[T, ...]]:
    """So many at a time."""
    left = iter(items)
    while some := tuple(islice(left, count)):
        yield some


def _keys(keys: Iterable[ObjectKey]) -> dict[str, list[str]]:
    keys = list(keys)
    return {"type": [key.type for key in keys], "identity": [key.identity for key in keys]}


def _attributed(attribution: Attribution) -> Iterator[Statement]:
    """What became known of a commit after it was stored, and what follows for conflicts."""
    yield (
        "attribute_commit",
        {
            "hash": attribution.commit,
            "kind": attribution.kind.value,
            "message": attribution.message,
            "metadata": dict(attribution.metadata),
        },
    )
    if attribution.kind is CommitKind.OUT_OF_BAND:
        yield "decided_out_of_band", {"hash": attribution.commit}
    elif attribution.kind in {CommitKind.MIGRATION, CommitKind.ROLLBACK}:
        yield "decided_migration", {"hash": attribution.commit}


def _remembered(facts: Iterable[Fact]) -> Iterator[Statement]:
    current = [fact for fact in facts if fact.state is not None]
    gone = [fact for fact in facts if fact.state is None]
    if gone:
        yield "forget", {"kind": [fact.kind for fact in gone], "key": [fact.key for fact in gone]}
    if current:
        yield (
            "remember",
            {
                "kind": [fact.kind for fact in current],
                "key": [fact.key for fact in current],
                "state": [dict(fact.state or {}) for fact in current],
            },
        )

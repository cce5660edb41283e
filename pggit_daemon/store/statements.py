"""What a planned step writes, as operations with their parameters.

In: a `Step`. Out: (name, parameters), in the order in which they must run: the function `store_NAME` of sql/store does
it. Parameters become one JSON object; lists of the same length are the columns of a table. Pure; called by
`store/writer.py`, which sends them all as one document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.decision import Attribution, CommitKind, Fact, Link, LinkedCommit
from pggit_daemon.model.migration import Amendment, HistoryChange, Migration
from pggit_daemon.model.objects import ObjectKey
from pggit_daemon.model.open_run import EndedRun, OpenRun
from pggit_daemon.versioning.plan import Commit, Step
from pggit_daemon.versioning.schema import ObjectChange

Statement = tuple[str, dict[str, Any]]

MOST_CONFLICTS = 20
"""Objects of one comparison that become conflicts of their own."""


def statements(step: Step) -> Iterator[Statement]:
    """Everything that one step writes, but for the progress."""
    if step.commit is not None:
        yield from _commit(step.commit)
        yield from _conflicts(step.commit, unexplained=step.unexplained)
    for link in step.links:
        yield from _link(link, step)
    if step.part_of is not None and step.commit is not None:
        change = step.part_of.row.principal
        yield from _linked(step.part_of, step)
        # A migration that the SQL API began remembers the newest of its parts until it ends.
        yield "mark_part", {"source": change.source, "row_key": change.row_key, "last_part": str(step.lsn)}
    for told in step.attributions:
        yield from _attributed(told)
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
    fresh = {change.digest: change.blob for change in commit.changes if change.blob is not None}
    if fresh:
        yield (
            "insert_blobs",
            {
                "sha256": list(fresh),
                "definition": [blob.definition for blob in fresh.values()],
                "later": [blob.later for blob in fresh.values()],
                "depends": [blob.depends for blob in fresh.values()],
            },
        )
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
            "metadata": commit.metadata,
            "kind": commit.kind.value,
            "lsn": str(commit.lsn),
            "xid": commit.xid,
            "changed": len(commit.changes),
        },
    )
    yield from _versions(commit.hash, commit.changes)
    yield "move_head", {"hash": commit.hash}


def _versions(commit: str, changes: Iterable[ObjectChange]) -> Iterator[Statement]:
    ended = [change.old_key for change in changes if change.old_key is not None]
    if ended:
        yield "close_versions", {"hash": commit, **_keys(ended)}
    begun = [(change.key, change) for change in changes if change.key is not None]
    if begun:
        yield (
            "open_versions",
            {
                "hash": commit,
                **_keys([key for key, _ in begun]),
                "schema_name": [key.schema for key, _ in begun],
                "classid": [change.oid.classid for _, change in begun],
                "objid": [change.oid.objid for _, change in begun],
                "blob": [change.digest for _, change in begun],
            },
        )


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
        (key, f"{key.type} {key.identity} was {change.operation.value} and no statement told of it")
        for change in commit.changes
        if (key := change.key or change.old_key) is not None
    ]
    if len(named) > MOST_CONFLICTS:
        some = ", ".join(f"{key.type} {key.identity}" for key, _ in named[:MOST_CONFLICTS])
        said = f"{len(named)} objects changed and no statement told of it: {some}, …"
        return {"type": ["commit"], "identity": [commit.hash], "description": [said]}
    return {
        "type": [key.type for key, _ in named],
        "identity": [key.identity for key, _ in named],
        "description": [said for _, said in named],
    }


def _keys(keys: Iterable[ObjectKey]) -> dict[str, list[str]]:
    keys = list(keys)
    return {"type": [key.type for key in keys], "identity": [key.identity for key in keys]}


def _attributed(told: Attribution) -> Iterator[Statement]:
    """What became known of a commit after it was stored, and what follows for conflicts."""
    yield (
        "attribute_commit",
        {
            "hash": told.commit,
            "kind": told.kind.value,
            "message": told.message,
            "metadata": dict(told.metadata),
        },
    )
    if told.kind is CommitKind.OUT_OF_BAND:
        yield "decided_out_of_band", {"hash": told.commit}
    elif told.kind in {CommitKind.MIGRATION, CommitKind.ROLLBACK}:
        yield "decided_migration", {"hash": told.commit}


def _remembered(facts: Iterable[Fact]) -> Iterator[Statement]:
    kept = [fact for fact in facts if fact.state is not None]
    gone = [fact for fact in facts if fact.state is None]
    if gone:
        yield "forget", {"kind": [fact.kind for fact in gone], "key": [fact.key for fact in gone]}
    if kept:
        yield (
            "remember",
            {
                "kind": [fact.kind for fact in kept],
                "key": [fact.key for fact in kept],
                "state": [dict(fact.state or {}) for fact in kept],
            },
        )


def _link(link: Link, step: Step) -> Iterator[Statement]:
    """A row as it is recorded, or what a recorded one is linked to now."""
    if link.evidence is not None and not link.commits and step.commit is not None:
        link = replace(link, commits=(LinkedCommit(step.commit.hash),))
    if link.recorded:
        yield from _linked(link, step)
        yield "link_row", _link_row(link)
        return
    step = replace(step, time=link.time or step.time, xid=link.xid if link.time is not None else step.xid)
    last = link.commits[-1] if link.commits else None
    for change in link.row.changes:
        principal = change is link.row.principal
        migration = change.migration
        if migration is not None:
            values = _migration(change, migration, link if principal else None, last if principal else None, step)
            if change.linking is not None:
                yield "link_known", {**values, "anywhere": change.linking.anywhere, "records": change.linking.records}
            else:
                yield "put_migration", values
            if principal:
                yield from _linked(link, step)
        if change.amends is not None:
            yield from _amend(change, change.amends)
        if not change.unobserved:
            yield "record_event", _event(change, link if principal else None, last if principal else None, step)
        yield from _run(change.run) if change.run is not None else _row(change)


def _linked(link: Link, step: Step) -> Iterator[Statement]:
    """Every commit of the migration."""
    change = link.row.principal
    if change.migration is None or link.evidence is None:
        return
    for one in link.commits:
        yield (
            "link",
            {
                "tool": change.tool,
                "source": change.migration_source or change.source,
                "migration_id": change.migration.migration_id,
                **_commit_of(one),
                "evidence": link.evidence.value,
                "part": one.part,
                "made": one.made,
                "objects": [f"{key.type} {key.identity}" for key in one.objects] if one.objects is not None else None,
                "detail": step.commit.metadata if step.commit is not None else {},
            },
        )


def _link_row(link: Link) -> dict[str, Any]:
    """Where a row that was recorded before is linked now; the same number may have been applied again since."""
    change, migration = link.row.principal, link.row.principal.migration
    return {
        "tool": change.tool,
        "source": change.migration_source or change.source,
        "row_source": change.source,
        "migration_id": migration.migration_id if migration is not None else None,
        **_commit_of(link.commits[-1] if link.commits else None),
        "evidence": link.evidence.value if link.evidence is not None else None,
        "lsn": str(change.lsn),
    }


def _commit_of(linked: LinkedCommit | None) -> dict[str, str | None]:
    """How statements name a commit: by its hash, or as the newest of a transaction."""
    if linked is None:
        return {"hash": None, "at": None}
    return {"hash": linked.commit, "at": str(linked.at) if linked.at is not None else None}


def _migration(
    change: HistoryChange, migration: Migration, link: Link | None, last: LinkedCommit | None, step: Step
) -> dict[str, Any]:
    evidence = link.evidence if link is not None else None
    return {
        "migration_id": migration.migration_id,
        "tool": change.tool,
        "source": change.migration_source or change.source,
        "name": migration.name,
        "checksum": migration.checksum,
        **_commit_of(last),
        "applied_at": _stamp(migration.applied_at) if evidence is Evidence.BASELINE else step.time,
        "applied_by": migration.applied_by,
        "execution_ms": migration.execution_ms,
        "success": migration.success,
        "error_message": migration.error or (None if migration.success else "the tool recorded it as failed"),
        "version": migration.version,
        "sequence": migration.sequence,
        "status": migration.status,
        "evidence": evidence.value if evidence is not None else None,
        "rollback_of": migration.rollback_of,
        "lsn": str(change.lsn),
        "xid": step.xid,
    }


def _stamp(text: str | None) -> datetime | None:
    """The tool's own time of a row that was there before us; what is not a time is none."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _amend(change: HistoryChange, amends: Amendment) -> Iterator[Statement]:
    if amends.any_tool:
        yield (
            "amend_any",
            {
                "tool": change.tool,
                "migration_id": amends.migration_id,
                "status": amends.status,
                "sources": list(amends.sources),
            },
        )
        return
    yield (
        "amend_migration",
        {
            "tool": change.tool,
            "source": change.source,
            "migration_id": amends.migration_id,
            "status": amends.status,
            # A status alone says nothing of the checksum; whatever else does says all of it, NULL too.
            "sets_checksum": amends.status is None,
            "checksum": amends.checksum,
            "name": amends.name,
            "version": amends.version,
            "execution_ms": amends.execution_ms,
        },
    )
    if amends.checksum_changed:
        identity = f"{change.source} {amends.migration_id}"
        yield (
            "checksum_conflict",
            {"identity": identity, "description": f"the checksum of migration {identity} was changed after the fact"},
        )


def _event(change: HistoryChange, link: Link | None, last: LinkedCommit | None, step: Step) -> dict[str, Any]:
    migration_id = change.migration.migration_id if change.migration is not None else None
    if migration_id is None and change.amends is not None:
        migration_id = change.amends.migration_id
    return {
        "source": change.source,
        "meaning": change.meaning.value,
        "operation": change.operation,
        "row_key": change.row_key,
        "old": change.old,
        "new": change.new,
        "migration_id": migration_id,
        "evidence": link.evidence.value if link is not None and link.evidence is not None else None,
        **_commit_of(last),
        "lsn": str(change.lsn),
        "xid": step.xid,
        "occurred_at": step.time,
    }


def _run(run: OpenRun | EndedRun) -> Iterator[Statement]:
    """What a session has begun through the SQL API, as stored: open, or ended."""
    session = {"key": run.key, "pid": run.session.pid, "backend_start": run.session.started}
    if isinstance(run, OpenRun):
        yield (
            "put_run",
            {
                **session,
                "state": run.state.value,
                "user": run.user,
                "started_at": run.started_at,
                "migration_id": run.migration_id,
                "tool": run.tool,
                "name": run.name,
                "xact": run.xact,
                "wrapped": run.wrapped,
                "waits": run.waits,
                "failed_at": str(run.failed_at) if run.failed_at is not None else None,
                "last_part": str(run.last_part) if run.last_part is not None else None,
            },
        )
        return
    said = {"ended_at": run.ended_at, "message": run.message, "tags": run.tags}
    yield "end_run", {**session, "deployed": run.deployed, **said}


def _row(change: HistoryChange) -> Iterator[Statement]:
    """The ledger's row, as stored: gone, or as it is now (under its new key, where that changed)."""
    if change.old_row_key is not None and change.old_row_key != change.row_key:
        yield "delete_row", {"source": change.source, "row_key": change.old_row_key}
    if change.new is None:
        yield "delete_row", {"source": change.source, "row_key": change.row_key}
        return
    yield (
        "put_row",
        {
            "source": change.source,
            "row_key": change.row_key,
            "columns": change.new,
            "migration_id": change.ledger_id,
        },
    )

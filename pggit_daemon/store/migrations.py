"""What the rows of history tables and the SQL API write: migrations, links, events, open runs.

In: a link of a planned step, and the step. Out: (name, parameters) as in `store/statements.py`, which calls this. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.decision import Link, LinkedCommit
from pggit_daemon.model.migration import Amendment, HistoryChange, Migration
from pggit_daemon.model.open_run import EndedRun, OpenRun
from pggit_daemon.store.statement import Statement
from pggit_daemon.versioning.plan import Step


def link_statements(link: Link, step: Step) -> Iterator[Statement]:
    """A row as it is recorded, or what a recorded one is linked to now."""
    if link.evidence is not None and not link.commits and step.commit is not None:
        link = replace(link, commits=(LinkedCommit(step.commit.hash),))
    if link.recorded:
        yield from linked_commits(link, step)
        yield "link_row", _link_row(link)
        return
    step = _of_row(step, link)
    last = link.commits[-1] if link.commits else None
    for change in link.row.changes:
        principal = change is link.row.principal
        migration = change.migration
        if principal and migration is not None and _is_usual(change, link):
            yield "record_migration", _recorded(change, migration, link, step)
            continue
        if migration is not None:
            values = _migration(change, migration, link if principal else None, last if principal else None, step)
            if change.linking is not None:
                yield "link_known", {**values, "anywhere": change.linking.anywhere, "records": change.linking.records}
            else:
                yield "put_migration", values
            if principal:
                yield from linked_commits(link, step)
        if change.amends is not None:
            yield from _amend(change, change.amends)
        if not change.unobserved:
            yield "record_event", _event(change, link if principal else None, last if principal else None, step)
        yield from _run(change.run) if change.run is not None else _row(change)


def _of_row(step: Step, link: Link) -> Step:
    """The step at the row's own time, which is an earlier one's where it was linked late."""
    if link.time is None or (link.time, link.xid) == (step.time, step.xid):
        return step
    return replace(step, time=link.time, xid=link.xid)


def _is_usual(change: HistoryChange, link: Link) -> bool:
    """Whether a row is a migration with all of one commit, and no more is to be written of it."""
    return (
        link.evidence is not None
        and len(link.commits) == 1
        and link.commits[0].at is None
        and link.commits[0].objects is None
        and change.linking is None
        and change.amends is None
        and change.run is None
        and change.new is not None
        and not change.unobserved
        and change.migration_source in {None, change.source}
        and change.old_row_key in {None, change.row_key}
    )


def _recorded(change: HistoryChange, migration: Migration, link: Link, step: Step) -> dict[str, Any]:
    """The parameters of its parts in one; what there is none of is left out."""
    last = link.commits[0]
    values = {
        **_event(change, link, last, step),
        **_migration(change, migration, link, last, step),
        "part": last.part,
        "made": last.made,
        "row_migration_id": change.ledger_id,
    }
    if step.commit is not None:
        values["detail"] = step.commit.metadata
    return {name: value for name, value in values.items() if value is not None}


def linked_commits(link: Link, step: Step) -> Iterator[Statement]:
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
        **_why(link),
    }


def _why(link: Link | None) -> dict[str, str]:
    """Why a row is not linked, where that is known."""
    return {"note": link.note} if link is not None and link.evidence is None and link.note is not None else {}


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
        **_why(link),
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

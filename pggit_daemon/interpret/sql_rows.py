"""Migrations as the SQL API reports them.

In: a request, and the run that it is about, if one is open. Out: what the history records of it. Pure; called by
`interpret/sql_api.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pggit_daemon.interpret.requests import REQUESTS, Request
from pggit_daemon.model.changeset import Deployment, Evidence, HistoryRowEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import Amendment, HistoryChange, Linking, Migration
from pggit_daemon.model.open_run import EndedRun, OpenRun
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.tools.preset import MigrationColumns, SessionHints, custom
from pggit_daemon.tools.source import DEFAULT_GRACE, Source

SQL_API = Source(
    name="sql",
    preset=custom("sql", MigrationColumns(id="id", version=("id",)), window=False, session=SessionHints(), key=("id",)),
    table=REQUESTS,
    grace=DEFAULT_GRACE,
    origin="api",
)

DEFAULT_TOOL = "flyway"
"""The tool of a migration that names none, as `default_tool` of sql/api/00_contract.sql."""

_LARGEST = (1 << 63) - 1


def started(lsn: LSN, run: OpenRun) -> HistoryRowEvent:
    """The beginning of a migration: also what its parts belong to until it ends."""
    migration = Migration(
        migration_id=run.migration_id or 0,
        version=str(run.migration_id),
        name=run.name,
        checksum=None,
        applied_by=run.user,
        applied_at=None,
        execution_ms=None,
        success=True,
        sequence=None,
        status="started",
    )
    return HistoryRowEvent((change(lsn, Meaning.STARTED, run.key, run.tool, migration=migration, run=run),))


def linked(request: Request) -> HistoryRowEvent:
    """A migration that somebody recorded: link_migration, or a row that was inserted by hand."""
    source = request.arguments.get("source")
    migration = migration_of(request, None)
    tool = tool_of(request, None)
    found = change(
        request.lsn,
        meaning_of(migration),
        f"{tool} {migration.migration_id}",
        tool,
        migration=migration,
        amends=rolls_back(migration, request),
    )
    linking = Linking(anywhere=source is None, records=request.action == "link")
    found = replace(found, migration_source=str(source or SQL_API.name), linking=linking)
    return HistoryRowEvent((found,), certain=Evidence.MANUAL)


def deployment(run: OpenRun) -> Deployment:
    """The deployment that a run is."""
    return Deployment(run.key, run.name or "")


def change(
    lsn: LSN,
    meaning: Meaning,
    key: str,
    tool: str,
    *,
    migration: Migration | None = None,
    old: TextRow | None = None,
    run: OpenRun | EndedRun | None = None,
    amends: Amendment | None = None,
) -> HistoryChange:
    """A change of the SQL API's own: `run` is what becomes of the session's open run."""
    return HistoryChange(
        source=SQL_API.name,
        tool=tool,
        lsn=lsn,
        operation="request",
        meaning=meaning,
        row_key=key,
        old=old,
        new=run.as_row() if isinstance(run, OpenRun) else None,
        migration=migration,
        amends=amends,
        run=run,
    )


def unobserved(*found: HistoryChange) -> HistoryRowEvent:
    """Something that only the table of open runs must know."""
    return HistoryRowEvent(tuple(replace(one, unobserved=True) for one in found))


def tool_of(request: Request, run: OpenRun | None) -> str:
    return str(request.arguments.get("tool") or (run.tool if run is not None else DEFAULT_TOOL))


def migration_of(request: Request, run: OpenRun | None) -> Migration:
    """The migration as the request has it, with what its beginning said."""
    facts = request.arguments
    number = int(facts["migration_id"])
    success = facts.get("success") is not False
    undoes = number < 0 and success
    return Migration(
        migration_id=number,
        version=_text(facts.get("version")) or str(number),
        name=_text(facts.get("name")) or (run.name if run is not None else None),
        checksum=_text(facts.get("checksum")),
        applied_by=_text(facts.get("applied_by")) or request.user,
        applied_at=request.time.isoformat(),
        execution_ms=_execution(facts, run),
        success=success,
        sequence=None,
        status="rollback" if undoes else "applied" if success else "failed",
        # The smallest number has no positive one.
        rollback_of=-number if undoes and -number <= _LARGEST else None,
        error=_text(facts.get("error_message")),
    )


def meaning_of(migration: Migration) -> Meaning:
    if not migration.success:
        return Meaning.FAILED
    return Meaning.ROLLED_BACK if migration.status == "rollback" else Meaning.APPLIED


def rolls_back(migration: Migration, request: Request) -> Amendment | None:
    """What it rolls back. Of tools' own tables only those that whoever called may write to."""
    if migration.rollback_of is None:
        return None
    sources = tuple(str(name) for name in request.arguments.get("may_roll_back") or ("sql",))
    return Amendment(migration.rollback_of, status="rolled_back", any_tool=True, sources=sources)


def _execution(facts: Mapping[str, Any], run: OpenRun | None) -> int | None:
    """Milliseconds from begin to end; where the begin was rolled back, from what its message said."""
    if facts.get("execution_ms") is not None:
        return int(facts["execution_ms"])
    ended = facts.get("ended_at")
    if run is None or ended is None:
        return None
    lasted = datetime.fromisoformat(str(ended)).astimezone(UTC) - run.started_at
    return max(lasted // timedelta(milliseconds=1), 0)


def _text(value: object) -> str | None:
    return None if value is None else str(value)

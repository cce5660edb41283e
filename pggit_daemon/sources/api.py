"""The SQL API as a source: what sessions have begun, and what each request means.

In: requests in commit order. Out: items for the correlator. Its ledger, like that of a history table, is loaded from
`pggit_daemon.source_row` and moved by the stream: what a session has begun and not ended, by deployment id.
Pure; called by the reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from pggit_daemon.correlate.unit import Evidence, Recorded
from pggit_daemon.ddl import SessionKey
from pggit_daemon.lsn import LSN
from pggit_daemon.sources.migration import Amendment, HistoryChange, Migration
from pggit_daemon.sources.preset import Claims, Meaning, MigrationColumns, SessionHints, custom
from pggit_daemon.sources.requests import REQUESTS, Request
from pggit_daemon.sources.source import Source
from pggit_daemon.sources.text import TextRow

SQL_API = Source(
    name="sql",
    preset=custom(
        "sql", MigrationColumns(id="id", version=("id",)), claims=Claims.NONE, session=SessionHints(), key=("id",)
    ),
    table=REQUESTS,
    grace=timedelta(seconds=30),
    origin="api",
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A migration (or, without one, a deployment) that a session has begun and not ended."""

    key: str
    session: SessionKey
    recorded: Recorded | None
    last_part: LSN | None = None


class Api:
    """What is open, by deployment id, the newest last."""

    def __init__(self, rows: Mapping[str, TextRow]) -> None:
        self._open: dict[str, Begun] = {}
        for key, row in rows.items():
            session = SessionKey.of(int(row["pid"] or 0), row["backend_start"] or "")
            migration = _migration_of(row)
            change = _change(LSN(0), Meaning.STARTED, key, row["tool"] or "sql", migration=migration, new=row)
            last_part = row.get("last_part")
            part = LSN.parse(last_part) if last_part is not None else None
            self._open[key] = Begun(key, session, Recorded((change,)) if migration is not None else None, part)

    def innermost(self, session: SessionKey) -> Begun | None:
        """The migration that the session began last and has not ended."""
        mine = [one for one in self._open.values() if one.session == session and one.recorded is not None]
        return mine[-1] if mine else None

    def deployment(self, session: SessionKey) -> str | None:
        """The deployment that the session has open."""
        mine = [one.key for one in self._open.values() if one.session == session and one.recorded is None]
        return mine[-1] if mine else None

    def ran_part(self, key: str, commit: LSN) -> None:
        """The session of an open migration ran DDL in the transaction that commits there."""
        if key in self._open:
            self._open[key] = replace(self._open[key], last_part=commit)

    def read(self, request: Request, *, wrapped: bool) -> Iterator[Recorded]:
        """What a request means. `wrapped`: a tool's own migration made it, so it is no migration of its own."""
        match request.action:
            case "begin":
                yield self._begin(request, wrapped=wrapped)
            case "end":
                yield self._end(request, wrapped=wrapped)
            case "link" | "insert":
                yield self._told(request)
            case "deploy":
                key = str(request.arguments["deployment"])
                self._open[key] = Begun(key, request.session, None)
                yield Recorded((_change(request.lsn, Meaning.EDITED, key, "sql", new=_row(request)),))
            case "deployed":
                key = str(request.arguments["deployment"])
                self._open.pop(key, None)
                yield Recorded((_change(request.lsn, Meaning.EDITED, key, "sql", old=_row(request)),))
            case _:
                pass

    def _begin(self, request: Request, *, wrapped: bool) -> Recorded:
        key = str(request.arguments["deployment"])
        row = _row(request)
        migration = None if wrapped else replace(_migration(request), status="started")
        change = _change(request.lsn, Meaning.STARTED, key, _tool(request), migration=migration, new=row)
        recorded = Recorded((change,))
        if not wrapped:
            self._open[key] = Begun(key, request.session, recorded)
        return recorded

    def _end(self, request: Request, *, wrapped: bool) -> Recorded:
        key = str(request.arguments.get("deployment"))
        begun = self._open.pop(key, None)
        migration = _migration(request)
        meaning = Meaning.APPLIED if migration.success else Meaning.FAILED
        ended = None if wrapped else migration
        change = _change(request.lsn, meaning, key, _tool(request), migration=ended, old=_row(request))
        since = begun.recorded.lsn if begun is not None and begun.recorded is not None else request.lsn
        late = begun.last_part if begun is not None else None
        return Recorded((change,), since=since, certain=Evidence.SESSION, late=late)

    def _told(self, request: Request) -> Recorded:
        migration = _migration(request)
        meaning = Meaning.APPLIED
        amends = None
        if not migration.success:
            meaning = Meaning.FAILED
        elif migration.migration_id < 0:
            meaning = Meaning.ROLLED_BACK
            migration = replace(migration, status="rollback", rollback_of=-migration.migration_id)
            amends = Amendment(-migration.migration_id, status="rolled_back")
        key = f"{_tool(request)} {migration.migration_id}"
        change = _change(request.lsn, meaning, key, _tool(request), migration=migration, amends=amends)
        source = str(request.arguments.get("source") or SQL_API.name)
        return Recorded((replace(change, migration_source=source),), certain=Evidence.MANUAL)


def _change(
    lsn: LSN,
    meaning: Meaning,
    key: str,
    tool: str,
    *,
    migration: Migration | None = None,
    old: TextRow | None = None,
    new: TextRow | None = None,
    amends: Amendment | None = None,
) -> HistoryChange:
    return HistoryChange(
        source=SQL_API.name,
        tool=tool,
        lsn=lsn,
        operation="request",
        meaning=meaning,
        row_key=key,
        old=old,
        new=new,
        migration=migration,
        amends=amends,
    )


def _tool(request: Request) -> str:
    return str(request.arguments.get("tool") or "sql")


def _row(request: Request) -> TextRow:
    """What must be remembered of something that was begun."""
    facts = {name: None if value is None else str(value) for name, value in request.arguments.items()}
    return {
        **facts,
        "tool": facts.get("tool") or "sql",
        "pid": str(request.session.pid),
        "backend_start": request.session.started,
        "user": request.user,
    }


def _migration(request: Request) -> Migration:
    facts = request.arguments
    success = facts.get("success") is not False
    execution = facts.get("execution_ms")
    return Migration(
        migration_id=int(facts["migration_id"]),
        version=_text(facts.get("version")) or str(facts["migration_id"]),
        name=_text(facts.get("name")),
        checksum=_text(facts.get("checksum")),
        applied_by=_text(facts.get("applied_by")) or request.user,
        applied_at=None,
        execution_ms=int(execution) if execution is not None else None,
        success=success,
        sequence=None,
        status="applied" if success else "failed",
        error=_text(facts.get("error_message")),
    )


def _migration_of(row: TextRow) -> Migration | None:
    number = row.get("migration_id")
    if number is None:
        return None
    return Migration(
        migration_id=int(number),
        version=number,
        name=row.get("name"),
        checksum=None,
        applied_by=row.get("user"),
        applied_at=None,
        execution_ms=None,
        success=True,
        sequence=None,
        status="started",
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""The SQL API as a source: what sessions have begun, and what each request means.

In: requests in commit order, and messages, which may stand before the commit of their own transaction or without one.
Out: items for the correlator. Its ledger, like that of a history table, is loaded from `pggit_daemon.source_row` and
moved by the stream: what a session has begun and not ended, by deployment id. An entry ends with its request, or
when its session is gone (`reconcile/schedule.py`). Pure; called by the reader and by the baseline.

A failure comes twice: as a message, which a rollback cannot take back, and as a row, if there is none. The message
records it; the row adds what its transaction ran, and ends the entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pggit_daemon.interpret.requests import REQUESTS, Request
from pggit_daemon.model.changeset import Deployment, Evidence, HistoryRowEvent
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.meaning import Claims, Meaning
from pggit_daemon.model.migration import Amendment, HistoryChange, Linking, Migration
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.session import SessionKey
from pggit_daemon.tools.preset import MigrationColumns, SessionHints, custom
from pggit_daemon.tools.source import DEFAULT_GRACE, Source

SQL_API = Source(
    name="sql",
    preset=custom(
        "sql", MigrationColumns(id="id", version=("id",)), claims=Claims.NONE, session=SessionHints(), key=("id",)
    ),
    table=REQUESTS,
    grace=DEFAULT_GRACE,
    origin="api",
)

_LARGEST = (1 << 63) - 1
_REMEMBERED = ("deployment", "migration_id", "tool", "name", "started_at", "xact", "auto_commit")


@dataclass(frozen=True, slots=True)
class Begun:
    """What a session has begun and not ended.

    `migration` is what DDL of the session belongs to; None for deployments, for what is only announced (a message that
    came before its transaction's commit), and for calls from inside a tool's own migration (`wrapped`).
    `told`: since then it is known to have failed, and takes nothing more. `last_part`: its newest commit.
    """

    key: str
    session: SessionKey
    row: TextRow
    migration: HistoryRowEvent | None = None
    deployment: Deployment | None = None
    told: LSN | None = None
    last_part: LSN | None = None

    @property
    def wrapped(self) -> bool:
        return self.row.get("state") == "wrapped"

    @property
    def announced(self) -> bool:
        return self.row.get("state") == "announced"


class Api:
    """What is open, by deployment id, the newest last."""

    def __init__(self, rows: Mapping[str, TextRow]) -> None:
        self._open = {key: _loaded(key, row) for key, row in rows.items()}

    def innermost(self, session: SessionKey, at: LSN) -> HistoryRowEvent | None:
        """The migration that the session began last and had not ended there."""
        mine = [
            one.migration
            for one in self._open.values()
            if one.session == session and one.migration is not None and (one.told is None or at < one.told)
        ]
        return mine[-1] if mine else None

    def deployment(self, session: SessionKey) -> Deployment | None:
        """The deployment that the session has open."""
        mine = [one.deployment for one in self._open.values() if one.session == session and one.deployment is not None]
        return mine[-1] if mine else None

    def sessions(self) -> frozenset[SessionKey]:
        """The sessions that have something open."""
        return frozenset(one.session for one in self._open.values())

    def forget(self, gone: Iterable[SessionKey]) -> tuple[str, ...]:
        """Let go of what these sessions, which have ended, left open: its keys."""
        ended = set(gone)
        keys = tuple(key for key, one in self._open.items() if one.session in ended)
        for key in keys:
            del self._open[key]
        return keys

    def ran_part(self, key: str, commit: LSN) -> None:
        """The session of an open migration ran DDL in the transaction that commits there."""
        if key in self._open:
            self._open[key] = replace(self._open[key], last_part=commit)

    def read(self, request: Request, *, wrapped: bool = False, ran: bool = False) -> Iterator[HistoryRowEvent]:
        """What a request means.

        `wrapped`: a tool's own migration made it, so it is none of its own. `ran`: its transaction ran DDL of the
        migration that it is about.
        """
        match request.action:
            case "begin" if request.request_id is None:
                yield from self._announced(request, wrapped=wrapped)
            case "begin":
                yield self._begin(request, wrapped=wrapped)
            case "end" if request.request_id is None:
                yield self._failed(request)
            case "end":
                yield self._end(request, ran=ran)
            case "link" | "insert":
                yield _linked(request)
            case "deploy":
                yield self._deploy(request)
            case "deployed":
                key = str(request.arguments["deployment"])
                begun = self._open.pop(key, None)
                yield HistoryRowEvent(
                    (_change(request.lsn, Meaning.EDITED, key, "sql", old=begun.row if begun else None),)
                )
            case _:
                pass

    def _announced(self, request: Request, *, wrapped: bool) -> Iterator[HistoryRowEvent]:
        """A begin whose transaction may yet be rolled back: kept, so that its failure can be told of."""
        key = str(request.arguments["deployment"])
        row = _row(request, "wrapped" if wrapped else "announced")
        for one in [one for one in self._open.values() if one.session == request.session and one.announced]:
            if one.row.get("xact") != row.get("xact"):
                # Its own transaction has ended since, and did not commit.
                del self._open[one.key]
                yield _ledger(_change(request.lsn, Meaning.EDITED, one.key, "sql", old=one.row))
        self._open[key] = Begun(key, request.session, row)
        yield _ledger(_change(request.lsn, Meaning.EDITED, key, "sql", new=row))

    def _begin(self, request: Request, *, wrapped: bool) -> HistoryRowEvent:
        key = str(request.arguments["deployment"])
        known = self._open.pop(key, None)
        told = known.told if known is not None else None
        wrapped = wrapped or (known is not None and known.wrapped)
        row = _row(request, "wrapped" if wrapped else "open", told=told)
        begun = _started(request.lsn, key, row)
        self._open[key] = Begun(key, request.session, row, None if wrapped else begun, told=told)
        if wrapped or told is not None:
            return HistoryRowEvent((replace(begun.principal, migration=None),))
        return begun

    def _failed(self, request: Request) -> HistoryRowEvent:
        """A failure, told by a message: its transaction may be rolled back, and then nothing else tells of it."""
        begun = self._about(request)
        row = begun.row if begun is not None else {}
        key = begun.key if begun is not None else f"failed {request.lsn}"
        migration = _migration(request, row)
        tool = _tool(request, row)
        change = _change(request.lsn, Meaning.FAILED, key, tool, migration=migration, old=row or None)
        if begun is None:
            return HistoryRowEvent((change,), since=request.lsn, certain=Evidence.SESSION)
        told = {**row, "told": str(begun.told or request.lsn)}
        self._open[key] = replace(begun, row=told, told=begun.told or request.lsn)
        change = replace(change, new=told)
        if begun.wrapped or begun.told is not None:
            return HistoryRowEvent((replace(change, migration=None),))
        return HistoryRowEvent((change,), since=request.lsn, certain=Evidence.SESSION, late=begun.last_part)

    def _about(self, request: Request) -> Begun | None:
        """What a failure is about. Its begin may have been rolled back before it: then the session and id tell."""
        key = request.arguments.get("deployment")
        if key is not None:
            return self._open.get(str(key))
        number = str(request.arguments["migration_id"])
        mine = [
            one
            for one in self._open.values()
            if one.session == request.session and one.row.get("migration_id") == number and one.deployment is None
        ]
        return mine[-1] if mine else None

    def _end(self, request: Request, *, ran: bool) -> HistoryRowEvent:
        key = str(request.arguments["deployment"])
        begun = self._open.pop(key, None)
        row = begun.row if begun is not None else {}
        migration = _migration(request, row)
        tool = _tool(request, row)
        meaning = _meaning(migration)
        change = _change(
            request.lsn, meaning, key, tool, migration=migration, old=row or None, amends=_rolls_back(migration)
        )
        if begun is not None and (begun.wrapped or (begun.told is not None and not ran)):
            return HistoryRowEvent((replace(change, migration=None, amends=None),))
        since = begun.migration.lsn if begun is not None and begun.migration is not None else request.lsn
        late = begun.last_part if begun is not None else None
        return HistoryRowEvent((change,), since=since, certain=Evidence.SESSION, late=late)

    def _deploy(self, request: Request) -> HistoryRowEvent:
        key = str(request.arguments["deployment"])
        row = _row(request, "deployment")
        self._open[key] = Begun(key, request.session, row, deployment=_deployment(key, row))
        return HistoryRowEvent((_change(request.lsn, Meaning.EDITED, key, "sql", new=row),))


def deployment_of(request: Request) -> Deployment:
    """The deployment that a `deploy` request begins."""
    return _deployment(str(request.arguments["deployment"]), _row(request, "deployment"))


def _linked(request: Request) -> HistoryRowEvent:
    """A migration that somebody recorded: link_migration, or a row that was inserted by hand."""
    source = request.arguments.get("source")
    migration = _migration(request, {})
    change = _change(
        request.lsn,
        _meaning(migration),
        f"{_tool(request, {})} {migration.migration_id}",
        _tool(request, {}),
        migration=migration,
        amends=_rolls_back(migration),
    )
    linking = Linking(anywhere=source is None, records=request.action == "link")
    change = replace(change, migration_source=str(source or SQL_API.name), linking=linking)
    return HistoryRowEvent((change,), certain=Evidence.MANUAL)


def _loaded(key: str, row: TextRow) -> Begun:
    session = SessionKey.of(int(row["pid"] or 0), row["backend_start"] or "")
    return Begun(
        key,
        session,
        row,
        migration=_started(ZERO, key, row) if row.get("state") == "open" else None,
        deployment=_deployment(key, row) if row.get("state") == "deployment" else None,
        told=_lsn(row.get("told")),
        last_part=_lsn(row.get("last_part")),
    )


def _started(lsn: LSN, key: str, row: TextRow) -> HistoryRowEvent:
    """The beginning of a migration: also what its parts belong to until it ends, read back from the ledger or not."""
    migration = Migration(
        migration_id=int(row["migration_id"] or 0),
        version=row["migration_id"],
        name=row.get("name"),
        checksum=None,
        applied_by=row.get("user"),
        applied_at=None,
        execution_ms=None,
        success=True,
        sequence=None,
        status="started",
    )
    return HistoryRowEvent((_change(lsn, Meaning.STARTED, key, row["tool"] or "sql", migration=migration, new=row),))


def _deployment(key: str, row: TextRow) -> Deployment:
    return Deployment(key, row.get("name") or "", waits=row.get("auto_commit") == "True")


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


def _ledger(change: HistoryChange) -> HistoryRowEvent:
    """Something that only the ledger must know."""
    return HistoryRowEvent((replace(change, unobserved=True),))


def _row(request: Request, state: str, *, told: LSN | None = None) -> TextRow:
    """What must be remembered of something that was begun."""
    facts = {
        name: None if request.arguments[name] is None else str(request.arguments[name])
        for name in _REMEMBERED
        if name in request.arguments
    }
    return {
        **facts,
        "tool": facts.get("tool") or "sql",
        "pid": str(request.session.pid),
        "backend_start": request.session.started,
        "user": request.user,
        "state": state,
        **({"told": str(told)} if told is not None else {}),
    }


def _tool(request: Request, begun: TextRow) -> str:
    return str(request.arguments.get("tool") or begun.get("tool") or "flyway")


def _migration(request: Request, begun: TextRow) -> Migration:
    facts = request.arguments
    number = int(facts["migration_id"])
    success = facts.get("success") is not False
    rolls_back = number < 0 and success
    return Migration(
        migration_id=number,
        version=_text(facts.get("version")) or str(number),
        name=_text(facts.get("name")) or begun.get("name"),
        checksum=_text(facts.get("checksum")),
        applied_by=_text(facts.get("applied_by")) or request.user,
        applied_at=request.time.isoformat(),
        execution_ms=_execution(facts, begun),
        success=success,
        sequence=None,
        status="rollback" if rolls_back else "applied" if success else "failed",
        # The smallest number has no positive one.
        rollback_of=-number if rolls_back and -number <= _LARGEST else None,
        error=_text(facts.get("error_message")),
    )


def _execution(facts: Mapping[str, Any], begun: TextRow) -> int | None:
    """Milliseconds from begin to end; where the begin was rolled back, from what its message said."""
    if facts.get("execution_ms") is not None:
        return int(facts["execution_ms"])
    started, ended = begun.get("started_at"), facts.get("ended_at")
    if started is None or ended is None:
        return None
    lasted = datetime.fromisoformat(str(ended)).astimezone(UTC) - datetime.fromisoformat(started).astimezone(UTC)
    return max(lasted // timedelta(milliseconds=1), 0)


def _meaning(migration: Migration) -> Meaning:
    if not migration.success:
        return Meaning.FAILED
    return Meaning.ROLLED_BACK if migration.status == "rollback" else Meaning.APPLIED


def _rolls_back(migration: Migration) -> Amendment | None:
    if migration.rollback_of is None:
        return None
    return Amendment(migration.rollback_of, status="rolled_back", any_tool=True)


def _lsn(text: str | None) -> LSN | None:
    return LSN.parse(text) if text is not None else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""The SQL API as a source: what sessions have begun, and what each request means.

In: requests in commit order, and messages, which may stand before the commit of their own transaction or without one.
Out: items for the correlator. What a session has begun and not ended is kept in `pggit_daemon.open_run`: loaded from
there and moved by the stream. A run ends with its request, or when its session is gone (`reconcile/sessions.py`).
Pure; called by the reader and by the baseline.

A failure comes twice: as a message, which a rollback cannot take back, and as a row, if there is none. The message
records it; the row adds what its transaction ran, and ends the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pggit_daemon.interpret.requests import Request
from pggit_daemon.interpret.sql_rows import (
    SQL_API,
    change,
    deployment,
    linked,
    meaning_of,
    migration_of,
    rolls_back,
    started,
    tool_of,
    unobserved,
)
from pggit_daemon.model.changeset import Deployment, Evidence, HistoryRowEvent
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.open_run import EndedRun, OpenRun, RunState
from pggit_daemon.model.session import SessionKey

__all__ = ["SQL_API", "Api", "deployment_of"]

MOST_ANNOUNCED = 100
"""Runs of one session that are only announced: more than anybody nests, and what floods us costs no more than that."""


@dataclass(frozen=True, slots=True)
class _Open:
    """An open run. `migration` is what DDL of its session belongs to, if it is one and may take any."""

    run: OpenRun
    migration: HistoryRowEvent | None = None


class Api:
    """What is open, by its session, the newest last."""

    def __init__(self, runs: Iterable[OpenRun] = ()) -> None:
        self._sessions: dict[SessionKey, dict[str, _Open]] = {}
        self._owners: dict[str, SessionKey] = {}
        for run in runs:
            self._put(run, started(ZERO, run) if run.state is RunState.OPEN and not run.wrapped else None)

    def innermost(self, session: SessionKey, at: LSN) -> HistoryRowEvent | None:
        """The migration that the session began last and had not ended there."""
        for one in reversed(self._of(session).values()):
            if one.migration is not None and (one.run.failed_at is None or at < one.run.failed_at):
                return one.migration
        return None

    def deployment(self, session: SessionKey) -> Deployment | None:
        """The deployment that the session has open."""
        for one in reversed(self._of(session).values()):
            if one.run.state is RunState.DEPLOYMENT:
                return deployment(one.run)
        return None

    def sessions(self) -> frozenset[SessionKey]:
        """The sessions that have something open."""
        return frozenset(self._sessions)

    def forget(self, gone: Iterable[SessionKey]) -> tuple[str, ...]:
        """Let go of what these sessions, which have ended, left open: its keys."""
        return tuple(key for session in gone for key in [*self._of(session)] if self._take(key) is not None)

    def ran_part(self, key: str, commit: LSN) -> None:
        """The session of an open migration ran DDL in the transaction that commits there."""
        session = self._owners.get(key)
        if session is not None:
            one = self._sessions[session][key]
            self._sessions[session][key] = replace(one, run=replace(one.run, last_part=commit))

    def read(self, request: Request, *, wrapped: bool = False, ran: bool = False) -> Iterator[HistoryRowEvent]:
        """What a request means.

        `wrapped`: a tool's own migration made it, so it is none of its own. `ran`: its transaction ran DDL of the
        migration that it is about.
        """
        match request.action:
            case "begin" if request.request_id is None:
                yield self._announced(request, wrapped=wrapped)
            case "begin":
                yield self._begin(request, wrapped=wrapped)
            case "end" if request.request_id is None:
                yield self._failed(request)
            case "end":
                yield self._end(request, ran=ran)
            case "link" | "insert":
                yield linked(request)
            case "deploy":
                yield self._deploy(request)
            case "deployed":
                yield self._deployed(request)
            case _:
                pass

    def _announced(self, request: Request, *, wrapped: bool) -> HistoryRowEvent:
        """A begin whose transaction may yet be rolled back: kept, so that its failure can be recorded."""
        changes = []
        run = replace(_run(request, RunState.ANNOUNCED), wrapped=wrapped)
        mine = [one.run for one in self._of(request.session).values() if one.run.state is RunState.ANNOUNCED]
        # The transaction of others has ended since, and did not commit.
        stale = [one for one in mine if one.xact != run.xact] or mine[: max(len(mine) + 1 - MOST_ANNOUNCED, 0)]
        for one in stale:
            self._take(one.key)
            ended = EndedRun(one.key, one.session)
            changes.append(change(request.lsn, Meaning.EDITED, one.key, "sql", old=one.as_row(), run=ended))
        self._put(run)
        return unobserved(*changes, change(request.lsn, Meaning.EDITED, run.key, "sql", run=run))

    def _begin(self, request: Request, *, wrapped: bool) -> HistoryRowEvent:
        known = self._take(_key(request))
        failed_at = known.failed_at if known is not None else None
        wrapped = wrapped or (known is not None and known.wrapped)
        run = replace(_run(request, RunState.OPEN), wrapped=wrapped, failed_at=failed_at)
        begun = started(request.lsn, run)
        self._put(run, None if wrapped else begun)
        if wrapped or failed_at is not None:
            return HistoryRowEvent((replace(begun.principal, migration=None),))
        return begun

    def _failed(self, request: Request) -> HistoryRowEvent:
        """A failure, announced by a message: its transaction may be rolled back, and then nothing else records it."""
        one = self._about(request)
        migration = migration_of(request, one.run if one is not None else None)
        if one is None:
            key = f"failed {request.lsn}"
            found = change(request.lsn, Meaning.FAILED, key, tool_of(request, None), migration=migration)
            return HistoryRowEvent((found,), since=request.lsn, certain=Evidence.SESSION)
        before = one.run
        run = replace(before, failed_at=before.failed_at or request.lsn)
        self._sessions[run.session][run.key] = replace(one, run=run)
        found = change(
            request.lsn,
            Meaning.FAILED,
            run.key,
            tool_of(request, run),
            migration=migration,
            old=before.as_row(),
            run=run,
        )
        if run.wrapped or before.failed_at is not None:
            return HistoryRowEvent((replace(found, migration=None),))
        return HistoryRowEvent((found,), since=request.lsn, certain=Evidence.SESSION, late=run.last_part)

    def _about(self, request: Request) -> _Open | None:
        """What a failure is about. Its begin may have been rolled back before it: then the session and id tell."""
        if request.arguments.get("deployment") is not None:
            key = _key(request)
            session = self._owners.get(key)
            return self._sessions[session][key] if session is not None else None
        number = int(request.arguments["migration_id"])
        for one in reversed(self._of(request.session).values()):
            if one.run.migration_id == number and one.run.state is not RunState.DEPLOYMENT:
                return one
        return None

    def _end(self, request: Request, *, ran: bool) -> HistoryRowEvent:
        key = _key(request)
        owner = self._owners.get(key)
        one = self._sessions[owner][key] if owner is not None else None
        run = one.run if one is not None else None
        migration = migration_of(request, run)
        self._take(key)
        found = change(
            request.lsn,
            meaning_of(migration),
            key,
            tool_of(request, run),
            migration=migration,
            old=run.as_row() if run is not None else None,
            amends=rolls_back(migration, request),
            run=EndedRun(key, request.session),
        )
        if run is not None and (run.wrapped or (run.failed_at is not None and not ran)):
            return HistoryRowEvent((replace(found, migration=None, amends=None),))
        since = one.migration.lsn if one is not None and one.migration is not None else request.lsn
        late = run.last_part if run is not None else None
        return HistoryRowEvent((found,), since=since, certain=Evidence.SESSION, late=late)

    def _deploy(self, request: Request) -> HistoryRowEvent:
        run = _run(request, RunState.DEPLOYMENT)
        self._put(run)
        return HistoryRowEvent((change(request.lsn, Meaning.EDITED, run.key, "sql", run=run),))

    def _deployed(self, request: Request) -> HistoryRowEvent:
        key = _key(request)
        before = self._take(key)
        message = request.arguments.get("message")
        ended = EndedRun(
            key,
            request.session,
            deployed=True,
            ended_at=request.time,
            message=None if message is None else str(message),
            tags=tuple(request.arguments.get("tags") or ()),
        )
        old = before.as_row() if before is not None else None
        return HistoryRowEvent((change(request.lsn, Meaning.EDITED, key, "sql", old=old, run=ended),))

    # -- the index

    def _of(self, session: SessionKey) -> dict[str, _Open]:
        return self._sessions.get(session, {})

    def _put(self, run: OpenRun, migration: HistoryRowEvent | None = None) -> None:
        self._sessions.setdefault(run.session, {})[run.key] = _Open(run, migration)
        self._owners[run.key] = run.session

    def _take(self, key: str) -> OpenRun | None:
        session = self._owners.pop(key, None)
        if session is None:
            return None
        mine = self._sessions[session]
        one = mine.pop(key)
        if not mine:
            del self._sessions[session]
        return one.run


def deployment_of(request: Request) -> Deployment:
    """The deployment that a `deploy` request begins."""
    return deployment(_run(request, RunState.DEPLOYMENT))


def _key(request: Request) -> str:
    return str(request.arguments["deployment"])


def _run(request: Request, state: RunState) -> OpenRun:
    """What a request begins."""
    facts = request.arguments
    name = facts["name"]
    return OpenRun(
        key=_key(request),
        state=state,
        session=request.session,
        user=request.user,
        started_at=request.time,
        migration_id=int(facts["migration_id"]) if state is not RunState.DEPLOYMENT else None,
        tool=str(facts.get("tool") or "sql"),
        name=None if name is None else str(name),
        xact=str(facts["xact"]) if "xact" in facts else None,
        waits=facts.get("auto_commit") is True,
    )

"""Whether a server that says nothing still works for us.

In: a connection that waits, and how long its socket has been silent. Out: nothing while all is well; a log line and a
state that say what is waited for; and where the bytes are lost, an end of the connection, so that whoever waits gets an
error. Called by `connections.py` for each query and by `replication/frames.py` for the stream.

Silence proves nothing: comparing a catalog, a lock, or a huge transaction that is decoded and filtered may take
minutes. So another session asks the same server what the silent one is doing. A peer that is dead or cut off answers
neither; a backend that waits for its client while we wait for it means that a proxy or firewall swallows the bytes.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from pggit_daemon.db import session
from pggit_daemon.sql import load_queries

log = structlog.get_logger(__name__)

SILENCE = 10.0
"""Seconds of silence after which the connection is suspect."""

FIRST_LOOK = 3.0
"""Seconds until somebody wants to know what a query waits for."""

LOOK_INTERVAL = 5.0
"""Seconds between looks."""

LOOK_TIMEOUT = 5
"""Seconds in which another session must answer."""

REPEAT = 60.0
"""Seconds until a wait is reported again."""


class Look(Enum):
    """What was seen beside a silent connection."""

    WORKING = "working"
    NOT_WORKING = "the server waits for us, and we for it"
    NO_ANSWER = "the server does not answer"
    REFUSED = "the server lets nobody else in"


LOST = {Look.NOT_WORKING: 2, Look.NO_ANSWER: 2, Look.REFUSED: 6}
"""Looks in a row with which a connection is given up. At the first a last result may be on its way, or the machine be
short of time; and a server whose connections are all taken refuses us and works all the same."""


class Verdict:
    """Counts looks in a row. Pure."""

    def __init__(self) -> None:
        self._last = Look.WORKING
        self._row = 0

    def lost(self, look: Look) -> bool:
        """Note a look; whether the connection is lost."""
        self._row = self._row + 1 if look is self._last else 1
        self._last = look
        return self._row >= LOST.get(look, self._row + 1)


@dataclass(slots=True)
class Sessions:
    """The connections of one database's task, so that they can be ended from outside: a stop must not wait for them.

    `waits` is called with what a connection waits for, None when that is over.
    """

    waits: Callable[[str | None], None] = lambda _text: None
    guards: weakref.WeakSet[Guard] = field(default_factory=weakref.WeakSet)
    _connecting: set[asyncio.Task[Any]] = field(default_factory=set)

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """The task that runs makes a connection: there is none yet that could be ended, so it is cancelled itself."""
        task = asyncio.current_task()
        if task is None or task in self._connecting:
            yield
            return
        self._connecting.add(task)
        try:
            yield
        finally:
            self._connecting.discard(task)

    def break_off(self, why: str) -> None:
        """End all connections at once; whoever waits on one gets an error."""
        for guard in tuple(self.guards):
            guard.break_off(why)
        for task in tuple(self._connecting):
            task.cancel(why)


SESSIONS: ContextVar[Sessions] = ContextVar("sessions", default=Sessions())  # noqa: B039  (for whoever needs no stop)
"""Those of the task that runs: whatever it opens, directly or not, belongs to its database."""


class Guard:
    """Watches one connection. `begin` when something is waited for, `heard` at each sign of life, `end` after it."""

    def __init__(self, conn: psycopg.AsyncConnection[Any], dsn: str) -> None:
        self._conn = weakref.ref(conn)
        self._dsn = same_server(conn, dsn)
        self._pid = conn.info.backend_pid
        self._loop = asyncio.get_running_loop()
        self._heard = 0.0
        self._first_look = FIRST_LOOK
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None
        self._look: asyncio.Task[None] | None = None
        self._verdict = Verdict()
        self._reported: tuple[str, float] | None = None
        self._sessions = SESSIONS.get()
        self._sessions.guards.add(self)
        self.reason: str | None = None
        """Why the connection was ended, if it was."""

    def begin(self, first_look: float = FIRST_LOOK) -> None:
        """Something is waited for from now on, for `first_look` seconds of silence without a look beside."""
        self._heard = time.monotonic()
        self._waiting = True
        self._first_look = first_look
        if self._timer is None and self._look is None:
            self._timer = self._loop.call_later(first_look, self._due)

    def heard(self) -> None:
        self._heard = time.monotonic()

    def end(self) -> None:
        """Nothing is waited for. The timer is left to find that out: most waits are far shorter."""
        self._waiting = False
        if self._reported is not None:
            self._reported = None
            self._sessions.waits(None)
            log.info("wait_over")

    def break_off(self, why: str) -> None:
        """End the connection; whoever waits on it gets an error that says why."""
        conn = self._conn()
        if conn is not None and not conn.closed:
            self.reason = self.reason or why
            shut_down(conn)

    def _due(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        # The timer may have been started for another wait.
        rest = self._heard + self._first_look - time.monotonic()
        if rest > 0:
            self._timer = self._loop.call_later(rest, self._due)
        else:
            self._look = self._loop.create_task(self._look_beside())

    async def _look_beside(self) -> None:
        since = self._heard
        look, waits_for = await beside(self._dsn, self._pid)
        self._look = None
        if not self._waiting or self.reason is not None:
            return
        if self._heard == since:
            self._tell(waits_for)
            if time.monotonic() - since >= SILENCE and self._verdict.lost(look):
                log.warning("connection_lost", reason=look.value, silence_seconds=round(time.monotonic() - since, 1))
                self.break_off(f"no word for {time.monotonic() - since:.0f} s: {look.value}")
                return
        else:
            self._verdict = Verdict()
        self._timer = self._loop.call_later(LOOK_INTERVAL, self._due)

    def _tell(self, waits_for: str) -> None:
        now = time.monotonic()
        if not waits_for or (
            self._reported is not None and self._reported[0] == waits_for and now < self._reported[1] + REPEAT
        ):
            return
        self._reported = (waits_for, now)
        self._sessions.waits(waits_for)
        log.warning("waiting", waits_for=waits_for)


def same_server(conn: psycopg.AsyncConnection[Any] | psycopg.Connection[Any], dsn: str) -> str:
    """Return a connection string for the very server of this connection, as `dsn` may name several."""
    info = conn.info
    return make_conninfo(
        dsn, host=info.host or None, hostaddr=info.hostaddr or None, port=info.port, connect_timeout=LOOK_TIMEOUT
    )


async def beside(dsn: str, pid: int) -> tuple[Look, str]:
    """Ask the server in another session what the session `pid` is doing, and whom it waits for."""
    try:
        async with asyncio.timeout(LOOK_TIMEOUT):
            conn = await psycopg.AsyncConnection.connect(
                make_conninfo(dsn, application_name="pggit-daemon watch"), autocommit=True
            )
    except (TimeoutError, psycopg.errors.ConnectionTimeout):
        return Look.NO_ANSWER, ""
    except psycopg.Error:
        return Look.REFUSED, ""
    # Not a timeout that cancels: psycopg would first ask the server to cancel, and wait for that.
    limit = asyncio.get_running_loop().call_later(LOOK_TIMEOUT, shut_down, conn)
    try:
        # Compiling the query for a server that compiles everything would take longer than its answer may.
        pins = session.settings(conn.info.server_version, lock_timeout="0")
        await conn.execute(session.statements(pins).encode())
        cursor = await conn.execute(load_queries("session")["beside"], {"pid": pid})
        row = await cursor.fetchone()
    except psycopg.OperationalError:
        return Look.NO_ANSWER, ""
    finally:
        limit.cancel()
        await conn.close()
    working, blockers = row or (False, [])
    who = "; ".join(f"{who} since {since}" if since else str(who) for who, since in blockers)
    return Look.WORKING if working else Look.NOT_WORKING, who


def shut_down(conn: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Shut the socket down: libpq then reports a connection that is closed, to whoever waits on it."""
    if not conn.closed:
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)

"""Whether a server that says nothing still works for us.

In: a connection that waits, and how long its socket has been silent. Out: nothing while all is well; a log line and a
state that say what is waited for; and where the bytes are lost, an end of the connection, so that whoever waits gets an
error. Called by `connections.py` for each query and by `replication/frames.py` for the stream.

Silence proves nothing: comparing a catalog, a lock, or a huge transaction that is decoded and filtered may take
minutes. So another session asks the same server what the silent one is doing (`beside.py`). A peer that is dead or cut
off answers neither; a backend that waits for its client while we wait for it means that a proxy or firewall swallows
the bytes.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog

from pggit_daemon.db.beside import LOOK_INTERVAL, SILENCE, Verdict, beside, same_server, shut_down

log = structlog.get_logger(__name__)

FIRST_LOOK = 3.0
"""Seconds until somebody wants to know what a query waits for."""

REPEAT = 60.0
"""Seconds until a wait is reported again."""


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

"""A connection that is open while it is used, and for a while after.

In: a way to open it, and how long it is kept. Out: the connection, lent to one user at a time. Called by whoever needs
the database now and then: a process of the server for each of many idle databases is what this saves.

    link = OnDemand(lambda: connect(dsn, "store"), kept=lambda: 60.0)
    async with link.use() as conn:
        …

One that is lost while nobody uses it is no error: the next use opens another. What goes wrong in use is the user's.
Whatever a session needs is set by the way to open it.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

import psycopg
from psycopg.pq import TransactionStatus

from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.errors import PggitDaemonError

Connection = psycopg.AsyncConnection[Any]


class Lender(Protocol):
    """Lends a connection."""

    def expect(self) -> None:
        """A use comes soon."""

    def use(self, *, brief: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Lend it; `brief`: opened for this, it is not kept."""


class Lent:
    """A connection that is open anyway, and somebody else's to close."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def expect(self) -> None:
        """It is there."""

    @asynccontextmanager
    async def use(self, *, brief: bool = False) -> AsyncIterator[Connection]:  # noqa: ARG002  (it is not ours to close)
        yield self._conn


class OnDemand:
    """`kept`: for how many seconds it stays open unused."""

    def __init__(self, open_: Callable[[], Awaitable[WatchedConnection]], *, kept: Callable[[], float]) -> None:
        self._open = open_
        self._kept = kept
        self._conn: WatchedConnection | None = None
        self._lock = asyncio.Lock()
        self._used_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._ended = False

    @asynccontextmanager
    async def use(self, *, brief: bool = False) -> AsyncIterator[Connection]:
        """Lend the connection; whoever else wants it waits. `brief`: opened for this, it is not kept."""
        async with self._lock:
            conn = self._conn
            if conn is not None and not _is_quiet(conn):
                self._drop()
                conn = None
            opened = conn is None
            if conn is None:
                conn = self._conn = await self._open()
            try:
                yield conn
            finally:
                # A transaction is left open where its user was cancelled.
                left = conn.closed or conn.info.transaction_status != TransactionStatus.IDLE
                if self._ended or left or (brief and opened):
                    self._drop()
                else:
                    self._rest()

    def rest(self) -> None:
        """Close it now, unless somebody uses it: the next use will be long in coming."""
        if not self._lock.locked():
            self._drop()

    def expect(self) -> None:
        """Have it opened meanwhile: a use comes soon. What goes wrong is raised by that use."""
        if self._conn is None and not self._lock.locked() and (self._opening is None or self._opening.done()):
            self._opening = asyncio.create_task(self._open_meanwhile())

    async def _open_meanwhile(self) -> None:
        with suppress(PggitDaemonError):
            async with self.use():
                pass

    def close(self) -> None:
        """Close it for good; whoever uses it still gets an error."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._opening is not None:
            self._opening.cancel()
        self._drop()

    def _rest(self) -> None:
        """It is used no more. A timer that runs already finds that out by itself: most uses follow one another."""
        loop = asyncio.get_running_loop()
        self._used_at = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._kept(), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._conn is None:
            return
        loop = asyncio.get_running_loop()
        rest = self._kept() if self._lock.locked() else self._used_at + self._kept() - loop.time()
        if rest > 0:
            self._timer = loop.call_later(rest, self._look)
        else:
            self._drop()

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.finish()


def _is_quiet(conn: Connection) -> bool:
    """Whether it is as it was left. What the server says unasked is that it ended the session, as a rule."""
    if conn.closed:
        return False
    poll = select.poll()
    poll.register(conn.pgconn.socket, select.POLLIN)
    return not poll.poll(0)


def abandon(task: asyncio.Task[Any]) -> None:
    """End a task that uses a connection, whatever comes of it: nobody asks any more."""
    task.cancel()
    task.add_done_callback(_pass_over)


def _pass_over(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()

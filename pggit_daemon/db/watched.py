"""A connection whose waits end when the server is gone without a word, and that is not freed while one of them lasts.

In: what psycopg or `prepared.py` waits for. Out: its result, or an error that says why the connection was ended. Made
by `connections.py` and `replication/connection.py`, ended by them and by `on_demand.py`.

psycopg's C code keeps the address of libpq's PGconn over each wait (`send` and `fetch` in its generators.pyx). To close
the connection meanwhile frees that memory, and the task that waits uses it when it goes on: the process ends by
SIGSEGV. And the number of the socket that is closed may be another connection's before the event loop has let go of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import Ready

from pggit_daemon.db.beside import shut_down

if TYPE_CHECKING:
    from pggit_daemon.db.guard import Guard

RV = TypeVar("RV")


class WatchedConnection(psycopg.AsyncConnection[Any]):
    """As psycopg's, but for how it waits and ends."""

    guard: Guard | None = None
    _waits = 0
    _is_over = False

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:  # noqa: ASYNC109  (psycopg's signature)
        """Run psycopg's wait under the guard."""
        guard = self.guard
        with self.waiting():
            if guard is None:
                return await super().wait(gen, interval, timeout)
            try:
                return await super().wait(heard(gen, guard), interval, timeout)
            except psycopg.OperationalError as exc:
                if guard.reason is None:
                    raise
                raise psycopg.OperationalError(guard.reason) from exc

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Something is waited for in this block, in which libpq's PGconn stays where it is."""
        self._waits += 1
        if self.guard is not None:
            self.guard.begin()
        try:
            yield
        finally:
            self._waits -= 1
            if self.guard is not None:
                self.guard.end()
            if self._is_over and not self._waits:
                self.pgconn.finish()

    def finish(self) -> None:
        """Close it at once, or have whoever waits on it get an error at once, and close it behind that."""
        if not self._waits:
            self.pgconn.finish()
            return
        self._is_over = True
        if self.guard is not None:
            self.guard.break_off("the connection was closed meanwhile")
        else:
            shut_down(self)

    async def close(self) -> None:
        """Close it, as `finish` does."""
        if self._waits:
            self.finish()
        else:
            await super().close()


class Listener(Protocol):
    """Whoever wants to know when something came."""

    def heard(self) -> None: ...


def heard(gen: PQGen[RV], listener: Listener) -> PQGen[RV]:
    """Pass everything through, and note when something could be read."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready and ready & Ready.R:
                listener.heard()
            wanted = gen.send(ready)
    except StopIteration as end:
        value: RV = end.value
        return value

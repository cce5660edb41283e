"""A statement that runs again and again, on psycopg's connection and past its cursors, which cost as much as the call.

In: a connection that is idle and lent to nobody else meanwhile, and parameters as the server reads them. Out: the first
row, as text. Called by `store/writer.py`. What is cancelled leaves the connection busy: its owner closes it then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import pq

from pggit_daemon.db.guard import Guard
from pggit_daemon.db.watched import WatchedConnection

_prepared: WeakKeyDictionary[psycopg.AsyncConnection[Any], set[str]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Prepared:
    """`query` names its parameters $1 and so on, with their types; it returns a row."""

    name: str
    query: str

    async def run(self, conn: psycopg.AsyncConnection[Any], *parameters: bytes | None) -> Sequence[str | None]:
        """Run it; psycopg's errors, as from a cursor."""
        known = _prepared.setdefault(conn, set())
        if self.name not in known:
            await conn.execute(f"PREPARE {self.name} AS {self.query}".encode())
            known.add(self.name)
        result = await _answer(conn, self.name.encode(), parameters)
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result, encoding=conn.info.encoding)
        found = (result.get_value(0, column) for column in range(result.nfields))
        return [value.decode() if value is not None else None for value in found]


async def _answer(
    conn: psycopg.AsyncConnection[Any], name: bytes, parameters: Sequence[bytes | None]
) -> pq.abc.PGresult:
    """Send it and wait for all that the server says; the first result, or the one that is an error."""
    guard = conn.guard if isinstance(conn, WatchedConnection) else None
    conn.pgconn.send_query_prepared(name, parameters)
    with conn.waiting() if isinstance(conn, WatchedConnection) else nullcontext():
        call = _Call(conn.pgconn, guard)
        try:
            await call.done
        except psycopg.OperationalError as exc:
            if guard is None or guard.reason is None:
                raise
            raise psycopg.OperationalError(guard.reason) from exc
        finally:
            call.leave()
    return next((one for one in call.results if one.status == pq.ExecStatus.FATAL_ERROR), call.results[0])


class _Call:
    """One statement under way: sends what is left of it, and gathers what the server answers."""

    def __init__(self, pgconn: pq.abc.PGconn, guard: Guard | None) -> None:
        self._pgconn = pgconn
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._line = pgconn.socket
        self._writes = bool(pgconn.flush())
        self.results: list[pq.abc.PGresult] = []
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._line, self._look)
        if self._writes:
            self._loop.add_writer(self._line, self._look)

    def leave(self) -> None:
        self._loop.remove_reader(self._line)
        if self._writes:
            self._loop.remove_writer(self._line)

    def _look(self) -> None:
        if self._guard is not None:
            self._guard.heard()
        if self.done.done():
            return
        try:
            self._pgconn.consume_input()
            if self._writes and not self._pgconn.flush():
                self._loop.remove_writer(self._line)
                self._writes = False
            self._gather()
        except psycopg.Error as exc:
            self.done.set_exception(exc)

    def _gather(self) -> None:
        while not self._pgconn.is_busy():
            result = self._pgconn.get_result()
            if result is None:
                self.done.set_result(None)
                return
            self.results.append(result)

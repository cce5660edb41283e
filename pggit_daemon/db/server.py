"""The state of a server, asked once for all of its databases.

In: connection strings. Out: `Look`s at the server: its slots, and how much was written in each database. Called by the
worker and by the jobs beside the stream, which open no connection of their own while nothing can have changed.

Whoever asks first asks for all, with his own connection string. The others wait for that answer, but not for long: a
database that hangs costs the others nothing. No answer means that nothing is known, and everybody looks for himself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pggit_daemon.db.connections import connect
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.db.refusals import translated
from pggit_daemon.errors import PggitDaemonError
from pggit_daemon.sql import load_queries

KEPT = 30.0
"""Seconds for which the connection stays open: longer than idle databases rest between two looks, so that it is one
session for all of them instead of one for each look (720 an hour, which log_connections shows)."""

PATIENCE = 2.0
"""Seconds for which an answer is waited for."""

FEW_OPEN = 8
FEW_BEGIN = 4
FEW_LOOK = 4
"""How many connections may be opened, databases begin, and jobs look, at the same time."""

LONG = 10.0
"""Seconds after which a turn makes room for the next."""

FEW = 4
"""Databases that keep their connections open for longer."""

_SAME_SERVER = ("service", "host", "hostaddr", "port", "target_session_attrs")


@dataclass(frozen=True, slots=True)
class SlotLook:
    """A slot: who reads from it, and bytes that are not acknowledged, kept, and left until it is lost.

    None: nobody reads from it, nothing was acknowledged, there is no limit. `is_standby`: whoever reads from it counts
    as a synchronous standby.
    """

    active_pid: int | None
    lag_bytes: int | None
    retained_bytes: int | None
    safe_wal_bytes: int | None
    is_standby: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """What has changed when anything that we read of a database may have: rows written there, and roles."""

    written: int
    shared: int


@dataclass(frozen=True, slots=True)
class Look:
    """The server as it was at `at` (the loop's time)."""

    at: float
    slots: Mapping[str, SlotLook]
    written: Mapping[str, int]
    shared: int

    def mark(self, database: str) -> Mark | None:
        """What tells whether anything of a database may have changed; None where nothing is known of it."""
        written = self.written.get(database)
        return None if written is None else Mark(written, self.shared)


class Room:
    """Work that takes a connection and can wait a little: not of all databases at once."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for room. Who takes long goes on and makes room for the next: nobody waits for a database that hangs."""
        await self._free.acquire()
        over = False

        def make_room() -> None:
            nonlocal over
            if not over:
                over = True
                self._free.release()

        timer = asyncio.get_running_loop().call_later(LONG, make_room)
        try:
            yield
        finally:
            timer.cancel()
            make_room()


class Server:
    """One server."""

    def __init__(self) -> None:
        self._dsn = ""
        self._link = OnDemand(lambda: connect(self._dsn, "server"), kept=lambda: KEPT)
        self._latest: Look | None = None
        self._asking: asyncio.Task[Look | None] | None = None
        self.opening = Room(FEW_OPEN)
        """Where ordinary connections are opened: all databases may want one at once, as when told to stop."""
        self.beginning = Room(FEW_BEGIN)
        """Where databases begin to be followed."""
        self.looking = Room(FEW_LOOK)
        """Where the jobs beside the streams look at theirs."""
        self.databases = 0
        """How many of its databases are followed."""

    def kept(self, seconds: float, crowded: float) -> float:
        """For how long an unused connection stays open: `seconds`, or with many databases, which have as many, less."""
        return seconds if self.databases <= FEW else crowded

    async def look(self, dsn: str, *, max_age: float) -> Look | None:
        """Return a look that is at most `max_age` seconds old; None where the server does not tell in time."""
        now = asyncio.get_running_loop().time()
        if self._latest is not None and now - self._latest.at <= max_age:
            return self._latest
        if self._asking is None or self._asking.done():
            self._dsn = dsn
            self._asking = asyncio.create_task(self._ask(), name="server look")
        asking = self._asking
        # Not a wait that cancels: the others want the answer, too.
        await asyncio.wait([asking], timeout=PATIENCE)
        return asking.result() if asking.done() and not asking.cancelled() else None

    async def _ask(self) -> Look | None:
        at = asyncio.get_running_loop().time()
        try:
            async with self._link.use() as conn:
                slots, written, shared = await _fetch(conn)
        except PggitDaemonError:
            return None  # who needs it meets the same error, and tells it
        known = {name: SlotLook(*values) for name, values in slots.items()}
        self._latest = Look(at, known, written, int(shared))
        return self._latest


@dataclass(slots=True)
class Servers:
    """All servers of the process, by what in a connection string names them."""

    _known: dict[tuple[object, ...], Server] = field(default_factory=dict)

    def of(self, dsn: str) -> Server:
        """Return the server of a connection string; one that names several servers shares none."""
        given = conninfo_to_dict(dsn)
        key = tuple(given.get(name) for name in _SAME_SERVER)
        if any("," in str(part) for part in key):
            return Server()
        return self._known.setdefault(key, Server())


async def _fetch(conn: psycopg.AsyncConnection[Any]) -> tuple[Any, ...]:
    try:
        cursor = await conn.execute(load_queries("server")["look"].encode())
        return (await cursor.fetchone()) or ({}, {}, 0)
    except psycopg.Error as exc:
        raise translated(exc) from exc

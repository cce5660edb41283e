"""Takes handled rows out of the outboxes.

In: what the store could not take out, as its commit was decoded before other sessions saw it; what an earlier run left
there; and what the store parked. Out: nothing; it is done. A job of `scheduler.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from pggit_daemon.db import catalog
from pggit_daemon.db.connections import STORING
from pggit_daemon.db.refusals import translated
from pggit_daemon.reconcile.barrier import Barrier
from pggit_daemon.reconcile.visibility import Visibility
from pggit_daemon.store.writer import Store

SOON = 0.1
"""Seconds after which a commit is visible to others, as a rule."""


class Outbox:
    """Reads and changes `store.left`, the handled rows that are still there."""

    name = "outbox"

    def __init__(self, barrier: Barrier, visibility: Visibility, store: Store) -> None:
        self._barrier = barrier
        self._visibility = visibility
        self._store = store
        self._swept = False
        self._waiting = asyncio.Event()

    def look(self) -> None:
        """Something was stored: see whether it left rows behind."""
        if self._store.parked or any(self._store.left.values()):
            self._waiting.set()

    async def due(self) -> None:
        if self._swept:
            await self._waiting.wait()
            await asyncio.sleep(SOON)

    async def run(self, conn: psycopg.AsyncConnection[Any]) -> None:
        if not self._swept:
            # Rows that are there now and were committed before the stream's position are handled when it has passed.
            rows, requests = await catalog.outbox(conn), await catalog.requests(conn)
            await self._barrier.passed(await catalog.position(conn))
            self._store.left["handled_events"].update(rows)
            self._store.left["handled_requests"].update(int(str(row["id"])) for row in requests)
            self._swept = True
        self._waiting.clear()
        await _prepare(conn)
        parkings = self._store.parkings
        own, asked = Store(conn), {operation: set(ids) for operation, ids in self._store.left.items()}
        sees_all = await self._visibility.is_complete(conn)
        await own.run([(operation, {"ids": sorted(ids)}) for operation, ids in asked.items() if ids])
        for operation, ids in asked.items():
            # What is not there although all is visible has gone already: the store took it out itself.
            self._store.left[operation] -= ids if sees_all else ids - own.left[operation]
        if self._store.parkings == parkings:  # otherwise the store has parked something meanwhile
            self._store.parked = own.parked
        self.look()


async def _prepare(conn: psycopg.AsyncConnection[Any]) -> None:
    """Write as the store does."""
    try:
        await conn.execute(STORING)
    except psycopg.Error as exc:
        raise translated(exc) from exc

"""What sessions left open when they ended: migrations, deployments, failures whose begin was rolled back.

In: the sessions that have something open. Out: the ledger and the session tables without them; a migration that was
begun stays recorded as started, a deployment as abandoned. A job of `scheduler.py`.

A session that has ended sends nothing more: once the stream has passed the moment at which that was seen, what it
had open is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog

from pggit_daemon.db import catalog
from pggit_daemon.interpret.sql_api import Api
from pggit_daemon.model.session import Watched
from pggit_daemon.reconcile.barrier import Barrier
from pggit_daemon.store.writer import Store

log = structlog.get_logger(__name__)

TICK = 10.0
"""Seconds between looks at whether anything is open at all; nothing is asked of the server for that."""


class StaleSessions:
    """`interval`: seconds between looks at the sessions that have something open."""

    name = "sessions"

    def __init__(
        self, api: Api, barrier: Barrier, *, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._barrier = barrier
        self._interval = interval
        self._clock = clock
        self._looked_at = clock() - interval  # at once: much may have ended while no daemon ran
        self._ended: set[str] = set()  # keys of what is to be closed in the tables

    async def due(self) -> None:
        while not self._is_due():  # noqa: ASYNC110  # whether something is open changes with every transaction
            await asyncio.sleep(min(self._interval, TICK))

    def _is_due(self) -> bool:
        return bool(self._api.sessions() or self._ended) and self._clock() - self._looked_at >= self._interval

    async def run(self, conn: psycopg.AsyncConnection[Any]) -> None:
        self._looked_at = self._clock()
        probe = await catalog.probe(conn, [Watched(session, by_lock=False) for session in self._api.sessions()])
        if probe.gone:
            await self._barrier.passed(probe.position)
            self._ended.update(self._api.forget(one.session for one in probe.gone))
        if self._ended:
            await self._close(conn)

    async def _close(self, conn: psycopg.AsyncConnection[Any]) -> None:
        await Store(conn).run([("abandon", {"keys": sorted(self._ended)})])
        log.info("sessions_ended", left_open=len(self._ended))
        self._ended.clear()

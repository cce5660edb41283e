"""What sessions left open when they ended: migrations never ended, deployments, failures told of a rolled-back begin.

In: a quiet moment of the stream. Out: the ledger and the session tables without them; a migration that was begun stays
recorded as started, a deployment as abandoned. Called by `pipeline.py`.

A session that is gone can tell nothing more: once the stream has passed the moment at which that was seen, what it
had open is closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog

from pggit_daemon.db import catalog
from pggit_daemon.db.catalog import Probe
from pggit_daemon.interpret.sql_api import Api
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Watched
from pggit_daemon.store.writer import Store

log = structlog.get_logger(__name__)


class Abandoned:
    """`interval`: seconds between looks at the sessions that have something open."""

    def __init__(
        self,
        api: Api,
        *,
        store: Store,
        conn: psycopg.AsyncConnection[Any],
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._store = store
        self._conn = conn
        self._interval = interval
        self._clock = clock
        self._looked_at = clock() - interval  # at once: much may have ended while no daemon ran
        self._probe: Probe | None = None

    @property
    def under_way(self) -> bool:
        """Whether sessions were found gone, and the stream must come that far."""
        return self._probe is not None

    async def turn(self, received: LSN) -> None:
        """Do what is due."""
        if self._probe is not None:
            if received >= self._probe.position:
                probe, self._probe = self._probe, None
                await self._close(probe)
            return
        sessions = self._api.sessions()
        if sessions and self._clock() - self._looked_at >= self._interval:
            self._looked_at = self._clock()
            probe = await catalog.probe(self._conn, [Watched(session, by_lock=False) for session in sessions])
            self._probe = probe if probe.gone else None

    async def _close(self, probe: Probe) -> None:
        keys = self._api.forget(one.session for one in probe.gone)
        if keys:
            await self._store.run([("abandon", {"keys": sorted(keys)})])
            log.info("sessions_ended", left_open=len(keys))

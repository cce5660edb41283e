"""The slot of a database and the first commit of its history.

In: the configuration, the slot as it is, the stored progress. Out: a slot that goes on from that progress: as it was,
or made together with a baseline or gap commit. Called by `worker.py` before it streams.
"""

from __future__ import annotations

from typing import Any

import psycopg
import structlog

from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.db.connections import translated
from pggit_daemon.errors import PrerequisiteError, SlotInUse
from pggit_daemon.reconcile import baseline
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.slot import SlotFacts, loss, read_slot
from pggit_daemon.store.loader import load_progress, load_state
from pggit_daemon.store.writer import Store
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import DatabaseHealth, State
from pggit_daemon.tools.registry import Registry

log = structlog.get_logger(__name__)


class Beginning:
    """Of one database."""

    def __init__(self, config: DatabaseConfig, metrics: Metrics, health: DatabaseHealth) -> None:
        self._config = config
        self._metrics = metrics
        self._health = health
        self._log = log.bind(database=config.name)

    async def begin(self, reading: psycopg.AsyncConnection[Any], store: Store, registry: Registry) -> bool:
        """Make the slot and the first commit, or close the gap, where there is need.

        True where objects were left out of that commit.
        """
        slot = await self.read_slot(reading)
        progress = await load_progress(reading)
        if slot is not None:
            self.check_slot(slot, reading.info.dbname)
            if slot.active_pid is not None:
                raise SlotInUse(f"replication slot {slot.name} is in use by process {slot.active_pid}")
        lost = loss(slot, progress) if progress is not None else None
        if progress is not None and lost is None:
            self._health.has_baseline = True
            return False
        self._check_begin(lost)
        self._health.enter(State.BASELINE)
        before = await load_state(reading, progress, registry) if progress is not None else None
        async with await ReplicationConnection.open(self._config.dsn) as replication:
            if slot is not None:
                # Ours, but without a first commit (a crash in between), or not with all that we need: it is of no use.
                await replication.drop_slot(self._config.slot)
            begun = await baseline.begin(
                replication,
                reading,
                store,
                registry,
                slot=self._config.slot,
                plugin=self._config.plugin,
                before=before,
            )
        self._health.has_baseline = True
        kind = "baseline" if before is None else "gap"
        self._metrics.commits.labels(self._config.name, kind).inc()
        self._log.info("history_begun", kind=kind, objects=begun.objects, migrations=begun.rows, unread=begun.unread)
        return begun.unread > 0

    async def read_slot(self, conn: psycopg.AsyncConnection[Any]) -> SlotFacts | None:
        """Look at the slot; None where there is none."""
        try:
            return await read_slot(conn, self._config.slot)
        except psycopg.Error as exc:
            raise translated(exc) from exc

    def check_slot(self, slot: SlotFacts, database: str) -> None:
        """A slot of this name may be somebody else's: then nothing may be read from it, and it must not be dropped."""
        if slot.database != database or slot.plugin != self._config.plugin:
            whose = f"of database {slot.database} with plugin {slot.plugin}" if slot.database else "a physical one"
            raise PrerequisiteError(
                f"replication slot {slot.name} is not ours: it is {whose}",
                hint=f'give database {self._config.name} a slot of its own in the configuration: slot = "…"',
            )

    def _check_begin(self, lost: str | None) -> None:
        if lost is not None:
            self._log.error("slot_lost", slot=self._config.slot, reason=lost, action="a gap commit and a new slot")
        elif not self._config.create_baseline:
            raise PrerequisiteError(
                f"database {self._config.name} has no baseline, and create_baseline is false",
                hint="set create_baseline = true for one start",
            )

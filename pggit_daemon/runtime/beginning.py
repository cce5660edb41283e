"""The slot of a database and the first commit of its history.

In: the configuration, the slot as it is, the stored progress. Out: a slot that goes on from that progress: as it was,
or made together with a baseline or gap commit. Called by `worker.py` before it streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import structlog

from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.db.refusals import translated
from pggit_daemon.decode.pgoutput import PLUGIN as PGOUTPUT
from pggit_daemon.decode.plugins import AUTO, PLUGINS, candidates
from pggit_daemon.errors import PluginRefused, PrerequisiteError, SlotInUse
from pggit_daemon.reconcile import baseline
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.slot import SlotFacts, loss, read_slot
from pggit_daemon.runtime.publishing import Publishing
from pggit_daemon.store.loader import State as History
from pggit_daemon.store.loader import load_progress, load_state
from pggit_daemon.store.writer import Store
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import DatabaseHealth, State
from pggit_daemon.tools.registry import Registry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """The slot is there, made with `plugin`. `unread`: objects were left out of the first commit."""

    plugin: str
    unread: bool = False


class Beginning:
    """Of one database."""

    def __init__(
        self, config: DatabaseConfig, metrics: Metrics, health: DatabaseHealth, publishing: Publishing
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._health = health
        self._publishing = publishing
        self._log = log.bind(database=config.name)
        self.undecodable: str | None = None
        """Why the server cannot decode what the slot holds, as the last stream has shown."""

    async def begin(self, reading: psycopg.AsyncConnection[Any], store: Store, registry: Registry) -> Begun:
        """Make the slot and the first commit, or close the gap, where there is need."""
        slot = await self.read_slot(reading)
        progress = await load_progress(reading)
        if slot is not None:
            self.check_slot(slot, reading.info.dbname)
            if slot.active_pid is not None:
                raise SlotInUse(f"replication slot {slot.name} is in use by process {slot.active_pid}")
        lost = loss(slot, progress) if progress is not None else None
        if slot is not None and slot.plugin == PGOUTPUT:
            made = await self._publishing.publish(reading, registry)
            lost = lost or self.undecodable or ("cannot be decoded: its publication was dropped" if made else None)
        if slot is not None and slot.plugin is not None and progress is not None and lost is None:
            self._health.has_baseline = True
            return Begun(slot.plugin)
        self._check_begin(lost if progress is not None else None)
        self._health.enter(State.BASELINE)
        before = await load_state(reading, progress, registry) if progress is not None else None
        async with await ReplicationConnection.open(self._config.dsn) as replication:
            if slot is not None:
                # Ours, but without a first commit (a crash in between), or not with all that we need: it is of no use.
                await replication.drop_slot(self._config.slot)
            plugin, begun = await self._make(replication, reading, store, registry, before)
        self.undecodable = None
        self._health.has_baseline = True
        kind = "baseline" if before is None else "gap"
        self._metrics.commits.labels(self._config.name, kind).inc()
        found = {"objects": begun.objects, "migrations": begun.rows, "unread": begun.unread}
        self._log.info("history_begun", kind=kind, plugin=plugin, **found)
        return Begun(plugin, begun.unread > 0)

    async def _make(
        self,
        replication: ReplicationConnection,
        reading: psycopg.AsyncConnection[Any],
        store: Store,
        registry: Registry,
        before: History | None,
    ) -> tuple[str, baseline.Begun]:
        """Make the slot with the first plugin that the server lets us have."""
        refusals: list[PluginRefused] = []
        for plugin in candidates(self._config.plugin, reading.info.server_version):
            if plugin == PGOUTPUT:
                # Before the slot: it can read nothing that was written while there was no publication.
                await self._publishing.publish(reading, registry)
            try:
                begun = await baseline.begin(
                    replication, reading, store, registry, slot=self._config.slot, plugin=plugin, before=before
                )
            except PluginRefused as exc:
                self._log.info("plugin_refused", plugin=plugin, reason=exc.message)
                refusals.append(exc)
            else:
                return plugin, begun
        raise refusals[0]  # how to get the best of them

    async def read_slot(self, conn: psycopg.AsyncConnection[Any]) -> SlotFacts | None:
        """Look at the slot; None where there is none."""
        try:
            return await read_slot(conn, self._config.slot)
        except psycopg.Error as exc:
            raise translated(exc) from exc

    def check_slot(self, slot: SlotFacts, database: str) -> None:
        """A slot of this name may be somebody else's: then nothing may be read from it, and it must not be dropped."""
        if slot.database != database or slot.plugin not in PLUGINS:
            whose = f"of database {slot.database} with plugin {slot.plugin}" if slot.database else "a physical one"
            raise PrerequisiteError(
                f"replication slot {slot.name} is not ours: it is {whose}",
                hint=f'give database {self._config.name} a slot of its own in the configuration: slot = "…"',
            )
        if self._config.plugin not in {AUTO, slot.plugin}:
            raise PrerequisiteError(
                f"replication slot {slot.name} was made with plugin {slot.plugin},"
                f" and the configuration says {self._config.plugin}",
                hint=f'plugin = "auto" goes on with it; to change it, stop the daemon, then SELECT'
                f" pg_drop_replication_slot('{slot.name}'); what changes meanwhile becomes a gap commit",
            )

    def _check_begin(self, lost: str | None) -> None:
        if lost is not None:
            self._log.error("slot_lost", slot=self._config.slot, reason=lost, action="a gap commit and a new slot")
        elif not self._config.create_baseline:
            raise PrerequisiteError(
                f"database {self._config.name} has no baseline, and create_baseline is false",
                hint="set create_baseline = true for one start",
            )

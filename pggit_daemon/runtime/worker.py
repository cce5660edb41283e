"""One database, from the first connection to the end of its stream.

In: its configuration. Out: whatever `pipeline.py` stores; returns when told to stop, raises when it must be tried
again. Called, again and again, by `runtime/supervisor.py`, which knows how long to wait in between.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import structlog

from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.config.sources import configured_source
from pggit_daemon.db.activity import Activity
from pggit_daemon.db.connections import connect, connect_to_store
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.db.server import Server
from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.decode.assembler import Assembler, Batch
from pggit_daemon.decode.pgoutput import PLUGIN as PGOUTPUT
from pggit_daemon.decode.plugin import message_prefix
from pggit_daemon.decode.plugins import decoder, options
from pggit_daemon.errors import PggitDaemonError, RefusedError, SlotLost, TablesChangedError, UndecodableError
from pggit_daemon.model.ddl_event import OUTBOX
from pggit_daemon.pipeline import Pipeline
from pggit_daemon.reconcile import baseline
from pggit_daemon.reconcile.outcome import Limits
from pggit_daemon.reconcile.scheduler import Intervals, Listeners, Scheduler
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.feed import Feed, RenewalError
from pggit_daemon.runtime.beginning import Beginning
from pggit_daemon.runtime.garbage import tidy
from pggit_daemon.runtime.polling import Polling
from pggit_daemon.runtime.publishing import Publishing
from pggit_daemon.runtime.pulse import pulses
from pggit_daemon.runtime.starts import MessagesPassedError, Start, next_start, settle
from pggit_daemon.store.installation import check_installation
from pggit_daemon.store.loader import load_open, load_progress, load_registry
from pggit_daemon.store.poison import MOST_WHOLE, SUSPECTS, PoisonError, quarantined
from pggit_daemon.store.writer import Store
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import DatabaseHealth, State
from pggit_daemon.telemetry.observer import Observer
from pggit_daemon.tools.registry import Registry

log = structlog.get_logger(__name__)

STANDBY = 1.0
"""Seconds, more or less, between looks at a slot that another process has: taking over must not be late."""

READING_KEPT = 10.0
WRITING_KEPT = 60.0
CROWDED_KEPT = 3.0
"""Seconds for which the two connections stay open unused: to read, to store, and each where there are many databases.

The first commit after that pays for opening one.
"""

CANCELLED = 1.0
"""Seconds that what was cancelled may take to end."""


@dataclass(frozen=True, slots=True)
class Connections:
    """The two ordinary connections: one only writes results, the other reads what is needed besides."""

    reading: OnDemand
    writing: OnDemand

    def close(self) -> None:
        self.reading.close()
        self.writing.close()


class Database:
    """Follows one database. An instance outlives its connections."""

    def __init__(self, config: DatabaseConfig, metrics: Metrics, health: DatabaseHealth, server: Server) -> None:
        self._config = config
        self._activity = Activity(server, config.dsn)
        self._metrics = metrics
        self._health = health
        self.writing = False
        """Whether a stop should wait until the transaction in hand is stored."""
        self._log = log.bind(database=config.name)
        self._publishing = Publishing(config.name)
        self._beginning = Beginning(config, metrics, health, self._publishing)
        self._plugin: str = config.plugin
        self._limits = Limits()
        self._unread = False  # whether objects were left out of the first commit
        self._quarantined = 0
        self._polling = Polling(config, metrics, self._activity, lambda: self._connect("metrics"), self._publishing)
        self._start: Start | None = None

    async def follow(self, stop: asyncio.Event) -> None:
        """Connect, begin the history if there is none, and stream until told to stop."""
        if self._health.state is not State.STANDBY:
            self._health.enter(State.CONNECTING)
        server = self._activity.server
        connections = Connections(
            reading=OnDemand(lambda: self._connect("reader"), kept=lambda: server.kept(READING_KEPT, CROWDED_KEPT)),
            writing=OnDemand(self._connect_to_store, kept=lambda: server.kept(WRITING_KEPT, CROWDED_KEPT)),
        )
        try:
            await self._stand_by(connections.reading, stop)
            if not stop.is_set():
                await self._take_over(connections, stop)
        finally:
            connections.close()

    async def _connect(self, purpose: str) -> WatchedConnection:
        async with self._activity.server.opening.turn():
            return await connect(self._config.dsn, purpose)

    async def _connect_to_store(self) -> WatchedConnection:
        async with self._activity.server.opening.turn():
            return await connect_to_store(self._config.dsn)

    async def _stand_by(self, reading: OnDemand, stop: asyncio.Event) -> None:
        """While another process reads from the slot: look at it now and then, and open nothing that stays."""
        while not stop.is_set():
            async with self._activity.server.beginning.turn(), reading.use() as conn:
                self._activity.database = conn.info.dbname
                slot = await self._beginning.read_slot(conn)
                if slot is None or slot.active_pid is None:
                    return
                self._beginning.check_slot(slot, conn.info.dbname)
            reason = f"replication slot {slot.name} is in use by process {slot.active_pid}"
            if self._health.state is not State.STANDBY:
                self._log.info("standing_by", reason=reason)
            self._health.enter(State.STANDBY, reason)
            reading.rest()
            await self._while_read_by(slot.active_pid, stop)

    async def _while_read_by(self, pid: int, stop: asyncio.Event) -> None:
        """Look at the slot through what all databases of the server share, until that tells otherwise, or nothing."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STANDBY * (0.5 + random.random()))  # noqa: S311  (jitter)
            look = await self._activity.look(max_age=STANDBY / 2) if not stop.is_set() else None
            slot = look.slots.get(self._config.slot) if look is not None else None
            if slot is None or slot.active_pid != pid:
                return
            self._health.beat()

    async def _take_over(self, connections: Connections, stop: asyncio.Event) -> None:
        store = Store(connections.writing, self._config.slot)
        async with self._activity.server.beginning.turn(), connections.reading.use() as conn:
            await check_installation(conn)
            registry = await self._registry(conn)
            begun = await self._beginning.begin(conn, store, registry)
            self._unread, self._plugin = begun.unread or self._unread, begun.plugin
            if self._plugin == PGOUTPUT:
                self._start = await next_start(conn, self._start)
        polling = asyncio.create_task(self._polling.run())
        try:
            suspects = 0
            while not stop.is_set():
                try:
                    await self._stream(connections, store, registry, stop, suspects)
                except TablesChangedError as change:
                    self._log.info("tables_added", tables=[str(table) for table in change.tables])
                except RenewalError as why:
                    passed = {"after": why.after} if why.after is not None else {}
                    self._log.info("stream_renewed", reason=why.reason, **passed)
                except RefusedError as exc:
                    if suspects:
                        raise
                    suspects = SUSPECTS
                    self._log.warning("store_refused", error=exc.message, action="each transaction alone")
                except PoisonError as poison:
                    suspects = SUSPECTS  # it seldom comes alone
                    await self._quarantine(store, poison)
                except PggitDaemonError as exc:
                    self._note_end(exc)
                    raise
        finally:
            polling.cancel()
            await asyncio.wait([polling], timeout=CANCELLED)

    def _note_end(self, why: PggitDaemonError) -> None:
        """Keep of a stream's end what the next one should know."""
        if isinstance(why, UndecodableError):
            self._beginning.undecodable = why.message
        if self._start is not None:
            self._start.ended(why)

    async def _quarantine(self, store: Store, poison: PoisonError) -> None:
        """Put aside what cannot be recorded: however many there are, what comes behind them is recorded."""
        await store.run([quarantined(poison, whole=self._quarantined < MOST_WHOLE)])
        self._quarantined += 1
        self._metrics.quarantined_transactions.labels(self._config.name).inc()
        self._log.error("transaction_quarantined", lsn=str(poison.lsn), reason=poison.reason)

    async def _registry(self, conn: psycopg.AsyncConnection[Any]) -> Registry:
        grace = timedelta(seconds=self._config.grace_seconds)
        own = [configured_source(source, grace) for source in self._config.sources]
        registry = await load_registry(conn, self._config.presets, own, grace, self._config.discovery)
        self._tell(registry)
        return registry

    def _tell(self, registry: Registry) -> None:
        """Tables that somebody may take for followed, and that are not."""
        for doubt in registry.new_doubts():
            self._log.warning("history_table_in_doubt", table=str(doubt.table), why=str(doubt), hint=doubt.hint)

    async def _stream(
        self, connections: Connections, store: Store, registry: Registry, stop: asyncio.Event, suspects: int
    ) -> None:
        async with connections.reading.use() as conn:
            progress = await load_progress(conn)
            if progress is None:
                raise SlotLost("the progress vanished from pggit_daemon.progress while it was followed")
            await settle(conn)
            state = await load_open(conn, progress)
            if self._plugin == PGOUTPUT:
                await self._publishing.publish(conn, registry)
        observer, start = Observer(self._config.name, self._metrics, self._health), self._start
        async with await ReplicationConnection.open(self._config.dsn, on_notice=self._notice) as replication:
            prefix = message_prefix(state.secret)
            reads = decoder(self._plugin, encoding=replication.encoding, messages=prefix)
            assembler = Assembler(reads, after=progress.commit)
            tables = (OUTBOX, *registry.tables)
            wanted = options(self._plugin, tables, prefix if start is None or start.messages else None)
            await replication.start(self._config.slot, progress.end, wanted)
            if start is not None:
                await start.count(connections.reading, self._config.name)
            # What was found in the catalog may be dropped while no daemon runs, and is in the stream all the same.
            await store.run(baseline.source_statements(registry), brief=True)
            self._health.enter(State.CATCHING_UP)
            sources = sorted(registry.sources)
            self._log.info("streaming", position=str(progress.end), plugin=self._plugin, sources=sources)
            feed = Feed(replication, assembler, progress.end, status_interval=self._config.status_interval_seconds)
            scheduler = Scheduler(
                state,
                registry,
                store=store,
                connect=self._connect,
                activity=self._activity,
                intervals=Intervals(
                    reconcile=self._config.reconcile_interval_seconds,
                    verify=self._config.verify_interval_seconds,
                    watch=self._config.watch_interval_seconds,
                ),
                ask=feed.request_reply,
                listeners=Listeners(observer.verified, observer.noted, observer.job_failed),
                limits=self._limits,
                insert_only=self._publishing.insert_only,
            )
            if self._unread:
                scheduler.suspect()
                self._unread = False
            self._polling.feed = feed

            def handled(batch: Batch, waiting: int) -> None:
                observer.handled(batch, waiting)
                if start is not None:
                    start.note(batch)
                tidy()

            async with feed, scheduler:
                pipeline = Pipeline(
                    state,
                    registry,
                    feed=feed,
                    store=store,
                    link=connections.reading,
                    observe=observer.stored,
                    forged=observer.forged,
                    scheduler=scheduler,
                    suspects=suspects,
                    insert_only=self._publishing.insert_only,
                )
                beside = [asyncio.create_task(pulses(feed, pipeline, self._health))]
                if start is not None:
                    beside.append(asyncio.create_task(start.forget(connections.reading)))
                try:
                    self.writing = True
                    await pipeline.run(stop, handled)
                except MessagesPassedError as exc:
                    await store.apply([], exc.passed(state.progress), state.progress.commit)
                    self._start = None
                    raise
                finally:
                    self.writing = False
                    for task in beside:
                        task.cancel()

    def _notice(self, severity: str, sqlstate: str, message: str) -> None:
        self._log.debug("server_notice", severity=severity, sqlstate=sqlstate, message=message)

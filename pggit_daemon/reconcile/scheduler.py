"""The one scheduler of what is done beside the stream.

In: the changesets that were read, and how far everything is stored. Out: steps for the pipeline to store. Made by the
worker for each stream; called by `pipeline.py`:

    async with Scheduler(…) as scheduler:
        scheduler.observe(changeset)                    each that was read
        for step in scheduler.found(received):      when everything received is stored
            …                                       store it
        if scheduler.new_tables: …                  start over with these tables in the stream

Each job is a task with a connection of its own, opened when something is due. A job that fails, or waits for a lock
that others hold, is tried again; the stream goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import psycopg
import structlog

from pggit_daemon.db.activity import Activity, Gate
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.errors import PggitDaemonError
from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.part import Part
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.transaction import TableName
from pggit_daemon.reconcile.barrier import Barrier
from pggit_daemon.reconcile.history_reading import Noted
from pggit_daemon.reconcile.history_tables import HistoryTables
from pggit_daemon.reconcile.outbox import Outbox
from pggit_daemon.reconcile.outcome import Cause, Limits, Outcome
from pggit_daemon.reconcile.sessions import StaleSessions
from pggit_daemon.reconcile.verification import Gates, Verification
from pggit_daemon.reconcile.visibility import Visibility
from pggit_daemon.store.loader import State
from pggit_daemon.store.writer import Store
from pggit_daemon.tools.registry import Registry
from pggit_daemon.versioning.plan import Step

log = structlog.get_logger(__name__)

KEPT = 10.0
"""Seconds for which the job that looks most often keeps its connection: longer pauses are cheaper without one."""

SHORTLY_KEPT = 2.0
"""The same for the others."""

TABLES_LEFT_OUT = 11
VERIFICATIONS_LEFT_OUT = 11
"""Comparisons in a row that are left out where nothing was written in the database: the twelfth comes all the same."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds before a job that failed is tried again: doubled from the first to the longest."""

Connect = Callable[[str], Awaitable[WatchedConnection]]
"""Opens a connection for a purpose."""


class Job(Protocol):
    """Something that is done again and again."""

    @property
    def name(self) -> str:
        """For logs and metrics; one of a closed set."""

    async def due(self) -> None:
        """Wait until there is something to do. Needs no connection, and may be cancelled at any time."""

    async def run(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Do it, once."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between comparisons of the history tables, of the catalog, and of what was written there."""

    reconcile: float
    verify: float
    watch: float


@dataclass(frozen=True, slots=True)
class Listeners:
    """Called with each comparison of everything, a source's state when it changes, and a job that failed."""

    verified: Callable[[Outcome], None]
    noted: Callable[[Noted], None]
    failed: Callable[[str], None]


class Scheduler:
    """The jobs of one stream. `ask` has the server say how far it is; `insert_only` as in `pipeline.py`."""

    def __init__(
        self,
        state: State,
        registry: Registry,
        *,
        store: Store,
        connect: Connect,
        activity: Activity,
        intervals: Intervals,
        ask: Callable[[], None],
        listeners: Listeners,
        limits: Limits,
        insert_only: frozenset[TableName] = frozenset(),
    ) -> None:
        self._connect = connect
        self._activity = activity
        self._listeners = listeners
        self._limits = limits
        self._barrier = Barrier(ask)
        self.visibility = Visibility()
        self._tables = HistoryTables(
            state,
            registry,
            self._barrier,
            self.visibility,
            interval=intervals.reconcile,
            noted=listeners.noted,
            gate=Gate(activity, most=TABLES_LEFT_OUT),
            insert_only=insert_only,
        )
        self._verification = Verification(
            state,
            registry,
            self._barrier,
            verify=intervals.verify,
            watch=intervals.watch,
            verified=listeners.verified,
            limits=limits,
            gates=Gates(Gate(activity), Gate(activity, most=VERIFICATIONS_LEFT_OUT)),
        )
        self._outbox = Outbox(self._barrier, self.visibility, store)
        self._jobs: tuple[Job, ...] = (
            self._tables,
            self._verification,
            StaleSessions(state.api, self._barrier, interval=intervals.reconcile),
            self._outbox,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._repeat(job), name=job.name) for job in self._jobs]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up whatever is under way; what was found and not stored is found again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    @property
    def new_tables(self) -> tuple[TableName, ...]:
        """History tables that no event announced: the registry has them, the stream must start over with them."""
        return (*self._verification.new_tables, *self._tables.moved)

    def observe(self, changeset: Changeset) -> None:
        """Take a changeset that was read, before it is stored."""
        self.visibility.observe(changeset)
        self._tables.observe(changeset)
        self._verification.observe(changeset)

    def wake(self) -> None:
        """Somebody asks for a comparison: look at once."""
        self._verification.wake()

    def suspect(self) -> None:
        """Definitions could not be read again when they should have been: have everything compared."""
        self._verification.suspect(Cause.CONCURRENT_DDL)

    def skipped(self) -> None:
        """A transaction in quarantine was skipped: what it did is found by comparing."""
        self._verification.suspect(Cause.QUARANTINE)

    def refused(self, step: Step) -> None:
        """The server refused to store a step that was found: leave out what is at fault when it is found again."""
        if step.commit is not None:
            self._limits.refused(step.commit)

    def failed(self, job: str) -> None:
        """Something beside the stream failed and is tried again; its own log line says why."""
        self._listeners.failed(job)

    def differences(
        self, source: str, received: LSN, left: Sequence[TextRow]
    ) -> Sequence[Sequence[HistoryChange]] | None:
        """What undecodable rows may have been, up to each of those that are known to have been `left`, and behind them.

        None while that is not certain: ask again with the next batch.
        """
        return self._tables.differences(source, received, left)

    @property
    def needs(self) -> frozenset[Part]:
        """What of the record must be in memory for what is found."""
        return self._barrier.needs

    def found(self, stored: LSN) -> Iterator[Step]:
        """Steps to be stored now. To be called when everything received until `stored` is."""
        yield from self._barrier.take(stored)
        self._outbox.look()

    async def _repeat(self, job: Job) -> None:
        kept, server = KEPT if job is self._verification else SHORTLY_KEPT, self._activity.server
        link = OnDemand(lambda: self._connect(job.name), kept=lambda: server.kept(kept, 0.0))
        try:
            await self._repeat_with(link, job)
        finally:
            link.close()

    async def _repeat_with(self, link: OnDemand, job: Job) -> None:
        pause, said = FIRST_PAUSE, ""
        while True:
            try:
                await job.due()
                async with self._activity.server.looking.turn(), link.use() as conn:
                    await job.run(conn)
                pause, said = FIRST_PAUSE, ""
                continue
            except PggitDaemonError as exc:
                if exc.message != said:
                    log.warning("job_failed", job=job.name, error=exc.message, hint=exc.hint)
                said = exc.message
            except Exception:  # a supervised task: a job's fault must not end the stream
                log.exception("job_broken", job=job.name)
            self._listeners.failed(job.name)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

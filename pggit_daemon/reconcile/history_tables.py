"""History tables compared with their ledgers, to find what decoding could not show.

In: the sources, and the changesets as they come. Out: steps with the rows that differ, and what an undecodable row may
have been. A job of `scheduler.py`.

A table is read beside the stream, and nobody waits for that: others may have it locked for hours. What was read counts
when the stream has passed the moment of reading and brought no further row of that source since; otherwise it is read
again. A table that may not be read says nothing: its rows are unknown then, never deleted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
import structlog

from pggit_daemon.db import catalog
from pggit_daemon.db.activity import Gate
from pggit_daemon.db.history_rows import TableReading, TableState
from pggit_daemon.db.refusals import translated
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.changeset import Changeset, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.part import Part
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.transaction import TableName
from pggit_daemon.reconcile.barrier import Barrier
from pggit_daemon.reconcile.history_reading import Noted, read_history
from pggit_daemon.reconcile.late_sources import Ran, baseline, found, is_new, lacks_writers, waiting
from pggit_daemon.reconcile.steps import AGAIN, Steps
from pggit_daemon.reconcile.visibility import Visibility
from pggit_daemon.reconcile.writers import commits_of
from pggit_daemon.sql import load_queries
from pggit_daemon.store.loader import State
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.seen import made_of
from pggit_daemon.versioning.plan import Step

log = structlog.get_logger(__name__)

LOOKS = 5
"""How often a table whose rows keep coming is read again before it is left to the next comparison."""

_HIDDEN = {TableState.UNREADABLE, TableState.LOCKED}

PUT_OFF = 120.0
"""Seconds for which rows wait until it is known whether another source claims what their transaction ran."""

INVISIBLE = 0.05
"""Seconds until we look again whether everything that was decoded is visible."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A table as it was some time before `position`; `seen` rows of the source had come through until then."""

    table: TableReading
    position: LSN
    seen: int


class HistoryTables:
    """`interval`: seconds between comparisons of all tables."""

    name = "history_tables"

    def __init__(
        self,
        state: State,
        registry: Registry,
        barrier: Barrier,
        visibility: Visibility,
        *,
        interval: float,
        noted: Callable[[Noted], None],
        gate: Gate,
        insert_only: frozenset[TableName] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._registry = registry
        self._barrier = barrier
        self._visibility = visibility
        self._interval = interval
        self._noted = noted
        self._gate = gate
        self._clock = clock
        self._compared_at = clock() - interval  # at once: a table may be new to the stream, its rows not
        self._seen: Counter[str] = Counter()
        self._wanted: set[str] = set()
        self._readings: dict[str, _Reading] = {}
        self._todo: list[str] = []
        self._writers_asked: set[str] = set()
        self._put_off: dict[str, float] = {}
        self._asked = asyncio.Event()
        self._steps = Steps(registry, insert_only)
        self._states: dict[str, tuple[TableState, str | None]] = {}
        self._queries = load_queries("reconcile")
        self.moved: tuple[TableName, ...] = ()

    # ------------------------------------------------------------------ the pipeline's side

    def observe(self, changeset: Changeset) -> None:
        """Count the source's rows as they come through; and see where a table moves without any."""
        missing = {name for name, (state, _) in self._states.items() if state is TableState.MISSING}
        waits = waiting(self._registry.histories, self._state.ledgers, missing) if changeset.events else {}
        for source in self._steps.observe(changeset) | made_of(waits, changeset.events):
            self._compare_soon(source)
        for item in changeset.items:
            if isinstance(item, (HistoryRowEvent, UndecodableRow)):
                self._seen[item.source] += 1

    def _compare_soon(self, source: str) -> None:
        if source not in self._todo:
            self._todo.append(source)
        self._asked.set()

    def differences(
        self, source: str, received: LSN, left: Sequence[TextRow] = ()
    ) -> tuple[tuple[HistoryChange, ...], ...] | None:
        """What the table and the ledger differ by; None while that is not certain, and nothing where it is unknown.

        Piece by piece: as far as each of the rows that were `left` one after the other, and then to what there is now.
        """
        reading = self._readings.get(source)
        if reading is not None and received >= reading.position:
            del self._readings[source]
            if reading.seen == self._seen[source]:
                self._wanted.discard(source)
                before = tuple(self._ledger(source).compare(received, (row,)) for row in left)
                return (*before, self._compare(source, reading, received))
            reading = None
        if reading is None:
            self._wanted.add(source)
            self._asked.set()
        return None

    def _ledger(self, source: str) -> Ledger:
        return self._state.ledgers.setdefault(source, Ledger(source, self._registry.sources[source].preset))

    def _compare(self, source: str, reading: _Reading, received: LSN) -> tuple[HistoryChange, ...]:
        ledger = self._ledger(source)
        match reading.table.state:
            case TableState.READ:
                return ledger.compare(received, reading.table.rows)
            case TableState.MISSING:
                return ledger.cleared(received, "drop")
            case _:
                return ()

    def _plan(self, source: str, reading: _Reading, commits: Mapping[int, Ran], stored: LSN) -> Step | None:
        """What the table and the ledger differ by, as a step.

        `commits`: by the transaction that wrote a row, what it ran that is nobody's.
        """
        if reading.seen != self._seen[source] or source in self._wanted:
            return None
        ledger, table = self._ledger(source), reading.table
        if self._steps.follows(source) and not is_new(ledger):
            return self._steps.plan(ledger, table, commits, stored=stored, read_at=reading.position)
        if lacks_writers(ledger, table) and source not in self._writers_asked:
            self._writers_asked.add(source)
            return None
        self._writers_asked.discard(source)
        if is_new(ledger) and not reading.seen and table.state is TableState.READ:
            head = self._state.progress.head
            log.info("source_baseline", source=source, rows=len(table.rows))
            return baseline(ledger, table, commits, head, stored)
        changes = self._compare(source, reading, stored)
        if changes:
            log.warning("history_differs", rows=len(changes), source=source)
        return found(ledger, changes, table, commits, stored)

    # ------------------------------------------------------------------ the job

    async def due(self) -> None:
        while not self._todo:
            rest = self._compared_at + self._interval - self._clock()
            try:
                async with asyncio.timeout(max(0.0, rest)):
                    await self._asked.wait()
            except TimeoutError:
                if await self._gate.is_shut():
                    self._compared_at = self._clock()
                    continue
            return

    async def run(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Read what an undecodable row waits for, or else compare what is due: the former holds up the stream."""
        self._asked.clear()
        for source in sorted(self._wanted - set(self._readings)):
            self._readings[source] = await self._read(conn, source)
            self._barrier.ask()
        comparing = bool(self._todo)
        if self._clock() - self._compared_at >= self._interval:
            comparing = True
            self._compared_at = self._clock()
            await self._visibility.is_complete(conn)  # which forgets those that are seen, also where there is no table
            self._todo = [one.name for one in self._registry.histories]
        while self._todo and not self._asked.is_set():
            if await self._compare_one(conn, self._todo[-1]):
                self._todo.pop()
        if comparing:
            self._settle()

    def _settle(self) -> None:
        """Leave out the next comparisons while nothing happens, if this one showed all there is to see."""
        if self._wanted or self._put_off or any(state in _HIDDEN for state, _ in self._states.values()):
            self._gate.failed()
        elif not self._todo:
            self._gate.passed()

    async def _compare_one(self, conn: psycopg.AsyncConnection[Any], source: str) -> bool:
        """Compare one table; False where something urgent came between."""
        for _ in range(LOOKS):
            reading = await self._read(conn, source)
            comparing = asyncio.ensure_future(self._offer(conn, source, reading))
            asked = asyncio.ensure_future(self._asked.wait())
            try:
                await asyncio.wait([comparing, asked], return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
                if not comparing.done():
                    comparing.cancel()
                    await asyncio.wait([comparing])  # it may be asking on this connection
            if comparing.cancelled() or not comparing.done():
                return False
            comparing.result()  # raises what went wrong
            settled = reading.seen == self._seen[source] and source not in self._writers_asked
            if settled or source in self._put_off:
                break
        return True

    async def _offer(self, conn: psycopg.AsyncConnection[Any], source: str, reading: _Reading) -> None:
        await self._barrier.passed(reading.position)
        # Only now is recorded what the transactions ran that wrote these rows: in a backlog it comes after the reading.
        commits = await commits_of(conn, source, {*reading.table.writers, *self._steps.writers(source)})
        if not self._is_put_off(source, commits):
            await self._barrier.offer(partial(self._plan, source, reading, commits), Part.LEDGERS)

    def _is_put_off(self, source: str, commits: Mapping[int, Ran]) -> bool:
        """Whether rows wait for the next comparison, as somebody may still claim what their transactions ran."""
        if not any(ran.pending for ran in commits.values()):
            self._put_off.pop(source, None)
            return False
        if self._steps.follows(source):
            asyncio.get_running_loop().call_later(AGAIN, self._compare_soon, source)
        return self._clock() - self._put_off.setdefault(source, self._clock()) < PUT_OFF

    async def _read(self, conn: psycopg.AsyncConnection[Any], source: str) -> _Reading:
        seen = self._seen[source]
        while not await self._visibility.is_complete(conn):
            await asyncio.sleep(INVISIBLE)
            seen = self._seen[source]
        writers = source in self._writers_asked or self._steps.follows(source)
        table = await read_history(conn, self._registry, source, writers=writers)
        await self._note(conn, source, table)
        return _Reading(table, await catalog.position(conn), seen)

    async def _note(self, conn: psycopg.AsyncConnection[Any], source: str, table: TableReading) -> None:
        """Remember whether a table could be read, and report when that changes."""
        now = (table.state, table.why)
        if self._states.get(source) == now:
            return
        self._states[source] = now
        self._noted(Noted(source, table.state, table.why, table.hint, table.misses))
        try:
            await conn.execute(
                self._queries["put_source_state"], {"name": source, "state": table.state.value, "detail": table.why}
            )
        except psycopg.Error as exc:
            raise translated(exc) from exc

"""The recorded tree compared with the catalog, a little at a time.

In: the recorded schema, and a connection. Out: a `snapshot` commit where the catalog differs, an `Outcome` when
everything was compared, history tables that no event announced. A job of `scheduler.py`.

Nobody waits for it: it reads beside the stream, keeps no lock, and gives up on what others have locked. What differs is
looked at a second time when the stream has passed the first look; what is still the same then, in the catalog and in
the record, is certain (`model/differences.py`), and becomes a commit unless the record moved under it meanwhile.

Everything is compared the first time, by timer, when asked, and when something is suspect. In between, what was
written in the catalog since the last look is compared, whoever wrote it: so each captured statement is checked a
moment later, and what fires no event trigger (REASSIGN OWNED, ALTER ROLE … RENAME, edits by a superuser) is found.
A row beside an object that somebody deleted by hand leaves no trace there: the timer finds it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from pggit_daemon.db import catalog
from pggit_daemon.db.activity import Gate
from pggit_daemon.db.catalog import ChangeCounters
from pggit_daemon.model.changeset import Changeset, Ddl
from pggit_daemon.model.ddl_event import OUTBOX
from pggit_daemon.model.differences import CHUNK, LOOKS, Difference, certain, readable
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.objects import ObjectId
from pggit_daemon.model.part import Part
from pggit_daemon.model.transaction import TableName, Unreadable
from pggit_daemon.reconcile.barrier import Barrier
from pggit_daemon.reconcile.outcome import Cause, Limits, Outcome, remembered, snapshot_step, why_everything
from pggit_daemon.store.loader import State
from pggit_daemon.store.writer import Store
from pggit_daemon.tools.registry import Registry
from pggit_daemon.versioning.plan import Step

SHARE = 50
"""A watch rests so many times as long as its last look took: 2 % of a core; but not longer than `MOST_REST`."""

MOST_REST = 60.0
"""Seconds. A look at much that was written says nothing of what the next one costs."""


@dataclass(slots=True)
class _Look:
    """A comparison under way; `cause` is None where it is of what was written since the last look."""

    cause: Cause | None
    counters: ChangeCounters
    compared: list[ObjectId]
    found: list[Difference] = field(default_factory=list)
    position: LSN = ZERO
    looks: int = 1
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Gates:
    """What leaves out looks at what was `written`, and comparisons of `everything`, of a database that is quiet."""

    written: Gate
    everything: Gate


class Verification:
    """`verify`: seconds between comparisons of everything; `watch`: between looks at what was written."""

    name = "verification"

    def __init__(
        self,
        state: State,
        registry: Registry,
        barrier: Barrier,
        *,
        verify: float,
        watch: float,
        verified: Callable[[Outcome], None],
        limits: Limits,
        gates: Gates,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._registry = registry
        self._barrier = barrier
        self._verified = verified
        self._limits = limits
        self._intervals = (verify, watch)
        self._gates = gates
        self._clock = clock
        # Databases that were begun together do not go on being compared together.
        self._verify_due = clock() + verify * random.uniform(0.5, 1)  # noqa: S311  (jitter)
        self._watch_due = clock()
        self._woken = asyncio.Event()
        self._asked = False
        self._suspect: Cause | None = None
        self._counters: ChangeCounters | None = None
        self._unread: dict[ObjectId, Cause] = {}  # with why they were to be compared
        self.new_tables: tuple[TableName, ...] = ()
        """History tables that no event announced: the stream must start over with them."""

    def observe(self, changeset: Changeset) -> None:
        """A capture that failed, or could not be read, makes the recorded tree suspect."""
        for item in changeset.items:
            failed = isinstance(item, Ddl) and item.event.kind == "capture_failed"
            if failed or (isinstance(item, Unreadable) and item.table == OUTBOX):
                self.suspect(Cause.CAPTURE_FAILED)

    def suspect(self, cause: Cause) -> None:
        """Have everything compared; a look that is under way may have begun too early."""
        self._suspect = self._suspect or cause
        self._woken.set()

    def wake(self) -> None:
        """Look at once whether something is due."""
        self._asked = True
        self._woken.set()

    async def due(self) -> None:
        while True:
            self._woken.clear()
            if await self._is_due():
                return
            rest = min(self._verify_due, self._watch_due) - self._clock()
            try:
                async with asyncio.timeout(max(0.0, rest)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _is_due(self) -> bool:
        if self._suspect is None and self._clock() >= self._verify_due:
            if await self._gates.everything.is_shut():
                self._verify_due = self._clock() + self._intervals[0]
            else:
                self._suspect = self._suspect or Cause.TIMER
        if self._suspect is not None or self._asked:
            return True
        if self._clock() < self._watch_due:
            return False
        if self._unread or not await self._gates.written.is_shut():
            return True
        self._rest(0.0)
        return False

    async def run(self, conn: psycopg.AsyncConnection[Any]) -> None:
        asked, self._asked = self._asked, False
        try:
            look = await self._compared(conn)
        except BaseException:
            self._asked = asked
            raise
        if look is None:
            return
        await self._settle(conn, look)
        self._rest(look.seconds if look.cause is None else 0.0)  # comparing everything has its own interval

    async def _compared(self, conn: psycopg.AsyncConnection[Any]) -> _Look | None:
        """Find out what is to be compared, if anything is, and compare it."""
        began = self._clock()
        counters = await catalog.change_counters(conn)
        before = self._counters or await catalog.verified(conn)
        changed = why_everything(before, counters)
        # A watch that found something says less of why than what stands in the catalog's counters.
        cause = (changed or self._suspect) if self._suspect is Cause.WATCH else (self._suspect or changed)
        if cause is None and before is not None and counters.writes == before.writes and not self._unread:
            self._rest(0.0)
            self._gates.written.passed()
            return None
        self._suspect = None
        since = before.horizon if cause is None and before is not None else None
        try:
            todo = await catalog.addresses(conn, since=since)
            if since is not None:
                todo = sorted({*todo, *self._unread})
            look = _Look(cause, counters, todo)
            for at in range(0, len(todo), CHUNK):
                look.found += await catalog.differing(conn, todo[at : at + CHUNK])
            # Whatever made these differ was committed before this position.
            look.position = await catalog.position(conn)
        except BaseException:
            self._suspect = self._suspect or cause
            raise
        look.seconds = self._clock() - began
        return look

    async def _settle(self, conn: psycopg.AsyncConnection[Any], look: _Look) -> None:
        """Look at what was found again, until nothing of it changes any more; then have it recorded."""
        await self._barrier.passed(look.position)
        while look.found:
            leaves = await self._recorded(look)
            second = await catalog.differing(conn, [one.oid for one in look.found])
            sure = certain(look.found, second)
            changing = len(sure) < len(readable(second))
            look.looks += 1
            if not changing or look.looks >= LOOKS:
                look.found = [*sure, *(one for one in second if one.unreadable is not None)]
                await self._end(conn, look, leaves)
                return
            look.found = second
            look.position = await catalog.position(conn)
            await self._barrier.passed(look.position)
        await self._end(conn, look, {})

    async def _end(self, conn: psycopg.AsyncConnection[Any], look: _Look, leaves: Mapping[ObjectId, object]) -> None:
        self._limits.compared((one.oid for one in look.found), only=look.compared if look.cause is None else None)
        differing = readable(look.found)
        differences = self._limits.without(differing)
        unreadable = tuple(one for one in look.found if one.unreadable is not None)
        explained = {self._unread.get(one.oid, Cause.WATCH) for one in differences}
        # What could not be read is looked at again with each watch.
        self._unread = {one.oid: look.cause or self._unread.get(one.oid, Cause.WATCH) for one in unreadable}
        if look.cause is None:
            if differences:
                # Others may have changed with them, though nothing was written of those.
                self.suspect(explained.pop() if len(explained) == 1 else Cause.WATCH)
            elif look.looks < LOOKS:
                self._counters = look.counters
                self._gates.written.passed()
            return
        self._counters = look.counters
        self._gates.everything.passed()
        self._verify_due = self._clock() + self._intervals[0]
        outcome = Outcome(
            look.cause,
            look.counters,
            len(look.compared),
            differences,
            unreadable,
            look.seconds,
            look.position,
            refused=tuple(one for one in differing if one not in differences),
        )
        await self._record(conn, outcome, leaves)

    async def _record(
        self, conn: psycopg.AsyncConnection[Any], outcome: Outcome, leaves: Mapping[ObjectId, object]
    ) -> None:
        """Make the record true where it differs, and remember the comparison."""
        tables = await catalog.history_tables(conn, self._registry)
        planned: list[Outcome] = []

        def plan(stored: LSN) -> Step | None:
            self.new_tables = tuple(seen.table for seen in tables if self._registry.look(seen))
            still = self._leaves(one.oid for one in outcome.differences)
            kept = tuple(one for one in outcome.differences if still[one.oid] == leaves[one.oid])
            if len(kept) < len(outcome.differences):
                # The stream brought a newer version of the others since they were looked at.
                self._unread |= {one.oid: outcome.cause for one in outcome.differences if one not in kept}
            tried = self._limits.within(kept)
            if len(tried) < len(kept):
                self.suspect(outcome.cause)  # the rest comes with the next comparison
            kept = tried
            planned.append(replace(outcome, differences=kept, position=stored))
            return snapshot_step(planned[0], self._state.record, self._state.progress.head) if kept else None

        step = await self._barrier.offer(plan, *([Part.SCHEMA] if outcome.differences else []))
        commit = step.commit if step is not None else None
        await Store(conn).run([("put_verification", remembered(planned[0], commit))])
        self._verified(planned[0])

    async def _recorded(self, look: _Look) -> dict[ObjectId, object]:
        """What is recorded of the objects that differ, looked up while the schema is in memory for sure."""
        leaves: dict[ObjectId, object] = {}

        def note(_stored: LSN) -> None:
            leaves.update(self._leaves(one.oid for one in look.found))

        await self._barrier.offer(note, Part.SCHEMA)
        return leaves

    def _leaves(self, oids: Iterable[ObjectId]) -> dict[ObjectId, object]:
        """What is recorded of these objects now."""
        schema = self._state.record.recorded
        keys = {oid: schema.keys.get(oid) for oid in oids}
        return {oid: (key, schema.tree.get(key) if key is not None else None) for oid, key in keys.items()}

    def _rest(self, cost: float) -> None:
        self._watch_due = self._clock() + max(self._intervals[1], min(SHARE * cost, MOST_REST))

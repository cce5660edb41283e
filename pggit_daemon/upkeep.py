"""What is done while nothing waits: the record is held against the database itself.

In: a quiet moment of the stream. Out: a `snapshot` commit where the catalog differs from the recorded tree after a
capture failed, history tables that no event told of, and rows that decoding did not show. Called by `pipeline.py`.

The catalog and the tables are read without a lock. An answer counts only when the stream has passed the moment
of reading and brought nothing of the kind since; otherwise it is read again, so that work that goes on
meanwhile never looks like a difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from pggit_daemon.commit.plan import Step, make_commit
from pggit_daemon.compare import Comparisons
from pggit_daemon.correlate.decision import CommitKind, Link
from pggit_daemon.ddl import ObjectEvent
from pggit_daemon.lsn import LSN
from pggit_daemon.records import TableName
from pggit_daemon.sources.registry import Registry
from pggit_daemon.sources.unit import Ddl, Recorded, Unit
from pggit_daemon.store import catalog
from pggit_daemon.store.loader import State
from pggit_daemon.store.writer import Store

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The catalog as it was some time before `position`; `seen` transactions with DDL had come through until then."""

    objects: tuple[ObjectEvent, ...]
    position: LSN
    seen: int


class Upkeep:
    """`reconcile`: seconds between comparisons of the history tables; `verify`: of the catalog."""

    def __init__(
        self,
        state: State,
        registry: Registry,
        comparisons: Comparisons,
        *,
        store: Store,
        conn: psycopg.AsyncConnection[Any],
        reconcile: float,
        verify: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._registry = registry
        self._comparisons = comparisons
        self._store = store
        self._conn = conn
        self._intervals = (reconcile, verify)
        self._clock = clock
        self._verified_at = clock()
        self._compared_at = self._verified_at - reconcile  # at once: a table may be new to the stream, its rows not
        self._comparing: list[str] = []
        self._suspect = False
        self._reading: _Reading | None = None
        self._seen = 0
        self._outbox: tuple[tuple[int, ...], LSN] | None = None
        self._swept = False
        self.found: tuple[TableName, ...] = ()
        """History tables that no event told of: the stream must start over with them."""

    @property
    def under_way(self) -> bool:
        """Whether something was read and waits for the stream to come that far."""
        return self._suspect or bool(self._comparing)

    def saw(self, unit: Unit) -> None:
        """Count DDL as it comes through; a capture that failed makes the recorded tree suspect."""
        events = [item.event for item in unit.items if isinstance(item, Ddl)]
        self._seen += bool(events)
        self._suspect |= any(event.kind == "capture_failed" for event in events)

    async def turn(self, received: LSN) -> Step | None:
        """Do what is due; the step that was stored, if there was one."""
        await self._sweep(received)
        reconcile, verify = self._intervals
        now = self._clock()
        if self._suspect or now - self._verified_at >= verify:
            self._suspect, self._verified_at = True, now
            return await self._catalog(received)
        if self._comparing or now - self._compared_at >= reconcile:
            return await self._tables(received)
        return None

    async def _sweep(self, received: LSN) -> None:
        """Take out of the outbox what was handled: at the start, what an earlier run left there too."""
        if self._outbox is None:
            self._outbox = (await catalog.outbox(self._conn), await catalog.position(self._conn))
        elif not self._swept and received >= self._outbox[1]:
            self._store.left["handled_events"].update(self._outbox[0])
            self._swept = True
        await self._store.clear()

    async def _catalog(self, received: LSN) -> Step | None:
        reading = self._reading
        if reading is None or reading.seen != self._seen:
            if not await self._comparisons.sees_all():
                return None
            seen = self._seen
            objects = tuple(await catalog.snapshot(self._conn))
            self._reading = _Reading(objects, await catalog.position(self._conn), seen)
            return None
        if received < reading.position:
            return None
        self._suspect, self._reading = False, None
        tables = await catalog.history_tables(self._conn, self._registry.presets.values())
        self.found = tuple(table for table, columns in tables if self._registry.learn(table, columns))
        changes = self._state.schema.replaced(reading.objects)
        if not changes:
            return None
        commit = make_commit(
            kind=CommitKind.SNAPSHOT,
            tree_hash=self._state.schema.tree.hash,
            parent=self._state.progress.head,
            message=f"snapshot: {len(changes)} objects were not as the events said",
            author="pggit-daemon",
            time=datetime.now(UTC),
            lsn=reading.position,
            xid=None,
            metadata={"evidence": "snapshot"},
            changes=changes,
        )
        return await self._store_step(Step(commit, (), (), (), commit.time, None, reading.position))

    async def _tables(self, received: LSN) -> Step | None:
        if not self._comparing:
            self._compared_at = self._clock()
            self._comparing = [source.name for source in self._registry.histories]
        links: list[Link] = []
        for source in list(self._comparing):
            differences = await self._comparisons.differences(source, received)
            if differences is not None:
                self._comparing.remove(source)
                links += [Link(Recorded((change,)), None) for change in differences]
        if not links:
            return None
        log.warning("history_differs", rows=len(links), sources=sorted({link.row.source for link in links}))
        return await self._store_step(Step(None, tuple(links), (), (), datetime.now(UTC), None, received))

    async def _store_step(self, step: Step) -> Step:
        before = self._state.progress
        head = step.commit.hash if step.commit is not None else before.head
        progress = replace(before, head=head)
        await self._store.apply([step], progress, before.commit)
        self._state.progress = progress
        return step

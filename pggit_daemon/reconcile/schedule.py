"""What is done while nothing waits: the record is held against the database itself.

In: a quiet moment of the stream. Out: a `snapshot` commit where the catalog differs from the recorded tree
(`reconcile/verification.py` finds that), history tables that no event told of, and rows that decoding did not show.
Called by `pipeline.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from pggit_daemon.db import catalog
from pggit_daemon.model.changeset import Changeset, Ddl, HistoryRowEvent
from pggit_daemon.model.decision import CommitKind, Link
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectOp
from pggit_daemon.model.transaction import TableName
from pggit_daemon.reconcile.history_tables import Comparisons
from pggit_daemon.reconcile.verification import Cause, Outcome, Verification
from pggit_daemon.store.loader import State
from pggit_daemon.store.statements import Statement
from pggit_daemon.store.writer import Store
from pggit_daemon.tools.registry import Registry
from pggit_daemon.versioning.plan import Commit, Step, make_commit

log = structlog.get_logger(__name__)


NAMED = 3
"""Objects that the message of a snapshot names."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between comparisons of the history tables, of the catalog, and of what was written there."""

    reconcile: float
    verify: float
    watch: float


class Upkeep:
    """`verified` is told each outcome, with the step that came of it."""

    def __init__(
        self,
        state: State,
        registry: Registry,
        comparisons: Comparisons,
        *,
        store: Store,
        conn: psycopg.AsyncConnection[Any],
        intervals: Intervals,
        verified: Callable[[Outcome], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._registry = registry
        self._comparisons = comparisons
        self._store = store
        self._conn = conn
        self._verified = verified
        self._clock = clock
        self._reconcile = intervals.reconcile
        self._compared_at = clock() - intervals.reconcile  # at once: a table may be new to the stream, its rows not
        self._comparing: list[str] = []
        self._verification = Verification(conn, verify=intervals.verify, watch=intervals.watch, clock=clock)
        self._outbox: tuple[tuple[int, ...], LSN] | None = None
        self._swept = False
        self.found: tuple[TableName, ...] = ()
        """History tables that no event told of: the stream must start over with them."""

    @property
    def under_way(self) -> bool:
        """Whether something was read and waits for the stream to come that far."""
        return self._verification.under_way or bool(self._comparing)

    def saw(self, unit: Changeset) -> None:
        """A capture that failed makes the recorded tree suspect."""
        if any(isinstance(item, Ddl) and item.event.kind == "capture_failed" for item in unit.items):
            self._verification.suspect(Cause.CAPTURE_FAILED)

    def wake(self) -> None:
        """Somebody asks for a comparison: look at once."""
        self._verification.wake()

    def outdated(self) -> None:
        """Transactions ran beside each other, and what they left could not be read again for others' locks."""
        self._verification.suspect(Cause.BESIDE)

    async def turn(self, received: LSN) -> Step | None:
        """Do what is due; the step that was stored, if there was one."""
        await self._sweep(received)
        if self._verification.reading:
            return None  # whoever reads now would wait for that, and the stream with it
        if self._comparing or self._clock() - self._compared_at >= self._reconcile:
            step = await self._tables(received)
            if step is not None:
                return step
        outcome = await self._verification.turn(received)
        return await self._compared(outcome) if outcome is not None else None

    async def close(self) -> None:
        """Give up what is being read beside the stream."""
        await self._verification.close()

    async def _sweep(self, received: LSN) -> None:
        """Take out of the outbox what was handled: at the start, what an earlier run left there too."""
        if self._outbox is None:
            self._outbox = (await catalog.outbox(self._conn), await catalog.position(self._conn))
        elif not self._swept and received >= self._outbox[1]:
            self._store.left["handled_events"].update(self._outbox[0])
            self._swept = True
        await self._store.clear()

    async def _compared(self, outcome: Outcome) -> Step | None:
        """Everything was compared: make the record true, and say so."""
        tables = await catalog.history_tables(self._conn, self._registry.presets.values())
        self.found = tuple(table for table, columns in tables if self._registry.learn(table, columns))
        step = _snapshot(outcome, self._state) if outcome.differences else None
        if step is not None:
            await self._store_step(step)
        commit = step.commit if step is not None else None
        await self._store.run([_remembered(outcome, commit)])
        self._verified(outcome)
        return step

    async def _tables(self, received: LSN) -> Step | None:
        if not self._comparing:
            self._compared_at = self._clock()
            self._comparing = [source.name for source in self._registry.histories]
            await self._comparisons.sees_all()  # which forgets those that are seen, also where no table asks
        links: list[Link] = []
        for source in list(self._comparing):
            differences = await self._comparisons.differences(source, received)
            if differences is not None:
                self._comparing.remove(source)
                links += [Link(HistoryRowEvent((change,)), None) for change in differences]
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


def _snapshot(outcome: Outcome, state: State) -> Step:
    """The commit of what was found; none where objects only have other ids in the catalog now."""
    events = [one.event() for one in outcome.differences]
    changes = state.schema.apply(sorted(events, key=lambda event: event.op is not ObjectOp.DROP))
    commit = None
    if changes:
        named = [
            f"{key.type} {key.identity}" for change in changes if (key := change.key or change.old_key) is not None
        ]
        more = f", and {len(named) - NAMED} more" if len(named) > NAMED else ""
        commit = make_commit(
            kind=CommitKind.SNAPSHOT,
            tree_hash=state.schema.tree.hash,
            parent=state.progress.head,
            message=f"snapshot: not as the events said: {', '.join(named[:NAMED])}{more}",
            author="pggit-daemon",
            time=outcome.marks.at,
            lsn=outcome.position,
            xid=None,
            metadata={"evidence": "snapshot", "found_by": outcome.cause.value, "compared": outcome.objects},
            changes=changes,
        )
    return Step(
        commit,
        (),
        (),
        (),
        outcome.marks.at,
        None,
        outcome.position,
        moved=state.schema.take_moved(),
        unexplained=not outcome.cause.explains,
    )


def _remembered(outcome: Outcome, commit: Commit | None) -> Statement:
    """What is remembered of a comparison of everything."""
    return (
        "put_verification",
        {
            "began_at": outcome.marks.at,
            "objects": outcome.objects,
            "differing": len(outcome.differences),
            "unreadable": len(outcome.unreadable),
            "seconds": outcome.seconds,
            "commit": commit.hash if commit is not None else None,
            "writer": outcome.marks.writer,
            "horizon": str(outcome.marks.horizon),
            "names": outcome.marks.names,
        },
    )

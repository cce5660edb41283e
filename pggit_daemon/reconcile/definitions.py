"""Re-reads definitions that the trigger deferred or captured under a stale snapshot.

In: a segment. Out: the same with what was read again beside its events. Called by `pipeline.py`. Hashes do not cover
what is read here (`versioning/record.py`).

Two cases: what the capture deferred (locked by others, or too many objects at once), and what concurrent transactions
described with each other's old names (`reconcile/concurrent_ddl.py`). Both are read as they are now. That is as they
were at the commit, unless a later statement is committed already: what such a statement names, before we read or
meanwhile, is left to it, so that no change is dated to an earlier commit. What others have locked is left to the
comparison with the catalog. Nobody waits: where the server counts us as a synchronous standby, a commit that others do
not see yet may wait for us.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import structlog

from pggit_daemon.db import catalog
from pggit_daemon.db.on_demand import Connection, OnDemand
from pggit_daemon.model.changeset import Segment
from pggit_daemon.model.objects import ObjectId, ObjectOp
from pggit_daemon.reconcile.concurrent_ddl import ConcurrentDdl, as_found
from pggit_daemon.reconcile.later_statements import Handled, LaterStatements
from pggit_daemon.reconcile.visibility import Visibility

log = structlog.get_logger(__name__)

VISIBLE_AFTER = (0.001, 0.002, 0.004, 0.01, *[0.02] * 50)
"""Seconds between looks whether other sessions see a commit yet, before its objects are read."""


class DefinitionRefresh:
    """`left_over` is called where something is left to the comparison with the catalog.

    `is_standby`: whether the server counts us as a synchronous standby.
    """

    def __init__(
        self, link: OnDemand, visibility: Visibility, left_over: Callable[[], None], is_standby: Callable[[], bool]
    ) -> None:
        self._link = link
        self._visibility = visibility
        self._left_over = left_over
        self._is_standby = is_standby
        self._concurrent = ConcurrentDdl()
        self._later = LaterStatements()

    async def completed(self, segment: Segment, handled: Handled) -> Segment:
        """Complete a segment; `handled` are the rows of the outbox that are no news, its own among them."""
        own = frozenset(event.event_id for event in segment.events)
        is_news = self._later.handle(own)
        outdated = self._concurrent.outdated(segment.changeset.xid, segment.events)
        deferred = {
            item.oid: item.direct for event in segment.events for item in event.objects if item.op is ObjectOp.DEFERRED
        }
        if not deferred and not outdated:
            return segment
        if is_news and not self._wanted(deferred, outdated):
            return segment
        began = time.monotonic()
        async with self._link.use() as conn:
            is_seen = await self._is_seen_by_others(conn)
            if outdated and not is_seen:
                # What cannot be seen yet would be taken for dropped.
                self._left_over()
                outdated = frozenset()
            there = await self._look(conn, handled)
            if there is None:
                self._left_over()
                return segment
            if outdated and not own <= there:
                # Its rows have gone from the outbox: it was handled before, and the outbox does not tell what was
                # committed since. The comparison finds what is to be found.
                self._left_over()
                outdated = frozenset()
            wanted = self._wanted(deferred, outdated)
            if not wanted:
                return segment
            found, unreadable = await catalog.read_again(conn, wanted)
            complete = await self._look(conn, handled) is not None
        log.info(
            "definitions_refreshed",
            deferred=len(deferred),
            outdated=len(outdated),
            found=len(found),
            unreadable=len(unreadable),
            seconds=round(time.monotonic() - began, 4),
        )
        if unreadable or not complete:
            self._left_over()
        if not complete:
            return segment
        gone = (oid for oid in outdated if oid in wanted and oid not in unreadable and oid not in self._later)
        reread = as_found(sorted(gone), (item for item in found if item.oid not in self._later))
        return replace(segment, reread=reread)

    def _wanted(self, deferred: Mapping[ObjectId, bool], outdated: Iterable[ObjectId]) -> dict[ObjectId, bool]:
        """What is to be read: not what a later statement names."""
        wanted = {**deferred, **dict.fromkeys(outdated, True)}
        return {oid: direct for oid, direct in wanted.items() if oid not in self._later}

    async def _look(self, conn: Connection, handled: Handled) -> frozenset[int] | None:
        """See which rows the outbox has; None where there are too many, of which only the first are known then."""
        found, complete = await catalog.outbox_objects(conn, self._later.known)
        self._later.observe(found, handled)
        return frozenset(found) if complete else None

    async def _is_seen_by_others(self, conn: Connection) -> bool:
        for pause in VISIBLE_AFTER:
            if await self._visibility.is_complete(conn):
                return True
            if self._is_standby():
                return False
            await asyncio.sleep(pause)
        return False

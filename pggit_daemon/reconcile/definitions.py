"""Re-reads definitions that the trigger deferred or captured under a stale snapshot.

In: a segment. Out: the same with its events completed. Called by `pipeline.py`.

Two cases: what the capture deferred (locked by others, or too many objects at once), and what concurrent transactions
described with each other's old names (`reconcile/concurrent_ddl.py`). Both are read as they are
now. That is as they were at the commit, unless a later statement is committed already: what such a statement names is
left to it, so that no change is dated to an earlier commit. What others have locked is left to the comparison with
the catalog. Nobody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import structlog

from pggit_daemon.db import catalog
from pggit_daemon.db.on_demand import Connection, OnDemand
from pggit_daemon.model.changeset import Segment
from pggit_daemon.model.objects import ObjectId, ObjectOp
from pggit_daemon.reconcile.concurrent_ddl import ConcurrentDdl, as_found
from pggit_daemon.reconcile.visibility import Visibility

log = structlog.get_logger(__name__)

VISIBLE_TRIES = 50
"""How often, `SOON` apart, we look whether other sessions see a commit yet before its objects are read."""

SOON = 0.02
"""Seconds."""


class DefinitionRefresh:
    """`left_over` is called where something is left to the comparison with the catalog."""

    def __init__(self, link: OnDemand, visibility: Visibility, left_over: Callable[[], None]) -> None:
        self._link = link
        self._visibility = visibility
        self._left_over = left_over
        self._concurrent = ConcurrentDdl()

    async def completed(self, segment: Segment, handled: Iterable[int]) -> Segment:
        """Complete a segment; `handled` are the rows of the outbox that are no news, its own among them."""
        outdated = self._concurrent.outdated(segment.changeset.xid, segment.events)
        deferred = {
            item.oid: item.direct for event in segment.events for item in event.objects if item.op is ObjectOp.DEFERRED
        }
        if not deferred and not outdated:
            return segment
        async with self._link.use() as conn:
            await self._seen_by_others(conn)
            if outdated and not await self._is_news(conn, segment):
                outdated = frozenset()
            if not deferred and not outdated:
                return segment
            return await self._read_again(conn, segment, handled, deferred, outdated)

    async def _is_news(self, conn: Connection, segment: Segment) -> bool:
        """Whether the segment is handled for the first time.

        Where its own rows have gone from the outbox it was handled before, and the outbox does not tell what was
        committed since: then the comparison finds what is to be found.
        """
        own = {event.event_id for event in segment.events}
        if await catalog.unhandled(conn, own) == own:
            return True
        self._left_over()
        return False

    async def _read_again(
        self,
        conn: Connection,
        segment: Segment,
        handled: Iterable[int],
        deferred: Mapping[ObjectId, bool],
        outdated: frozenset[ObjectId],
    ) -> Segment:
        """Read what the capture deferred, and what this segment and concurrent ones describe and may be otherwise."""
        wanted = {**deferred, **dict.fromkeys(outdated, True)}
        found, unreadable = await catalog.read_again(conn, wanted)
        later = await catalog.told_later(conn, handled)
        log.info(
            "definitions_refreshed",
            deferred=len(deferred),
            outdated=len(outdated),
            found=len(found),
            unreadable=len(unreadable),
        )
        if unreadable or later is None:
            self._left_over()
        if later is None:
            found, gone = [], frozenset[ObjectId]()
        else:
            found = [item for item in found if item.oid not in later]
            gone = outdated - later - unreadable
        events = [
            replace(event, objects=tuple(item for item in event.objects if item.op is not ObjectOp.DEFERRED))
            for event in segment.events
        ]
        events[-1] = replace(events[-1], objects=(*events[-1].objects, *as_found(sorted(gone), found)))
        return replace(segment, events=tuple(events))

    async def _seen_by_others(self, conn: Connection) -> None:
        for _ in range(VISIBLE_TRIES):
            if await self._visibility.is_complete(conn):
                return
            await asyncio.sleep(SOON)

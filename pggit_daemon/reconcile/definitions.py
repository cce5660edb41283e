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
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import psycopg
import structlog

from pggit_daemon.db import catalog
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

    def __init__(
        self, conn: psycopg.AsyncConnection[Any], visibility: Visibility, left_over: Callable[[], None]
    ) -> None:
        self._conn = conn
        self._visibility = visibility
        self._left_over = left_over
        self._concurrent = ConcurrentDdl()

    async def _outdated(self, segment: Segment) -> frozenset[ObjectId]:
        """What this segment and concurrent ones describe and may be otherwise by now.

        Where the segment's own rows have gone from the outbox it was handled before, and the outbox does not tell
        what was committed since: then the comparison finds what is to be found.
        """
        outdated = self._concurrent.outdated(segment.changeset.xid, segment.events)
        own = {event.event_id for event in segment.events}
        if not outdated:
            return outdated
        await self._seen_by_others()
        if await catalog.unhandled(self._conn, own) != own:
            self._left_over()
            return frozenset()
        return outdated

    async def completed(self, segment: Segment, handled: Iterable[int]) -> Segment:
        """Complete a segment; `handled` are the rows of the outbox that are no news, its own among them."""
        outdated = await self._outdated(segment)
        deferred = {
            item.oid: item.direct for event in segment.events for item in event.objects if item.op is ObjectOp.DEFERRED
        }
        if not deferred and not outdated:
            return segment
        await self._seen_by_others()
        wanted = deferred | dict.fromkeys(outdated, True)
        found, unreadable = await catalog.read_again(self._conn, wanted)
        later = await catalog.told_later(self._conn, handled)
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

    async def _seen_by_others(self) -> None:
        for _ in range(VISIBLE_TRIES):
            if await self._visibility.is_complete(self._conn):
                return
            await asyncio.sleep(SOON)

"""Re-reads definitions that the trigger deferred or captured under a stale snapshot.

In: a segment. Out: the same with its events completed. Called by `pipeline.py`.

Two cases: what the capture deferred (locked by others, or too many objects at once), and what concurrent transactions
described with each other's old names (`reconcile/concurrent_ddl.py`). Both are read as they are now. That is as they
were at the commit, unless a later statement is committed already: what such a statement names, before we read or
meanwhile, is left to it, so that no change is dated to an earlier commit. What others have locked is left to the
comparison with the catalog. Nobody waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import replace

import structlog

from pggit_daemon.db import catalog
from pggit_daemon.db.on_demand import Connection, OnDemand
from pggit_daemon.model.changeset import Segment
from pggit_daemon.model.objects import ObjectEvent, ObjectId, ObjectOp
from pggit_daemon.reconcile.concurrent_ddl import ConcurrentDdl, as_found
from pggit_daemon.reconcile.visibility import Visibility

log = structlog.get_logger(__name__)

VISIBLE_AFTER = (0.001, 0.002, 0.004, 0.01, *[0.02] * 50)
"""Seconds between looks whether other sessions see a commit yet, before its objects are read."""

Handled = Sequence[Container[int]]
"""Rows of the outbox that are no news, each in one of these."""


class DefinitionRefresh:
    """`left_over` is called where something is left to the comparison with the catalog."""

    def __init__(self, link: OnDemand, visibility: Visibility, left_over: Callable[[], None]) -> None:
        self._link = link
        self._visibility = visibility
        self._left_over = left_over
        self._concurrent = ConcurrentDdl()
        # What the rows of the outbox name, of those that were there at the last look: each is read once.
        self._outbox: dict[int, frozenset[ObjectId]] = {}

    async def completed(self, segment: Segment, handled: Handled) -> Segment:
        """Complete a segment; `handled` are the rows of the outbox that are no news, its own among them."""
        outdated = self._concurrent.outdated(segment.changeset.xid, segment.events)
        deferred = {
            item.oid: item.direct for event in segment.events for item in event.objects if item.op is ObjectOp.DEFERRED
        }
        if not deferred and not outdated:
            return segment
        began = time.monotonic()
        async with self._link.use() as conn:
            await self._seen_by_others(conn)
            later = await self._named_later(conn, handled)
            if later is None:
                self._left_over()
                return _with(segment, ())
            if outdated and not self._is_news(segment):
                self._left_over()
                outdated = frozenset()
            wanted = {**deferred, **dict.fromkeys(outdated, True)}
            wanted = {oid: direct for oid, direct in wanted.items() if oid not in later}
            if not wanted:
                return _with(segment, ())
            found, unreadable = await catalog.read_again(conn, wanted)
            since = await self._named_later(conn, handled)
        log.info(
            "definitions_refreshed",
            deferred=len(deferred),
            outdated=len(outdated),
            found=len(found),
            unreadable=len(unreadable),
            seconds=round(time.monotonic() - began, 4),
        )
        if unreadable or since is None:
            self._left_over()
        if since is None:
            return _with(segment, ())
        later |= since
        gone = outdated - later - unreadable
        return _with(segment, as_found(sorted(gone), (item for item in found if item.oid not in later)))

    def _is_news(self, segment: Segment) -> bool:
        """Whether the segment is handled for the first time.

        Where its own rows have gone from the outbox it was handled before, and the outbox does not tell what was
        committed since: then the comparison finds what is to be found.
        """
        return all(event.event_id in self._outbox for event in segment.events)

    async def _named_later(self, conn: Connection, handled: Handled) -> frozenset[ObjectId] | None:
        """The objects of statements that are committed and not handled yet; None where there are too many."""
        found = await catalog.outbox_objects(conn, self._outbox)
        if found is None:
            self._outbox = {}
            return None
        self._outbox = {number: self._outbox[number] if new is None else new for number, new in found.items()}
        news = (named for number, named in self._outbox.items() if not any(number in some for some in handled))
        return frozenset().union(*news)

    async def _seen_by_others(self, conn: Connection) -> None:
        for pause in VISIBLE_AFTER:
            if await self._visibility.is_complete(conn):
                return
            await asyncio.sleep(pause)


def _with(segment: Segment, objects: tuple[ObjectEvent, ...]) -> Segment:
    """The segment without what was deferred, and with these objects at its end."""
    events = [
        replace(event, objects=tuple(item for item in event.objects if item.op is not ObjectOp.DEFERRED))
        for event in segment.events
    ]
    events[-1] = replace(events[-1], objects=(*events[-1].objects, *objects))
    return replace(segment, events=tuple(events))

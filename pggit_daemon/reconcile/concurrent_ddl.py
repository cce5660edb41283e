"""Transactions that ran DDL concurrently.

In: the decisions, in commit order. Out: the objects whose captured definitions may be out of date by then. Called by
`pipeline.py`. Pure.

A capture reads what its own transaction sees. When one transaction renames a type while another, not committed yet,
makes a table that uses it, the rename does not know the table, and the table is described with the old name. So when
the later one commits, its objects and those of the concurrent ones are read again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.objects import ObjectEvent, ObjectId, ObjectOp

REMEMBERED = 20_000
"""The latest transactions and their objects: what lies further back is left to the comparison with the catalog."""

_READ = {ObjectOp.SET, ObjectOp.DEFERRED}


@dataclass(slots=True)
class ConcurrentDdl:
    """What the latest transactions set, by their 32-bit ids, in commit order; `_numbers` has the ids sorted."""

    _latest: OrderedDict[int, frozenset[ObjectId]] = field(default_factory=OrderedDict)
    _numbers: list[int] = field(default_factory=list)
    _size: int = 0

    def outdated(self, xid: int, events: Iterable[DdlEvent]) -> frozenset[ObjectId]:
        """Take the events of a transaction that committed now; what is to be read again."""
        events = tuple(events)
        own = frozenset(item.oid for event in events for item in event.objects if item.op in _READ)
        concurrent = {
            other
            for event in events
            if event.snapshot is not None
            for other in event.snapshot.not_visible(self._numbers)
            if other != xid
        }
        outdated = own.union(*(self._latest[other] for other in concurrent)) if concurrent else frozenset[ObjectId]()
        if events:
            self._remember(xid, own)
        return outdated

    def _remember(self, xid: int, oids: frozenset[ObjectId]) -> None:
        if xid in self._latest:
            oids |= self._forget(xid)
        self._latest[xid] = oids
        insort(self._numbers, xid)
        self._size += 1 + len(oids)
        while self._size > REMEMBERED and len(self._latest) > 1:
            self._forget(next(iter(self._latest)))

    def _forget(self, xid: int) -> frozenset[ObjectId]:
        oids = self._latest.pop(xid)
        del self._numbers[bisect_left(self._numbers, xid)]
        self._size -= 1 + len(oids)
        return oids


def as_found(outdated: Iterable[ObjectId], found: Iterable[ObjectEvent]) -> tuple[ObjectEvent, ...]:
    """What they are now, for the end of the events: one that is not found was dropped beside its description."""
    now = tuple(replace(item, direct=False) for item in found)
    there = {item.oid for item in now}
    gone = (ObjectEvent(ObjectOp.DROP, oid, direct=False, key=None, blob=None) for oid in outdated if oid not in there)
    return (*gone, *now)

"""Deadlines of claims and rows, in the stream's own time.

In: segments and rows with their moments. Out: those whose moment has passed, in the order of their moments. Mutable,
private to `attribute/`. Whether anything is due costs one look at the earliest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment


@dataclass(frozen=True, slots=True)
class ClaimEnds:
    segment: OpenSegment
    source: str


@dataclass(frozen=True, slots=True)
class CallbackEnds:
    segment: OpenSegment


@dataclass(frozen=True, slots=True)
class RowOverdue:
    row: WaitingRow


Due = ClaimEnds | CallbackEnds | RowOverdue


@dataclass(slots=True)
class Deadlines:
    _heap: list[tuple[datetime, int, Due]] = field(default_factory=list)
    _number: int = 0

    def add(self, when: datetime, due: Due) -> None:
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, due))

    def passed(self, now: datetime) -> Iterator[Due]:
        """Each that lies before this moment; new ones may be added meanwhile."""
        while self._heap and self._heap[0][0] < now:
            yield heapq.heappop(self._heap)[2]

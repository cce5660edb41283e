"""Segments whose grace ended before a row came: what a late row may still be linked to.

In: segments as their last claim ends. Out: those that one late row may be about. Mutable, bounded, private to
`attribute/`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pggit_daemon.attribute.claims import Claim
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment, Place
from pggit_daemon.model.session import SessionKey

KEPT = 4096
"""Segments of one source."""

LATE = 10
"""How many graces late a row may be."""


@dataclass(frozen=True, slots=True)
class Late:
    """A segment, and the claim that it was."""

    segment: OpenSegment
    claim: Claim


@dataclass(slots=True)
class Recent:
    """By source, in commit order."""

    _sources: dict[str, OrderedDict[Place, Late]] = field(default_factory=dict)

    def add(self, segment: OpenSegment, claim: Claim) -> list[OpenSegment]:
        """Remember a segment; those that are forgotten for it."""
        known = self._sources.setdefault(claim.source, OrderedDict())
        known[segment.place] = Late(segment, claim)
        forgotten = []
        while len(known) > KEPT:
            forgotten.append(known.popitem(last=False)[1].segment)
        return forgotten

    def get(self, place: Place) -> Late | None:
        return next((known[place] for known in self._sources.values() if place in known), None)

    def close(self, row: WaitingRow) -> list[OpenSegment]:
        """A row of the source was dealt with: what stands before it is waited for no longer."""
        known = self._sources.get(row.source, OrderedDict())
        closed = [late.segment for late in known.values() if late.segment.first < row.lsn]
        for segment in closed:
            del known[segment.place]
        return closed

    def candidates(self, row: WaitingRow, grace: timedelta) -> dict[SessionKey, list[Late]]:
        """What a row may belong to that found nothing else.

        If any was still open when the row was written, it is one of those. Of each session only what it ran in one go.
        """
        known = self._sources.get(row.source, OrderedDict())
        earlier = [
            late
            for late in known.values()
            if late.segment.first < row.lsn and row.time - late.segment.time <= grace * LATE
        ]
        earlier = [late for late in earlier if late.segment.commit_lsn > row.lsn] or earlier
        sessions: dict[SessionKey, list[Late]] = {}
        for late in earlier:
            sessions.setdefault(late.segment.session, []).append(late)
        return {session: _in_one_go(found, grace) for session, found in sessions.items()}

    def just_before(self, segment: OpenSegment, source: str, grace: timedelta) -> list[Late]:
        """What the same session ran in one go with this segment, and whose grace ended meanwhile."""
        known = self._sources.get(source)
        if not known:
            return []
        mine = [late for late in known.values() if late.segment.session == segment.session]
        claim = mine[-1].claim if mine else None
        if claim is None:
            return []
        return _in_one_go([*mine, Late(segment, claim)], grace)[:-1]


def _in_one_go(found: Sequence[Late], grace: timedelta) -> list[Late]:
    """The last of these and what came before it without a long pause."""
    chain = [found[-1]]
    for late in reversed(found[:-1]):
        if chain[-1].segment.start - late.segment.time > grace:
            break
        chain.append(late)
    return chain[::-1]

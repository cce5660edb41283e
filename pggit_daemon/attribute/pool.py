"""The open segments, found by whoever may end their wait: source and session, run, sibling.

In: segments with claims. Out: those that a row, a lock or the end of a session is about, without a look at the others.
Mutable, private to `attribute/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pggit_daemon.attribute.claims import Group
from pggit_daemon.attribute.segment import OpenSegment, Place
from pggit_daemon.model.session import SessionKey

Segments = dict[Place, OpenSegment]
_Key = TypeVar("_Key")


@dataclass(slots=True)
class Pool:
    """Each index holds its segments in commit order."""

    segments: Segments = field(default_factory=dict)
    _sources: dict[str, dict[SessionKey, Segments]] = field(default_factory=dict)
    _runs: dict[str, dict[Group, Segments]] = field(default_factory=dict)
    _sessions: dict[SessionKey, Segments] = field(default_factory=dict)
    _siblings: dict[SessionKey, Segments] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.segments)

    def add(self, segment: OpenSegment) -> None:
        self.segments[segment.place] = segment
        self._sessions.setdefault(segment.session, {})[segment.place] = segment
        for claim in segment.claims.values():
            of_source = self._sources.setdefault(claim.source, {})
            of_source.setdefault(segment.session, {})[segment.place] = segment
            self._runs.setdefault(claim.source, {}).setdefault(claim.group, {})[segment.place] = segment
        self.watch_siblings(segment)

    def watch_siblings(self, segment: OpenSegment) -> None:
        """It waits for one of its siblings to be known."""
        if segment.callback_of:
            for sibling in segment.siblings:
                self._siblings.setdefault(sibling, {})[segment.place] = segment

    def remove(self, segment: OpenSegment) -> None:
        """Nobody may claim it any more."""
        self.segments.pop(segment.place, None)
        _drop(self._sessions, segment.session, segment.place)
        for source in list(segment.claims):
            self._forget(segment, source)
        for sibling in segment.siblings:
            _drop(self._siblings, sibling, segment.place)

    def drop_claim(self, segment: OpenSegment, source: str) -> None:
        """The source has no claim on it any more."""
        if source in segment.claims:
            self._forget(segment, source)
            del segment.claims[source]

    def _forget(self, segment: OpenSegment, source: str) -> None:
        _drop(self._sources.get(source, {}), segment.session, segment.place)
        _drop(self._runs.get(source, {}), segment.claims[source].group, segment.place)

    def sessions_of(self, source: str, *, first: SessionKey | None = None) -> Iterator[tuple[SessionKey, Segments]]:
        """What the source claims, by session; that of `first` comes first."""
        sessions = self._sources.get(source, {})
        if first is not None and first in sessions:
            yield first, sessions[first]
        yield from ((session, segments) for session, segments in sessions.items() if session != first)

    def of_source(self, source: str) -> list[OpenSegment]:
        return [segment for segments in self._sources.get(source, {}).values() for segment in segments.values()]

    def of_session(self, session: SessionKey) -> list[OpenSegment]:
        return list(self._sessions.get(session, {}).values())

    def of_run(self, source: str, group: Group) -> list[OpenSegment]:
        """What the source claims by one run of its tool."""
        return list(self._runs.get(source, {}).get(group, {}).values())

    def runs_of(self, source: str) -> list[Group]:
        """The runs by which the source claims something."""
        return list(self._runs.get(source, {}))

    def waiting_for(self, sibling: SessionKey) -> list[OpenSegment]:
        """What may be a callback of the tool whose session this is."""
        return list(self._siblings.get(sibling, {}).values())


def _drop(index: dict[_Key, Segments], key: _Key, place: Place) -> None:
    of_key = index.get(key)
    if of_key is not None:
        of_key.pop(place, None)
        if not of_key:
            del index[key]

"""When what is recorded is stored, and how far the stream was read. Pure: the clock is passed in.

In: the moments of what happens to a stream, in seconds of a monotonic clock. Out: whether something is due. Owned by
`pipeline.py`.
"""

from __future__ import annotations

WITHIN = 0.5
"""Seconds in which what is recorded is stored, also where more of it is at hand. A call takes the server a millisecond
or two whatever it stores, so that is half a percent of a backlog's time. A limit by number would store a quick backlog
more often than anybody can see, and a slow one (some transactions take a second to be read again) too seldom."""

REST = 1.0
"""Seconds between transactions that store nothing but how far the stream was read, and wait for the server's disk."""

OTHERS_REST = 5.0
"""The same where nothing of ours waits for it; as above where more than `MOST_UNSTORED` was read."""

BUSY = 60.0
"""Seconds after its beginning, and after something of ours, in which a stream is not idle."""

SHORTEST_IDLE_REST = 60.0
LONGEST_IDLE_REST = 600.0
MOST_UNSTORED = 64 << 20
"""The same of an idle stream, the shortest where more bytes were read meanwhile: the slot keeps so much more WAL."""


class Timing:
    """Of one stream, which begins `now`."""

    def __init__(self, now: float) -> None:
        self._busy_until = now + BUSY
        self._stored_at = now
        self._advanced_at = 0.0

    def came(self, now: float) -> None:
        """Note that something of ours came; nothing of it is recorded yet."""
        self._busy_until = now + BUSY
        self._stored_at = now

    def stored(self, now: float) -> None:
        """Note that all that is recorded is stored."""
        self._stored_at = now

    def advanced(self, now: float) -> None:
        """Note that it is on the server's disk how far the stream was read."""
        self._advanced_at = now

    def is_idle(self, now: float) -> bool:
        return now > self._busy_until

    def is_due(self, now: float) -> bool:
        """Whether to store what is recorded although more is at hand."""
        return now - self._stored_at >= WITHIN

    def rests(self, now: float, read: int, *, idle: bool, ahead: bool) -> bool:
        """Whether to store only later how far was read, `read` bytes more: each such transaction is WAL itself.

        `ahead`: something is stored that may not be on the server's disk yet. Where many databases are idle, the
        transactions of the others alone would never let it end.
        """
        rested = now - self._advanced_at
        much = read > MOST_UNSTORED
        if ahead or not idle:
            return rested < (REST if ahead or much else OTHERS_REST)
        return rested < (SHORTEST_IDLE_REST if much else LONGEST_IDLE_REST)

"""When to let frames gather before reading them. Pure: the clock is passed in.

In: the moments at which the reader was woken. Out: seconds to wait before reading. Called by `frames.py`.

Waking up costs far more than reading one more frame. So a reader may wake at once a few times in a row, which
is all that a lone transaction needs; under a steady flow that allowance is used up, and each read lets frames
gather first.
"""

from __future__ import annotations

BURST = 12  # wake-ups at once before frames must gather; a small transaction takes two or three
REFILL = 25.0  # wake-ups a second that come back
GATHER = 0.002  # seconds


class Pace:
    """An allowance of immediate wake-ups that refills with time."""

    def __init__(self, *, burst: float = BURST, refill: float = REFILL, gather: float = GATHER) -> None:
        self._burst = burst
        self._refill = refill
        self._gather = gather
        self._left = float(burst)
        self._seen: float | None = None

    def woken(self, now: float) -> float:
        """Note a wake-up (seconds of a monotonic clock); return how long frames should gather before the read."""
        if self._seen is not None:
            self._left = min(self._burst, self._left + (now - self._seen) * self._refill)
        self._seen = now
        if self._left < 1:
            return self._gather
        self._left -= 1
        return 0.0

"""When to look at the socket, and whether somebody must see what was found there. Pure: the clock is passed in.

In: the moments of the looks, and whether something of ours was found. Out: how to wait for the next. Called by
`frames.py`.

Waking up costs some ten times as much as reading one more frame. So a reader may wake at once a few times in a row,
which is all that a lone transaction needs; under a steady flow that allowance is used up, and frames gather before
each look. What is ours should not wait for that: a captured statement is larger than what tells that transactions have
passed by, so a look is due when some bytes have come, or a few milliseconds later. And as migrations come together, the
pauses are short from the first one on. Where nothing of ours has come for a while they are longer, most on a server
that is always busy: there the first migration may wait for so long.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

BURST = 12  # wake-ups at once before frames must gather; a small transaction takes two or three
REFILL = 25.0  # wake-ups that come back in a second without any
ALERT = 10.0  # seconds for which the pauses stay short after something of ours
STEADY = 200.0  # messages a second from which on the server is busy
SPAN = 0.5  # seconds, at least, over which they are counted


class Urgency(Enum):
    """Who must see frames that were read."""

    OURS = "ours"  # the pipeline, at once
    ASKED = "asked"  # the pipeline, at once: they only say how far the server is, and somebody waits for that
    COMING = "coming"  # nobody yet, but the rest of a transaction of ours is on its way
    LATER = "later"  # nobody yet: they only say how far the server is

    @property
    def is_now(self) -> bool:
        return self is Urgency.OURS or self is Urgency.ASKED


@dataclass(frozen=True, slots=True)
class Pause:
    """How frames gather: until so many bytes have come, or seconds have passed."""

    size: int
    seconds: float


# wal2json says in 270 bytes that a transaction has passed by; a captured CREATE TABLE takes some 2,000.
SHORT = Pause(2500, 0.003)
LONG = Pause(1 << 16, 0.02)
LONGEST = Pause(1 << 20, 0.05)
"""Time alone should end the longest pause: at 4,000 transactions a second 53 kB come in it.

So its size is not what should wake us but what makes room: the kernel gives the socket a receive buffer of two to four
times as much, in which small messages occupy several times their own size, and reports it as readable when that is
nearly full, whatever the limit.
"""


class Pace:
    """An allowance of immediate wake-ups that refills with time."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._looked: float | None = None
        self._alert_until = 0.0
        self._counted_from = 0.0
        self._messages = 0
        self._is_steady = False

    def ours(self, now: float) -> None:
        """Note that something of ours came (seconds of a monotonic clock)."""
        self._alert_until = now + ALERT

    def looked(self, now: float, messages: int) -> Pause | None:
        """Note a look that found messages; return how others should gather before the next, None for not at all."""
        self._count(now, messages)
        pause = SHORT if now < self._alert_until else LONGEST if self._is_steady else LONG
        since = now - self._looked if self._looked is not None else pause.seconds
        self._looked = now
        # A flow without longer pauses gets none back: each would be a wake-up more, and two changes of the limit.
        self._left = min(BURST, self._left + max(0.0, since - pause.seconds) * REFILL)
        if self._left >= 1:
            self._left -= 1
            return None
        # Where they come with longer pauses between them there is nothing to gather.
        return pause if since <= 2 * LONG.seconds or self._is_steady else None

    def _count(self, now: float, messages: int) -> None:
        self._messages += messages
        span = now - self._counted_from
        if span >= SPAN:
            self._is_steady = self._messages >= STEADY * span
            self._counted_from, self._messages = now, 0

"""Which of many equal events get a line in the log. Pure: the clock is passed in.

In: what an event says, and when. Out: whether to log it, and how many were left out before. A server that is down for
a night, or somebody who floods us, must not fill the disk with one line again and again.
"""

from __future__ import annotations

EVERY = 60.0  # seconds between lines that say the same


class Repeats:
    """Lets the first of equal events through, then one every so often."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._said: object = None
        self._at = 0.0
        self._left_out = 0

    def note(self, said: object, now: float, every: float | None = None) -> int | None:
        """Note an event; None when it gets no line, otherwise how many equal ones got none before it.

        `every`: seconds until the same gets a line again, where that is other than usual.
        """
        if said == self._said and now < self._at + (every or self._every):
            self._left_out += 1
            return None
        left_out = self._left_out if said == self._said else 0
        self._said, self._at, self._left_out = said, now, 0
        return left_out

    def forget(self) -> None:
        """What comes next is news again."""
        self._said, self._left_out = None, 0

"""How long to wait before the next attempt to connect. Pure: clock and chance are passed in.

In: when a connection was made and when it failed, and why. Out: seconds to wait. Called by the supervisor of a
database. Full jitter (anything between 0 and the limit) keeps many daemons from coming back at the same moment.

A server that takes no connections at all (it is down, or recovers after a crash) is no failure that calls for longer
and longer waits: to ask again costs nothing, and whoever waits for it wants to be there when it is back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = 0.25  # seconds: the limit of the first wait
CAP = 30.0  # seconds: no limit grows beyond
STABLE = 15.0  # seconds: a connection that lived this long starts the count again
AWAY = 1.0  # seconds, more or less, between attempts while the server takes no connections


class Backoff:
    """Waits that grow with each failure in a row.

    `chance` returns a number in [0, 1), such as `random.random`; `floor` keeps a run of small numbers from
    becoming a busy loop.
    """

    def __init__(
        self, chance: Callable[[], float], *, first: float = FIRST, cap: float = CAP, floor: float = 0.05
    ) -> None:
        self._chance = chance
        self._first = first
        self._cap = cap
        self._floor = floor
        self._failures = 0
        self._connected_at: float | None = None

    @property
    def failures(self) -> int:
        """How many attempts in a row have failed, of those that a server took."""
        return self._failures

    def connected(self, now: float) -> None:
        """Note that a connection stands (seconds of a monotonic clock)."""
        self._connected_at = now

    def failed(self, now: float) -> float:
        """Note a failure; return how many seconds to wait before the next attempt."""
        if self._connected_at is not None and now - self._connected_at >= STABLE:
            self._failures = 0
        self._connected_at = None
        # Beyond 2**30 the cap has long been reached; an endless outage must not overflow the float.
        limit = min(self._cap, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return max(self._floor, limit * self._chance())

    def away(self) -> float:
        """Note that the server takes no connections, which explains the failures before; return the wait."""
        self._failures = 0
        self._connected_at = None
        return AWAY * (0.5 + self._chance())

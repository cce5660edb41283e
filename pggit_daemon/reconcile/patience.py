"""Looks at the database that the stream can go on without: where the server refuses the connection, they come later.

In: a look, as a coroutine function. Out: whether it was done. Called by `pipeline.py`: a server that has no connection
left, or whose own limits end ours, must not stop what needs none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from pggit_daemon.errors import ConnectError, ServerAway

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
"""Seconds until a look is tried again: doubled from the first to the longest."""


class Patience:
    """`ask` has the server say how far it is, so that somebody looks again; `failed` is called with each refusal."""

    def __init__(self, ask: Callable[[], None], failed: Callable[[str], None]) -> None:
        self._ask = ask
        self._failed = failed
        self._pause = FIRST_PAUSE
        self._said = ""
        self._resting: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Ask for nothing more."""
        if self._resting is not None:
            self._resting.cancel()

    @property
    def rests(self) -> bool:
        """Whether a look was refused a moment ago."""
        return self._resting is not None

    async def tried(self, look: Callable[[], Awaitable[bool]]) -> bool:
        """Look, unless that was refused a moment ago; whether anything may be known that was not before."""
        if self.rests:
            return False
        try:
            seen = await look()
        except ServerAway:
            raise  # the stream ends with it
        except ConnectError as exc:
            if exc.message != self._said:
                log.warning("look_refused", error=exc.message, hint=exc.hint)
            self._said = exc.message
            self._failed("looks")
            self._resting = asyncio.get_running_loop().call_later(self._pause, self._over)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            return True  # it may have come half of its way
        if seen:
            self._pause, self._said = FIRST_PAUSE, ""
        return seen

    def _over(self) -> None:
        self._resting = None
        self._ask()

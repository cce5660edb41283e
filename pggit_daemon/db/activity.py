"""Whether looking at a database again can show anything new.

In: the server's looks, which cost each of its databases next to nothing. Out: for each job that looks again and again,
yes or no. Called by the jobs beside the stream and by the reading of the metrics.

Rows that are written are counted by the server, those of catalogs too; what only reads is not. A session tells its
counts a moment after its commit (up to 10 s from PostgreSQL 15 on, before that with its next statement), so what it
wrote is seen so much later; and a database counts as quiet only some time after the last change. A superuser may switch
counting off (`track_counts`). So a gate that leaves out looks lets every so-many-th through.
"""

from __future__ import annotations

import asyncio

from pggit_daemon.db.server import Look, Mark, Server

QUIET = 15.0
"""Seconds without a change after which a database is quiet."""

MAX_AGE = 2.0
"""Seconds that a look may be old: it is shared by whoever asks in that time."""


class Activity:
    """Of one database; `database` is its name on the server, once a connection has shown it."""

    def __init__(self, server: Server, dsn: str) -> None:
        self.server = server
        self._dsn = dsn
        self._mark: Mark | None = None
        self._changed_at = 0.0
        self.database: str | None = None

    async def look(self, *, max_age: float = MAX_AGE) -> Look | None:
        """What the server tells of all its databases; None where it does not tell."""
        return await self.server.look(self._dsn, max_age=max_age)

    async def mark(self) -> Mark | None:
        """What is the same as long as nothing happens; None where that is not known, or something happened just now."""
        look = await self.look()
        mark = look.mark(self.database) if look is not None and self.database is not None else None
        now = asyncio.get_running_loop().time()
        if mark is None or mark != self._mark:
            self._mark, self._changed_at = mark, now
        return mark if now - self._changed_at >= QUIET else None


class Gate:
    """For one job: shut while nothing can have changed since it passed.

    `most` looks in a row are left out; None: all of them.
    """

    def __init__(self, activity: Activity, *, most: int | None = None) -> None:
        self._activity = activity
        self._most = most
        self._now: Mark | None = None
        self._seen: Mark | None = None
        self._left_out = 0

    async def is_shut(self) -> bool:
        """Whether to leave out the look that is due; to be asked right before it."""
        self._now = await self._activity.mark()
        if self._now is None or self._now != self._seen or (self._most is not None and self._left_out >= self._most):
            return False
        self._left_out += 1
        return True

    def passed(self) -> None:
        """The look went well, and showed all that was there when it was asked for."""
        self._seen, self._left_out = self._now, 0

    def failed(self) -> None:
        """The look did not show all."""
        self._seen = None

"""The recorded tree held against the catalog, a little at a time.

In: a quiet moment of the stream (nothing waits for its row). Out: an `Outcome` when everything was compared: the
differences that are certain, for `reconcile/schedule.py` to record. Nobody waits for it: it reads in slices of some
50 ms beside the stream, keeps no lock, and gives up on what others have locked. Only what was found is looked at
again while the stream stands still, so that what becomes of it is a commit before anything else does.

Everything is compared the first time, by timer, when asked, and when something is suspect. In between, what was
written in the catalog since the last look is compared, whoever wrote it: so each captured statement is checked a
moment later, and what fires no event trigger (REASSIGN OWNED, ALTER ROLE … RENAME, edits by a superuser) is found.
A row beside an object that somebody deleted by hand leaves no trace there: the timer finds it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import psycopg

from pggit_daemon.db import catalog
from pggit_daemon.db.catalog import Marks
from pggit_daemon.model.differences import Difference, certain, readable
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectId

CHUNK = 200
"""Objects in one query."""

SLICE = 0.05
"""Seconds of comparing before the stream has its turn again."""

LOOKS = 5
"""How often what keeps changing is looked at before it is left to the next comparison."""

SHARE = 50
"""A watch rests so many times as long as its last look took: 2 % of a core; but not longer than `MOST_REST`."""

MOST_REST = 60.0
"""Seconds. A look at much that was written says nothing of what the next one costs."""


class Cause(StrEnum):
    """Why everything is compared."""

    FIRST = "first"
    TIMER = "timer"
    ASKED = "asked"
    WATCH = "watch"
    NAMES = "names"
    CAPTURE_FAILED = "capture_failed"
    BESIDE = "beside"
    UPGRADE = "upgrade"

    @property
    def explains(self) -> bool:
        """Whether it says why something differs: then the difference is no conflict."""
        return self in {Cause.CAPTURE_FAILED, Cause.BESIDE, Cause.UPGRADE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a comparison of everything came to. `seconds` of comparing, without the pauses between.

    What differs was committed before `position`.
    """

    cause: Cause
    marks: Marks
    objects: int
    differences: tuple[Difference, ...]
    unreadable: tuple[Difference, ...]
    seconds: float
    position: LSN


@dataclass(slots=True)
class _Look:
    """A comparison under way; `cause` is None where it is of what was written since the last look."""

    cause: Cause | None
    marks: Marks
    todo: list[ObjectId]
    objects: int
    found: list[Difference] = field(default_factory=list)
    position: LSN | None = None
    looks: int = 1
    seconds: float = 0.0


class Verification:
    """`verify`: seconds between comparisons of everything; `watch`: between looks at what was written."""

    def __init__(
        self,
        conn: psycopg.AsyncConnection[Any],
        *,
        verify: float,
        watch: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conn = conn
        self._intervals = (verify, watch)
        self._clock = clock
        self._verify_due = clock() + verify
        self._watch_due = clock()
        self._suspect: Cause | None = None
        self._marks: Marks | None = None
        self._look: _Look | None = None
        self._reading: asyncio.Task[None] | None = None
        self._unread: dict[ObjectId, Cause] = {}  # with why they were to be compared

    @property
    def under_way(self) -> bool:
        return self._suspect is not None or self._look is not None or self._reading is not None

    @property
    def reading(self) -> bool:
        """Whether the connection is in use beside the stream."""
        return self._reading is not None and not self._reading.done()

    def suspect(self, cause: Cause) -> None:
        """Have everything compared, from the next turn on; a look that is under way may have begun too early."""
        self._suspect = self._suspect or cause

    def wake(self) -> None:
        """Look at the next turn whether something is due."""
        self._watch_due = self._clock()

    async def turn(self, received: LSN) -> Outcome | None:
        """Go on with what is under way, or begin what is due; the outcome, when everything was compared."""
        if self._reading is not None:
            if not self._reading.done():
                return None
            reading, self._reading = self._reading, None
            await reading  # raises what went wrong in it
        look = self._look
        if look is None:
            if self._is_due():
                self._reading = asyncio.create_task(self._begin())
        elif look.todo:
            self._reading = asyncio.create_task(self._compare(look))
        elif look.position is None or received >= look.position:
            return await self._settled(look)
        return None

    async def close(self) -> None:
        """Give up what is being read."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
            if not self._reading.cancelled():
                self._reading.exception()  # whatever it was: nobody waits for it any more
            self._reading = None

    def _is_due(self) -> bool:
        now = self._clock()
        if self._suspect is None and now >= self._verify_due:
            self._suspect = Cause.TIMER
        return self._suspect is not None or now >= self._watch_due

    async def _begin(self) -> None:
        """Find out what is to be compared, if anything is."""
        began = self._clock()
        marks = await catalog.marks(self._conn)
        before = self._marks or await catalog.verified(self._conn)
        cause = self._suspect or _cause(before, marks)
        if cause is None and before is not None and marks.writes == before.writes and not self._unread:
            self._rest(0.0)
            return
        self._suspect = None
        since = before.horizon if cause is None and before is not None else None
        todo = await catalog.addresses(self._conn, since=since)
        if since is not None:
            todo = sorted({*todo, *self._unread})
        self._look = _Look(cause, marks, todo, len(todo), seconds=self._clock() - began)

    async def _compare(self, look: _Look) -> None:
        began = self._clock()
        while look.todo and self._clock() < began + SLICE:
            look.found += await catalog.differing(self._conn, look.todo[:CHUNK])
            del look.todo[:CHUNK]
        if not look.todo and look.found:
            # Whatever made these differ was committed before this position.
            look.position = await catalog.position(self._conn)
        look.seconds += self._clock() - began

    async def _settled(self, look: _Look) -> Outcome | None:
        began = self._clock()
        ended = await self._look_again(look)
        look.seconds += self._clock() - began
        return self._end(look) if ended else None

    async def _look_again(self, look: _Look) -> bool:
        """Look at what was found once more, now that the stream has passed; whether that settles it."""
        if not look.found:
            return True
        second = await catalog.differing(self._conn, [one.oid for one in look.found])
        sure = certain(look.found, second)
        changing = len(sure) < len(readable(second))
        look.found = second
        look.looks += 1
        if changing and look.looks < LOOKS:
            look.position = await catalog.position(self._conn)
            return False
        look.found = [*sure, *(one for one in second if one.unreadable is not None)]
        return True

    def _end(self, look: _Look) -> Outcome | None:
        self._look = None
        self._rest(look.seconds if look.cause is None else 0.0)  # comparing everything has its own interval
        differences = readable(look.found)
        unreadable = tuple(one for one in look.found if one.unreadable is not None)
        explained = {self._unread.get(one.oid, Cause.WATCH) for one in differences}
        # What could not be read is looked at again with each watch.
        self._unread = {one.oid: look.cause or self._unread.get(one.oid, Cause.WATCH) for one in unreadable}
        if look.cause is None:
            if differences:
                # Others may have changed with them, though nothing was written of those.
                self.suspect(explained.pop() if len(explained) == 1 else Cause.WATCH)
            elif look.looks < LOOKS:
                self._marks = look.marks
            return None
        self._marks = look.marks
        self._verify_due = self._clock() + self._intervals[0]
        position = look.position or LSN(0)
        return Outcome(look.cause, look.marks, look.objects, differences, unreadable, look.seconds, position)

    def _rest(self, cost: float) -> None:
        self._watch_due = self._clock() + max(self._intervals[1], min(SHARE * cost, MOST_REST))


def _cause(before: Marks | None, now: Marks) -> Cause | None:
    """Why everything must be compared, if it must; `before` may be an earlier process's."""
    if before is None or before.horizon_is_beyond(now):
        return Cause.FIRST
    if before.writer != now.writer:
        return Cause.UPGRADE
    if before.names != now.names:
        return Cause.NAMES
    return Cause.ASKED if now.asked else None

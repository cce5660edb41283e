"""Sessions, the locks they held, and the snapshot of a transaction."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, order=True)
class SessionKey:
    """A backend for its whole life: process ids come again, a pid with its start does not."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int, started: str | datetime) -> SessionKey:
        """From any spelling of the start: columns, JSON and drivers each write a timestamp in a way of their own."""
        try:
            moment = started if isinstance(started, datetime) else datetime.fromisoformat(started)
        except ValueError:
            return cls(pid, str(started))
        return cls(pid, moment.astimezone(UTC).isoformat())


@dataclass(frozen=True, slots=True)
class Profile:
    """How a session introduces itself: what two connections of one tool have in common."""

    user: str
    application_name: str
    client_addr: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """The session that ran a statement. `role` is the role in force (SET ROLE), else the user."""

    key: SessionKey
    profile: Profile
    role: str


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that some session held while the statement ran: an advisory one, or on a `table`.

    `since`: when the transaction began that another session had open then.
    """

    classid: int
    objid: int
    holder: SessionKey
    profile: Profile
    objsubid: int = 1
    since: datetime | None = None
    table: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """A session whose end frees what waits. `by_lock`: it is as good as ended once it holds no advisory lock."""

    session: SessionKey
    by_lock: bool


_XIDS = 1 << 32


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a transaction saw of others: `next` was not given out yet, `running` had not ended. Full transaction ids."""

    next: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """From the server's `xmin:xmax:running,…`."""
        _, following, running = text.split(":")
        return cls(int(following), frozenset(map(int, filter(None, running.split(",")))))

    def not_visible(self, numbers: Sequence[int]) -> Iterator[int]:
        """Those of these transactions that had not ended: 32-bit numbers, sorted, less than 2^31 away.

        Looks at what it returns and at a few others, not at all of them.
        """
        first, last = self.next % _XIDS, (self.next + _XIDS // 2) % _XIDS
        for begin, end in ((first, last),) if first < last else ((first, _XIDS), (0, last)):
            for at in range(bisect_left(numbers, begin), bisect_left(numbers, end)):
                yield numbers[at]
        for other in self.running:
            at = bisect_left(numbers, other % _XIDS)
            if at < len(numbers) and numbers[at] == other % _XIDS:
                yield numbers[at]

"""A recorded segment whose owner is still open, and the history rows that took some of it.

In: a segment with its commit and what may claim it. Out: what is still free in it. Mutable, private to `attribute/`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pggit_daemon.attribute.claims import Claim
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectKey
from pggit_daemon.model.session import Profile, SessionKey

Place = tuple[LSN, int]
"""Where a segment stands: its transaction's commit, and its number within that."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: where it stands, and which of the commit's objects it changed."""

    lsn: LSN
    objects: tuple[ObjectKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Taker:
    """The migration that took statements of a segment, as far as its commit tells of it."""

    source: str
    tool: str
    label: str
    kind: CommitKind
    evidence: Evidence
    migration_id: int | None
    version: str | None
    part: bool


@dataclass(slots=True, eq=False)
class OpenSegment:
    """`commit` is the hash of its commit, None where its statements changed nothing. `first` is where the first
    statement of its transaction stands. `ended`: its session has; `gone_before`: rows behind this place were written
    after that.

    Rows take statements from the front: `taken` of them are no longer free. `claims` are the live claims on the rest.
    What no row takes is `tool`'s where that is known: its housekeeping, or (`orphan`) DDL whose row never came.
    `kind` is what was said of the commit last. `may_call_back`: the tools that it may be a callback of, by its looks;
    `callback_of`: those that it waits to be known as a callback of. `ended`: its session is known to have; that is not
    stored, as whoever looks again finds it so. `began`: when its transaction did, where that took long.
    """

    place: Place
    commit: str | None
    time: datetime
    session: SessionKey
    application: str
    first: LSN
    statements: Sequence[Statement]
    summary: str
    deployment: str | None = None
    user: str = ""
    claims: dict[str, Claim] = field(default_factory=dict)
    may_call_back: frozenset[str] = frozenset()
    callback_of: frozenset[str] = frozenset()
    siblings: frozenset[SessionKey] = frozenset()
    taken: int = 0
    takers: list[Taker] = field(default_factory=list)
    tool: str | None = None
    orphan: bool = False
    ended: bool = False
    gone_before: LSN | None = None
    kind: CommitKind | None = None
    began: datetime | None = None

    @property
    def start(self) -> datetime:
        """When its transaction began, as far as that is known: where it took long. No clock goes back in it."""
        return self.time if self.began is None else min(self.began, self.time)

    @property
    def commit_lsn(self) -> LSN:
        return self.place[0]

    @property
    def last(self) -> LSN:
        """Where its last statement stands."""
        return self.statements[-1].lsn

    @property
    def looks(self) -> Profile:
        """How its session looks, but for where it comes from."""
        return Profile(self.user, self.application, None)

    @property
    def is_free(self) -> bool:
        """Whether any of its statements has not been taken."""
        return self.taken < len(self.statements)

    @property
    def is_open(self) -> bool:
        """Whether somebody may still claim what is free."""
        return self.is_free and bool(self.claims or self.callback_of)

    def stands_before(self, lsn: LSN, commit: LSN) -> bool:
        """Whether a row at this place may take something: its transaction committed before the row's."""
        return self.is_free and self.commit_lsn < commit and self.statements[self.taken].lsn < lsn

    def take(self, before: LSN | None = None) -> tuple[int, int]:
        """Take the free statements that stand before a place, all where that is None; which ones they were."""
        upto = len(self.statements)
        if before is not None:
            upto = bisect_left(self.statements, before, lo=self.taken, key=lambda statement: statement.lsn)
        taken, self.taken = self.taken, upto
        return taken, upto

    def objects(self, begin: int, end: int) -> tuple[ObjectKey, ...] | None:
        """Which of the commit's objects these statements changed; None where they are all of its statements."""
        if begin == 0 and end == len(self.statements):
            return None
        return tuple(dict.fromkeys(key for statement in self.statements[begin:end] for key in statement.objects))

    def left_to(self, source: str, *, orphan: bool = True) -> None:
        """What nobody takes of it is this source's."""
        self.tool, self.orphan = source, orphan

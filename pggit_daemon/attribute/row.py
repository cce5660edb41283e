"""A history row waiting for its DDL.

In: a row, and where it stands. Out: the statements it took, with the evidence. Mutable, private to `attribute/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.decision import LinkedCommit
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.session import SessionKey

Part = tuple[OpenSegment, int, int]
"""Statements of a segment, from one number up to another."""


@dataclass(slots=True, eq=False)
class WaitingRow:
    """`parts` is final once `matched`. `head` is the commit whose schema the row saw.

    `event` is None for a change that decoding could not show and that changed nothing. `last` is where the last row of
    the source stands in the row's transaction. `overdue`: its grace is over; `ended`: its bracket. `at` names the
    commit of an earlier part that the SQL API knows of. `recorded`: the row itself is stored. `bracket`: where the one
    was opened that it stands in. Of a change that is not known yet: `left` is what its transaction left in a table of
    one row, where somebody read that, and `blind` says that the table must not be compared for it any more.
    """

    event: HistoryRowEvent | UndecodableRow | None
    source: str
    lsn: LSN
    commit_lsn: LSN
    time: datetime
    last: LSN
    head: str | None
    xid: int | None = None
    matched: bool = False
    overdue: bool = False
    ended: bool = False
    recorded: bool = False
    evidence: Evidence | None = None
    note: str | None = None
    at: LSN | None = None
    bracket: LSN | None = None
    left: TextRow | None = None
    blind: bool = False
    parts: list[Part] = field(default_factory=list)

    @property
    def is_settled(self) -> bool:
        return self.matched and not isinstance(self.event, UndecodableRow)

    @property
    def may_run_ddl(self) -> bool:
        """Whether DDL may be its; of a change that is not known yet, so it may."""
        if not isinstance(self.event, HistoryRowEvent):
            return self.event is not None
        return self.event.ran_ddl and not self.event.loaded

    @property
    def writer(self) -> SessionKey | None:
        """The session that wrote the row, where an integrated table named it."""
        return self.event.session if self.event is not None else None

    @property
    def since(self) -> LSN | None:
        """What it takes lies after this place."""
        return self.event.since if isinstance(self.event, HistoryRowEvent) else None

    def match(self, evidence: Evidence | None, note: str | None = None) -> None:
        self.matched, self.evidence, self.note = True, evidence, note

    def take(self, segment: OpenSegment, before: LSN | None) -> None:
        begin, end = segment.take(before)
        if end > begin:
            self.parts.append((segment, begin, end))

    def let_go(self) -> None:
        """Leave its statements to the source: they ran in its session, and no row tells what for."""
        for segment, _, _ in self.parts:
            segment.left_to(self.source)
        self.parts.clear()

    def commits(self) -> tuple[LinkedCommit, ...]:
        """The commits that its statements are in, in WAL order."""
        if self.at is not None:
            return (LinkedCommit(None, at=self.at),)
        made = [
            LinkedCommit(segment.commit, objects=segment.objects(begin, end))
            for segment, begin, end in self.parts
            if segment.commit is not None
        ]
        return (*(LinkedCommit(one.commit, part=True, objects=one.objects) for one in made[:-1]), *made[-1:])

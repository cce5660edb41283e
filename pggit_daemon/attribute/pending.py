"""A transaction that waits in the queue, and the rows and statements in it that wait.

In: a unit and the claims on it. Out: what is still open in it. Mutable, private to `attribute/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pggit_daemon.attribute.claims import Claim
from pggit_daemon.attribute.state import Brackets
from pggit_daemon.model.changeset import Changeset, Ddl, Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Session, SessionKey, Watched


@dataclass(slots=True, eq=False)
class WaitingRow:
    """A row on its way to its DDL. Once `matched`, `parts` are all it gets. `overdue`: its own grace is over.

    `row` is None for an unseen change that turned out to have changed nothing.
    """

    row: HistoryRowEvent | UndecodableRow | None
    lsn: LSN
    source: str
    unit: Changeset
    matched: bool = False
    overdue: bool = False
    evidence: Evidence | None = None
    note: str | None = None
    late: LSN | None = None
    parts: list[tuple[Pending, DdlEvent]] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        return self.matched and not isinstance(self.row, UndecodableRow)

    @property
    def last_part(self) -> DdlEvent | None:
        return self.parts[-1][1] if self.parts else None

    @property
    def ran_ddl(self) -> bool:
        """Whether DDL may be its; of an unseen change that is not known yet, so it may."""
        return isinstance(self.row, UndecodableRow) or (self.row is not None and self.row.ran_ddl)

    def match(self, evidence: Evidence | None, note: str | None = None) -> None:
        self.matched, self.evidence, self.note = True, evidence, note

    def let_go(self) -> None:
        """Give back its DDL, which is then the tool's without a row."""
        for pending, event in self.parts:
            del pending.taken[event.event_id]
            pending.left_to(self.source)
        self.parts.clear()


@dataclass(slots=True, eq=False)
class Pending:
    """A unit in the queue. `claims` are the live ones on its free DDL; `taken` says whose an event became.

    What no row takes is `known_tool`'s where that is known: its housekeeping, or an `orphan` whose row never came.
    """

    unit: Changeset
    free: list[DdlEvent]
    rows: list[WaitingRow]
    brackets_after: Brackets
    claims: dict[str, Claim] = field(default_factory=dict)
    taken: dict[int, WaitingRow] = field(default_factory=dict)
    known_tool: str | None = None
    orphan: bool = False
    kin: frozenset[str] = frozenset()
    held: bool = False
    alone: bool = False

    @classmethod
    def of(cls, unit: Changeset, brackets_after: Brackets) -> Pending:
        free = [
            item.event for item in unit.items if isinstance(item, Ddl) and item.keeps is None and item.part_of is None
        ]
        rows = [
            WaitingRow(item, item.lsn, item.source, unit)
            for item in unit.items
            if isinstance(item, (HistoryRowEvent, UndecodableRow))
        ]
        deployment = unit.deployment
        held = deployment is not None and deployment.waits and deployment.key not in unit.ends
        return cls(unit, free, rows, brackets_after, held=held)

    @property
    def session(self) -> Session | None:
        return self.unit.session

    def open_events(self) -> list[DdlEvent]:
        """The free DDL that no row has taken yet."""
        return [event for event in self.free if event.event_id not in self.taken]

    @property
    def is_open(self) -> bool:
        """Whether any of the free DDL has not been taken yet."""
        return len(self.taken) < len(self.free)

    def may_be_of(self, row: WaitingRow) -> bool:
        """Whether a row may take some of the DDL: its source claims it, and it stands before the row."""
        return (
            row.source in self.claims
            and self.unit.commit_lsn < row.unit.commit_lsn
            and any(event.lsn < row.lsn for event in self.open_events())
        )

    def take(self, event: DdlEvent, row: WaitingRow) -> None:
        self.taken[event.event_id] = row
        row.parts.append((self, event))

    def watched(self, claim: Claim) -> Watched | None:
        """Whose end would mean that this claim's row cannot come; None where only time and rows can tell."""
        if claim.evidence is Evidence.LOCK and isinstance(claim.group, SessionKey):
            return Watched(claim.group, by_lock=True)
        if claim.evidence is Evidence.WINDOW and self.session is not None:
            return Watched(self.session.key, by_lock=False)
        return None

    def released(self) -> None:
        """The end of its deployment will not come, or comes too late."""
        if self.held:
            self.held, self.alone = False, True

    def refute(self, source: str) -> None:
        """The source has no right here."""
        self.claims.pop(source, None)

    def expire(self, source: str) -> None:
        """No row of the source can come any more. What was certainly its session's stays known as the tool's."""
        claim = self.claims.pop(source, None)
        if claim is not None and (claim.certain or claim.evidence is Evidence.LOCK):
            self.left_to(source)

    def left_to(self, source: str) -> None:
        """A row of this source was to be expected, and does not come."""
        self.known_tool, self.orphan = source, True

    def expired(self, now: datetime, graces: Mapping[str, timedelta]) -> Iterator[str]:
        """The sources whose grace for this transaction has ended."""
        for source in self.claims if self.open_events() else ():
            if now - self.unit.commit_time > graces[source]:
                yield source

    @property
    def ready(self) -> bool:
        """Whether everything in it is decided."""
        rows = (*self.rows, *self.taken.values())
        return all(row.settled for row in rows) and not ((self.claims or self.kin or self.held) and self.open_events())

"""A transaction as it is understood: statements, rows with their meaning, lock rows.

In: `interpret/transaction.py` makes a `Changeset` of every transaction that says anything to us. Out: `versioning/`
records it, `attribute/` says whose it is. Only values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.objects import ObjectEvent, ObjectKey
from pggit_daemon.model.session import Session, SessionKey
from pggit_daemon.model.transaction import TableName, Unreadable


class Evidence(StrEnum):
    """Why DDL counts as a migration's, strongest first."""

    TRANSACTION = "transaction"  # same transaction, by position
    SESSION = "session"  # the tool's row named its backend
    LOCK = "lock"  # the DDL's session saw the tool's own lock held by its sibling session
    BRACKET = "bracket"  # inside the tool's lock-row bracket, one candidate session
    WINDOW = "window"  # between two rows of the source, no other candidate
    BASELINE = "baseline"  # was there before the history began
    MANUAL = "manual"  # somebody said so (link_migration)
    SNAPSHOT = "snapshot"  # found by comparing
    NONE = "none"  # ran no DDL: linked to the commit whose schema it saw


@dataclass(frozen=True, slots=True)
class Ddl:
    """A statement; `housekeeping` is the source whose own tables it made, changed or dropped.

    `part_of`: the migration that its session had begun, and ended in no transaction of this one's.
    """

    event: DdlEvent
    housekeeping: str | None
    part_of: HistoryRowEvent | None = None


@dataclass(frozen=True, slots=True)
class HistoryRowEvent:
    """What one row change of a history table means. The last of `changes` is the change itself;
    what stands before it was inferred from it.

    `session` is the one that wrote the row, where an integrated table named it. The rest is known of migrations that
    the SQL API reported: they take only what lies after `since`, are linked with the evidence `certain`, and without
    DDL in their own transaction belong to the commit of the one at `late`. `loaded`: it came with a schema that was
    loaded, so it ran nothing itself.
    """

    changes: tuple[HistoryChange, ...]
    session: SessionKey | None = None
    since: LSN | None = None
    certain: Evidence | None = None
    late: LSN | None = None
    loaded: bool = False

    @property
    def lsn(self) -> LSN:
        return self.principal.lsn

    @property
    def principal(self) -> HistoryChange:
        return self.changes[-1]

    @property
    def source(self) -> str:
        return self.principal.source

    @property
    def ran_ddl(self) -> bool:
        return self.principal.ran_ddl

    @property
    def makes_commit(self) -> bool:
        return self.principal.migration is not None and self.principal.meaning.makes_commit


@dataclass(frozen=True, slots=True)
class UndecodableRow:
    """A change of a history table that decoding cannot show, as the table has no replica identity.

    It has its place in the stream; what it was is found by comparing the table with the ledger. `session` is the one
    that wrote it, where an integrated table named it.
    """

    source: str
    lsn: LSN
    session: SessionKey | None = None


@dataclass(frozen=True, slots=True)
class AlreadyStored:
    """A row that an earlier version stored ahead of its transaction. Its place still ends what waits before it."""

    source: str
    lsn: LSN


@dataclass(frozen=True, slots=True)
class BracketMove:
    """A tool took (opens) or gave back its lock row, or its lock table was dropped."""

    table: TableName
    lsn: LSN
    opens: bool


Item = Ddl | HistoryRowEvent | UndecodableRow | AlreadyStored | BracketMove | Unreadable


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a session calls its changes together."""

    key: str
    name: str


@dataclass(frozen=True)
class Changeset:
    """What one transaction says: items in WAL order. Without slots, as its statements are kept: many look for them."""

    xid: int
    commit_lsn: LSN
    end_lsn: LSN
    commit_time: datetime
    items: tuple[Item, ...]
    deployment: Deployment | None = None
    requests: tuple[int, ...] = ()

    @cached_property
    def session(self) -> Session | None:
        """Who ran it, as far as its DDL says; a transaction has one session."""
        return next((event.session for event in self.events), None)

    @cached_property
    def events(self) -> tuple[DdlEvent, ...]:
        """Its statements, those on the tools' own tables among them."""
        return tuple(item.event for item in self.items if isinstance(item, Ddl))


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of consecutive statements of one transaction: what becomes one commit, if it changes an object.

    `housekeeping` is the source whose own tables they are about; `part_of` the migration that the SQL API has open.
    `reread`: objects as the catalog had them when the segment was handled, where its events cannot tell.
    """

    changeset: Changeset
    ordinal: int
    events: tuple[DdlEvent, ...]
    housekeeping: str | None = None
    part_of: HistoryRowEvent | None = None
    reread: tuple[ObjectEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedSegment:
    """A segment, the hash of its commit (None where it changed nothing), and what each statement changed of it."""

    segment: Segment
    commit: str | None
    summary: str
    objects: tuple[tuple[ObjectKey, ...], ...]

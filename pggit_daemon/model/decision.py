"""What correlation decides.

In: the correlator turns units, strictly in commit order, into `Decision`s. Out: `versioning/plan.py` plans them.
Only values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pggit_daemon.model.changeset import Changeset, Evidence, HistoryRowEvent
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Unreadable


class CommitKind(StrEnum):
    BASELINE = "baseline"
    MIGRATION = "migration"
    TOOL = "tool"
    OUT_OF_BAND = "out_of_band"
    ROLLBACK = "rollback"
    SNAPSHOT = "snapshot"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Link:
    """A history row, and why it belongs to the commit of its decision. Evidence None: not linked.

    `late`: the commit it belongs to was made before, of the transaction with this commit LSN.
    """

    row: HistoryRowEvent
    evidence: Evidence | None
    note: str | None = None
    late: LSN | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One commit to be made (`kind` None: nothing but rows to be recorded), or a part of one.

    `links` are the rows to be written with it. `part_of` is the row whose migration the events belong to when the row
    itself is written with a later part, and `evidence` the reason. `source` names the tool's table for kind tool.
    `alone`: its deployment did not end in time, so it is a commit of its own.
    """

    unit: Changeset
    kind: CommitKind | None
    events: tuple[DdlEvent, ...] = ()
    links: tuple[Link, ...] = ()
    part_of: HistoryRowEvent | None = None
    evidence: Evidence | None = None
    source: str | None = None
    orphan: bool = False
    alone: bool = False
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """A whole prefix of the stream that is decided: store it at once, then `unit.end_lsn` may be acknowledged."""

    last: Changeset
    decisions: tuple[Decision, ...]
    requests: tuple[int, ...]
    remembered: str

"""The decisions of attribution: which migration a commit belongs to, and which commits a history row made.

In: `attribute/` makes these values of changesets and of the stream's time. Out: `versioning/` puts them into steps,
`store/` writes them. Only values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pggit_daemon.model.changeset import Evidence, HistoryRowEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectKey


class CommitKind(StrEnum):
    PENDING = "pending"  # somebody may still claim it
    BASELINE = "baseline"
    MIGRATION = "migration"
    TOOL = "tool"
    OUT_OF_BAND = "out_of_band"
    ROLLBACK = "rollback"
    SNAPSHOT = "snapshot"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class LinkedCommit:
    """One commit of a migration.

    `at` names it by its transaction instead of its hash (its newest commit there). `part`: others of the migration
    follow. `made` is False where the migration ran no DDL, and this is the commit whose schema it saw. `objects` are
    those of the commit's objects that are the migration's; None where all are.
    """

    commit: str | None
    at: LSN | None = None
    part: bool = False
    made: bool = True
    objects: tuple[ObjectKey, ...] | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A history row, and the commits that are its migration's. Evidence None: not linked, and `note` says why.

    `waiting`: not linked yet. `recorded`: the row itself was stored before, only its link is news. `time` and `xid` are
    those of the row's transaction, None where it is the step's. Without `commits`, an evidence is that of the commit
    which stands in the same step.
    """

    row: HistoryRowEvent
    evidence: Evidence | None
    note: str | None = None
    commits: tuple[LinkedCommit, ...] = ()
    recorded: bool = False
    waiting: bool = False
    time: datetime | None = None
    xid: int | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """What is known now of a commit: its kind, what is shown of it, by what evidence. None of it is in its hash.

    `corrects`: what was wrongly said of it before, until a history row came late.
    """

    commit: str
    kind: CommitKind
    message: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    corrects: CommitKind | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that attribution remembers over a restart, as it is now; None: not any more."""

    kind: str
    key: str
    state: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became known since the last time."""

    attributions: tuple[Attribution, ...] = ()
    links: tuple[Link, ...] = ()
    facts: tuple[Fact, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.attributions or self.links or self.facts)

"""By what DDL is known to be a migration's: the proofs that a source offers.

In: nothing; values made by `tools/` from a preset, for one table of one database. Out: read by `attribute/`. A row that
names its own session (an integrated table) needs no entry here: that is possible for every source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from pggit_daemon.model.transaction import TableName


class Takes(StrEnum):
    """Which DDL of its own transaction a row takes."""

    ALL = "all"  # all of it where the row is alone, otherwise what stands before each
    BEFORE = "before"  # what stands before the row, also where it is alone


class Holder(StrEnum):
    """Which session holds a tool's advisory lock while its DDL runs."""

    OWN = "own"  # the one that runs the DDL
    SIBLING = "sibling"  # another connection of the same program
    EITHER = "either"


class Place(StrEnum):
    """Where DDL outside of the row's own transaction stands."""

    BEFORE = "before"  # before the row, by the session that writes it or by its sibling
    OTHER_SESSION = "other_session"  # before the row, by a session that may have ended by then
    BETWEEN = "between"  # between the row that says begun and the one that says ended

    @property
    def is_elsewhere(self) -> bool:
        """Whether a session that runs DDL is not the one that writes its row, and may have ended by then."""
        return self is Place.OTHER_SESSION


class Offered:
    """`is_lock`: the tool holds a lock while its DDL runs. `reaches_out`: DDL outside of the row's own transaction may
    be its. `outlives_session`: also where its session has ended before the row. `takes_before`: of the row's own
    transaction only what stands before it. `has_transactions_alone`: no two migrations share one.
    """

    __slots__ = ()
    is_lock: ClassVar[bool] = False
    reaches_out: ClassVar[bool] = True

    @property
    def outlives_session(self) -> bool:
        return False

    @property
    def takes_before(self) -> bool:
        return False

    @property
    def has_transactions_alone(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class InTransaction(Offered):
    """Row and DDL share a transaction. `alone`: that of each migration is its own."""

    reaches_out = False

    takes: Takes = Takes.ALL
    alone: bool = False

    @property
    def takes_before(self) -> bool:
        return self.takes is Takes.BEFORE

    @property
    def has_transactions_alone(self) -> bool:
        return self.alone


@dataclass(frozen=True, slots=True)
class AdvisoryLock(Offered):
    """The tool holds this lock while its DDL runs; the numbers are those of pg_locks."""

    is_lock = True

    classid: int
    objid: int
    objsubid: int = 1
    holder: Holder = Holder.EITHER


@dataclass(frozen=True, slots=True)
class LockRow(Offered):
    """The tool's lock row is taken while its DDL runs. None: it has no lock table, or several may be it."""

    is_lock = True

    table: TableName | None


@dataclass(frozen=True, slots=True)
class InWindow(Offered):
    """The DDL stands between two rows, in a session that is known to have used the history table.

    `trusted`: also in another one, at most `gap` before its row. `apart`: rows follow DDL as a matter of
    course, also where others share its transaction.
    """

    gap: timedelta | None = None
    trusted: bool = False
    apart: bool = False

    @property
    def outlives_session(self) -> bool:
        return self.trusted


Proof = InTransaction | AdvisoryLock | LockRow | InWindow

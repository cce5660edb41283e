"""The `[[proof]]` sections of a preset, each with the value that it becomes for one table.

In: the sections of a preset's file. Out: proofs (`model/proof.py`) for the table of a source. Called by `preset.py` and
`source.py`; pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pggit_daemon.model.proof import AdvisoryLock, Holder, InTransaction, InWindow, LockRow, Takes
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.keys import KeyFormula
from pggit_daemon.tools.rules import Patterns
from pggit_daemon.tools.table import TableRule


@dataclass(frozen=True, slots=True)
class Followed:
    """The history table that a proof is for. `lock`: its lock table; None if it has none, or several may be it."""

    database: str
    table: TableName
    lock: TableName | None


class Data(BaseModel):
    """A section of a preset's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TransactionProof(Data):
    by: Literal["transaction"]
    takes: Takes = Takes.ALL
    alone: bool = False

    def of(self, followed: Followed) -> InTransaction:  # noqa: ARG002  # as of all proofs
        return InTransaction(self.takes, self.alone)


class AdvisoryProof(Data):
    by: Literal["advisory_lock"]
    key: KeyFormula
    holder: Holder

    def of(self, followed: Followed) -> AdvisoryLock:
        return AdvisoryLock(*self.key.of_table(followed.database, followed.table), holder=self.holder)


class LockMove(Data):
    """A change of the lock table that takes or gives back the lock."""

    on: tuple[Literal["insert", "update", "delete", "truncate"], ...]
    when: Patterns = {}


class LockRowProof(Data):
    """`names`: the lock table's, with {table} for the history table's; the only one of its looks in the
    schema also counts.
    """

    by: Literal["lock_row"]
    names: tuple[str, ...]
    table: TableRule
    open: tuple[LockMove, ...]
    close: tuple[LockMove, ...]

    def of(self, followed: Followed) -> LockRow:
        return LockRow(followed.lock)


class Company(Data):
    """So many connections that the tool opens one after the other: the first has `lock_table` by LOCK TABLE in a
    transaction while another one runs scripts. {table} is the history table's name.
    """

    lock_table: str
    sessions: Annotated[int, Field(ge=2)]


class WindowProof(Data):
    """`trusted`: DDL of a session that nothing shows to be the tool's counts, too, where no other may be it.
    `apart`: rows also follow DDL that could have shared their transaction, whatever earlier ones did.
    """

    by: Literal["window"]
    company: Company | None = None
    gap_seconds: Annotated[float, Field(gt=0)] | None = None
    trusted: bool = False
    apart: bool = False

    @property
    def gap(self) -> timedelta | None:
        return timedelta(seconds=self.gap_seconds) if self.gap_seconds is not None else None

    def of(self, followed: Followed) -> InWindow:  # noqa: ARG002  # as of all proofs
        return InWindow(self.gap, trusted=self.trusted, apart=self.apart)


ProofRule = Annotated[TransactionProof | AdvisoryProof | LockRowProof | WindowProof, Field(discriminator="by")]

_Kind = TypeVar("_Kind", bound=Data)


def of_kind(rules: Iterable[ProofRule], kind: type[_Kind]) -> Iterator[_Kind]:
    """The rules of one kind, in their order."""
    return (rule for rule in rules if isinstance(rule, kind))

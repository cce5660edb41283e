"""What the decoder hands on: committed transactions and the typed changes in them.

In: nothing; these are values. Out: built by `decode/`, read by `interpret/` and `attribute/`.
A transaction is complete and committed; its changes stand in WAL order. The same values come
from wal2json today and from pgoutput later: nothing behind this line knows the plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pggit_daemon.model.lsn import LSN

Value = str | int | Decimal | bool | None
"""A decoded column: JSON's own scalars; numbers are exact, everything else is PostgreSQL's text."""

Row = Mapping[str, Value]


class RowOp(StrEnum):
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class TableName:
    """A table by its real (unquoted) schema and name."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row of a streamed table: `new` for I and U, `identity` (the old key) for U and D."""

    lsn: LSN
    op: RowOp
    table: TableName
    new: Row
    identity: Row


@dataclass(frozen=True, slots=True)
class Message:
    """A logical message. Any role may write one: it proves nothing by itself."""

    lsn: LSN
    transactional: bool
    prefix: str
    content: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read: kept raw for the quarantine, never dropped; `table` where it is known."""

    lsn: LSN
    raw: str
    reason: str
    table: TableName | None = None


@dataclass(frozen=True, slots=True)
class UndecodableChange:
    """A row of a table without replica identity was updated or deleted: the plugin says so and shows nothing.

    `table` is its name as the plugin's warning has it: `schema"."table`, nothing escaped.
    """

    lsn: LSN
    table: str

    def is_of(self, name: TableName) -> bool:
        """Whether it may be a row of this table."""
        return self.table == f'{name.schema}"."{name.table}'


Change = RowChange | Message | Unreadable | UndecodableChange


@dataclass(frozen=True, slots=True)
class Transaction:
    """A committed transaction.

    `commit_lsn` is where its commit record starts (what orders transactions), `end_lsn` where it
    ends (what may be acknowledged once its results are durable), `commit_time` the server's clock.
    """

    xid: int
    commit_lsn: LSN
    end_lsn: LSN
    commit_time: datetime
    changes: tuple[Change, ...]

"""The shape of a table: what tells a tool's history table from others.

In: `shape` of a table in the outbox, or a row of the catalog. Out: a `Shape`, compared with the presets by `tools/`.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class TableKind(StrEnum):
    """What a table is among others."""

    PLAIN = "plain"
    PARTITIONED = "partitioned"  # its rows are decoded under the names of its partitions
    PARTITION = "partition"
    CHILD = "child"  # INHERITS: its rows are also its parent's


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` as the server names it, without length or precision, None where that is not known."""

    name: str
    type: str | None = None
    not_null: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns in their order, and those of the primary key (None: not known).

    `copied`: made by CREATE TABLE AS, with all its rows at once. `parent` is the table it is a part or child of, as
    `schema.table` in the server's quoting.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...] | None = None
    kind: TableKind = TableKind.PLAIN
    parent: str | None = None
    copied: bool = False

    @classmethod
    def of(cls, names: Iterable[str]) -> Shape:
        """The shape of which only names are known."""
        return cls(tuple(Column(name) for name in names))

    @classmethod
    def parse(cls, found: Mapping[str, Any]) -> Shape:
        """Read the form of `pggit_daemon.table_shape`; KeyError, TypeError or ValueError where it is not that."""
        columns = tuple(Column(str(name), str(kind), bool(filled)) for name, kind, filled in found["columns"])
        parent = found.get("parent")
        return cls(
            columns,
            tuple(str(name) for name in found["key"]),
            TableKind(found.get("kind", "plain")),
            str(parent) if parent is not None else None,
        )

    @property
    def names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

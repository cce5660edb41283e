"""A table that may be a history table, as it was seen.

In: a statement of the stream, or a row of the catalog. Out: its name, shape and OID. Pure; the registry judges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectOp
from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.identity import table_of

_COPIES = {"CREATE TABLE AS", "SELECT INTO"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A table as a statement left it, or as it stands in the catalog (no `lsn`). `oid` stays over renames."""

    table: TableName
    shape: Shape
    oid: int | None = None
    lsn: LSN | None = None

    def is_former_name_of(self, now: Seen) -> bool:
        """Whether this is how a table was called before it got the name that it is known under."""
        if self.oid is None or self.oid != now.oid or self.table == now.table or self.lsn is None:
            return False
        return now.lsn is not None and self.lsn <= now.lsn


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tables of the catalog the registry wants to look at: by sets of columns, by name, and these."""

    columns: frozenset[frozenset[str]]
    companions: frozenset[str]
    tables: frozenset[TableName]


def created_tables(event: DdlEvent) -> Iterator[Seen]:
    """The tables that a statement made or changed."""
    for item in event.objects:
        table = table_of(item)
        if item.op is ObjectOp.SET and table is not None and item.shape is not None:
            copied = event.tag in _COPIES
            shape = item.shape if item.shape.copied == copied else replace(item.shape, copied=copied)
            yield Seen(table, shape, item.oid.objid, event.lsn)


def made_of(waiting: Mapping[str, TableName], events: Iterable[DdlEvent]) -> set[str]:
    """Of the sources that wait for their tables, those whose table one of these statements made."""
    made = {seen.table for event in events for seen in created_tables(event)} if waiting else set()
    return {source for source, table in waiting.items() if table in made}

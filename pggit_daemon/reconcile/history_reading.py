"""A source's history table, read as its preset and the rights allow.

In: a connection, the registry. Out: a `TableReading`; a table that fits its source no more says what it misses.
Called by `history_tables.py`, whose notes on what could be read go to telemetry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from pggit_daemon.db.history_rows import TableReading, TableState, misfit, read_table
from pggit_daemon.tools.registry import Registry


@dataclass(frozen=True, slots=True)
class Noted:
    """A source's table was read, or could not be, and why: reported when that changes."""

    source: str
    state: TableState
    why: str | None
    hint: str | None
    misses: tuple[str, ...] = ()


async def read_history(
    conn: psycopg.AsyncConnection[Any], registry: Registry, name: str, *, writers: bool
) -> TableReading:
    """Read the table of the source of that name; `writers`: also which transaction wrote each row, where we may."""
    source = registry.sources[name]
    misses = registry.misfits.get(name, ())
    if name in registry.unreadable:
        return misfit(TableReading(TableState.UNREADABLE), source.table, misses)
    table = await read_table(conn, source.table, writers=writers)
    if writers and table.state is TableState.UNREADABLE:
        table = await read_table(conn, source.table)  # who may read some columns may not read who wrote a row
    return misfit(table, source.table, misses) if misses and table.state is TableState.READ else table

"""The rows of a history table, or why they could not be read.

In: a connection and a table's name. Out: a `TableReading`; never an error for what others may do to a table of theirs
(drop it, lock it, take our right away, switch row security on). Called by the baseline and by the comparisons.

Works inside a transaction too, and leaves it usable. The lock on the table is given back at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import sql

from pggit_daemon.db.catalog import between_pages
from pggit_daemon.db.refusals import translated
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.row_text import TextRow, as_text
from pggit_daemon.model.transaction import TableName
from pggit_daemon.sql import load_queries

_QUERIES = load_queries("reconcile")
_MISSING = {"42P01", "3F000", "42809"}  # no such table, no such schema, no table but something else of this name
_NO_RIGHT = "42501"
_LOCKED = "55P03"


MISFIT = "correct the columns of [[database.source]] in the configuration"
"""The hint for a configured source whose table is another."""


class TableState(StrEnum):
    """What became of an attempt to read a history table; stored in `pggit_daemon.source.state`."""

    READ = "read"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class TableReading:
    """`rows` as text, as the stream spells them; none unless `state` is READ. `why` and `hint` are for people.

    `misses`: what a configured table lacks of what its section names; it is read nevertheless where its ids are there.
    `writers`: where asked for, of each row the number of the transaction that wrote it, 32 bits; None where it may have
    been used again since.
    """

    state: TableState
    rows: Sequence[TextRow] = ()
    why: str | None = None
    hint: str | None = None
    writers: Sequence[int | None] = ()
    misses: tuple[str, ...] = ()


async def read_table(conn: psycopg.AsyncConnection[Any], table: TableName, *, writers: bool = False) -> TableReading:
    """All rows of a table, with those of its partitions and children."""
    try:
        async with conn.transaction(), conn.cursor() as cursor:
            await cursor.execute(_QUERIES["prepare_reading"], {"schema": table.schema, "table": table.table})
            rows, wrote = await _rows(cursor, sql.Identifier(table.schema, table.table), writers=writers)
            return TableReading(TableState.READ, rows, writers=wrote)
    except psycopg.Error as exc:
        return _refused(exc, table, conn)


def misfit(reading: TableReading, table: TableName, misses: tuple[str, ...]) -> TableReading:
    """Say of a reading that the table is not as its configuration says."""
    why = f"{table} does not fit its configuration: {'; '.join(misses)}"
    return replace(reading, why=why, hint=MISFIT, misses=misses)


async def glance(conn: psycopg.AsyncConnection[Any], table: TableName) -> tuple[TextRow, int, LSN] | None:
    """The only row of a table, the transaction that wrote it, and a place of the WAL behind that; None: not known.

    One round trip, as what follows a change within milliseconds would hide it; and hardly a wait for who has it locked.
    """
    name = sql.Identifier(table.schema, table.table)
    try:
        cursor = await conn.execute(sql.SQL(_GLANCE).format(wrote=sql.SQL(_WRITER), table=name))
        cursor.nextset()
        found = await cursor.fetchall()
    except psycopg.Error as exc:
        if exc.sqlstate is None:
            raise translated(exc) from exc
        return None
    if len(found) != 1 or found[0][0] is None:
        return None
    xid, position, *values = found[0]
    names = [column.name for column in (cursor.description or ())[2:]]
    return as_text(dict(zip(names, values, strict=True))), xid, between_pages(LSN.parse(position))


async def _rows(
    cursor: psycopg.AsyncCursor[Any], name: sql.Identifier, *, writers: bool
) -> tuple[list[TextRow], list[int | None]]:
    await cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name))
    described = cursor.description or []
    if not described:
        return [], []
    columns = sql.SQL(", ").join(
        sql.SQL(_SPELT.get(column.type_code, "{}::text")).format(sql.Identifier(column.name)) for column in described
    )
    wrote = sql.SQL(_WRITER if writers else "NULL::bigint")
    await cursor.execute(sql.SQL("SELECT {}, {} FROM {} AS t").format(wrote, columns, name))
    names = [column.name for column in described]
    found = await cursor.fetchall()
    return [dict(zip(names, row[1:], strict=True)) for row in found], [row[0] for row in found] if writers else []


_NUMBER = "pg_catalog.regexp_replace({}::text, '^-?Infinity$|^NaN$', '')"
_SPELT = {
    17: "pg_catalog.encode({}, 'hex')",  # bytea
    # What is no number in JSON comes as null.
    **dict.fromkeys((700, 701, 1700), f"nullif({_NUMBER}, '')"),  # float4, float8, numeric
}
"""By type: how the stream spells a column, where that is not the server's own text."""


_WRITER = """
    CASE WHEN pg_catalog.age(t.xmin) <= (SELECT pg_catalog.age(c.relfrozenxid) FROM pg_catalog.pg_class AS c
                                          WHERE c.oid = t.tableoid) THEN t.xmin::text::bigint END
"""
"""Rows that are older than what the table was frozen up to may bear a number that has come again since."""

_GLANCE = """
    SET LOCAL lock_timeout = '10ms';
    SELECT {wrote}, pg_catalog.pg_current_wal_insert_lsn()::text, t.* FROM {table} AS t LIMIT 2
"""
"""Both are one transaction. The place is later than what the statement sees, which is from its beginning."""


def _refused(exc: psycopg.Error, table: TableName, conn: psycopg.AsyncConnection[Any]) -> TableReading:
    said = exc.diag.message_primary or "no reason given"
    if exc.sqlstate in _MISSING:
        return TableReading(TableState.MISSING, why=f"there is no table {table}")
    if exc.sqlstate == _LOCKED:
        return TableReading(TableState.LOCKED, why=f"{table} is locked by others")
    if exc.sqlstate == _NO_RIGHT:
        name = sql.Identifier(table.schema, table.table).as_string(conn)
        schema, role = (sql.Identifier(part).as_string(conn) for part in (table.schema, conn.info.user))
        return TableReading(
            TableState.UNREADABLE,
            why=f"{table} may not be read: {said}",
            hint=f"GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {name} TO {role};"
            f" under row security also ALTER ROLE {role} BYPASSRLS;"
            f" or CREATE POLICY pggit_daemon ON {name} FOR SELECT TO {role} USING (true);",
        )
    raise translated(exc) from exc

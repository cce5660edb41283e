"""Help for the tests of the stream: a slot, and reading it up to a marker row."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pggit_daemon.decode.assembler import Assembler
from pggit_daemon.decode.pgoutput import CHANGES, INSERTS
from pggit_daemon.decode.plugins import decoder, options
from pggit_daemon.decode.wal2json import PLUGIN
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.transaction import Change, RowChange, TableName, Transaction
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.feed import Feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from pggit_daemon.replication.connection import OnNotice

MARKER = TableName("public", "marker")
DEADLINE = 30.0  # seconds


def connect(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True)


def make_slot(conn: psycopg.Connection, plugin: str = PLUGIN, *, publish: Iterable[TableName] | None = None) -> str:
    """Make the marker table and a slot that is named like the database, as slots belong to the whole server.

    pgoutput streams the rows of its publications: of all tables that there are, or of `publish`.
    """
    slot = f"slot_{conn.info.dbname}"
    conn.execute("CREATE TABLE IF NOT EXISTS public.marker ()")
    if plugin != PLUGIN:
        make_publications(conn, publish)
    conn.execute("SELECT pg_create_logical_replication_slot(%s, %s)", [slot, plugin])
    return slot


def make_publications(conn: psycopg.Connection, tables: Iterable[TableName] | None) -> None:
    """Make the publications as the database side of ours makes them: changes only of what has an identity."""
    conn.execute(f"CREATE PUBLICATION {INSERTS} WITH (publish = 'insert, truncate')")
    conn.execute(f"CREATE PUBLICATION {CHANGES} WITH (publish = 'update, delete')")
    wanted = {MARKER, *tables} if tables is not None else None
    for schema, table, has_identity in conn.execute(_TABLES).fetchall():
        if wanted is None or TableName(schema, table) in wanted:
            for publication in (INSERTS, CHANGES) if has_identity else (INSERTS,):
                add = sql.SQL("ALTER PUBLICATION {} ADD TABLE {}")
                conn.execute(add.format(sql.Identifier(publication), sql.Identifier(schema, table)))


_TABLES = """
    SELECT n.nspname, c.relname,
           c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.oid >= 16384
"""


def mark(conn: psycopg.Connection) -> None:
    conn.execute("INSERT INTO public.marker DEFAULT VALUES")


def is_marker(transaction: Transaction) -> bool:
    return any(isinstance(change, RowChange) and change.table == MARKER for change in transaction.changes)


@asynccontextmanager
async def following(
    dsn: str, slot: str, *tables: TableName, position: LSN = ZERO, after: LSN = ZERO, on_notice: OnNotice | None = None
) -> AsyncIterator[tuple[Feed, ReplicationConnection]]:
    """A stream of these tables and the marker from `position` on, by the plugin that the slot has."""
    plugin = plugin_of(dsn, slot)
    async with asyncio.timeout(DEADLINE), await ReplicationConnection.open(dsn, on_notice=on_notice) as connection:
        await connection.start(slot, position, options(plugin, [*tables, MARKER]))
        assembler = Assembler(decoder(plugin, encoding=connection.encoding), after=after)
        async with Feed(connection, assembler, position) as feed:
            yield feed, connection


async def read_to_marker(
    dsn: str, slot: str, tables: Iterable[TableName], *, after: LSN = ZERO, on_notice: OnNotice | None = None
) -> list[Transaction]:
    """Return the slot's transactions up to the first marker, and acknowledge nothing."""
    found: list[Transaction] = []
    async with following(dsn, slot, *tables, after=after, on_notice=on_notice) as (feed, _):
        async for batch in feed.batches():
            for transaction in batch.transactions:
                if is_marker(transaction):
                    return found
                found.append(transaction)
    raise AssertionError("the stream ended before the marker")


async def changes_to_marker(dsn: str, slot: str, *tables: TableName) -> list[Change]:
    return [change for transaction in await read_to_marker(dsn, slot, tables) for change in transaction.changes]


def plugin_of(dsn: str, slot: str) -> str:
    with connect(make_conninfo(dsn, options="")) as conn:
        row = conn.execute("SELECT plugin FROM pg_replication_slots WHERE slot_name = %s", [slot]).fetchone()
    assert row is not None
    return str(row[0])

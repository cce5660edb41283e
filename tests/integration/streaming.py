"""Help for the tests of the stream: a slot, and reading it up to a marker row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg

from pggit_daemon.decode.assembler import Assembler
from pggit_daemon.decode.wal2json import PLUGIN, options
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.transaction import Change, RowChange, TableName, Transaction
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pggit_daemon.replication.connection import OnNotice

MARKER = TableName("public", "marker")
DEADLINE = 30.0  # seconds


def connect(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True)


def make_slot(conn: psycopg.Connection) -> str:
    """Make the marker table and a slot that is named like the database, as slots belong to the whole server."""
    slot = f"slot_{conn.info.dbname}"
    conn.execute("CREATE TABLE IF NOT EXISTS public.marker ()")
    conn.execute("SELECT pg_create_logical_replication_slot(%s, %s)", [slot, PLUGIN])
    return slot


def mark(conn: psycopg.Connection) -> None:
    conn.execute("INSERT INTO public.marker DEFAULT VALUES")


def is_marker(transaction: Transaction) -> bool:
    return any(isinstance(change, RowChange) and change.table == MARKER for change in transaction.changes)


async def read_to_marker(
    dsn: str, slot: str, tables: Iterable[TableName], *, after: LSN = ZERO, on_notice: OnNotice | None = None
) -> list[Transaction]:
    """Return the slot's transactions up to the first marker, and acknowledge nothing."""
    found: list[Transaction] = []
    async with asyncio.timeout(DEADLINE), await ReplicationConnection.open(dsn, on_notice=on_notice) as connection:
        await connection.start(slot, ZERO, options([*tables, MARKER]))
        assembler = Assembler(after=after, encoding=connection.encoding)
        async with Feed(connection, assembler, ZERO) as feed:
            async for batch in feed.batches():
                for transaction in batch.transactions:
                    if is_marker(transaction):
                        return found
                    found.append(transaction)
    raise AssertionError("the stream ended before the marker")


async def changes_to_marker(dsn: str, slot: str, *tables: TableName) -> list[Change]:
    return [change for transaction in await read_to_marker(dsn, slot, tables) for change in transaction.changes]

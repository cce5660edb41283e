"""Quick readings of a table with one number, begun when a change comes that the stream does not show: a real server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pggit_daemon.db.connections import connect
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import TableName, Transaction, UndecodableChange
from pggit_daemon.reconcile.glances import Glances
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source
from tests.unit.build import PRESETS

TABLE = TableName("public", "schema_version")
ALL = LSN(1 << 63)


@pytest.fixture
def tool(database: str) -> psycopg.Connection:
    """A session of tern, which has made its table."""
    conn = psycopg.connect(database, autocommit=True)
    conn.execute("CREATE TABLE schema_version (version int4 NOT NULL)")
    conn.execute("INSERT INTO schema_version VALUES (0)")
    return conn


def glances_of(dsn: str) -> tuple[Glances, OnDemand]:
    source = Source("own", PRESETS["tern"], TABLE, None, timedelta(seconds=30), preset_name="tern")
    link = OnDemand(lambda: connect(dsn, "reader"), kept=lambda: 60.0)
    return Glances(Registry(PRESETS, [source]), link), link


def hidden(table: TableName = TABLE) -> list[Transaction]:
    change = UndecodableChange(LSN(8), f'{table.schema}"."{table.table}')
    return [Transaction(7, LSN(16), LSN(24), datetime(2026, 3, 1, tzinfo=UTC), (change,))]


def moved(tool: psycopg.Connection, number: int) -> int:
    """Move the number; the transaction that did."""
    [(xid,)] = tool.execute("UPDATE schema_version SET version = %s RETURNING xmin::text::bigint", [number]).fetchall()
    return int(xid)


async def test_it_begins_with_the_change_and_says_who_left_the_number(tool: psycopg.Connection, database: str) -> None:
    """Promise: what comes while the transaction is read and stored hides nothing."""
    glances, link = glances_of(database)
    first = moved(tool, 1)
    glances.came(hidden())
    assert glances._looking is not None
    await glances._looking
    second = moved(tool, 2)
    assert await glances.take_in()
    glances.came(hidden())
    assert await glances.take_in()
    held = glances.passed(ALL)
    assert [(one.source, one.xid, one.row) for one in held] == [
        ("own", first, {"version": "1"}),
        ("own", second, {"version": "2"}),
    ]
    assert glances.passed(ALL) == [], "once"
    glances.close()
    link.close()


async def test_what_others_keep_locked_holds_up_nobody(tool: psycopg.Connection, database: str) -> None:
    """Promise: a table that is locked for hours is passed over at once; the next change is read again."""
    glances, link = glances_of(database)
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE schema_version")
        glances.came(hidden())
        async with asyncio.timeout(3):  # our other readings wait for 5 s
            assert await glances.take_in()
    assert glances.passed(ALL) == []
    xid = moved(tool, 3)
    glances.came(hidden())
    assert await glances.take_in()
    assert [(one.xid, one.row) for one in glances.passed(ALL)] == [(xid, {"version": "3"})]
    async with link.use() as conn:
        assert await (await conn.execute("SHOW lock_timeout")).fetchone() == ("5s",)
    link.close()


async def test_other_tables_are_not_read(database: str) -> None:
    """Promise: no connection is opened for them."""
    glances, link = glances_of(database)
    glances.came(hidden(TableName("public", "another")))
    glances.came([])
    assert not await glances.take_in()
    assert link._conn is None
    glances.close()

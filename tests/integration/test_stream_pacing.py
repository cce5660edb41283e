"""What only says how far the server is wakes nobody; what is ours, or was asked for, is not kept waiting."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.transaction import TableName
from pggit_daemon.replication import feed as feeding
from pggit_daemon.replication.pacing import Urgency
from sandbox.cluster import Cluster
from tests.integration.streaming import connect, following, is_marker, make_slot, mark

if TYPE_CHECKING:
    import psycopg

NEVER = 3600.0  # seconds
LARGE = TableName("public", "large")


def others(conn: psycopg.Connection, count: int) -> None:
    """Transactions of a table that is not streamed, one after the other."""
    conn.execute("CREATE TABLE IF NOT EXISTS other (v int)")
    for number in range(count):
        conn.execute("INSERT INTO other VALUES (%s)", [number])


def position(conn: psycopg.Connection) -> LSN:
    (lsn,) = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone() or ("",)
    return LSN.parse(lsn)


async def sent(conn: psycopg.Connection, slot: str) -> None:
    """Wait until the server has sent all that was written so far."""
    done = (
        "SELECT FROM pg_stat_replication AS r JOIN pg_replication_slots AS s ON s.active_pid = r.pid"
        " WHERE s.slot_name = %s AND r.sent_lsn >= %s::text::pg_lsn"
    )
    until = str(position(conn))
    async with asyncio.timeout(60):
        while not conn.execute(done, [slot, until]).rowcount:  # noqa: ASYNC110  (the server tells nobody)
            await asyncio.sleep(0.02)


def unix(dsn: str, cluster: Cluster) -> str:
    with connect(cluster.dsn()) as conn:
        (folder,) = conn.execute("SHOW unix_socket_directories").fetchone() or ("",)
    return make_conninfo(dsn, host=folder.split(",")[0].strip())


@pytest.mark.parametrize("by", ["TCP", "a socket of Unix"])
async def test_transactions_of_others_wake_nobody(
    database: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """However many pass by, the consumer first hears of them together with a transaction of ours."""
    monkeypatch.setattr(feeding, "PATIENCE", NEVER)
    with connect(database) as conn:
        slot = make_slot(conn)
        dsn = database if by == "TCP" else unix(database, cluster)
        async with following(dsn, slot) as (feed, _), aclosing(feed.batches()) as batches:
            first = asyncio.create_task(anext(batches))
            await asyncio.to_thread(others, conn, 400)
            assert not first.done()
            await asyncio.to_thread(mark, conn)
            batch = await first
            assert any(map(is_marker, batch.transactions))
            assert batch.empties >= 400
            assert 0 < batch.lots < batch.frames / 2


async def test_what_was_asked_for_comes_at_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of the server is a batch: who asks may wait for it."""
    monkeypatch.setattr(feeding, "PATIENCE", NEVER)
    with connect(database) as conn:
        slot = make_slot(conn)
        async with following(database, slot) as (feed, _), aclosing(feed.batches()) as batches:
            others(conn, 10)
            wanted = position(conn)
            received = ZERO
            while received < wanted:
                feed.request_reply()
                received = (await anext(batches)).received


async def test_patience_ends(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far the server is can be acknowledged though nothing of ours comes and nobody asks."""
    monkeypatch.setattr(feeding, "PATIENCE", 0.05)
    with connect(database) as conn:
        slot = make_slot(conn)
        async with following(database, slot) as (feed, _), aclosing(feed.batches()) as batches:
            others(conn, 10)
            empties = 0
            while empties < 10:
                empties += (await anext(batches)).empties


async def test_a_backlog_comes_in_large_batches(database: str, plugin: str) -> None:
    """Promise: all that has arrived is one batch, which is stored at once, also where few rows fill libpq's buffer."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE large (v text)")
        slot = make_slot(conn, plugin)
        for _ in range(40):
            conn.execute("INSERT INTO large VALUES (repeat('x', 2000))")
        async with following(database, slot, LARGE) as (feed, _), aclosing(feed.batches()) as batches:
            await sent(conn, slot)
            assert len((await anext(batches)).transactions) == 40


async def test_what_cannot_be_taken_ends_the_reading(database: str) -> None:
    """A frame that nobody can read must not be passed over, whenever it comes."""
    with connect(database) as conn:
        slot = make_slot(conn)
        async with following(database, slot) as (_, connection):

            def refuse(_frames: list[bytes]) -> Urgency:
                raise ProtocolError("no record")

            reader = asyncio.create_task(connection.read(refuse, NEVER))
            await asyncio.sleep(0.05)
            mark(conn)
            with pytest.raises(ProtocolError, match="no record"):
                await reader

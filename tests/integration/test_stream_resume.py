"""Nothing lost, nothing twice: acknowledging, broken connections, a server that stops, long silence."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.decode.assembler import Assembler
from pggit_daemon.decode.plugins import decoder, options
from pggit_daemon.errors import StreamEnded, StreamError
from pggit_daemon.model.lsn import LSN, ZERO, Durable
from pggit_daemon.model.transaction import RowChange, TableName
from pggit_daemon.replication import feed as feeding
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.feed import Feed
from pggit_daemon.replication.pacing import Urgency
from sandbox.cluster import Cluster
from tests.integration.streaming import (
    DEADLINE,
    MARKER,
    connect,
    following,
    is_marker,
    make_slot,
    mark,
    read_to_marker,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

T = TableName("public", "t")


def confirmed(conn: psycopg.Connection, slot: str) -> LSN:
    row = conn.execute(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s", [slot]
    ).fetchone()
    assert row is not None
    return LSN.parse(row[0])


def prepare(conn: psycopg.Connection, plugin: str) -> str:
    conn.execute("CREATE TABLE t (v int); CREATE TABLE unrelated (v int)")
    return make_slot(conn, plugin, publish=[T])


async def test_only_what_is_durable_is_acknowledged(database: str, plugin: str) -> None:
    """The slot keeps what comes after it, and the next connection gets exactly that."""
    with connect(database) as conn:
        slot = prepare(conn, plugin)
        for value in range(5):
            conn.execute("INSERT INTO t VALUES (%s)", [value])
        mark(conn)
        first = await read_to_marker(database, slot, [T])
        async with following(database, slot, T) as (feed, _):
            async for batch in feed.batches():
                if batch.received >= first[-1].end_lsn:
                    feed.acknowledge(Durable(first[2].end_lsn))
                    feed.acknowledge(Durable(first[1].end_lsn))  # never moves back
                    break
        assert confirmed(conn, slot) == first[2].end_lsn
    rest = await read_to_marker(database, slot, [T])
    assert [t.commit_lsn for t in rest] == [t.commit_lsn for t in first[3:]]


async def test_an_idle_stream_lets_go_of_unrelated_wal(database: str, plugin: str) -> None:
    """Otherwise a database in which nothing of ours happens would keep its WAL for ever. It is asked now and then."""
    with connect(database) as conn:
        slot = prepare(conn, plugin)
        async with following(database, slot, T) as (feed, _):
            consumer = asyncio.create_task(consume_idle(feed))
            await asyncio.to_thread(conn.execute, "INSERT INTO unrelated SELECT generate_series(1, 100000)")
            row = conn.execute("SELECT pg_current_wal_lsn()::text").fetchone()
            assert row is not None
            while confirmed(conn, slot) < LSN.parse(row[0]):
                feed.request_reply()
                await asyncio.sleep(0.02)
            consumer.cancel()


async def consume_idle(feed: Feed) -> None:
    async for batch in feed.batches():
        feed.acknowledge_idle(batch)


async def test_nothing_lost_and_nothing_twice(database: str, plugin: str) -> None:
    """The walsender is killed at random moments while rows are written; the results are each there once, in order.

    The "store" keeps rows and the position of the last stored commit, as one transaction would.
    """
    chance = random.Random(7)  # noqa: S311 - a test's dice
    total = 400
    with connect(database) as conn:
        slot = prepare(conn, plugin)
        writer = threading.Thread(target=write_rows, args=(database, total))
        writer.start()
        stored: list[int] = []
        commit_lsn = end_lsn = ZERO
        finished, breaks = False, 0
        async with asyncio.timeout(DEADLINE):
            while not finished:
                try:
                    async with await ReplicationConnection.open(database) as connection:
                        # Without a position the server sends again all that was stored and not acknowledged.
                        position = chance.choice([end_lsn, ZERO])
                        await connection.start(slot, position, options(plugin, [T, MARKER]))
                        assembler = Assembler(decoder(plugin), after=commit_lsn)
                        async with Feed(connection, assembler, end_lsn) as feed:
                            async for batch in feed.batches():
                                for transaction in batch.transactions:
                                    rows = [
                                        c.new["v"]
                                        for c in transaction.changes
                                        if isinstance(c, RowChange) and c.table == T
                                    ]
                                    stored += [value for value in rows if isinstance(value, int)]
                                    commit_lsn, end_lsn = transaction.commit_lsn, transaction.end_lsn
                                    finished = finished or is_marker(transaction)
                                    if chance.random() < 0.5:
                                        feed.acknowledge(Durable(end_lsn))
                                if chance.random() < 0.5:
                                    feed.acknowledge_idle(batch)
                                if finished:
                                    break
                                if chance.random() < 0.1 and breaks < 25:
                                    kill_walsender(conn, slot)
                                    breaks += 1
                except StreamError:
                    continue
        writer.join()
    assert stored == list(range(total))
    assert breaks >= 5


def kill_walsender(conn: psycopg.Connection, slot: str) -> None:
    conn.execute(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
        " WHERE slot_name = %s AND active_pid IS NOT NULL",
        [slot],
    )


def write_rows(dsn: str, total: int) -> None:
    with connect(dsn) as conn:
        for value in range(total):
            conn.execute("INSERT INTO t VALUES (%s)", [value])
            conn.execute("INSERT INTO unrelated VALUES (1)")
            time.sleep(0.002)
        mark(conn)


async def test_a_silent_consumer_keeps_its_stream(database: str, plugin: str) -> None:
    """Status goes out by itself: three times the server's timeout without a read, and the stream still stands."""
    impatient = make_conninfo(database, options="-c wal_sender_timeout=600ms")
    with connect(database) as conn:
        slot = prepare(conn, plugin)
        async with asyncio.timeout(DEADLINE), await ReplicationConnection.open(impatient) as connection:
            assert connection.wal_sender_timeout == 0.6
            await connection.start(slot, ZERO, options(plugin, [T]))
            async with Feed(connection, Assembler(decoder(plugin)), ZERO) as feed:
                await asyncio.sleep(1.8)
                conn.execute("INSERT INTO t VALUES (1)")
                async for batch in feed.batches():
                    if batch.transactions:
                        break


async def test_a_reply_brings_the_servers_clock(database: str, plugin: str) -> None:
    """An idle server says nothing by itself for half of wal_sender_timeout."""
    with connect(database) as conn:
        slot = prepare(conn, plugin)
        async with following(database, slot, T) as (feed, _):
            row = conn.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            feed.request_reply()
            async for batch in feed.batches():
                if batch.server_time is not None and batch.server_time >= row[0]:
                    break


async def test_reading_may_be_cancelled(database: str, plugin: str) -> None:
    """No frame is lost, and the server's command is not cancelled with it."""
    with connect(database) as conn:
        slot = prepare(conn, plugin)
        seen: list[object] = []
        async with asyncio.timeout(DEADLINE), await ReplicationConnection.open(database) as connection:
            await connection.start(slot, ZERO, options(plugin, [T]))
            assembler = Assembler(decoder(plugin))
            for value in range(30):
                reader = asyncio.create_task(connection.read(assembler.take, 0.001))
                await asyncio.sleep(0.001 * (value % 4))
                conn.execute("INSERT INTO t VALUES (%s)", [value])
                reader.cancel()
                with suppress(asyncio.CancelledError):
                    await reader
                seen += assembler.batch().transactions
            while len(seen) < 30:
                await connection.read(assembler.take, 1.0)
                seen += assembler.batch().transactions


async def test_a_broken_connection_says_why(database: str, plugin: str) -> None:
    with connect(database) as conn:
        slot = prepare(conn, plugin)
        async with await ReplicationConnection.open(database) as connection:
            await connection.start(slot, ZERO, options(plugin, [T]))
            kill_walsender(conn, slot)
            with pytest.raises(StreamEnded, match="administrator"):
                await read_to_the_end(connection)
            with pytest.raises(StreamEnded, match="administrator"):
                await connection.read(unread, 1.0)


def unread(_frames: list[bytes]) -> Urgency:
    return Urgency.LATER


async def read_to_the_end(connection: ReplicationConnection) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            await connection.read(unread, 1.0)


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    with Cluster.start() as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("pending", "busy"),
    [(False, False), (False, True), (True, True)],
    ids=["idle", "kept silent", "kept silent, with a result outstanding"],
)
async def test_the_server_can_stop(
    own_cluster: Cluster, plugin: str, monkeypatch: pytest.MonkeyPatch, *, pending: bool, busy: bool
) -> None:
    """A fast shutdown waits for its receivers; ours lets go within two seconds, and loses nothing by it.

    Also where it had heard that more is written than there is: it asks, and gets a true answer.
    """
    if busy:
        monkeypatch.setattr(feeding, "SPAN", 0.0)
        monkeypatch.setattr(feeding, "BUSY", -1)
    dsn = own_cluster.dsn()
    with connect(dsn) as conn:
        slot = prepare(conn, plugin)
        position = confirmed(conn, slot)
    async with await ReplicationConnection.open(dsn) as connection:
        await connection.start(slot, position, options(plugin, [T]))
        ready = asyncio.Event()
        consumer = asyncio.create_task(consume(connection, plugin, ready, position, pending=pending))
        with connect(dsn) as conn:
            conn.execute("INSERT INTO t VALUES (1)")
            await ready.wait()
            while busy and not is_silenced(conn):  # noqa: ASYNC110  (the server tells nobody)
                await asyncio.sleep(0.02)
        begun = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(own_cluster.stop))
        with pytest.raises(StreamEnded):
            await consumer
        await connection.close()
        await stopping
        assert time.monotonic() - begun < 8
    if pending:
        own_cluster.start_again()
        with connect(own_cluster.dsn()) as conn:
            mark(conn)
        assert len(await read_to_marker(own_cluster.dsn(), slot, [T])) == 1


def is_silenced(conn: psycopg.Connection) -> bool:
    """Whether the server has heard last what keeps it silent."""
    return conn.execute("SELECT flush_lsn IS NULL FROM pg_stat_replication").fetchone() == (True,)


async def consume(
    connection: ReplicationConnection, plugin: str, ready: asyncio.Event, position: LSN, *, pending: bool
) -> None:
    async with Feed(connection, Assembler(decoder(plugin)), position) as feed:
        async for batch in feed.batches():
            if not pending:
                feed.acknowledge_idle(batch)
            if batch.transactions:
                feed.request_reply()
                ready.set()

"""A server that has nothing for us says nothing, and nothing that keeps it silent is taken for a replica's word."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.decode.pgoutput import PLUGIN as PGOUTPUT
from pggit_daemon.decode.wal2json import PLUGIN as WAL2JSON
from pggit_daemon.model.lsn import LSN
from pggit_daemon.replication import feed as feeding
from pggit_daemon.replication import protocol
from pggit_daemon.replication.pacing import Urgency
from sandbox.cluster import Cluster
from tests.integration.streaming import connect, following, make_slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pggit_daemon.replication.connection import ReplicationConnection
    from pggit_daemon.replication.feed import Feed
    from pggit_daemon.replication.frames import Take

NEVER = 3600.0  # seconds

OTHERS = 300
"""Transactions that pass by, some a millisecond apart: enough for the server to be idle between them."""


@pytest.fixture(scope="module")
def standbys() -> Iterator[Cluster]:
    """A server that wants a synchronous standby, which is not us."""
    with Cluster.start({"synchronous_standby_names": "'nobody'"}) as cluster:
        yield cluster


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each server taken for a busy one."""
    monkeypatch.setattr(feeding.Flow, "is_busy", True)


@contextmanager
def fresh(cluster: Cluster, plugin: str) -> Iterator[tuple[psycopg.Connection, str, LSN]]:
    """A session, a slot, and where it begins."""
    with connect(make_conninfo(cluster.dsn(), options="-c synchronous_commit=local")) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS other (v int)")
        slot = make_slot(conn, plugin, publish=())
        try:
            yield conn, slot, position(conn)
        finally:
            conn.execute("SELECT pg_drop_replication_slot(%s)", [slot])
            conn.execute("DROP PUBLICATION IF EXISTS pggit_daemon, pggit_daemon_keyed")


def position(conn: psycopg.Connection) -> LSN:
    (lsn,) = conn.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone() or ("",)
    return LSN.parse(lsn)


async def kinds_of_frames(feed: Feed, connection: ReplicationConnection, conn: psycopg.Connection) -> Counter[bytes]:
    """What the server sends while transactions of others pass by."""
    kinds: Counter[bytes] = Counter()

    def take(frames: list[bytes]) -> Urgency:
        for frame in frames:
            if frame[0] == protocol.PASSED:
                kinds[b"w"] += 2 * protocol.read_passed(frame).amount
            else:
                kinds[frame[:1]] += 1
        return Urgency.LATER

    feed.request_reply()  # once it has answered, it has heard what we say
    await read_for(connection, take, 0.2)
    assert kinds[b"k"]
    kinds.clear()
    await asyncio.to_thread(write, conn)
    await read_for(connection, take, 0.2)
    return kinds


async def read_for(connection: ReplicationConnection, take: Take, seconds: float) -> None:
    asyncio.get_running_loop().call_later(seconds, connection.interrupt)
    await connection.read(take, NEVER)


def write(conn: psycopg.Connection) -> None:
    for number in range(OTHERS):
        conn.execute("INSERT INTO other VALUES (%s)", [number])


@pytest.mark.usefixtures("busy")
async def test_what_passes_by_is_not_told(standbys: Cluster, plugin: str) -> None:
    """Promise: no keepalive for a transaction that holds nothing for us, also where standbys are waited for.

    wal2json writes two records of each of them; pgoutput writes nothing.
    """
    with fresh(standbys, plugin) as (conn, slot, start):
        async with following(standbys.dsn(), slot, position=start) as (feed, connection):
            kinds = await kinds_of_frames(feed, connection, conn)
    assert kinds[b"k"] == 0
    assert kinds[b"w"] == 0 if plugin == PGOUTPUT else kinds[b"w"] >= 2 * OTHERS


async def test_a_quiet_server_tells_at_once(standbys: Cluster) -> None:
    """Promise: where little is written, the server says unasked how far it is, and shows how far we are."""
    with fresh(standbys, PGOUTPUT) as (conn, slot, start):
        async with following(standbys.dsn(), slot, position=start) as (feed, connection):
            feed.request_reply()
            await read_for(connection, lambda _frames: Urgency.LATER, 0.2)
            told: list[bytes] = []

            def take(frames: list[bytes]) -> Urgency:
                told.extend(frames)
                return Urgency.LATER

            conn.execute("INSERT INTO other VALUES (1)")
            await read_for(connection, take, 0.2)
            assert any(frame[:1] == b"k" for frame in told)
            assert conn.execute("SELECT flush_lsn IS NOT NULL FROM pg_stat_replication").fetchone() == (True,)


@pytest.mark.usefixtures("busy")
async def test_no_commit_counts_on_it(standbys: Cluster) -> None:
    """Promise: where we become a synchronous standby, as of a reload, no commit is let go before we have read it."""
    with fresh(standbys, PGOUTPUT) as (conn, slot, start):
        async with following(standbys.dsn(), slot, position=start) as (feed, _):
            feed.request_reply()
            await anext(feed.batches())
            name_standbys(conn, "'*'")
            try:
                commit = asyncio.create_task(asyncio.to_thread(commit_written_remotely, standbys.dsn()))
                while not waiting(conn):  # noqa: ASYNC110  (the server tells nobody)
                    await asyncio.sleep(0.02)
                for _ in range(10):
                    feed.request_reply()
                    await asyncio.sleep(0.05)
                    assert waiting(conn)
                assert counted(conn) == ("async", 0)
                await acknowledge(feed, commit)
            finally:
                name_standbys(conn, "''")
                await commit
                name_standbys(conn, "'nobody'")


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("names", ["*", "FIRST 1 (nobody, *)", 'ANY 1 (nobody, "PgGit-Daemon")'])
async def test_whom_the_server_counts_does_not_come_and_go(standbys: Cluster, names: str) -> None:
    """Promise: no line in the server's log for each status, where we are named when the stream begins."""
    with fresh(standbys, PGOUTPUT) as (conn, slot, start):
        name_standbys(conn, f"'{names}'")
        try:
            before = standbys.log_text().count("is now a")
            async with following(standbys.dsn(), slot, position=start) as (feed, connection):
                for _ in range(5):
                    feed.request_reply()
                    await read_for(connection, lambda _frames: Urgency.LATER, 0.1)
                assert counted(conn) != ("async", 0)
            assert standbys.log_text().count("is now a") == before + 1
        finally:
            name_standbys(conn, "'nobody'")


async def test_where_commits_wait_for_us_the_consumer_hears_sooner(
    standbys: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: how far others' transactions are is not kept for the usual while where users wait for the answer."""
    monkeypatch.setattr(feeding, "PATIENCE", NEVER)
    with fresh(standbys, WAL2JSON) as (conn, slot, start):
        name_standbys(conn, "'*'")
        try:
            async with (
                following(standbys.dsn(), slot, position=start) as (feed, _),
                aclosing(feed.batches()) as batches,
            ):
                assert feed.is_standby
                conn.execute("INSERT INTO other VALUES (1)")
                while not (await anext(batches)).empties:
                    pass
        finally:
            name_standbys(conn, "'nobody'")


def name_standbys(conn: psycopg.Connection, names: str) -> None:
    conn.execute(f"ALTER SYSTEM SET synchronous_standby_names = {names}".encode())
    conn.execute("SELECT pg_reload_conf()")


def commit_written_remotely(dsn: str) -> None:
    with connect(make_conninfo(dsn, options="-c synchronous_commit=remote_write")) as conn:
        conn.execute("INSERT INTO other VALUES (1)")


def waiting(conn: psycopg.Connection) -> bool:
    return conn.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchone() is not None


def counted(conn: psycopg.Connection) -> tuple[str, int] | None:
    return conn.execute("SELECT sync_state, sync_priority FROM pg_stat_replication").fetchone()


async def acknowledge(feed: Feed, commit: asyncio.Task[None]) -> None:
    """Read what came, and say so, until the commit is let go."""
    feed.request_reply()
    async for batch in feed.batches():
        feed.acknowledge_idle(batch, soon=True)
        feed.request_reply()
        if commit.done():
            break

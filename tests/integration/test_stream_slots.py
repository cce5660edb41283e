"""Slots on a real server: made, dropped, looked at; and each refusal as the error that says what to do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from pggit_daemon.decode.plugins import options
from pggit_daemon.errors import ConnectError, PrerequisiteError, SlotError, SlotInUse, SlotLost, StreamError
from pggit_daemon.model.lsn import ZERO
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.pacing import Urgency
from pggit_daemon.replication.slot import read_requirements, read_slot
from sandbox.cluster import Cluster
from tests.integration.streaming import MARKER, connect, make_publications, make_slot, mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases


@pytest.fixture
def slot(database: str, plugin: str) -> str:
    with connect(database) as conn:
        return make_slot(conn, plugin)


def slot_count(dsn: str, name: str) -> int:
    with connect(dsn) as conn:
        return len(conn.execute("SELECT FROM pg_replication_slots WHERE slot_name = %s", [name]).fetchall())


async def test_the_exported_snapshot_is_the_moment_of_the_slot(database: str, plugin: str) -> None:
    """What was committed before is in the snapshot; what came after is not, as the stream will bring it."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int)")
        conn.execute("INSERT INTO t VALUES (1)")
        async with await ReplicationConnection.open(database) as replication:
            created = await replication.create_slot("snap", plugin, snapshot="export", timeout=10)
            conn.execute("INSERT INTO t VALUES (2)")
            with conn.transaction():
                conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                assert created.snapshot_name is not None
                conn.execute(f"SET TRANSACTION SNAPSHOT '{created.snapshot_name}'")
                assert conn.execute("SELECT v FROM t").fetchall() == [(1,)]
            await replication.drop_slot("snap")
    assert (created.name, created.consistent_point > ZERO) == ("snap", True)
    assert slot_count(database, "snap") == 0


async def test_a_temporary_slot_goes_with_its_connection(database: str, plugin: str) -> None:
    async with await ReplicationConnection.open(database) as replication:
        created = await replication.create_slot("temp", plugin, snapshot="nothing", temporary=True, timeout=10)
        assert created.snapshot_name is None
        assert slot_count(database, "temp") == 1
    assert await gone(database, "temp")


async def gone(dsn: str, slot: str) -> bool:
    """Tell whether the slot is gone within a minute: the server notices the end of a client a little later."""
    for _ in range(3000):
        if slot_count(dsn, slot) == 0:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_creation_gives_up_while_a_transaction_stays_open(database: str, plugin: str) -> None:
    """In time, with a way out, and without a walsender or a slot that pins WAL."""
    with connect(database) as conn, connect(database) as other:
        conn.execute("CREATE TABLE t (v int)")
        with other.transaction():
            other.execute("INSERT INTO t VALUES (1)")
            async with await ReplicationConnection.open(database) as replication:
                begun = time.monotonic()
                with pytest.raises(SlotError, match="open now") as caught:
                    await replication.create_slot("late", plugin, snapshot="export", timeout=0.3)
                assert time.monotonic() - begun < 10
                assert caught.value.hint is not None
                assert await gone(database, "late")
                waiting = conn.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE backend_type = 'walsender' AND datname = current_database() AND state = 'active'"
                ).fetchone()
                assert waiting == (0,)


async def test_the_server_gives_up_by_itself_when_the_client_has_died(database: str, plugin: str) -> None:
    """A client killed while it waits closes nothing properly; lock_timeout on the server's side ends the attempt."""
    with connect(database) as conn, connect(database) as other:
        conn.execute("CREATE TABLE t (v int)")
        with other.transaction():
            other.execute("INSERT INTO t VALUES (1)")
            replication = await ReplicationConnection.open(database)
            await replication._set({"lock_timeout": "300ms"})
            replication._conn.pgconn.send_query(f"CREATE_REPLICATION_SLOT dead LOGICAL {plugin}".encode())
            replication._conn.pgconn.flush()
            await asyncio.sleep(0.1)
            assert slot_count(database, "dead") == 1
            replication._conn.pgconn.finish()
            assert await gone(database, "dead")


async def test_a_slot_that_exists_is_not_made_again(database: str, slot: str, plugin: str) -> None:
    async with await ReplicationConnection.open(database) as replication:
        with pytest.raises(SlotError, match=f'"{slot}" already exists'):
            await replication.create_slot(slot, plugin, snapshot="nothing", timeout=30)


async def test_a_slot_in_use(database: str, slot: str, plugin: str) -> None:
    async with (
        await ReplicationConnection.open(database) as first,
        await ReplicationConnection.open(database) as second,
    ):
        await first.start(slot, ZERO, options(plugin, []))
        with pytest.raises(SlotInUse):
            await second.start(slot, ZERO, options(plugin, []))
        with pytest.raises(SlotInUse):
            await second.drop_slot(slot)


async def test_closing_frees_the_slot_at_once(database: str, slot: str, plugin: str) -> None:
    """Who comes next must not meet SlotInUse, also when the server was in the middle of a backlog."""
    with connect(database) as conn:
        conn.execute("DO $$ BEGIN FOR i IN 1 .. 5000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$")
        for _ in range(20):
            async with await ReplicationConnection.open(database) as replication:
                await replication.start(slot, ZERO, options(plugin, []))
                asyncio.get_running_loop().call_later(0.01, replication.interrupt)  # of pgoutput nothing may come
                await replication.read(lambda _frames: Urgency.LATER, 0.01)
            row = conn.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", [slot]).fetchone()
            assert row == (False,)


async def test_a_missing_slot_is_lost(database: str, plugin: str) -> None:
    async with await ReplicationConnection.open(database) as replication:
        with pytest.raises(SlotLost, match="nowhere does not exist"):
            await replication.start("nowhere", ZERO, options(plugin, []))
        with pytest.raises(SlotLost):
            await replication.drop_slot("nowhere")


async def test_a_physical_slot_is_not_a_lost_one(database: str, plugin: str) -> None:
    """It has the same SQLSTATE as an invalidated slot, and must not make us record a gap."""
    with connect(database) as conn:
        conn.execute("SELECT pg_create_physical_replication_slot('physical')")
        try:
            async with await ReplicationConnection.open(database) as replication:
                with pytest.raises(StreamError, match="physical"):
                    await replication.start("physical", ZERO, options(plugin, []))
        finally:
            conn.execute("SELECT pg_drop_replication_slot('physical')")


async def test_an_unknown_option_is_named(database: str, slot: str) -> None:
    async with await ReplicationConnection.open(database) as replication:
        with pytest.raises(StreamError, match=r"option.*bogus"):
            await replication.start(slot, ZERO, {"bogus": "it's"})


async def test_a_plugin_that_is_not_installed(database: str) -> None:
    """Servers with a list of allowed plugins refuse it by that list, before they look for the file."""
    async with await ReplicationConnection.open(database) as replication:
        with pytest.raises(PrerequisiteError) as caught:
            await replication.create_slot("x", "no_such_plugin", snapshot="nothing", timeout=30)
        needs = await read_requirements(replication._conn)
    lists = needs.plugin_libraries is not None
    expected = "wal2json, no_such_plugin;" if lists else f"postgresql-{needs.major_version}-wal2json"
    assert expected in (caught.value.hint or "")


async def test_a_role_that_may_not_replicate(database: str) -> None:
    """A refused login has no SQLSTATE ; the mending statement must run as it is."""
    with connect(database) as conn:
        conn.execute('CREATE ROLE "may not" LOGIN')
        try:
            with pytest.raises(PrerequisiteError) as caught:
                await ReplicationConnection.open(psycopg.conninfo.make_conninfo(database, user="may not"))
            assert caught.value.hint == 'ALTER ROLE "may not" REPLICATION;'
            conn.execute(caught.value.hint.encode())
            async with await ReplicationConnection.open(psycopg.conninfo.make_conninfo(database, user="may not")):
                pass
        finally:
            conn.execute('DROP ROLE "may not"')


async def test_the_daemons_role_needs_no_more_than_replication(database: str, plugin: str) -> None:
    """Without a superuser's eyes: it streams, and a refusal still says what is missing."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE public.marker ()")
        make_publications(conn, [MARKER])
        conn.execute("CREATE ROLE replicator LOGIN REPLICATION")
        try:
            dsn = psycopg.conninfo.make_conninfo(database, user="replicator")
            async with await ReplicationConnection.open(dsn) as replication:
                created = await replication.create_slot("least", plugin, snapshot="nothing", temporary=True, timeout=30)
                await replication.start(created.name, ZERO, options(plugin, [MARKER]))
                mark(conn)
                await replication.read(lambda _frames: Urgency.OURS, 0.0)
            async with await ReplicationConnection.open(dsn) as replication:
                with pytest.raises(PrerequisiteError):
                    await replication.create_slot("x", "no_such_plugin", snapshot="nothing", timeout=30)
                with pytest.raises(SlotLost):
                    await replication.start("nowhere", ZERO, options(plugin, []))
        finally:
            conn.execute("DROP ROLE replicator")


async def test_a_server_that_is_not_there(database: str) -> None:
    with pytest.raises(ConnectError):
        await ReplicationConnection.open(psycopg.conninfo.make_conninfo(database, port=1, host="127.0.0.1"))
    with pytest.raises(ConnectError):
        await ReplicationConnection.open(psycopg.conninfo.make_conninfo(database, dbname="no such database"))


async def test_facts_of_a_slot(database: str, slot: str, plugin: str) -> None:
    async with (
        await psycopg.AsyncConnection.connect(database, autocommit=True) as conn,
        await ReplicationConnection.open(database) as replication,
    ):
        assert await read_slot(conn, "nowhere") is None
        before = await read_slot(conn, slot)
        await replication.start(slot, ZERO, options(plugin, []))
        await conn.execute("CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
        after = await read_slot(conn, slot)
    assert before is not None
    assert after is not None
    assert (before.plugin, before.database, before.is_lost) == (plugin, slot.removeprefix("slot_"), False)
    assert before.active_pid is None
    assert after.active_pid is not None
    assert after.retained_bytes > before.retained_bytes + 1_000_000


# ------------------------------------------------------------------ servers of another kind


@pytest.fixture(scope="module")
def narrow() -> Iterator[Cluster]:
    """Give a server that has one slot, one WAL sender, and takes the WAL away from a slot early."""
    settings = {"max_replication_slots": "1", "max_wal_senders": "1", "max_slot_wal_keep_size": "1MB"}
    with Cluster.start(settings) as cluster:
        yield cluster


async def test_no_slot_and_no_sender_left(narrow: Databases, plugin: str) -> None:
    dsn = narrow.dsn()
    async with await ReplicationConnection.open(dsn) as replication:
        await replication.create_slot("one", plugin, snapshot="nothing", timeout=30)
        with pytest.raises(PrerequisiteError, match="all 1 replication slots") as caught:
            await replication.create_slot("two", plugin, snapshot="nothing", timeout=30)
        assert "max_replication_slots = 6" in (caught.value.hint or "")
        with pytest.raises(PrerequisiteError, match="all 1 WAL senders") as caught:
            await ReplicationConnection.open(dsn)
        assert "max_wal_senders = 6" in (caught.value.hint or "")
        await replication.drop_slot("one")


async def test_an_invalidated_slot_is_lost(narrow: Databases, plugin: str) -> None:
    """The server took its WAL: trying again cannot help, and the message says what happened."""
    dsn = narrow.dsn()
    with connect(dsn) as conn:
        slot = make_slot(conn, plugin)
        try:
            for _ in range(3):
                conn.execute("SELECT pg_switch_wal()")
                conn.execute("CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
                conn.execute("DROP TABLE big")
            conn.execute("CHECKPOINT")
            async with await ReplicationConnection.open(dsn) as replication:
                with pytest.raises(SlotLost, match="invalidated"):
                    await replication.start(slot, ZERO, options(plugin, []))
        finally:
            conn.execute("SELECT pg_drop_replication_slot(%s)", [slot])


async def test_wal_level_too_low(plugin: str) -> None:
    with Cluster.start({"wal_level": "replica"}) as plain:
        async with await ReplicationConnection.open(plain.dsn()) as replication:
            with pytest.raises(PrerequisiteError, match="runs with replica") as caught:
                await replication.create_slot("x", plugin, snapshot="nothing", timeout=30)
    assert caught.value.hint == "ALTER SYSTEM SET wal_level = 'logical'; and restart the server"

"""A database in which nothing happens keeps next to nothing open and in memory, and misses nothing that happens then.

The worker runs inside the test, so that its long times can be made short; the server is real.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.db import activity, guard, server
from pggit_daemon.db.beside import Look
from pggit_daemon.db.server import Server, Servers
from pggit_daemon.install import install
from pggit_daemon.reconcile import scheduler
from pggit_daemon.replication import feed
from pggit_daemon.runtime import pulse, worker
from pggit_daemon.runtime.worker import Database
from pggit_daemon.store import memory, timing
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import Health, State
from sandbox.recorded import Commit, commits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROLE = "idle_daemon"
OURS = "SELECT application_name FROM pg_stat_activity WHERE usename = %s AND datname = current_database()"
TABLE = "CREATE TABLE public.applied (id integer PRIMARY KEY)"
SOURCE = {"name": "applied", "table": "public.applied", "columns": {"id": "id"}}


@pytest.fixture
def idle(installed_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a history table, and a worker that takes everything for idle at once."""
    with psycopg.connect(installed_database) as conn:
        install(conn, daemon_role=ROLE)
        conn.execute(TABLE)
        conn.execute(f"GRANT SELECT ON applied TO {ROLE}".encode())
    monkeypatch.setattr(timing, "BUSY", 0.0)
    monkeypatch.setattr(memory, "KEPT", 0.0)
    monkeypatch.setattr(activity, "QUIET", 0.5)
    monkeypatch.setattr(activity, "MAX_AGE", 0.0)
    monkeypatch.setattr(worker, "READING_KEPT", 0.3)
    monkeypatch.setattr(worker, "WRITING_KEPT", 0.3)
    monkeypatch.setattr(scheduler, "KEPT", 0.3)
    monkeypatch.setattr(scheduler, "SHORTLY_KEPT", 0.3)
    monkeypatch.setattr("pggit_daemon.db.server.KEPT", 0.1)
    return installed_database


@asynccontextmanager
async def followed(dsn: str, **settings: Any) -> AsyncIterator[Metrics]:
    """The database, followed by a worker of its own until the end."""
    slot = f"idle_{conninfo_to_dict(dsn)['dbname']}"
    config = DatabaseConfig.model_validate(
        {
            "name": "app",
            "dsn": make_conninfo(dsn, user=ROLE),
            "slot": slot,
            "source": [SOURCE],
            "watch_interval_seconds": 0.5,
            "metrics_interval_seconds": 1,
            **settings,
        }
    )
    metrics, health, stop = Metrics(), Health().database("app"), asyncio.Event()
    following = asyncio.create_task(Database(config, metrics, health, Server()).follow(stop))
    try:
        await until(lambda: health.state is State.STREAMING or following.done())
        yield metrics
    finally:
        stop.set()
        await following


async def until(reached: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(reached):  # noqa: ASYNC110  (the server tells nobody)
            await asyncio.sleep(0.05)


async def run(dsn: str, *statements: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        for statement in statements:
            await conn.execute(statement.encode())


def ours(dsn: str) -> list[str]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return sorted(name for (name,) in conn.execute(OURS, [ROLE]))


def newest(dsn: str) -> Commit:
    return commits(dsn)[-1]


def test_which_databases_share_their_looks() -> None:
    """Promise: those of one server, whatever else differs; a connection string of several shares with nobody."""
    servers = Servers()
    one = servers.of("host=a port=1 dbname=x user=u")
    assert servers.of("postgresql://other@a:1/y?connect_timeout=3") is one
    assert servers.of("host=a port=2 dbname=x") is not one
    several = "host=a,b dbname=x"
    assert servers.of(several) is not servers.of(several)


def test_the_server_is_asked_in_one_session() -> None:
    """Promise: an idle database's looks follow one another sooner than the connection of the last one is closed."""
    config = DatabaseConfig.model_validate({"name": "app", "dsn": "", "slot": "app"})
    assert min(config.watch_interval_seconds, config.metrics_interval_seconds) * 2 <= server.KEPT


async def test_nothing_but_the_stream_is_open(idle: str) -> None:
    """Promise: one server process, as long as nothing happens; and what happens then is recorded as ever."""
    async with followed(idle):
        await until(lambda: ours(idle) == ["pggit-daemon"])
        await run(idle, "CREATE TABLE public.later (id integer)")
        await until(lambda: newest(idle).changed == ("table public.later",))
        await until(lambda: ours(idle) == ["pggit-daemon"])


async def test_what_fires_no_event_trigger_is_found_in_a_quiet_database(idle: str) -> None:
    """Promise: looks are left out only while nothing was written; a silent change is, and so is a role's new name."""
    await run(idle, "CREATE ROLE idle_owner", "CREATE TABLE public.owned (id integer)")
    try:
        async with followed(idle):
            await until(lambda: ours(idle) == ["pggit-daemon"])
            await run(idle, "ALTER TABLE public.owned OWNER TO idle_owner")
            await until(lambda: newest(idle).kind == "out_of_band")
            await until(lambda: ours(idle) == ["pggit-daemon"])
            await run(idle, "ALTER ROLE idle_owner RENAME TO idle_owner_renamed")
            await until(lambda: newest(idle).kind == "snapshot")
            assert newest(idle).changed == ("table public.owned",)
    finally:
        await run(idle, "DROP TABLE public.owned")
        for role in ("idle_owner", "idle_owner_renamed"):
            await run(idle, f"DROP ROLE IF EXISTS {role}")


async def test_what_is_forgotten_is_read_again(idle: str) -> None:
    """Promise: the record goes on as if schema and ledger had been in memory all the time."""
    async with followed(idle):
        for number in range(3):
            await run(
                idle,
                f"CREATE TABLE public.made_{number} (id integer PRIMARY KEY)",
                f"INSERT INTO public.applied VALUES ({number})",
            )
            await until(lambda number=number: f"table public.made_{number}" in newest(idle).changed)  # type: ignore[misc]
            await asyncio.sleep(0.2)
        await run(idle, "ALTER TABLE public.made_0 ADD COLUMN name text")
        await until(lambda: newest(idle).changed == ("table public.made_0",))
        await run(idle, "DROP TABLE public.made_1")
        await until(lambda: "table public.made_1" in newest(idle).changed)
        await asyncio.sleep(2)  # some looks at what was written
    made = commits(idle)
    assert [one.kind for one in made] == ["baseline", *["migration"] * 3, *["out_of_band"] * 2]
    with psycopg.connect(idle) as conn:
        differing = "SELECT * FROM pggit_daemon.differing(ARRAY(SELECT a FROM pggit_daemon.addresses_to_compare() a))"
        assert conn.execute(differing).fetchall() == []
        found = conn.execute("SELECT migration_id, status FROM pggit.external_migrations ORDER BY 1").fetchall()
        assert found == [(0, "applied"), (1, "applied"), (2, "applied")]


async def test_an_idle_stream_is_not_taken_for_a_silent_one(idle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: the signs of life that it is asked for come often enough that nobody looks what the server is doing."""
    looked: list[int] = []

    async def beside(_dsn: str, pid: int) -> tuple[Look, str]:
        looked.append(pid)
        return Look.WORKING, ""

    async with followed(idle):
        await until(lambda: ours(idle) == ["pggit-daemon"])
        monkeypatch.setattr(guard, "beside", beside)
        await asyncio.sleep(2 * pulse.IDLE_PULSE)
        assert looked == []


async def test_what_a_silent_server_writes_is_let_go(idle: str, plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a busy server keeps silent about what holds nothing for us, and its WAL is acknowledged all the same."""
    monkeypatch.setattr(feed, "SPAN", 0.0)
    monkeypatch.setattr(feed, "BUSY", -1)
    monkeypatch.setattr(pulse, "IDLE_PULSE", 0.5)
    monkeypatch.setattr(timing, "SHORTEST_IDLE_REST", 0.5)
    monkeypatch.setattr(timing, "LONGEST_IDLE_REST", 0.5)
    await run(idle, "CREATE TABLE other (v text)")
    async with followed(idle, plugin=plugin, watch_interval_seconds=60):
        await until(lambda: silenced(idle))
        for _ in range(3):
            await run(idle, "INSERT INTO other SELECT repeat('x', 100) FROM generate_series(1, 10000)")
            written = wal_end(idle)
            await until(lambda written=written: is_acknowledged(idle, written), 10)  # type: ignore[misc]
        assert silenced(idle)


async def test_only_what_is_ours_is_acknowledged_soon(idle: str, plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: WAL of others alone is stored as read only now and then; a commit of ours waits for none of that."""
    monkeypatch.setattr(timing, "BUSY", 3600.0)
    monkeypatch.setattr(timing, "OTHERS_REST", 1e9)
    monkeypatch.setattr(feed, "BUSY", 1 << 40)
    await run(idle, "CREATE TABLE other (v text)")
    async with followed(idle, plugin=plugin):
        await run(idle, "CREATE TABLE public.first (id integer)")
        written = wal_end(idle)
        await until(lambda: is_acknowledged(idle, written))
        before = stored_end(idle)
        await run(idle, "INSERT INTO other SELECT repeat('x', 100) FROM generate_series(1, 30000)")
        await until(lambda: is_received(idle, wal_end(idle)))
        assert stored_end(idle) == before
        await run(idle, "CREATE TABLE public.second (id integer)")
        written = wal_end(idle)
        await until(lambda: is_acknowledged(idle, written))


def stored_end(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        (end,) = conn.execute("SELECT end_lsn::text FROM pggit_daemon.progress").fetchone() or ("",)
        return str(end)


def is_received(dsn: str, position: str) -> bool:
    query = (
        "SELECT write_lsn >= %s::pg_lsn FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid"
        " WHERE database = current_database()"
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(query, [position]).fetchone() == (True,)


def silenced(dsn: str) -> bool:
    """Whether the last status of the stream was one that keeps the server silent."""
    query = (
        "SELECT flush_lsn IS NULL FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid"
        " WHERE database = current_database()"
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(query).fetchone() == (True,)


def wal_end(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        (end,) = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone() or ("",)
        return str(end)


def is_acknowledged(dsn: str, position: str) -> bool:
    query = "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE database = current_database()"
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(query, [position]).fetchone() == (True,)


async def test_the_metrics_of_a_quiet_database(idle: str) -> None:
    """Promise: the slot's go on being read, the others stay as they were, and a change shows."""
    async with followed(idle) as metrics:

        def value(name: str, **labels: str) -> float | None:
            return metrics.registry.get_sample_value(f"pggit_{name}", {"database": "app", **labels})

        await until(lambda: ours(idle) == ["pggit-daemon"])
        retained = value("slot_retained_bytes")
        read = None
        while read != value("poll_duration_seconds"):  # until the server tells that nothing was written since
            read, at = value("poll_duration_seconds"), value("last_poll_timestamp_seconds")
            await until(lambda at=at: value("last_poll_timestamp_seconds") != at)  # type: ignore[misc]
        assert value("poll_success") == 1
        assert value("recorded_commits", kind="baseline") == 1
        await run(idle, "SELECT pg_switch_wal()", "CHECKPOINT")
        await until(lambda: value("slot_retained_bytes") != retained)
        await run(idle, "CREATE TABLE public.later (id integer)")
        await until(lambda: value("recorded_commits", kind="out_of_band") == 1)
    assert value("recorded_commits", kind="baseline") is None  # its task has ended

"""A server that says nothing more, or is busy for long: that database is not ready, and nobody else is held up.

The proxy stands between the daemon and a real server; two databases, of which one goes through it.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.db.beside import LOOK_INTERVAL, LOOK_TIMEOUT, SILENCE
from pggit_daemon.db.connections import connect
from pggit_daemon.db.refusals import translated
from pggit_daemon.errors import RightMissing
from pggit_daemon.install import install
from pggit_daemon.query.connect import connection
from sandbox.cluster import Cluster
from tests.acceptance.harness import Daemon
from tests.acceptance.recorded import commits
from tests.stalling import StallingProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

NOTICED = SILENCE + 3 * (LOOK_INTERVAL + LOOK_TIMEOUT)
"""Seconds in which a silent peer is given up."""

STOPPED = 14.0  # seconds that a stop may take with a database that hangs: stop_timeout_seconds and some
RECOVERED = 10.0  # seconds from the server's readiness after a crash to ours
ROLE = "hanging_daemon"
TEMPLATE = "hanging_template"


@pytest.fixture(scope="module")
def role(cluster: Databases) -> Iterator[str]:
    """The daemon's role, which is no superuser, and a template on which it may work."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {ROLE} LOGIN REPLICATION IN ROLE pg_read_all_data, pg_read_all_stats")
    cluster.create_database(TEMPLATE)
    with psycopg.connect(cluster.dsn(TEMPLATE)) as conn:
        install(conn, daemon_role=ROLE)
    yield ROLE
    cluster.drop_database(TEMPLATE)
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"DROP OWNED BY {ROLE}")
        conn.execute(f"DROP ROLE {ROLE}")


@pytest.fixture
def two(cluster: Databases, role: str) -> Iterator[dict[str, str]]:  # noqa: ARG001  (the template is made with it)
    """Two installed databases by name."""
    names = ("hang_a", "hang_b")
    for name in names:
        cluster.create_database(name, TEMPLATE)
    try:
        yield {name: cluster.dsn(name) for name in names}
    finally:
        for name in names:
            cluster.drop_database(name)


def configure(path: Path, databases: dict[str, str], *, stall_seconds: float = 30) -> None:
    path.write_text(
        f"[daemon]\nstall_seconds = {stall_seconds}\n"
        + "".join(f'[[database]]\nname = "{name}"\nslot = "{name}"\ndsn = "{dsn}"\n' for name, dsn in databases.items())
    )


def ready(daemon: Daemon) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(daemon.page("/readyz")[1] or '{"failing": [], "databases": {}}')
    return page


def state(daemon: Daemon, name: str) -> str:
    return str(ready(daemon)["databases"].get(name, {}).get("state"))


def events(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    return [event for event in daemon.events() if event.get("event") == name]


def make_table(daemon: Daemon, dsn: str, slot: str, name: str) -> None:
    """The database is followed as ever."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"CREATE TABLE {name} (id int)")
    daemon.dsn = dsn
    daemon.wait_caught_up(slot=slot)
    assert commits(dsn)[-1].changed == (f"table public.{name}",)


def stop_in_time(daemon: Daemon) -> None:
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < STOPPED


@pytest.mark.long
def test_a_peer_that_says_nothing_more(two: dict[str, str], tmp_path: Path, role: str, cluster: Databases) -> None:
    """It is noticed, the database alone is not ready, the process lives; when the peer is back all goes on."""
    config = tmp_path / "config.toml"
    with StallingProxy(cluster.port) as proxy:
        through = make_conninfo(two["hang_b"], user=role, port=proxy.port, connect_timeout=3)
        configure(config, {"hang_a": make_conninfo(two["hang_a"], user=role), "hang_b": through})
        with Daemon(two["hang_a"], tmp_path, ["--config", str(config)]) as daemon:
            proxy.stall()
            daemon.wait_for(lambda: ready(daemon)["failing"] == ["hang_b"], "noticing", NOTICED)
            assert daemon.page("/healthz")[0] == 200
            make_table(daemon, two["hang_a"], "hang_a", "beside")
            lost = events(daemon, "connection_lost")
            assert {event["database"] for event in lost} == {"hang_b"}
            # It is tried again all the time, and that fills no log.
            time.sleep(3)
            assert len(events(daemon, "database_failed")) <= 3
            proxy.go_on()
            daemon.wait_ready()
            make_table(daemon, two["hang_b"], "hang_b", "again")
            proxy.stall()
            configure(config, {"hang_a": make_conninfo(two["hang_a"], user=role)})
            daemon.signal(signal.SIGHUP)
            daemon.wait_for(lambda: list(ready(daemon)["databases"]) == ["hang_a"], "reloaded")
            daemon.wait_for(lambda: 'database="hang_b"' not in daemon.page("/metrics")[1], "forgetting it", STOPPED)
            configure(config, {"hang_a": make_conninfo(two["hang_a"], user=role), "hang_b": through})
            daemon.signal(signal.SIGHUP)
            daemon.wait_for(lambda: "hang_b" in ready(daemon)["databases"], "reloaded")
            make_table(daemon, two["hang_a"], "hang_a", "beside_again")
            stop_in_time(daemon)


def test_a_stop_while_the_peer_is_silent(two: dict[str, str], tmp_path: Path, role: str, cluster: Databases) -> None:
    """Told to stop before anybody has noticed that the peer is gone."""
    config = tmp_path / "config.toml"
    with StallingProxy(cluster.port) as proxy:
        configure(config, {"hang_b": make_conninfo(two["hang_b"], user=role, port=proxy.port)})
        with Daemon(two["hang_b"], tmp_path, ["--config", str(config)]) as daemon:
            proxy.stall()
            time.sleep(1)
            stop_in_time(daemon)


@pytest.mark.long
def test_a_command_whose_server_says_nothing_more(cluster: Databases) -> None:
    """It ends with an error, as a job of cron must; a statement that takes long is waited for."""
    with StallingProxy(cluster.port) as proxy:
        dsn = make_conninfo(cluster.dsn(), port=proxy.port)
        with connection(dsn, purpose="test") as conn:
            assert conn.execute(f"SELECT pg_sleep({SILENCE + LOOK_INTERVAL + 1}), 1").fetchone() == ("", 1)
            began = time.monotonic()
            proxy.stall()
            with pytest.raises(psycopg.OperationalError, match=r"no word for \d+ s: the server does not answer"):
                conn.execute("SELECT 1")
            assert time.monotonic() - began < NOTICED


async def test_a_table_under_row_security_is_unreadable(two: dict[str, str], role: str) -> None:
    """Half of its rows would look like deleted ones: the server refuses, and the error says what helps."""
    with psycopg.connect(two["hang_a"], autocommit=True) as conn:
        conn.execute("CREATE TABLE history (id int)")
        conn.execute("ALTER TABLE history ENABLE ROW LEVEL SECURITY")
    async with await connect(make_conninfo(two["hang_a"], user=role), "test") as own:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
            await own.execute("SELECT * FROM public.history")
        error = translated(caught.value)
    assert isinstance(error, RightMissing)
    assert "nothing of the table counts as read" in error.message
    assert "BYPASSRLS" in str(error.hint)


def test_a_slot_that_waits_for_others(
    two: dict[str, str], tmp_path: Path, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """READY comes, the others are served, and log and pages say whom it waits for: sessions, prepared transactions."""
    config = tmp_path / "config.toml"
    own = {name: make_conninfo(dsn, user=role) for name, dsn in two.items()}
    configure(config, own)
    with (
        psycopg.connect(two["hang_b"], application_name="nightly report") as open_one,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        open_one.execute("CREATE TABLE kept_open (id int)")
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        daemon = Daemon(two["hang_a"], tmp_path, ["--config", str(config)])
        daemon.start()
        try:
            wanted = [b"READY=1", b"nightly report"]
            while wanted:
                said = manager.recv(4096)
                wanted = [word for word in wanted if word not in said]
            daemon.wait_for(lambda: bool(events(daemon, "waiting")), "saying whom it waits for")
            # Other databases' slots wait for the open transaction too, as they are of one server.
            assert "nightly report" in events(daemon, "waiting")[0]["waits_for"]
            assert " since 2" in events(daemon, "waiting")[0]["waits_for"]
            assert "nightly report" in daemon.page("/readyz")[1]
            assert daemon.page("/healthz")[0] == 200
            open_one.execute("PREPARE TRANSACTION 'left over'")
            daemon.wait_for(
                lambda: "prepared transaction 'left over', role postgres" in daemon.page("/readyz")[1], "seeing it"
            )
            stop_in_time(daemon)
            daemon.start()
            open_one.rollback()
            open_one.autocommit = True
            open_one.execute("ROLLBACK PREPARED 'left over'")
            daemon.wait_ready()
            stop_in_time(daemon)
        finally:
            daemon.kill()


def test_a_host_boots_without_its_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY comes at once, STATUS and the page say what is wrong, and a stop is quick; no line every second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        daemon = Daemon("host=127.0.0.1 port=1 dbname=x", tmp_path)
        daemon.start()
        try:
            while manager.recv(4096) != b"READY=1":
                pass
            while not (said := manager.recv(4096)).startswith(b"STATUS=x: failed (cannot connect"):
                assert said
            assert ready(daemon)["failing"] == ["x"]
            time.sleep(4)
            assert len(events(daemon, "database_failed")) == 1
            assert daemon.metric("pggit_restarts_total", reason="away") == 1
            assert daemon.page("/healthz")[0] == 200
            stop_in_time(daemon)
        finally:
            daemon.kill()


def test_a_stand_by_says_so_once(two: dict[str, str], tmp_path: Path, role: str) -> None:
    """It holds one connection for all its databases, is ready to take over, and does so in a second or two."""
    config = tmp_path / "config.toml"
    configure(config, {"hang_a": make_conninfo(two["hang_a"], user=role)})
    arguments = ["--config", str(config)]
    with (
        Daemon(two["hang_a"], tmp_path, arguments, name="first") as first,
        Daemon(two["hang_a"], tmp_path, arguments, name="second") as second,
        psycopg.connect(two["hang_a"], autocommit=True) as conn,
    ):
        ours = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
        second.wait_for(lambda: state(second, "hang_a") == "standby", "standing by")
        with_both = conn.execute(ours, [role]).fetchone()
        until = time.monotonic() + 4
        while time.monotonic() < until:
            assert second.page("/readyz")[0] == 200
            time.sleep(0.05)
        assert len(events(second, "standing_by")) == 1
        first.kill()
        second.wait_for(lambda: state(second, "hang_a") == "streaming", "taking over")
        assert with_both is not None
        assert with_both[0] <= 8
        assert first._process is None


@pytest.mark.long
def test_crashes_of_the_server(tmp_path: Path) -> None:
    """After each of several immediate restarts it is ready within seconds of the server, not later each time."""
    with Cluster.start({"restart_after_crash": "on"}) as cluster:
        cluster.create_database("app")
        dsn = cluster.dsn("app")
        with psycopg.connect(dsn) as conn:
            install(conn, daemon_role=ROLE)
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(f"ALTER ROLE {ROLE} LOGIN REPLICATION")
            conn.execute(f"GRANT pg_read_all_data, pg_read_all_stats TO {ROLE}")
        with Daemon(dsn, tmp_path, ["--dsn", make_conninfo(dsn, user=ROLE)]) as daemon:
            took = []
            for crash in range(6):
                with psycopg.connect(dsn, autocommit=True) as conn:
                    conn.execute("CREATE TABLE IF NOT EXISTS filler (x text)")
                    conn.execute("INSERT INTO filler SELECT repeat('x', 500) FROM generate_series(1, 20000)")
                cluster.kill()
                daemon.wait_for(lambda: daemon.page("/readyz")[0] == 503, "noticing")
                time.sleep(crash % 3)
                cluster.start_again()
                assert cluster.dsn("app") == dsn
                began = time.monotonic()
                daemon.wait_ready()
                took.append(round(time.monotonic() - began, 2))
            assert max(took) < RECOVERED, took

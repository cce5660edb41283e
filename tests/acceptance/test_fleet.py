"""Many databases in one process: none of them waits for another.

The daemon runs as a process under its own role, which is no superuser, on a real server. One of its databases is behind
a proxy that lets no byte pass, in another everything that the daemon reads is locked.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.db.server import FEW_BEGIN, FEW_LOOK
from pggit_daemon.install import install
from sandbox.recorded import commits
from tests.acceptance.harness import Daemon
from tests.acceptance.test_hanging_server import configure, ready, stop_in_time
from tests.stalling import StallingProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

ROLE = "fleet_daemon"
TEMPLATE = "fleet_template"
NAMES = tuple(f"fleet_{number}" for number in range(8))
HUNG, LOCKED, *WELL = NAMES
SOON = 10.0  # seconds
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND backend_type = 'client backend'"


@pytest.fixture
def fleet(cluster: Databases) -> Iterator[dict[str, str]]:
    """Installed databases by name."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {ROLE} LOGIN REPLICATION IN ROLE pg_read_all_data, pg_read_all_stats")
    cluster.create_database(TEMPLATE)
    with psycopg.connect(cluster.dsn(TEMPLATE)) as conn:
        install(conn, daemon_role=ROLE)
    for name in NAMES:
        cluster.create_database(name, TEMPLATE)
    try:
        yield {name: cluster.dsn(name) for name in NAMES}
    finally:
        for name in (*NAMES, TEMPLATE):
            cluster.drop_database(name)
        with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
            conn.execute(f"DROP OWNED BY {ROLE}")
            conn.execute(f"DROP ROLE {ROLE}")


def recorded(daemon: Daemon, dsn: str, table: str) -> float:
    """Make a table; seconds until its commit is there."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"CREATE TABLE {table} (id int)".encode())
    began = time.monotonic()
    daemon.wait_for(lambda: commits(dsn)[-1].changed == (f"table public.{table}",), f"recording {table}", SOON)
    return time.monotonic() - began


def test_the_others_do_not_wait(fleet: dict[str, str], tmp_path: Path, cluster: Databases) -> None:
    """Promise: beside one that hangs and one that is locked all begin, record, reload and stop as ever."""
    config = tmp_path / "config.toml"
    with StallingProxy(cluster.port) as proxy, psycopg.connect(fleet[LOCKED]) as locking:
        own = {name: make_conninfo(dsn, user=ROLE) for name, dsn in fleet.items()}
        own[HUNG] = make_conninfo(own[HUNG], port=proxy.port)
        configure(config, own)
        with Daemon(fleet[WELL[0]], tmp_path, ["--config", str(config)]) as daemon:
            pass  # their histories are begun, which waits for every open transaction
        proxy.stall()
        locking.execute("LOCK TABLE pggit_daemon.progress, pggit_daemon.repeatable IN ACCESS EXCLUSIVE MODE")
        configure(config, {name: own[name] for name in NAMES[:-1]})
        daemon.start()
        try:
            daemon.wait_for(lambda: set(ready(daemon)["failing"]) == {HUNG, LOCKED}, "following the others")
            assert max(recorded(daemon, fleet[name], "made") for name in WELL[:-1]) < 5
            configure(config, own)
            daemon.signal(signal.SIGHUP)
            daemon.wait_for(lambda: NAMES[-1] in ready(daemon)["databases"], "reloading")
            daemon.wait_for(lambda: set(ready(daemon)["failing"]) == {HUNG, LOCKED}, "following the new one", SOON)
            assert recorded(daemon, fleet[NAMES[-1]], "made") < 5
            locking.rollback()
            daemon.wait_for(lambda: ready(daemon)["failing"] == [HUNG], "following the one that was locked", 40)
            proxy.go_on()
            daemon.wait_ready(60)
            proxy.stall()
            stop_in_time(daemon)
        finally:
            daemon.kill()


def test_a_start_takes_few_connections(fleet: dict[str, str], tmp_path: Path, cluster: Databases) -> None:
    """Promise: they begin one after the other, a few at a time; what takes a connection waits for its turn."""
    config = tmp_path / "config.toml"
    configure(config, {name: make_conninfo(dsn, user=ROLE) for name, dsn in fleet.items()})
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        daemon = Daemon(fleet[WELL[0]], tmp_path, ["--config", str(config)])
        daemon.start()
        try:
            most = 0
            until = time.monotonic() + 60
            while daemon.page("/readyz")[0] != 200:
                assert time.monotonic() < until
                (found,) = conn.execute(SESSIONS, [ROLE]).fetchone() or (0,)
                most = max(most, found)
            # Of each what it reads and stores through, and one that just ends; all that it can have would be seven.
            assert most <= 3 * len(NAMES) + FEW_BEGIN + FEW_LOOK
            stop_in_time(daemon)
        finally:
            daemon.kill()

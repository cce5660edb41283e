"""synchronous_standby_names = '*' counts the daemon, too: no commit may wait for what waits for itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from tests.acceptance.harness import Daemon, pggit

LONGEST = 20.0  # seconds; without an answer a commit waits for ever
ROLE = "pggit_daemon"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A server of its own, as the setting is the whole server's."""
    with Cluster.start() as cluster:
        cluster.create_database("app")
        with psycopg.connect(cluster.dsn("app")) as conn:
            install(conn, daemon_role=ROLE, read_all_data=True)
        yield cluster


@pytest.fixture
def config(server: Cluster, tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(f'[[database]]\nname = "app"\ndsn = "{server.dsn("app", ROLE)}"\nmetrics_interval_seconds = 1\n')
    return file


def name_standbys(server: Cluster, names: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())
        conn.execute("SELECT pg_reload_conf()")


def commits(server: Cluster, database: str, statement: str) -> float:
    """Run it in a transaction of its own; the seconds that took, and not more than is allowed."""
    with psycopg.connect(server.dsn(database), autocommit=True) as conn:
        given_up = threading.Timer(LONGEST, conn.cancel)
        given_up.start()
        began = time.monotonic()
        conn.execute(statement.encode())
        given_up.cancel()
        return time.monotonic() - began


def said(daemon: Daemon, name: str) -> int:
    return sum(event.get("event") == name for event in daemon.events())


def test_no_commit_waits_for_ever(server: Cluster, config: Path, tmp_path: Path) -> None:
    """By a reload, at the start, and no more once standbys are named; it is said once, with what ends it."""
    daemon = Daemon(server.dsn("app"), tmp_path, ["--config", str(config)])
    try:
        with daemon:
            name_standbys(server, "*")
            assert commits(server, "app", "CREATE TABLE a (id int)") < LONGEST
            assert commits(server, "postgres", "CREATE TABLE b (id int)") < LONGEST
            daemon.wait_for(lambda: said(daemon, "stream_renewed") == 1, "streaming as a standby")
            for number in range(20):
                assert commits(server, "app", f"INSERT INTO a VALUES ({number})") < LONGEST
            daemon.wait_caught_up()
            assert said(daemon, "counted_as_synchronous_standby") == 1
            assert server.log_text().count("is now a synchronous standby") < 10
            status = pggit("status", "--config", str(config)).stdout
            assert "everybody's commits may wait for it" in status
            assert "hint: ALTER SYSTEM SET synchronous_standby_names" in status
        daemon.start()
        daemon.wait_ready()
        assert commits(server, "app", "CREATE TABLE c (id int)") < LONGEST
        daemon.wait_caught_up()
        name_standbys(server, "")
        daemon.wait_for(lambda: said(daemon, "stream_renewed") == 1, "streaming as nobody's standby")
        assert "may wait for it" not in pggit("status", "--config", str(config)).stdout
        assert daemon.stop() == 0
    finally:
        name_standbys(server, "")
        daemon.kill()
    with psycopg.connect(server.dsn("app")) as conn:
        made = conn.execute(
            "SELECT object_name FROM pggit.commit_changes WHERE object_type = 'table' ORDER BY commit_id"
        )
        assert made.fetchall() == [("public.a",), ("public.c",)]

"""synchronous_standby_names = '*' counts the daemon, too: no commit may wait for what waits for itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from tests.acceptance.harness import Daemon, pggit

LONGEST = 20.0  # seconds; without an answer a commit waits for ever
WAITED = 0.9  # seconds; what was waited for before takes a second at least
ROLE = "pggit_daemon"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A server of its own, as the setting is the whole server's."""
    with Cluster.start() as cluster:
        for database in ("app", "beside"):
            cluster.create_database(database)
            with psycopg.connect(cluster.dsn(database)) as conn:
                install(conn, daemon_role=ROLE, read_all_data=True)
        yield cluster


def configured(server: Cluster, folder: Path, database: str) -> Path:
    file = folder / "config.toml"
    dsn = server.dsn(database, ROLE)
    file.write_text(f'[[database]]\nname = "app"\ndsn = "{dsn}"\nslot = "{database}"\nmetrics_interval_seconds = 1\n')
    return file


@pytest.fixture
def config(server: Cluster, tmp_path: Path) -> Path:
    return configured(server, tmp_path, "app")


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


def beside_each_other(conn: psycopg.Connection[Any], other: psycopg.Connection[Any], number: int) -> float:
    """Two transactions whose statements describe the same objects; the seconds that the later commit took."""
    with other.transaction():
        other.execute(f"ALTER TABLE shared_a ADD COLUMN b{number} int".encode())
        with conn.transaction():
            conn.execute(f"CREATE TABLE beside_{number} (id int)".encode())
            conn.execute(f"ALTER TABLE shared_b ADD COLUMN b{number} int".encode())
        began = time.monotonic()
    return time.monotonic() - began


def test_no_commit_waits_until_others_see_it(server: Cluster, tmp_path: Path) -> None:
    """Definitions that sessions changed beside each other are read again: not before a commit that waits for us."""
    dsn, config = server.dsn("beside"), configured(server, tmp_path, "beside")
    daemon = Daemon(dsn, tmp_path, ["--config", str(config)])
    with daemon:
        try:
            with (
                psycopg.connect(dsn, autocommit=True) as conn,
                psycopg.connect(dsn, autocommit=True) as other,
            ):
                conn.execute("CREATE TABLE shared_a (id int); CREATE TABLE shared_b (id int)")
                daemon.wait_caught_up()
                name_standbys(server, "*")
                daemon.wait_for(lambda: said(daemon, "stream_renewed") == 1, "streaming as a standby")
                took = [beside_each_other(conn, other, number) for number in range(8)]
            assert min(took) < WAITED, took
        finally:
            name_standbys(server, "")
        daemon.wait_for(
            lambda: pggit("verify", "--config", str(config)).returncode == 0, "sure that the record is true"
        )


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

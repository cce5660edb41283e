"""History tables that are put aside, made again and filled from a dump: their rows are no migrations that ran now."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from sandbox.daemon import Daemon
from sandbox.servers import find_server
from tests.acceptance.scenes import Scene

TABLE = "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)"
RESTORED_TIMEOUT = 30.0  # seconds until comparing has read what the stream could not show


def migrate(scene: Scene, number: int) -> None:
    scene.script(f"CREATE TABLE a{number} (id integer)", f"INSERT INTO schema_migrations VALUES ('{number}')")


def run(program: str, *arguments: str) -> None:
    subprocess.run([str(find_server() / program), *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("how", [["--single-transaction"], []], ids=["at once", "piece by piece"])
def test_a_restored_dump_runs_no_migration(scene: Scene, tmp_path: Path, how: list[str]) -> None:
    """Row and DDL share a transaction, or the rows come before the table's key, which the stream does not show."""
    scene.script(TABLE)
    migrate(scene, 1)
    migrate(scene, 2)
    linked = scene.commits()[1:3]
    dump = str(tmp_path / "app.dump")
    run("pg_dump", "--format=c", "--table=schema_migrations", "--table=a1", "--table=a2", f"--file={dump}", scene.dsn)
    run("pg_restore", "--clean", *how, f"--dbname={scene.dsn}", dump)
    there = ["1 1 applied transaction", "2 2 applied transaction"]
    deadline = time.monotonic() + RESTORED_TIMEOUT
    while scene.migrations() != there and time.monotonic() < deadline:
        time.sleep(0.1)
    assert scene.migrations() == there
    migrate(scene, 3)
    assert [one for one in scene.commits() if one.startswith("migration")] == [
        *linked,
        "migration 3/transaction: table public.a3",
    ]


def test_rows_come_back_over_a_restart(installed_database: str, tmp_path: Path) -> None:
    """Emptied, then filled again from a copy in one statement."""
    seen = "SELECT version || ' ' || status || ' ' || evidence FROM pggit.external_migrations ORDER BY 1"
    with (
        Daemon(installed_database, tmp_path) as daemon,
        psycopg.connect(installed_database, autocommit=True) as conn,
    ):
        conn.execute(TABLE)
        conn.execute("CREATE TABLE kept (version varchar(128))")
        for number in (1, 2):
            with conn.transaction():
                conn.execute(f"CREATE TABLE a{number} (id integer)".encode())
                conn.execute("INSERT INTO schema_migrations VALUES (%s)", [str(number)])
        conn.execute("INSERT INTO kept SELECT * FROM schema_migrations")
        conn.execute("TRUNCATE schema_migrations")
        daemon.wait_decided()
        assert conn.execute(seen).fetchall() == [("1 cleared transaction",), ("2 cleared transaction",)]
        daemon.stop()
        daemon.start()
        daemon.wait_ready()
        conn.execute("INSERT INTO schema_migrations SELECT * FROM kept")
        daemon.wait_decided()
        assert conn.execute(seen).fetchall() == [("1 applied transaction",), ("2 applied transaction",)]


def test_a_table_that_is_renamed_and_back_is_followed(scene: Scene) -> None:
    """In one transaction, between two migrations and with a row meanwhile."""
    scene.script(TABLE)
    migrate(scene, 1)
    with psycopg.connect(scene.dsn) as conn:
        conn.execute("ALTER TABLE schema_migrations RENAME TO aside")
        conn.execute("CREATE TABLE a2 (id integer)")
        conn.execute("INSERT INTO aside VALUES ('2')")
        conn.execute("ALTER TABLE aside RENAME TO schema_migrations")
    migrate(scene, 3)
    assert scene.migrations() == [f"{number} {number} applied transaction" for number in (1, 2, 3)]

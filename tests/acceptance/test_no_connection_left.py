"""A server that has no connection left for the daemon: what was open goes on, and looks come later."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install
from tests.acceptance.harness import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = f"crowded_{os.getpid()}"
SLOT = "crowded"
END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = %s AND backend_type <> 'walsender' AND application_name <> 'pggit-daemon store'
"""


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    """Give the superuser's connection to a database whose daemon has a role of its own."""
    with psycopg.connect(installed_database, autocommit=True) as connection:
        install(connection, daemon_role=ROLE)
        yield connection
        connection.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}".encode())


def test_the_stream_goes_on_where_looks_are_refused(conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    """Promise: DDL of a tool goes on being recorded with the connections that are open; later all of it is decided."""
    dsn = make_conninfo(conn.info.dsn, user=ROLE)
    config = tmp_path / "config.toml"
    config.write_text(f'[[database]]\nname = "app"\nslot = "{SLOT}"\ngrace_seconds = 3\ndsn = "{dsn}"\n')

    def recorded(table: str) -> bool:
        query = "SELECT FROM pggit_daemon.object_version WHERE identity = %s"
        return bool(conn.execute(query, [f"public.{table}"]).fetchall())

    with Daemon(dsn, tmp_path, ["--config", str(config)]) as daemon:
        conn.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
        conn.execute(f"GRANT SELECT ON schema_migrations TO {ROLE}".encode())
        with conn.transaction():
            conn.execute("CREATE TABLE m1 (id int)")
            conn.execute("INSERT INTO schema_migrations VALUES ('1')")
        daemon.wait_decided(slot=SLOT)
        conn.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT 1".encode())
        conn.execute(END_OTHERS, [ROLE])
        for number in range(2, 7):
            with psycopg.connect(conn.info.dsn, autocommit=True, application_name="") as tool:
                tool.execute("SELECT count(*) FROM schema_migrations")
                tool.execute(f"CREATE TABLE m{number} (id int)".encode())
                daemon.wait_for(partial(recorded, f"m{number}"), "recording it")
                conn.execute(END_OTHERS, [ROLE])
        refused = [event for event in daemon.events() if event.get("event") == "look_refused"]
        assert refused, "some look had no connection"
        assert not [event for event in daemon.events() if event.get("event") == "database_failed"]
        conn.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1".encode())
        daemon.wait_decided(slot=SLOT)

"""The commands as the role that `init --role` made: the daemon's own login is how its operators call them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install
from sandbox.daemon import pggit
from sandbox.recorded import commits
from tests.integration.test_verify import DIFFERENT, FAR, follow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = f"cli_daemon_{os.getpid()}"


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    """Give the superuser's connection to a database whose daemon has a role of its own."""
    with psycopg.connect(installed_database, autocommit=True) as connection:
        install(connection, daemon_role=ROLE)
        yield connection
        connection.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}".encode())


@pytest.fixture
def dsn(conn: psycopg.Connection[Any]) -> str:
    return make_conninfo(conn.info.dsn, user=ROLE)


def test_verify_tells_what_differs_and_has_it_recorded(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> None:
    """Promise: as the daemon's role, too, the exit code says that something differs, not that a right is missing."""
    with follow(dsn, tmp_path, watch=FAR) as daemon:
        conn.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        daemon.wait_caught_up()
        conn.execute("UPDATE pg_proc SET provolatile = 'i' WHERE proname = 'f'")
        told = pggit("verify", "--dsn", dsn, "--dry-run")
        assert told.returncode == DIFFERENT, told.stderr
        assert "function public.f() is not defined as recorded" in told.stdout
        recorded = pggit("verify", "--dsn", dsn)
        assert recorded.returncode == DIFFERENT, recorded.stderr
        assert f"recorded as commit {commits(conn.info.dsn)[-1].hash[:12]}" in recorded.stdout


def test_each_reading_command_works(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> None:
    with follow(dsn, tmp_path, watch=FAR) as daemon:
        conn.execute("CREATE TABLE t (id int)")
        daemon.wait_caught_up()
        for command in (
            "status",
            "log",
            "show head",
            "diff @1 head",
            "export head",
            "findings",
            "findings --acknowledged",
            "tools list",
            "tools explain public.t",
            "verify",
        ):
            done = pggit(*command.split(), "--dsn", dsn)
            assert done.returncode == 0, (command, done.stderr)


def test_every_reading_function_may_be_called(conn: psycopg.Connection[Any]) -> None:
    rows = conn.execute(
        "SELECT DISTINCT has_function_privilege(%s, p.oid, 'EXECUTE')"
        " FROM pggit_daemon.contract() AS c JOIN pg_proc AS p ON p.proname = c.name AND c.audience = 'reader'"
        " AND p.pronamespace = 'pggit'::regnamespace AND pg_get_function_arguments(p.oid) = c.arguments",
        [ROLE],
    ).fetchall()
    assert rows == [(True,)]

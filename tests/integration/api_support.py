"""Migrations as Flyway runs them without its lock, DDL and row in one transaction; no Java needed.

In: a connection in autocommit. Out: a history table and rows in it; the daemon makes migrations of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from sandbox.daemon import Daemon

HISTORY = """
CREATE TABLE {schema}.flyway_schema_history (
    installed_rank integer PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
    type varchar(20) NOT NULL,
    script varchar(1000) NOT NULL, checksum integer, installed_by varchar(100) NOT NULL,
    installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL, success boolean NOT NULL)
"""

Connection = psycopg.Connection[Any]


@contextmanager
def followed(dsn: str, folder: Path) -> Iterator[tuple[Connection, Daemon]]:
    """Give a connection to a database that a daemon follows; both end with the block."""
    with Daemon(dsn, folder) as daemon, psycopg.connect(dsn, autocommit=True) as conn:
        yield conn, daemon


def history_table(conn: Connection, schema: str = "public") -> None:
    conn.execute(HISTORY.format(schema=schema).encode())


def migrate(
    conn: Connection, version: int | str, *statements: str, schema: str = "public", success: bool = True
) -> None:
    """Run one migration; its rank is the next one."""
    with conn.transaction():
        for statement in statements:
            conn.execute(statement.encode())
        conn.execute(
            f"INSERT INTO {schema}.flyway_schema_history"
            f" SELECT coalesce(max(installed_rank), 0) + 1, %(version)s::text, 'step ' || %(version)s::text, 'SQL',"
            f" 'V.sql', 7, 'anna', now(), 5, %(success)s FROM {schema}.flyway_schema_history".encode(),
            {"version": str(version), "success": success},
        )


def synced(conn: Connection) -> None:
    """Wait until all is recorded."""
    assert conn.execute("SELECT pggit.wait_for_sync('60 s')").fetchone() == (True,)

"""A database whose migrations are tracked by calls of the SQL API: the ways to call, for test_api_write_*.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.databases import Databases
from tests.integration.api_write_support import Connection, Followed, following

IDS = itertools.count(101)

WRAPPER = """
CREATE OR REPLACE FUNCTION run_migration(p_migration_id bigint, p_name text, p_sql text) RETURNS void AS $$
DECLARE
    v_deployment_id uuid;
BEGIN
    v_deployment_id := pggit.begin_migration(p_migration_id, 'custom', p_name);
    EXECUTE p_sql;
    PERFORM pggit.end_migration(p_migration_id, checksum => md5(p_sql), success => true);
EXCEPTION WHEN OTHERS THEN
    PERFORM pggit.end_migration(p_migration_id, success => false, error_message => SQLERRM);
    RAISE;
END;
$$ LANGUAGE plpgsql
"""


@contextmanager
def tracked(cluster: Databases, template: str, folder: Path) -> Iterator[Followed]:
    """Followed, with the document's wrapper for migrations."""
    with following(cluster, template, folder) as followed:
        with followed.connect() as conn:
            conn.execute(WRAPPER)
        yield followed


def begin(conn: Connection, number: int, name: str = "a name") -> Any:
    row = conn.execute("SELECT pggit.begin_migration(%s, 'custom', %s)", [number, name]).fetchone()
    return row[0] if row else None


def end(conn: Connection, number: int, *, success: bool = True, error: str | None = None) -> None:
    conn.execute("SELECT pggit.end_migration(%s, success => %s, error_message => %s)", [number, success, error])


def create(conn: Connection, table: str) -> None:
    conn.execute(f"CREATE TABLE {table} (id integer)".encode())

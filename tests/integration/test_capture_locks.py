"""What the locks of others cost a captured statement: a dump holds one on every table there is."""

from __future__ import annotations

import psycopg
import pytest

MANY = 200


@pytest.fixture
def watching(installed_database: str) -> str:
    """Give a database where captures ask for the locks of tools."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("SELECT setval('pggit_daemon.tool_watch', 2)")
        conn.execute(
            f"DO $$ BEGIN FOR i IN 1..{MANY} LOOP EXECUTE format('CREATE TABLE t%s ()', i); END LOOP; END $$".encode()
        )
    return installed_database


@pytest.mark.parametrize("mode", ["ACCESS SHARE", "ACCESS EXCLUSIVE"])
@pytest.mark.parametrize("tool", [False, True])
def test_the_locks_of_others_are_not_looked_at_one_by_one(watching: str, mode: str, *, tool: bool) -> None:
    """Promise: as many functions run while a session holds hundreds of tables as while none is held."""
    with psycopg.connect(watching) as other, psycopg.connect(watching) as conn:
        if tool:
            conn.execute("SELECT pg_advisory_lock(1)")  # a session's own are told, whatever they are
        conn.execute("SET track_functions = 'all'")
        conn.commit()
        _functions(conn)  # what a session does once
        before = _functions(conn)
        for number in range(1, MANY + 1):
            other.execute(f"LOCK TABLE t{number} IN {mode} MODE".encode())
        assert _functions(conn) == before


def _functions(conn: psycopg.Connection) -> int:
    """How many functions a statement runs; nothing of it stays."""
    before = _calls(conn)
    conn.execute("CREATE TABLE probed ()")
    ran = _calls(conn) - before
    conn.rollback()
    assert ran
    return ran


def _calls(conn: psycopg.Connection) -> int:
    """What the session has counted and not handed over yet, which it does between transactions."""
    row = conn.execute("SELECT coalesce(sum(calls), 0)::int FROM pg_stat_xact_user_functions").fetchone()
    return int(row[0]) if row else 0


def test_a_lock_table_that_another_session_has_is_told(watching: str) -> None:
    with psycopg.connect(watching) as other, psycopg.connect(watching) as conn:
        other.execute("CREATE TABLE migrations_lock ()")
        other.commit()
        other.execute("LOCK TABLE migrations_lock; LOCK TABLE t1")
        conn.execute("CREATE TABLE probed ()")
        (locks,) = conn.execute("SELECT locks FROM pggit_daemon.ddl_event ORDER BY id DESC LIMIT 1").fetchone() or ((),)
        assert [lock["table"] for lock in locks] == [["public", "migrations_lock"]]

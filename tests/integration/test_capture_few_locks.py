"""What one event locks: few relations, as the server walks a short list of locks at the end of a subtransaction.

From the 16th on it looks through all locks of the transaction instead, so that each of a migration's thousands of
statements would cost more than the one before.

Measured on a busy machine, the last 100 of 3,000 CREATE TABLE in one transaction cost 4.0 times the first with some
twenty locks, and 2.6 times with 15; the rest is what the server does for each relation at that end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.integration.capture_support import Captured

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTED = 15  # MAX_RESOWNER_LOCKS of the server
# What the capture reads is locked to read it. Sequences are locked by the transaction itself.
LOCKS = """
    SELECT string_agg(c.relname || ' ' || l.mode, ', '), count(*)
      FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
     WHERE l.pid = %s AND (l.relation < 16384 OR c.relnamespace = 'pggit_daemon'::regnamespace) AND c.relkind <> 'S'
       AND (l.mode = 'AccessShareLock' OR c.relname = 'ddl_event')
"""
FREQUENT = {  # what migrations run by the thousand in one transaction
    "CREATE TABLE": "CREATE TABLE {} (id bigint PRIMARY KEY, name text UNIQUE, made timestamptz DEFAULT now())",
    "CREATE INDEX": "CREATE INDEX ON a (lower(name))",
    "CREATE VIEW": "CREATE VIEW v_{} AS SELECT id, name FROM a",
    "CREATE FUNCTION": "CREATE FUNCTION f_{}() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE": "DROP TABLE {}",
}


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    captured = Captured(installed_database)
    yield captured
    captured.conn.rollback()
    captured.close()


@pytest.mark.parametrize("tag", FREQUENT)
def test_a_frequent_statement_locks_no_more_than_the_server_lists(db: Captured, tag: str) -> None:
    for name in ("a", "first", "second"):
        if name == "a" or tag == "DROP TABLE":
            db.conn.execute(FREQUENT["CREATE TABLE"].format(name).encode())
    db.conn.execute(FREQUENT[tag].format("first").encode())  # which makes the plans, and for that opens all indexes
    with psycopg.connect(db.dsn, autocommit=True) as other:
        db.conn.execute("BEGIN")
        db.conn.execute(FREQUENT[tag].format("second").encode())
        row = other.execute(LOCKS, [db.conn.info.backend_pid]).fetchone()
    assert row is not None
    locks, number = row
    assert number <= LISTED, locks
    assert number > 0

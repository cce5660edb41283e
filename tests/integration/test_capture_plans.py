"""What the capture leaves in a session: the server looks at each plan whenever the session changes a table."""

from __future__ import annotations

import psycopg

STATEMENTS = (
    "CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL, made timestamptz DEFAULT now())",
    "ALTER TABLE t ADD COLUMN extra integer",
    "CREATE INDEX ON t (name)",
    "COMMENT ON TABLE t IS 'words'",
    "GRANT SELECT ON t TO PUBLIC",
    "CREATE VIEW v AS SELECT id, name FROM t",
    "CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a + 1'",
)
PLANS = "SELECT count(*) FROM pg_catalog.pg_backend_memory_contexts WHERE name = 'CachedPlanSource'"
AFTER_ONE = 60
AFTER_ALL = 120  # what they share is counted once


def test_frequent_statements_leave_few_plans_in_a_session(installed_database: str) -> None:
    counts = []
    with psycopg.connect(installed_database, autocommit=True, prepare_threshold=None) as conn:
        for statement in STATEMENTS:
            conn.execute(statement.encode())
            found = conn.execute(PLANS).fetchone()
            assert found is not None
            counts.append(int(found[0]))
    assert 0 < counts[0] <= AFTER_ONE
    assert counts[-1] <= AFTER_ALL

"""A table of a thousand columns, one that thousands of objects name: all of it is told, and the user hardly waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.daemon import Daemon
from sandbox.recorded import commits
from tests.integration.reach_support import captured, run, unreached

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.capture_support import Captured

OURS = ("ddl", "drop", "rewrite", "members")
DEPENDANTS = """
    CREATE TABLE t (a int PRIMARY KEY, b text);
    DO $$ BEGIN
      FOR i IN 1..520 LOOP EXECUTE format('CREATE VIEW v%s AS SELECT a, b FROM t WHERE a > %s', i, i); END LOOP;
      FOR i IN 1..1500 LOOP EXECUTE format('CREATE FUNCTION f%s(t) RETURNS int LANGUAGE sql RETURN 1', i); END LOOP;
      FOR i IN 1..40 LOOP EXECUTE format('CREATE TABLE r%s (a int REFERENCES t)', i); END LOOP;
    END $$
"""
DIFFERENT = """
    SELECT coalesce(now.type, v.type) || ' ' || coalesce(now.identity, v.identity)
    FROM (SELECT v.type, v.identity, v.classid, v.objid, b.definition, b.later, b.depends
          FROM pggit_daemon.object_version AS v JOIN pggit_daemon.blob AS b ON b.sha256 = v.blob
          WHERE v.to_commit IS NULL) AS v
    FULL JOIN pggit_daemon.snapshot() AS now USING (type, identity)
    WHERE (v.classid, v.objid, v.definition, v.later, coalesce(v.depends, '{}'))
          IS DISTINCT FROM (now.classid, now.objid, now.definition, now.later, coalesce(now.depends, '{}'))
    ORDER BY 1
"""


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


def test_a_table_of_a_thousand_columns(db: Captured) -> None:
    """Promise: whatever is done to one column costs as much as the table is wide, not the square of it."""
    columns = ", ".join(f"c{number} int" for number in range(1000))
    run(db.conn, f"CREATE TABLE wide ({columns}, PRIMARY KEY (c1), CHECK (c2 > 0))")
    run(db.conn, "CREATE VIEW all_of_it AS SELECT * FROM wide")
    script = """
        ALTER TABLE wide ADD COLUMN z int NOT NULL DEFAULT 3
        ALTER TABLE wide ALTER z TYPE bigint, ALTER z SET STATISTICS 7
        CREATE INDEX ON wide (z, c7)
        ALTER TABLE wide RENAME z TO zz
        ALTER TABLE wide RENAME c7 TO seventh
        ALTER TABLE wide RENAME TO wider
        COMMENT ON COLUMN wider.c999 IS 'the last'
        GRANT SELECT (c8, c9) ON wider TO reach_a
        ALTER TABLE wider OWNER TO reach_a
        ALTER TABLE wider DROP COLUMN zz
        ALTER TABLE wider DROP COLUMN c500 CASCADE
    """
    started = time.perf_counter()
    assert unreached(db, script) == {}
    assert time.perf_counter() - started < 60


def test_a_table_that_thousands_of_objects_name(installed_database: str, tmp_path: Path) -> None:
    """Promise: what is too much for the user's statement is left to the daemon, which completes it."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        for trigger in OURS:
            conn.execute(f"ALTER EVENT TRIGGER pggit_daemon_{trigger} DISABLE".encode())
        conn.execute(DEPENDANTS)
        for trigger in OURS:
            conn.execute(f"ALTER EVENT TRIGGER pggit_daemon_{trigger} ENABLE ALWAYS".encode())
        with Daemon(installed_database, tmp_path) as daemon:
            started = time.perf_counter()
            conn.execute("ALTER TABLE t RENAME TO tt")  # more than are looked at: all are left over
            took = time.perf_counter() - started
            daemon.wait_caught_up()
            conn.execute("ALTER TABLE tt RENAME COLUMN a TO aa")  # more than are described: the rest is left over
            daemon.wait_caught_up()
            made = commits(installed_database)
            assert [commit.kind for commit in made] == ["baseline", "out_of_band", "out_of_band"]
            # Views, foreign keys; functions, key and table under two names each. Then the same without functions.
            assert [len(commit.changed) for commit in made[1:]] == [520 + 40 + 2 * (1500 + 2), 520 + 40 + 2]
            assert conn.execute(DIFFERENT).fetchall() == []
    assert took < 20


@pytest.mark.parametrize("made", ["function", "view"])
def test_a_definition_of_megabytes_is_read_by_the_daemon(installed_database: str, tmp_path: Path, made: str) -> None:
    """Promise: no message is as large as what a user may write; the event tells the hash, and nothing is lost."""
    long = "x" * 2_000_000
    statement = {
        "function": f"CREATE FUNCTION large() RETURNS int LANGUAGE sql AS $$ SELECT 1 /* {long} */ $$",
        "view": f"CREATE VIEW large AS SELECT '{long}'::text AS a",
    }[made]
    with (
        psycopg.connect(installed_database, autocommit=True) as conn,
        Daemon(installed_database, tmp_path) as daemon,
    ):
        with conn.transaction():
            conn.execute(statement.encode())
            [([element], size)] = conn.execute(
                "SELECT objects::jsonb, pg_column_size(objects) FROM pggit_daemon.ddl_event"
            )
        daemon.wait_caught_up()
        assert [len(commit.changed) for commit in commits(installed_database)] == [1, 1]
        assert conn.execute(DIFFERENT).fetchall() == []
        assert conn.execute("SELECT count(*) FROM pggit_daemon.quarantine").fetchone() == (0,)
    assert (element["op"], element["why"], len(element["sha256"])) == ("deferred", "too_large", 64)
    assert size < 2000

"""What it costs to describe an object does not grow with the catalog, whatever the planner knows of it.

Counted are the rows that describing one object looks at, in a catalog with hundreds of others: as a restored dump
leaves it, never analyzed, and analyzed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.install import install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

MANY = 400
LOOKED_AT = 60
"""Rows of one catalog or index that the description of one of these objects may look at."""

OBJECTS = """
    DO $$ BEGIN
        FOR n IN 1 .. %s LOOP
            EXECUTE format('CREATE TABLE t%%s (id int PRIMARY KEY, name text DEFAULT ''x'')', n);
            EXECUTE format('CREATE INDEX i%%s ON t%%s (name)', n, n);
            EXECUTE format('CREATE VIEW v%%s AS SELECT * FROM t%%s', n, n);
            EXECUTE format('CREATE FUNCTION f%%s() RETURNS SETOF t%%s LANGUAGE sql AS ''SELECT * FROM t%%s''', n, n, n);
        END LOOP;
    END $$;
    ALTER TABLE t7 ADD FOREIGN KEY (id) REFERENCES t8, ALTER name SET NOT NULL;
    COMMENT ON COLUMN t7.name IS 'words';
    GRANT SELECT ON t7 TO PUBLIC;
"""
LOOKS = """
    SELECT relname, pg_stat_get_xact_tuples_returned(oid) FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'i') AND relnamespace = 'pg_catalog'::regnamespace
"""
ADDRESSES = {
    "table": "('pg_class'::regclass, 't7'::regclass)",
    "index": "('pg_class'::regclass, 'i7'::regclass)",
    "view": "('pg_class'::regclass, 'v7'::regclass)",
    "key": "('pg_constraint'::regclass, (SELECT oid FROM pg_constraint WHERE conname = 't7_pkey'))",
    "foreign key": "('pg_constraint'::regclass, (SELECT oid FROM pg_constraint WHERE conname = 't7_id_fkey'))",
    "function": "('pg_proc'::regclass, 'f7'::regproc)",
}


@pytest.fixture(scope="module", params=["never_analyzed", "analyzed"])
def crowded(request: pytest.FixtureRequest, cluster: Databases) -> Iterator[psycopg.Connection[Any]]:
    name = f"crowded_{request.param}"
    cluster.create_database(name)
    with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
        conn.execute((OBJECTS % MANY).encode())
        with conn.transaction():
            install(conn)
        if request.param == "analyzed":
            conn.execute("ANALYZE")
        yield conn
    cluster.drop_database(name)


def looked_at(conn: psycopg.Connection[Any], query: str) -> dict[str, int]:
    """Rows of each catalog and index that a query looks at, once the server's caches are filled."""
    conn.execute(query.encode())
    with conn.transaction():
        conn.execute(LOOKS)
        before = dict(conn.execute(LOOKS).fetchall())
        conn.execute(query.encode())
        after = dict(conn.execute(LOOKS).fetchall())
        own = dict(conn.execute(LOOKS).fetchall())  # what counting itself looks at
    return {name: 2 * count - before[name] - own[name] for name, count in after.items()}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_one_object_is_found_by_its_keys(crowded: psycopg.Connection[Any], kind: str) -> None:
    describe = f"SELECT d.identity FROM pggit_daemon.describe(ARRAY[{ADDRESSES[kind]}::pggit_daemon.object_address]) d"
    assert crowded.execute(describe.encode()).fetchone() is not None
    looked = looked_at(crowded, describe)
    assert {name: rows for name, rows in looked.items() if rows > LOOKED_AT} == {}


def test_many_at_once_cost_no_more_each(crowded: psycopg.Connection[Any]) -> None:
    describe = (
        "SELECT count(*) FROM pggit_daemon.describe(ARRAY("
        "SELECT a FROM pggit_daemon.addresses() a WHERE a.objid >= 16384 ORDER BY a LIMIT 200)) d"
    )
    [(objects,)] = crowded.execute(describe.encode()).fetchall()
    assert objects > 150
    finding = looked_at(crowded, "SELECT count(*) FROM pggit_daemon.addresses()")
    looked = {name: rows - finding[name] for name, rows in looked_at(crowded, describe).items()}
    assert {name: rows for name, rows in looked.items() if rows > LOOKED_AT * objects} == {}


def test_a_wide_table_takes_time_as_it_is_wide(installed_database: str) -> None:
    """Not with the cube of it: whoever adds a column to a table with a thousand defaults waits for the capture."""

    def seconds(columns: int) -> float:
        list_ = ", ".join(f"a_column_with_a_long_name_{n} text DEFAULT repeat('x', {n})" for n in range(columns))
        conn.execute(f"CREATE TABLE wide_{columns} ({list_})".encode())
        took = []
        for _ in range(3):
            began = time.monotonic()
            conn.execute(f"SELECT pggit_daemon.describe('pg_class'::regclass, 'wide_{columns}'::regclass)".encode())
            took.append(time.monotonic() - began)
        return min(took)

    with psycopg.connect(installed_database, autocommit=True) as conn:
        assert seconds(1200) < 8 * 5 * max(seconds(150), 0.002)

"""Recorded trees read back and exported: the right objects, in an order that restores, with honest comments."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from tests.integration.describe_oracle import Oracle, assert_same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

RECORD = """
    INSERT INTO pggit.commits (id, hash, branch_id) VALUES ({0}, {0}::text, 1);
    CREATE TEMP TABLE seen AS
        SELECT s.*, sha256(convert_to(concat(s.type, s.identity, s.definition, s.later, s.depends), 'UTF8')) AS sha
          FROM pggit_daemon.snapshot() s;
    INSERT INTO pggit_daemon.blob SELECT DISTINCT ON (sha) sha, definition, later, depends FROM seen
        ON CONFLICT DO NOTHING;
    UPDATE pggit_daemon.object_version v SET to_commit = {0}
     WHERE to_commit IS NULL
       AND NOT EXISTS (SELECT FROM seen s WHERE (s.type, s.identity, s.sha) = (v.type, v.identity, v.blob));
    INSERT INTO pggit_daemon.object_version (type, schema_name, identity, classid, objid, blob, from_commit)
    SELECT type, schema_name, identity, classid, objid, sha, {0} FROM seen s
     WHERE NOT EXISTS (SELECT FROM pggit_daemon.object_version v
                        WHERE (s.type, s.identity, s.sha) = (v.type, v.identity, v.blob) AND v.to_commit IS NULL);
    DROP TABLE seen;
"""
EXPORT_AGAIN = (
    "SELECT pggit_daemon.export_descriptions(ARRAY(SELECT s FROM pggit_daemon.snapshot() s ORDER BY random()))"
)


@pytest.fixture(scope="module")
def oracle(cluster: Databases, installed_template: str) -> Iterator[Oracle]:
    with Oracle(cluster, installed_template) as oracle:
        yield oracle


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database) as conn:
        yield conn


def test_each_commit_gives_back_its_own_tree(oracle: Oracle) -> None:
    """The export at a commit restores what pg_dump saw at that commit, also after later ones changed and dropped it."""
    steps = [
        "CREATE SCHEMA app; CREATE TABLE app.a (id serial PRIMARY KEY, n text)",
        "ALTER TABLE app.a ADD COLUMN more integer; CREATE VIEW app.v AS SELECT * FROM app.a",
        "DROP TABLE app.a CASCADE; CREATE TYPE app.a AS ENUM ('x')",
    ]
    with oracle.side() as original:
        dumps = []
        for number, step in enumerate(steps, start=1):
            original.run(step)
            dumps.append(original.dump())
            with psycopg.connect(original.dsn) as conn:
                conn.execute(sql.SQL(RECORD).format(sql.Literal(number)))
        with psycopg.connect(original.dsn) as conn:
            scripts = [
                conn.execute("SELECT pggit_daemon.export_tree(%s)", [number]).fetchone()[0]  # type: ignore[index]
                for number in (1, 2, 3)
            ]
            assert conn.execute("SELECT count(*) FROM pggit_daemon.tree_at(99)").fetchone() == (0,)
        for script, dump in zip(scripts, dumps, strict=True):
            with oracle.side() as copy:
                copy.restore(script)
                assert_same(dump, copy.dump())


def test_the_order_of_the_input_does_not_matter(conn: psycopg.Connection[Any]) -> None:
    """The same set gives the same script."""
    conn.execute("""
        CREATE TABLE t (id serial PRIMARY KEY); CREATE VIEW b AS SELECT * FROM t; CREATE VIEW a AS SELECT * FROM b;
        CREATE FUNCTION f(t) RETURNS a LANGUAGE sql AS 'SELECT 1';
    """)
    assert len({conn.execute(EXPORT_AGAIN).fetchone() for _ in range(4)}) == 1


def test_what_is_needed_comes_first_and_nothing_else_moves(conn: psycopg.Connection[Any]) -> None:
    """`a` needs `c`, so `c` moves before it; `b` stays behind; functions of a table's row wait for the table."""
    conn.execute("""
        CREATE VIEW c AS SELECT 1 AS x; CREATE VIEW a AS SELECT * FROM c; CREATE TABLE b (x integer);
        CREATE FUNCTION f(b) RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION e() RETURNS a LANGUAGE plpgsql AS 'BEGIN END';
    """)
    script = _export(conn)
    heads = [line[3:] for line in script.splitlines() if line.startswith(("-- view", "-- table", "-- function"))]
    assert heads == [
        "view public.c",
        "view public.a",
        "function public.e()",
        "table public.b",
        "function public.f(public.b)",
    ]


def test_the_header_names_the_roles_and_nothing_escapes_a_comment(oracle: Oracle) -> None:
    """A name with a newline cannot end a comment line and become a statement."""
    evil = 'evil\nDROP SCHEMA victim; --"x'
    quoted = '"' + evil.replace('"', '""') + '"'
    with oracle.side() as original, oracle.side() as copy:
        original.run(f"""
            CREATE ROLE {quoted};
            CREATE SCHEMA victim; CREATE TABLE victim.{quoted} (x integer);
            GRANT SELECT ON victim.{quoted} TO {quoted}, reader;
        """)
        script = original.export()
        copy.restore(script)
        assert_same(original.dump(), copy.dump())
        original.run(f"DROP OWNED BY {quoted}")
        copy.run(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")
    header = script.split("SET statement_timeout")[0]
    assert header.count("\n--     ") == len({"psql", "postgres", "reader", "evil"})
    assert '--     "evil DROP SCHEMA victim; --""x"\n' in header
    assert all(line.startswith("--") for line in header.splitlines() if line)


def test_the_header_names_roles_of_the_later_part_too(conn: psycopg.Connection[Any]) -> None:
    """What an extension's member was granted stands at the end of the script, and needs its role all the same."""
    conn.execute(
        "CREATE EXTENSION hstore; CREATE ROLE late_reader; GRANT EXECUTE ON FUNCTION hstore(record) TO late_reader"
    )
    assert "\n--     late_reader\n" in _export(conn).split("SET statement_timeout")[0]
    conn.rollback()


def test_ten_thousand_objects(conn: psycopg.Connection[Any]) -> None:
    """Sorting and writing 10,000 views, each on the next, takes half a second; a wide margin for busy machines."""
    conn.execute("""
        CREATE TEMP TABLE seen AS
        SELECT (0, 0, 'view', 'public', 'v' || i, 'CREATE VIEW v' || i || E';\\n', NULL,
                CASE WHEN i < 10000 THEN ARRAY['view v' || i + 1] ELSE '{}' END, NULL)::pggit_daemon.description AS s
          FROM generate_series(1, 10000) i
    """)
    started = time.monotonic()
    row = conn.execute("SELECT pggit_daemon.export_descriptions(ARRAY(SELECT s FROM seen))").fetchone()
    elapsed = time.monotonic() - started
    assert row is not None
    views = re.findall(r"^CREATE VIEW v(\d+);$", row[0], flags=re.MULTILINE)
    assert views == [str(number) for number in range(10000, 0, -1)]
    assert elapsed < 10


def _export(conn: psycopg.Connection[Any]) -> str:
    row = conn.execute(EXPORT_AGAIN).fetchone()
    assert row is not None
    return str(row[0])

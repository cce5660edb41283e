"""The quick way of the capture says of every statement what the general way says, to the byte.

Both ways read what each statement of the scripts left, in its own transaction, and are compared there. That a quick way
is taken at all is told by the statements that must go it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.integration.capture_support import Captured
from tests.integration.kind_run import ROLES as KIND_ROLES
from tests.integration.kind_run import drop_subscriptions, roles
from tests.integration.kind_table import read_scripts
from tests.integration.test_capture_statements import ROLES, SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.databases import Databases

BOTH_WAYS = """
    ALTER FUNCTION pggit_daemon.read_flat(text, bigint) RENAME TO read_quickly;
    CREATE FUNCTION pggit_daemon.read_flat(tag text, since bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
        in_general jsonb := pggit_daemon.read_ddl(tag, since, false);
        quick      jsonb;
    BEGIN
        BEGIN
            quick := pggit_daemon.read_quickly(tag, since);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the quick way fails: % %', SQLSTATE, SQLERRM;
        END;
        IF quick <> in_general OR quick IS NOT NULL AND in_general IS NULL THEN
            RAISE WARNING E'the ways differ: %\n%', quick, in_general;
        END IF;
        RAISE NOTICE 'way: %', CASE WHEN quick IS NULL THEN 'general' ELSE 'quick' END;
        RETURN in_general;
    END $$;
"""
KINDS = read_scripts()
SCRIPTS = sorted({kind.script for kind in KINDS})
QUICK = (
    (
        "CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL, email varchar(200), made timestamptz DEFAULT now(),"
        " total numeric(10, 2), UNIQUE (name, email))"
    ),
    'CREATE UNLOGGED TABLE "Odd ""names""" ("a \\ b" int, "c ""d""" text, e int[], f json)',
    "CREATE TABLE without_columns ()",
    "CREATE TABLE copied AS SELECT * FROM t",
    "CREATE TABLE counted (id bigint, twice bigint GENERATED ALWAYS AS (1 + 1) STORED)",
    "ALTER TABLE t ADD COLUMN extra integer DEFAULT 5",
    "ALTER TABLE t DROP COLUMN total",
    "ALTER TABLE t ALTER COLUMN extra SET NOT NULL, ALTER name SET DEFAULT 'x' || now()::text",
    "CREATE INDEX by_name ON t (lower(name)) WHERE id > 5",
    "CREATE UNIQUE INDEX ON t (email DESC NULLS LAST) INCLUDE (id)",
    "COMMENT ON TABLE t IS 'it''s a \\ comment'",
    "COMMENT ON COLUMN t.name IS 'of a column'",
    "COMMENT ON TABLE t IS NULL",
    "GRANT SELECT, INSERT ON t TO PUBLIC",
    "GRANT ALL ON public.T TO kinds_reader WITH GRANT OPTION",
    "REVOKE INSERT ON TABLE t FROM PUBLIC",
    "ALTER TABLE t RENAME COLUMN email TO mail",
    "CREATE VIEW v AS SELECT id, name FROM t",
    'ALTER TABLE t RENAME name TO "Full ""Name"" "',
    'ALTER TABLE t RENAME "Full ""Name"" " TO name',
    "ALTER TABLE t RENAME COLUMN mail TO email",
    'ALTER TABLE "Odd ""names""" RENAME f TO "\u00fc"',
    "ALTER TABLE counted RENAME id TO number",
    "CREATE VIEW w AS SELECT v.*, t.email FROM v JOIN t USING (id)",
    "CREATE FUNCTION f(a integer, OUT b text) LANGUAGE sql AS 'SELECT a::text'",
    "CREATE OR REPLACE FUNCTION f(a integer, OUT b text) LANGUAGE sql AS 'SELECT ''b'''",
    "CREATE PROCEDURE p(a text DEFAULT 'x') LANGUAGE sql AS 'SELECT 1'",
)


@pytest.fixture
def db(cluster: Databases, installed_database: str) -> Iterator[Captured]:
    with roles(cluster):
        captured = Captured(installed_database)
        captured.conn.execute(BOTH_WAYS.encode())
        for role in ROLES:
            captured.conn.execute(f"CREATE ROLE {role}".encode())
        yield captured
        captured.conn.rollback()
        drop_subscriptions(installed_database)
        captured.conn.execute("RESET SESSION AUTHORIZATION; RESET ROLE")
        for role in (*KIND_ROLES, *ROLES):
            captured.conn.execute(f"DROP OWNED BY {role} CASCADE".encode())
        for role in ROLES:
            captured.conn.execute(f"DROP ROLE {role}".encode())
        captured.close()


def way_of(db: Captured, statement: str) -> str:
    before = len(db.notices)
    db.conn.execute(statement.encode())
    [way] = [notice for notice in db.notices[before:] if notice.startswith("NOTICE: way: ")]
    return way.removeprefix("NOTICE: way: ")


def complaints(db: Captured, statements: Iterable[str]) -> list[str]:
    """What both ways say differently of these statements; those that the server refuses are passed over."""
    for statement in statements:
        try:
            db.conn.execute(statement.encode())
        except psycopg.Error:
            db.conn.rollback()
    return [notice for notice in db.notices if notice.startswith("WARNING: the ")]


@pytest.mark.parametrize("together", [False, True], ids=["one_by_one", "in_one_transaction"])
def test_frequent_statements_go_the_quick_way(db: Captured, *, together: bool) -> None:
    if together:
        db.conn.execute("BEGIN")
    assert [(way_of(db, statement), statement) for statement in QUICK] == [("quick", each) for each in QUICK]
    db.conn.execute("COMMIT" if together else "SELECT 1")
    assert complaints(db, ()) == []
    assert db.drift() == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_both_ways_say_the_same_of_every_kind(db: Captured, script: str) -> None:
    statements = [s for kind in KINDS if kind.script == script for step in kind.steps for s in step.statements]
    assert complaints(db, statements) == []


def test_both_ways_say_the_same_of_every_scenario(db: Captured) -> None:
    for n, scenario in enumerate(SCENARIOS.values()):
        lines = [line.strip() for line in scenario.strip().splitlines()]
        db.conn.execute(f"CREATE SCHEMA scenario_{n}; SET search_path = scenario_{n}, public".encode())
        assert complaints(db, lines) == []


@pytest.mark.parametrize("script", sorted(Path(__file__).parent.glob("describe_scripts/*.sql")), ids=lambda p: p.stem)
def test_both_ways_say_the_same_of_the_scripts_of_descriptions(db: Captured, script: Path) -> None:
    assert complaints(db, script.read_text().split(";\n")) == []

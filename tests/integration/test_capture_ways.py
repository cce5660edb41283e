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
    ALTER FUNCTION pggit_daemon.read_flat(text, bigint, text) RENAME TO read_quickly;
    CREATE FUNCTION pggit_daemon.read_flat(tag text, since bigint, said text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        in_general jsonb := pggit_daemon.read_ddl(tag, since, false);
        quick      jsonb;
    BEGIN
        BEGIN
            quick := pggit_daemon.read_quickly(tag, since, said);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the quick way fails: % %', SQLSTATE, SQLERRM;
        END;
        IF quick <> in_general OR quick IS NOT NULL AND in_general IS NULL THEN
            RAISE WARNING E'the ways differ: %\n%', quick, in_general;
        END IF;
        RAISE NOTICE 'way: %', CASE WHEN quick IS NULL THEN 'general' ELSE 'quick' END;
        RETURN in_general;
    END $$;
    ALTER FUNCTION pggit_daemon.dropped_elements() RENAME TO dropped_quickly;
    CREATE FUNCTION pggit_daemon.dropped_elements(OUT elements jsonb, OUT has_survivors boolean) LANGUAGE plpgsql AS $$
    DECLARE
        in_general jsonb;
    BEGIN
        SELECT d.* INTO elements, has_survivors FROM pggit_daemon.dropped_quickly() AS d;
        IF has_survivors IS NOT TRUE AND current_setting('ways.within', true) IS DISTINCT FROM 'yes' THEN
            PERFORM set_config('ways.within', 'yes', true);
            in_general := pggit_daemon.read_dropped(false);
            PERFORM set_config('ways.within', '', true);
            IF elements IS DISTINCT FROM in_general THEN
                RAISE WARNING E'the ways differ: %\n%', elements, in_general;
            END IF;
        END IF;
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


HANGING = (  # on column b of table r, which gets another name
    "ALTER TABLE r ADD PRIMARY KEY (b)",
    "ALTER TABLE r ADD UNIQUE (a, b) WITH (fillfactor = 50)",
    "ALTER TABLE r ADD UNIQUE (b) DEFERRABLE INITIALLY DEFERRED",
    "ALTER TABLE r ADD UNIQUE (b, a) INCLUDE (c)",
    "ALTER TABLE r ADD CONSTRAINT said UNIQUE (b); COMMENT ON CONSTRAINT said ON r IS 'words'",
    "ALTER TABLE r ADD CONSTRAINT clustered UNIQUE (b); ALTER TABLE r CLUSTER ON clustered",
    "ALTER TABLE r ADD CHECK (b > 0)",
    "ALTER TABLE r ADD EXCLUDE (b WITH =)",
    "ALTER TABLE r ADD FOREIGN KEY (b) REFERENCES parent",
    "ALTER TABLE r ADD UNIQUE (b); CREATE TABLE child (b int REFERENCES r (b))",
    "ALTER TABLE r ADD PRIMARY KEY (b); CREATE VIEW grouped AS SELECT b, c FROM r GROUP BY b",
    "ALTER TABLE r ADD d int GENERATED ALWAYS AS (b + 1) STORED",
    "ALTER TABLE r ADD d bigserial, ADD e bigint GENERATED ALWAYS AS IDENTITY",
    "CREATE INDEX ON r (b); CREATE INDEX said ON r (b); COMMENT ON INDEX said IS 'words'",
    "CREATE INDEX ON r ((b + 1)) WHERE b > 0; CREATE UNIQUE INDEX ON r (a) INCLUDE (b)",
    "CREATE STATISTICS on_both ON a, b FROM r",
    "CREATE VIEW v AS SELECT b FROM r; CREATE VIEW w AS SELECT a FROM r",
    "CREATE VIEW v AS SELECT b FROM r; CREATE VIEW w AS SELECT b FROM v",
    "CREATE MATERIALIZED VIEW m AS SELECT b FROM r",
    "CREATE RULE nothing AS ON DELETE TO r WHERE old.b = 0 DO INSTEAD NOTHING",
    "CREATE TRIGGER on_b BEFORE UPDATE OF b ON r FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE POLICY on_b ON r USING (b > 0)",
    "CREATE FUNCTION of_row(r) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE of_rows (x r[])",
    "CREATE FUNCTION atomic() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT b FROM r LIMIT 1; END",
    "CREATE TABLE heir () INHERITS (r)",
    "GRANT SELECT (b) ON r TO PUBLIC; COMMENT ON COLUMN r.b IS 'words'",
    "CREATE SEQUENCE s OWNED BY r.b",
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


def test_both_ways_say_the_same_of_a_renamed_column_whatever_hangs_on_it(db: Captured) -> None:
    db.conn.execute("CREATE TABLE parent (id int PRIMARY KEY)")
    for n, hanging in enumerate(HANGING):
        statements = (
            f"CREATE SCHEMA renamed_{n}; SET search_path = renamed_{n}, public",
            "CREATE TABLE r (a text, b int DEFAULT 5, c text)",
            *hanging.split("; "),
            "ALTER TABLE r RENAME b TO renamed",
            "ALTER TABLE r RENAME a TO also",
            "ALTER TABLE r DROP COLUMN renamed CASCADE",
            f"DROP SCHEMA renamed_{n} CASCADE",
        )
        for statement in statements if "ATOMIC" not in hanging else (*statements[:2], hanging, *statements[-4:]):
            db.conn.execute(statement.encode())
        assert complaints(db, ()) == [], hanging
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

"""What the outbox says after each kind of statement, and that all of it adds up to the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.capture_support import Captured

if TYPE_CHECKING:
    from collections.abc import Iterator


ROLES = ("capture_reader", "capture_writer")


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    captured = Captured(installed_database)
    for role in ROLES:
        captured.conn.execute(f"DROP ROLE IF EXISTS {role}".encode())
        captured.conn.execute(f"CREATE ROLE {role}".encode())
    yield captured
    for role in ROLES:
        captured.conn.execute(f"DROP OWNED BY {role} CASCADE".encode())
        captured.conn.execute(f"DROP ROLE {role}".encode())
    captured.close()


# Scenarios: after each statement, the events so far must add up to the catalog, byte by byte.
SCENARIOS = {
    "tables": """
        CREATE TABLE t (a int PRIMARY KEY, b serial, c text CHECK (c <> ''), d int UNIQUE)
        ALTER TABLE t ADD COLUMN e int GENERATED ALWAYS AS IDENTITY
        CREATE TABLE u (a int REFERENCES t ON DELETE CASCADE, b text DEFAULT 'x')
        ALTER TABLE t ADD COLUMN f int NOT NULL DEFAULT 7, ADD CONSTRAINT f_u UNIQUE (f)
        ALTER TABLE t ALTER c TYPE varchar(20), ALTER d SET NOT NULL
        ALTER TABLE t ADD CHECK (d > 0) NOT VALID
        ALTER TABLE t VALIDATE CONSTRAINT t_d_check
        CREATE UNIQUE INDEX ui ON t (c)
        ALTER TABLE t ADD CONSTRAINT ui_c UNIQUE USING INDEX ui
        ALTER TABLE t RENAME CONSTRAINT ui_c TO ui_d
        ALTER INDEX ui_d RENAME TO ui_e
        ALTER TABLE t CLUSTER ON t_pkey
        ALTER TABLE t REPLICA IDENTITY USING INDEX f_u
        ALTER TABLE t DROP CONSTRAINT t_d_check
        ALTER TABLE t ALTER e DROP IDENTITY
        ALTER TABLE t OWNER TO capture_reader
        ALTER TABLE t OWNER TO capture_writer
        CREATE TABLE l (LIKE t INCLUDING ALL)
        COMMENT ON COLUMN t.a IS 'it''s a'
        COMMENT ON CONSTRAINT t_pkey ON t IS 'key'
        ALTER SEQUENCE t_b_seq OWNED BY NONE
        ALTER SEQUENCE t_b_seq RENAME TO numbers
        ALTER TABLE t DROP COLUMN b
        CREATE TABLE copy AS SELECT * FROM t
        SELECT a INTO copy2 FROM t
        ALTER TABLE copy SET UNLOGGED
        DROP TABLE t CASCADE
        DROP TABLE u, l, copy
    """,
    "renames": """
        CREATE SCHEMA s
        CREATE TABLE t (id serial PRIMARY KEY, name text, CHECK (name <> ''))
        CREATE INDEX t_lower ON t (lower(name)) WHERE id > 0
        CREATE TABLE u (t_id int REFERENCES t, DEFAULT_id int DEFAULT nextval('t_id_seq'))
        CREATE VIEW v AS SELECT id, name FROM t WHERE name <> ''
        CREATE VIEW w AS SELECT * FROM v
        CREATE VIEW listing AS SELECT x.p FROM t AS "x y"(p) JOIN t AS x(p, q) ON x.q = 'a'
        CREATE VIEW joined AS SELECT a.id FROM t a JOIN t b USING (id)
        ALTER TABLE t ADD COLUMN late int
        ALTER TABLE t DROP COLUMN late
        CREATE MATERIALIZED VIEW m AS SELECT name FROM t
        CREATE INDEX ON m (name)
        CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'
        CREATE FUNCTION g() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'
        CREATE TRIGGER touch BEFORE UPDATE OF name ON t FOR EACH ROW EXECUTE FUNCTION touch()
        CREATE VIEW x AS SELECT f(t.*) FROM t
        CREATE POLICY p ON t USING (name = current_user)
        CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING
        CREATE STATISTICS st ON id, name FROM t
        ALTER TABLE t RENAME TO customers
        ALTER TABLE customers RENAME COLUMN name TO full_name
        ALTER TABLE customers SET SCHEMA s
        ALTER SCHEMA s RENAME TO sales
        ALTER FUNCTION touch() RENAME TO touched
        ALTER FUNCTION f(sales.customers) RENAME TO ff
        ALTER VIEW v RENAME TO "View ""v"" 1"
        ALTER VIEW "View ""v"" 1" RENAME COLUMN id TO "the.id"
        ALTER SEQUENCE sales.t_id_seq RENAME TO ids
        ALTER TRIGGER touch ON sales.customers RENAME TO tt
        ALTER TABLE sales.customers ALTER full_name DROP NOT NULL
        DROP FUNCTION ff CASCADE
        DROP SCHEMA sales CASCADE
    """,
    "types": """
        CREATE DOMAIN positive AS int CONSTRAINT pos CHECK (value > 0)
        CREATE TYPE colour AS ENUM ('red', 'green')
        CREATE TYPE pair AS (a int, b colour)
        CREATE TYPE span AS RANGE (subtype = date)
        CREATE TABLE t (p positive DEFAULT 1, c colour DEFAULT 'red', q pair, cs colour[], s span)
        CREATE TABLE typed OF pair
        CREATE FUNCTION f(c colour, p positive[]) RETURNS colour LANGUAGE sql AS 'SELECT $1'
        ALTER DOMAIN positive ADD CONSTRAINT small CHECK (value < 100)
        CREATE VIEW v AS SELECT f(c, NULL), 'green'::colour AS k FROM t
        ALTER TYPE colour ADD VALUE 'blue'
        ALTER TYPE colour RENAME VALUE 'red' TO 'crimson'
        ALTER TYPE colour RENAME TO color
        ALTER DOMAIN positive SET DEFAULT 3
        ALTER DOMAIN positive RENAME CONSTRAINT small TO tiny
        ALTER DOMAIN positive RENAME TO plus
        ALTER TYPE pair RENAME ATTRIBUTE a TO first CASCADE
        ALTER TYPE pair ADD ATTRIBUTE z text CASCADE
        ALTER TYPE pair RENAME TO couple
        CREATE SCHEMA s
        ALTER TYPE color SET SCHEMA s
        COMMENT ON TYPE s.color IS 'paint'
        DROP DOMAIN plus CASCADE
        DROP TYPE s.color CASCADE
    """,
    "partitions": """
        CREATE TABLE p (a int, b text, c int) PARTITION BY RANGE (a)
        CREATE TABLE p1 (a int, b text, c int)
        CREATE INDEX ON p (b)
        ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (1) TO (10)
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (c)
        CREATE TABLE p2a PARTITION OF p2 DEFAULT
        ALTER TABLE p ADD PRIMARY KEY (a, c)
        ALTER TABLE p ADD COLUMN d int CHECK (d > 0)
        ALTER TABLE p ALTER b SET NOT NULL
        ALTER TABLE p RENAME COLUMN b TO bb
        CREATE TABLE r (a int, c int, FOREIGN KEY (a, c) REFERENCES p)
        ALTER TABLE p ADD FOREIGN KEY (a, c) REFERENCES p
        ALTER TABLE p DETACH PARTITION p1
        CREATE TABLE q (a int) PARTITION BY RANGE (a)
        CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (1) TO (5)
        ALTER TABLE q DETACH PARTITION q1 CONCURRENTLY
        ALTER TABLE p RENAME TO parts
        ALTER TABLE p2 RENAME TO part2
        DROP INDEX p_b_idx
        DROP TABLE part2 CASCADE
        CREATE TABLE base (x int CHECK (x > 1), y text)
        CREATE TABLE child (z int) INHERITS (base)
        ALTER TABLE base ADD COLUMN w int DEFAULT 3
        ALTER TABLE base ADD CONSTRAINT y_filled CHECK (y <> '')
        ALTER TABLE base RENAME COLUMN y TO yy
        ALTER TABLE base DROP COLUMN w
        ALTER TABLE base DROP CONSTRAINT y_filled
        ALTER TABLE child NO INHERIT base
        ALTER TABLE child INHERIT base
        DROP TABLE base CASCADE
    """,
    "privileges": """
        CREATE SCHEMA s CREATE TABLE t (a int, b text) CREATE VIEW v AS SELECT 1 AS one
        CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'
        CREATE PROCEDURE s.p() LANGUAGE sql AS 'SELECT 1'
        CREATE DOMAIN s.d AS int
        CREATE SEQUENCE s.q
        GRANT SELECT ON s.t TO PUBLIC
        GRANT UPDATE (b) ON s.t TO capture_reader
        GRANT INSERT, SELECT (a) ON s.t TO capture_reader WITH GRANT OPTION
        REVOKE ALL ON s.t FROM capture_reader
        GRANT SELECT ON ALL TABLES IN SCHEMA s TO capture_writer
        GRANT USAGE ON SEQUENCE s.q TO capture_reader
        GRANT SELECT ON s.q TO capture_reader
        REVOKE EXECUTE ON FUNCTION s.f(int) FROM PUBLIC
        GRANT EXECUTE ON PROCEDURE s.p() TO capture_reader
        GRANT EXECUTE ON ALL ROUTINES IN SCHEMA s TO capture_writer
        GRANT USAGE ON SCHEMA s TO capture_reader
        REVOKE USAGE ON TYPE s.d FROM PUBLIC
        ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO capture_reader
        ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC
        ALTER DEFAULT PRIVILEGES IN SCHEMA s REVOKE SELECT ON TABLES FROM capture_reader
        CREATE TABLE s.later (a int)
        DROP OWNED BY capture_reader
        DROP SCHEMA s CASCADE
    """,
    "cascades": """
        CREATE SEQUENCE q
        CREATE FUNCTION n() RETURNS int LANGUAGE sql AS 'SELECT 1'
        CREATE FUNCTION even(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0'
        CREATE DOMAIN d AS int CONSTRAINT c CHECK (even(value))
        CREATE TABLE t (a int DEFAULT nextval('q'), b int DEFAULT n(), c int CHECK (even(c)), d d)
        CREATE INDEX ti ON t (even(a))
        CREATE TABLE kept (a int)
        CREATE EXTENSION citext
        ALTER TABLE kept ADD COLUMN c citext, ADD COLUMN e int
        CREATE VIEW v AS SELECT a FROM kept
        DROP SEQUENCE q CASCADE
        DROP FUNCTION n() CASCADE
        DROP FUNCTION even(int) CASCADE
        ALTER TABLE kept DROP COLUMN a CASCADE
        DROP EXTENSION citext CASCADE
        CREATE EXTENSION hstore
        CREATE SCHEMA s
        ALTER EXTENSION hstore SET SCHEMA s
        CREATE FUNCTION loose() RETURNS int LANGUAGE sql AS 'SELECT 1'
        ALTER EXTENSION hstore ADD FUNCTION loose()
        DROP EXTENSION hstore
    """,
    # A partition's own CHECK and foreign key become the parent's, and its own again.
    "constraints of attached partitions": """
        CREATE TABLE target (a int PRIMARY KEY)
        CREATE TABLE p (a int CHECK (a > 0), CONSTRAINT far FOREIGN KEY (a) REFERENCES target) PARTITION BY RANGE (a)
        CREATE TABLE p1 (a int CONSTRAINT p_a_check CHECK (a > 0), CONSTRAINT own FOREIGN KEY (a) REFERENCES target)
        ALTER TABLE p ATTACH PARTITION p1 DEFAULT
        ALTER TABLE p DETACH PARTITION p1
    """,
    "types that functions make": """
        CREATE FUNCTION made_in(cstring) RETURNS made LANGUAGE internal IMMUTABLE STRICT AS 'textin'
        CREATE FUNCTION made_out(made) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'
        CREATE TYPE made (INPUT = made_in, OUTPUT = made_out, LIKE = text)
    """,
    "members that leave an operator family": """
        CREATE FUNCTION same(int, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'
        CREATE FUNCTION order_of(int, text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0'
        CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = text)
        CREATE OPERATOR FAMILY family USING btree
        ALTER OPERATOR FAMILY family USING btree ADD OPERATOR 3 === (int, text), FUNCTION 1 order_of(int, text)
        DROP OPERATOR === (int, text)
        DROP FUNCTION order_of(int, text)
    """,
    # Neither the partition's own row nor its columns change.
    "a key of a parent whose partitions have indexes": """
        CREATE TABLE p (a int NOT NULL, b int) PARTITION BY RANGE (a)
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9) PARTITION BY LIST (a)
        CREATE TABLE p1a PARTITION OF p1 DEFAULT
        CREATE INDEX ON p (b)
        ALTER TABLE p ADD PRIMARY KEY (a)
        ALTER TABLE p RENAME CONSTRAINT p_pkey TO key
        ALTER TABLE p DROP CONSTRAINT key
    """,
    "extensions that bring others": """
        CREATE EXTENSION earthdistance CASCADE
        DROP EXTENSION cube CASCADE
    """,
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_events_add_up_to_the_catalog(db: Captured, scenario: str) -> None:
    wrong = {}
    for statement in [line.strip() for line in SCENARIOS[scenario].strip().splitlines()]:
        db.run(statement)
        if drift := db.drift():
            wrong[statement] = drift
            break
    assert wrong == {}
    assert [notice for notice in db.notices if notice.startswith("WARNING")] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_one_transaction_with_savepoints_too(db: Captured, scenario: str) -> None:
    """Half of each statement's attempts are rolled back: what remains is what the catalog holds."""
    statements = [line.strip() for line in SCENARIOS[scenario].strip().splitlines()]
    # What may not stand in a transaction, or not be used before the commit.
    statements = [s for s in statements if "ADD VALUE" not in s and "CONCURRENTLY" not in s]
    with db.conn.transaction():
        for statement in statements:
            db.run("SAVEPOINT before", statement, "ROLLBACK TO SAVEPOINT before", statement, "RELEASE SAVEPOINT before")
    assert db.drift() == []


def test_the_comparison_sees_a_gap(db: Captured) -> None:
    """Without the search for what names a renamed object, the scenarios above would fail."""
    db.run("CREATE TABLE t (a int)", "CREATE VIEW v AS SELECT a FROM t")
    db.conn.execute(
        "CREATE OR REPLACE FUNCTION pggit_daemon.dependents_by_name(of_class oid, of_object oid)"
        " RETURNS SETOF pggit_daemon.object_address LANGUAGE plpgsql AS 'BEGIN RETURN; END'"
    )
    db.run("ALTER TABLE t RENAME TO tt")
    assert db.drift() == ["view public.v"]


def test_a_statement_is_one_event_with_its_objects(db: Captured) -> None:
    event = db.one("CREATE TABLE t (a int PRIMARY KEY, b serial, c text CHECK (c <> ''))")
    assert event.kind == "ddl"
    assert event.command_tag == "CREATE TABLE"
    assert set(event.named("set", direct=True)) == {
        "sequence public.t_b_seq",
        "table public.t",
        "table constraint t_pkey on public.t",
    }
    assert event.named("set", direct=False) == ["table constraint t_c_check on public.t"]
    assert event.definition("public.t").startswith("CREATE TABLE public.t (")
    [table] = [o for o in event.objects if o["type"] == "table"]
    assert [column[0] for column in table["shape"]["columns"]] == ["a", "b", "c"]
    assert table["schema"] == "public"
    assert isinstance(table["objid"], int)
    assert table["classid"] == 1259


def test_a_drop_names_the_dropped_and_what_went_with_it(db: Captured) -> None:
    db.run("CREATE TABLE t (a int PRIMARY KEY)", "CREATE VIEW v AS SELECT a FROM t")
    event = db.one("DROP TABLE t CASCADE")
    assert event.kind == "drop"
    assert event.named("drop", direct=True) == ["table public.t"]
    assert {"view public.v", "table constraint t_pkey on public.t"} <= set(event.named("drop", direct=False))
    assert event.named("set") == []


def test_drop_column_describes_the_table_once(db: Captured) -> None:
    db.run("CREATE TABLE t (a int, b int)", "CREATE INDEX bi ON t (b)")
    dropped, altered = db.run("ALTER TABLE t DROP COLUMN b")
    assert (dropped.kind, altered.kind) == ("drop", "ddl")
    assert dropped.named("drop") == ["index public.bi"]
    assert dropped.named("set") == []
    assert altered.named("set") == ["table public.t"]


def test_a_rename_reaches_only_what_names_the_object(db: Captured) -> None:
    db.run(
        "CREATE TABLE t (a int PRIMARY KEY)",
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE VIEW w AS SELECT a FROM v",
        "CREATE TABLE other (b int)",
    )
    event = db.one("ALTER TABLE t RENAME TO tt")
    assert event.named("set", direct=True) == ["table public.tt"]
    assert sorted(event.named("set", direct=False)) == ["table constraint t_pkey on public.tt", "view public.v"]
    assert "FROM public.tt" in event.definition("public.v")
    # Nothing got another name here, so nothing but the table is read.
    assert db.one("ALTER TABLE tt ALTER a SET DEFAULT 1").named("set") == ["table public.tt"]


def test_grant_names_exactly_what_it_changed(db: Captured) -> None:
    db.run(*(f"CREATE TABLE t{n} (a int, b int)" for n in range(4)))
    with db.conn.transaction():
        db.run("ALTER TABLE t0 ADD COLUMN c int", "GRANT SELECT ON t1 TO PUBLIC", "CREATE TABLE t4 (a int)")
        [event] = db.run("GRANT UPDATE (b) ON t2, t3 TO PUBLIC")
    assert event.named("set", direct=True) == ["table public.t2", "table public.t3"]
    assert "GRANT UPDATE(b)" in event.definition("public.t2")


def test_a_rewrite_says_so(db: Captured) -> None:
    db.run("CREATE TABLE t (a int)")
    rewrite, altered = db.run("ALTER TABLE t ALTER a TYPE text")
    assert (rewrite.kind, altered.kind) == ("rewrite", "ddl")
    [element] = rewrite.objects
    assert (element["op"], element["identity"], element["reason"]) == ("rewrite", "public.t", 4)


def test_statements_in_a_do_block_are_events_of_their_own(db: Captured) -> None:
    events = db.run("DO $$ BEGIN CREATE TABLE a (x int); ALTER TABLE a ADD y int; DROP TABLE a; END $$")
    assert [event.command_tag for event in events] == ["CREATE TABLE", "ALTER TABLE", "DROP TABLE"]
    assert {event.statement for event in events} == {None}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE t (a serial PRIMARY KEY)",
        "CREATE TABLE pggit.t (a int)",
        "CREATE TABLE pggit_daemon.t (a int)",
        "GRANT SELECT ON pggit.commits TO PUBLIC",
        "COMMENT ON TABLE pggit.commits IS 'x'",
        "DROP TABLE IF EXISTS nothing",
        "CREATE TABLE IF NOT EXISTS there (a int)",
    ],
)
def test_what_is_none_of_ours_leaves_no_row(db: Captured, statement: str) -> None:
    db.run("CREATE TABLE there (a int)")
    assert db.run(statement) == []


def test_dropping_what_is_temporary_leaves_no_row(db: Captured) -> None:
    db.run("CREATE TEMP TABLE t (a serial PRIMARY KEY, b text)", "CREATE TABLE pggit.x (a int PRIMARY KEY)")
    assert db.run("ALTER TABLE t DROP COLUMN b", "DROP TABLE t", "DROP TABLE pggit.x") == []


def test_an_extension_is_one_object(db: Captured) -> None:
    event = db.run("CREATE EXTENSION hstore")[-1]
    assert event.named("set") == ["extension hstore"]


def test_rollback_leaves_nothing(db: Captured) -> None:
    db.run("BEGIN", "CREATE TABLE t (a int)", "ROLLBACK")
    assert db.events() == []


def test_more_objects_than_the_limit_are_deferred(db: Captured) -> None:
    db.run(
        "CREATE TABLE t (a int)",
        "DO $$ BEGIN FOR i IN 1..600 LOOP EXECUTE format('CREATE VIEW v%s AS SELECT a FROM t', i); END LOOP; END $$",
    )
    event = db.one("ALTER TABLE t RENAME TO tt")
    assert event.named("set", direct=True) == ["table public.tt"]
    deferred = [o for o in event.objects if o["op"] == "deferred"]
    assert len(event.named("set")) == 500
    assert len(deferred) == 101
    assert {o["why"] for o in deferred} == {"too many objects in one statement"}

"""What the outbox tells besides the objects: locks of the tools, when the session began, the text of the statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.capture_support import PLAIN, Captured, beside_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

FLYWAY_KEY = 77433833903597  # what Flyway locks for "public"."flyway_schema_history"
HISTORY = "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY)"


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from beside_plain(installed_database)


def test_the_locks_of_flyway_are_told_once_per_transaction(db: Captured) -> None:
    db.run(HISTORY)
    with psycopg.connect(make_conninfo(db.dsn, application_name="sibling")) as sibling:
        sibling.execute("SELECT pg_advisory_xact_lock(%s), pg_advisory_xact_lock(7)", [FLYWAY_KEY])
        with db.conn.transaction():
            first, second = db.run("CREATE TABLE t (a int)", "CREATE TABLE u (a int)")
        pid = sibling.info.backend_pid
    assert first.locks is not None
    [lock] = first.locks
    assert (lock["classid"], lock["objid"], lock["objsubid"]) == (18028, 4163491309, 1)
    assert (lock["pid"], lock["user"], lock["application_name"], lock["own"]) == (pid, "postgres", "sibling", False)
    assert lock["backend_start"] is not None
    assert second.locks is None
    assert db.one("CREATE TABLE v (a int)").locks == []


def test_where_no_tool_holds_locks_nobody_asks_for_them(db: Captured) -> None:
    """The server's answer takes the longer the more sessions it has. A table of a tool's is known as it is made."""
    with db.conn.transaction():
        db.conn.execute("SELECT pg_advisory_xact_lock(%s)", [FLYWAY_KEY])
        assert db.one("CREATE TABLE t (a int)").locks == []
    with db.conn.transaction():
        db.conn.execute("SELECT pg_advisory_xact_lock(%s)", [FLYWAY_KEY])
        assert [lock["own"] for lock in db.one(HISTORY).locks or ()] == [True]


@pytest.mark.parametrize(
    "made",
    [
        'CREATE TABLE "Our history" (installed_rank int NOT NULL, version varchar(50))',
        "CREATE TABLE IF NOT EXISTS done (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)",
    ],
)
def test_a_history_table_is_known_by_its_columns_whatever_its_name(db: Captured, made: str) -> None:
    """The daemon finds it only once the tool has gone on to its first migration."""
    db.run(made)
    with db.conn.transaction():
        db.conn.execute("SELECT pg_advisory_xact_lock(%s)", [FLYWAY_KEY])
        assert [lock["own"] for lock in db.one("CREATE TABLE t (a int)").locks or ()] == [True]


@pytest.mark.parametrize(
    "made", ["CREATE TABLE h (a int)", "CREATE TABLE h AS SELECT 1 AS a", "CREATE SCHEMA s CREATE TABLE h (a int)"]
)
def test_a_history_table_is_known_however_it_came(db: Captured, made: str) -> None:
    with db.conn.transaction():
        db.run(
            made, "ALTER TABLE IF EXISTS h RENAME TO pgmigrations", "ALTER TABLE IF EXISTS s.h RENAME TO pgmigrations"
        )
    with db.conn.transaction():
        db.conn.execute("SELECT pg_advisory_xact_lock(%s)", [FLYWAY_KEY])
        assert [lock["own"] for lock in db.one("CREATE TABLE t (a int)").locks or ()] == [True]


@pytest.mark.parametrize("reset", ["DISCARD SEQUENCES", "SET pggit_daemon.session = '0'", "DISCARD ALL"])
def test_a_session_says_when_it_began_whatever_it_discards(db: Captured, reset: str) -> None:
    db.run("CREATE TABLE t (a int)")
    db.conn.execute(reset.encode())
    db.run("CREATE TABLE u (a int)")
    assert db.conn.execute(
        "SELECT count(*), bool_and(e.backend_start = a.backend_start)"
        " FROM pggit_daemon.ddl_event AS e JOIN pg_stat_activity AS a USING (pid)"
    ).fetchone() == (2, True)


def test_nobody_forges_when_his_session_began(db: Captured) -> None:
    """The setting may say what it likes: what is remembered cannot be written by others."""
    db.conn.execute(f"GRANT CREATE ON SCHEMA public TO {PLAIN}".encode())
    with psycopg.connect(make_conninfo(db.dsn, user=PLAIN), autocommit=True) as other:
        pid = other.info.backend_pid
        other.execute(f"SET pggit_daemon.session = '{pid}'".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute("SELECT setval('pggit_daemon.session_start', 1)")
        other.execute("CREATE TABLE theirs (a int)")
        began = other.execute("SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone()
    assert began == db.conn.execute("SELECT backend_start FROM pggit_daemon.ddl_event WHERE pid = %s", [pid]).fetchone()


def test_the_sessions_own_lock_is_told_as_such(db: Captured) -> None:
    db.run(HISTORY)
    with db.conn.transaction():
        db.conn.execute("SELECT pg_advisory_xact_lock(%s)", [FLYWAY_KEY])
        event = db.one("CREATE TABLE t (a int)")
    assert event.locks is not None
    assert [lock["own"] for lock in event.locks] == [True]


def test_the_locks_are_told_again_when_their_event_was_rolled_back(db: Captured) -> None:
    with db.conn.transaction():
        db.run("SAVEPOINT s", "CREATE TABLE t (a int)", "ROLLBACK TO SAVEPOINT s")
        [event] = db.run("CREATE TABLE u (a int)")
    assert event.locks == []


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("CREATE TABLE t (a int);", "CREATE TABLE t (a int)"),
        ("create  unlogged table t (a int)", "create  unlogged table t (a int)"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS one", "CREATE OR REPLACE VIEW v AS SELECT 1 AS one"),
        ("ALTER TABLE known ADD b int DEFAULT 7", "ALTER TABLE known ADD b int DEFAULT 7"),
        ("GRANT SELECT ON known TO PUBLIC", "GRANT SELECT ON known TO PUBLIC"),
        ("DROP TABLE known", "DROP TABLE known"),
        # More than one statement, or run by another one.
        ("CREATE TABLE t (a int); SELECT 1", None),
        ("DO $$ BEGIN CREATE TABLE t (a int); END $$", None),
        ("SELECT ran('CREATE TABLE t (a int)')", None),
        # A literal or a comment may be anything.
        ("CREATE TABLE t (a text DEFAULT 'secret-word')", None),
        ("CREATE TABLE t (a int) -- secret-word", None),
        ("CREATE TABLE t (a int) /* secret-word */", None),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", None),
        ("CREATE TABLE t AS SELECT 1 AS one", None),
        ("CREATE TABLE t (" + ", ".join(f"column_with_a_long_name_{n} int" for n in range(300)) + ")", None),
    ],
)
def test_the_text_of_a_statement_is_stored_where_it_is_its_own_and_harmless(
    db: Captured, sent: str, stored: str | None
) -> None:
    db.run(
        "CREATE FUNCTION ran(statement text) RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN EXECUTE statement; RETURN 1; END $$",
        "CREATE TABLE known (a int)",
    )
    events = db.run(sent)
    assert events != []
    assert {event.statement for event in events} == {stored}


def test_a_statement_that_another_one_runs_does_not_get_its_text(db: Captured) -> None:
    db.run(
        "CREATE FUNCTION made() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE inner_one (); RETURN 1; END $$",
        "CREATE TABLE of_one (a int)",
        "INSERT INTO of_one VALUES (1)",
    )
    # The rewrite calls the default, which creates a table.
    events = db.run("ALTER TABLE of_one ADD b int DEFAULT made()")
    said = {event.command_tag: event.statement for event in events if event.kind == "ddl"}
    assert said == {"CREATE TABLE": None, "ALTER TABLE": "ALTER TABLE of_one ADD b int DEFAULT made()"}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE USER MAPPING FOR CURRENT_USER SERVER s0 OPTIONS (user 'u', password 'secret-word')",
        "DO $$ BEGIN CREATE TABLE t (a int); EXECUTE 'ALTER ROLE capture_plain PASSWORD ''secret-word'''; END $$",
        "CREATE TABLE t (a int); ALTER ROLE capture_plain PASSWORD 'secret-word'",
        "CREATE TABLE t AS SELECT 'secret-word'::text AS w",
        "CREATE SUBSCRIPTION s CONNECTION 'host=x password=secret-word' PUBLICATION p WITH (connect = false)",
        "CREATE SUBSCRIPTION s CONNECTION 'postgres://u:secret-word@x' PUBLICATION p WITH (connect = false)",
    ],
)
def test_secrets_are_not_stored(db: Captured, statement: str) -> None:
    db.run("CREATE FOREIGN DATA WRAPPER w", "CREATE SERVER s0 FOREIGN DATA WRAPPER w")
    try:
        events = db.run(statement)
    finally:
        if "SUBSCRIPTION" in statement:
            db.conn.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
            db.conn.execute("DROP SUBSCRIPTION s")
    assert events != []
    kept = db.conn.execute("SELECT string_agg(e::text, '') FROM pggit_daemon.ddl_event AS e").fetchall()[0][0]
    assert "secret-word" not in kept

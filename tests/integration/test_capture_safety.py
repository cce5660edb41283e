"""The users' DDL never fails or waits because of the capture, and the outbox says who ran it.

What it says besides is in `test_capture_session.py`.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.capture_support import PLAIN, Captured, beside_plain

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from beside_plain(installed_database)


def warnings(db: Captured) -> list[str]:
    return [notice for notice in db.notices if notice.startswith("WARNING")]


def timed(db: Captured, statement: str) -> float:
    """Run it and return the milliseconds it took."""
    started = time.perf_counter()
    db.conn.execute(statement.encode())
    return (time.perf_counter() - started) * 1000


# ------------------------------------------------------------------ the outbox is in trouble


def test_a_locked_outbox_costs_a_lock_timeout_and_a_warning(db: Captured) -> None:
    db.run("CREATE TABLE warm (a int)")
    with psycopg.connect(db.dsn) as other:
        other.execute("LOCK pggit_daemon.ddl_event IN ACCESS EXCLUSIVE MODE")
        took = timed(db, "CREATE TABLE t (a int PRIMARY KEY)")
    assert took < 1000  # 20 ms of waiting, on a machine that others use too
    assert db.conn.execute("SELECT count(*) FROM t").fetchone() == (0,)
    [warning] = warnings(db)
    assert "could not record this CREATE TABLE: 55P03" in warning
    assert db.events()[1:] == []


@pytest.mark.parametrize("table", ["ddl_event", "everything"])
def test_without_our_tables_ddl_succeeds(db: Captured, table: str) -> None:
    if table == "everything":
        db.conn.execute(
            "DO $$ DECLARE t text; BEGIN FOR t IN SELECT oid::regclass FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'pggit_daemon'::regnamespace LOOP EXECUTE 'DROP TABLE ' || t || ' CASCADE';"
            " END LOOP; END $$"
        )
    else:
        db.conn.execute("DROP TABLE pggit_daemon.ddl_event")
    db.notices.clear()
    db.conn.execute("CREATE TABLE t (a int)")
    db.conn.execute("ALTER TABLE t ALTER a TYPE text")
    db.conn.execute("DROP TABLE t")
    assert [w.split(":")[1] for w in warnings(db)] == [
        f" pggit-daemon could not record this {tag}"
        for tag in ("CREATE TABLE", "ALTER TABLE", "ALTER TABLE", "DROP TABLE")
    ]


def test_a_failing_insert_is_recorded_as_a_failure(db: Captured) -> None:
    db.conn.execute("ALTER TABLE pggit_daemon.ddl_event ADD CHECK (kind = 'capture_failed')")
    event = db.one("CREATE TABLE t (a int)")
    assert event.kind == "capture_failed"
    assert event.objects == ()
    assert event.failure is not None
    assert event.failure.startswith("23514 ")
    assert len(warnings(db)) == 1


def test_an_object_that_cannot_be_described_is_deferred_and_the_others_are_not(db: Captured) -> None:
    db.conn.execute(
        "ALTER FUNCTION pggit_daemon.describe_views(oid[]) RENAME TO describe_views_before;"
        "CREATE FUNCTION pggit_daemon.describe_views(oid[]) RETURNS SETOF pggit_daemon.description LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE 'a bug'; END $$"
    )
    db.run("CREATE TABLE t (a int)")
    event = db.one("CREATE SCHEMA s CREATE VIEW v AS SELECT 1 AS one CREATE TABLE u (a int)")
    assert event.named("set") == ["schema s", "table s.u"]
    [deferred] = [o for o in event.objects if o["op"] == "deferred"]
    assert deferred["why"] == "P0001 a bug"
    assert deferred["direct"] is True
    assert warnings(db) == []


# ------------------------------------------------------------------ others' locks


def test_a_lock_on_a_neighbour_defers_what_needs_it(db: Captured) -> None:
    """pg_get_viewdef locks every relation of the view: the capture does not wait for them."""
    db.run(
        "CREATE TABLE t (a int)",
        "CREATE TABLE locked (a int)",
        *(f"CREATE VIEW v{n} AS SELECT t.a FROM t JOIN locked USING (a)" for n in range(8)),
        "CREATE VIEW w AS SELECT a FROM t",
    )
    with psycopg.connect(db.dsn) as other:
        other.execute("LOCK locked IN ACCESS EXCLUSIVE MODE")
        took = timed(db, "ALTER TABLE t RENAME TO tt")
    assert took < 1000  # twice 20 ms (all at once, then one by one), then 1 ms for each further one
    [event] = db.events()
    assert event.named("set", direct=True) == ["table public.tt"]
    deferred = [o for o in event.objects if o["op"] == "deferred"]
    assert len(deferred) >= 8
    assert deferred[0]["why"].startswith("55P03")


def test_reading_leaves_no_lock_behind(db: Captured) -> None:
    """Otherwise others would wait for the user's transaction because of us."""
    db.run("CREATE TABLE t (a int)", "CREATE TABLE u (a int)", "CREATE VIEW v AS SELECT t.a FROM t JOIN u USING (a)")
    with db.conn.transaction():
        db.conn.execute("ALTER TABLE t RENAME TO tt")
        held = db.conn.execute(
            "SELECT DISTINCT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid()"
            " AND locktype = 'relation' AND relation >= 16384"
        ).fetchall()
    assert {row[0] for row in held} & {"u", "v"} == set()
    assert "view public.v" in db.events()[0].named("set")


def test_two_transactions_do_not_wait_for_each_other(db: Captured) -> None:
    with psycopg.connect(db.dsn) as other, db.conn.transaction():
        db.conn.execute("CREATE TABLE mine (a int)")
        other.execute("SET lock_timeout = '100ms'")
        other.execute("CREATE TABLE theirs (a int)")
        other.commit()
    assert [e.named("set") for e in db.events()] == [["table public.mine"], ["table public.theirs"]]


WAYS = [
    "read_flat(tag text, since bigint, said text) RETURNS text",
    "read_ddl(tag text, since bigint, one_by_one boolean) RETURNS jsonb",
]


@pytest.mark.parametrize("way", WAYS, ids=["quick", "general"])
def test_a_cancel_still_cancels(db: Captured, way: str) -> None:
    for which, body in ((WAYS[0], "NULL;"), (way, "IF tag = 'CREATE TABLE' THEN PERFORM pg_sleep(30); END IF;")):
        db.conn.execute(
            f"CREATE OR REPLACE FUNCTION pggit_daemon.{which}"
            f" LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$".encode()
        )
    timer = threading.Timer(0.3, db.conn.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.conn.execute("CREATE TABLE t (a int)")
    timer.join()
    assert db.conn.execute("SELECT to_regclass('t')").fetchone() == (None,)


# ------------------------------------------------------------------ kinds of transactions and sessions


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_stricter_isolation(db: Captured, level: str) -> None:
    """Two such transactions with DDL do not make each other fail, and everything is told."""
    db.run("CREATE TABLE t (a int)", "CREATE VIEW v AS SELECT a FROM t")
    with psycopg.connect(db.dsn) as other:
        for conn in (other, db.conn):
            conn.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
            conn.execute("SELECT 1")
        other.execute("CREATE TABLE theirs (a int)")
        db.conn.execute("ALTER TABLE t RENAME TO tt")
        other.execute("ALTER TABLE theirs ADD b int")
        db.conn.execute("GRANT SELECT ON tt TO PUBLIC")
        other.execute("COMMIT")
        db.conn.execute("COMMIT")
    assert db.drift() == []
    assert warnings(db) == []


def test_what_a_frozen_snapshot_cannot_see_is_deferred(db: Captured) -> None:
    db.conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    db.conn.execute("SELECT 1")
    with psycopg.connect(db.dsn, autocommit=True) as other:
        other.execute("CREATE TABLE t (a int)")
    db.conn.execute("COMMENT ON TABLE t IS 'seen by the server, not by our queries'")
    db.conn.execute("COMMIT")
    _created, comment = db.events()
    [element] = comment.objects
    assert element["op"] == "deferred"


def test_a_read_only_transaction_fails_as_it_would_without_us(db: Captured) -> None:
    db.conn.execute("BEGIN READ ONLY")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        db.conn.execute("CREATE TABLE t (a int)")
    db.conn.execute("ROLLBACK")
    assert warnings(db) == []


def test_replica_role_is_captured_too(db: Captured) -> None:
    db.conn.execute("SET session_replication_role = replica")
    assert db.one("CREATE TABLE t (a int)").named("set") == ["table public.t"]


def test_a_role_without_any_right_of_ours(db: Captured) -> None:
    """Its DDL is captured, also where PUBLIC may not even use the schema public or the database."""
    dbname = psycopg.conninfo.conninfo_to_dict(db.dsn)["dbname"]
    db.conn.execute(
        f'REVOKE ALL ON DATABASE "{dbname}" FROM PUBLIC; GRANT CONNECT ON DATABASE "{dbname}" TO {PLAIN};'
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;"
        f"CREATE SCHEMA own AUTHORIZATION {PLAIN};".encode()
    )
    db.events()
    with psycopg.connect(make_conninfo(db.dsn, user=PLAIN, application_name="psql"), autocommit=True) as plain:
        plain.execute("CREATE TABLE own.t (a int PRIMARY KEY)")
        plain.execute("GRANT SELECT ON own.t TO PUBLIC")
        plain.execute("DROP TABLE own.t")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.execute("SELECT * FROM pggit_daemon.ddl_event")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.execute("SELECT pggit_daemon.describe('pg_class'::regclass, 0)")
        pid = plain.info.backend_pid
    events = db.events()
    assert [(e.kind, e.command_tag) for e in events] == [
        ("ddl", "CREATE TABLE"),
        ("ddl", "GRANT"),
        ("drop", "DROP TABLE"),
    ]
    assert {(e.session_user, e.current_user, e.application_name, e.pid) for e in events} == {
        (PLAIN, PLAIN, "psql", pid)
    }


def test_the_role_in_force_is_told_beside_the_session_user(db: Captured) -> None:
    db.conn.execute(f"GRANT CREATE ON SCHEMA public TO {PLAIN}; SET ROLE {PLAIN}".encode())
    db.conn.execute("CREATE TABLE t (a int)")
    db.conn.execute("RESET ROLE")
    event = db.events()[-1]
    assert (event.session_user, event.current_user) == ("postgres", PLAIN)


def test_a_forged_setting_hides_nothing(db: Captured) -> None:
    db.run("CREATE TABLE t (a int)")
    for forged in ("999999999999", "1", "x'; --", ""):
        db.conn.execute("SELECT set_config('pggit_daemon.last_event', %s, false)", [forged])
        assert db.one("GRANT SELECT ON t TO PUBLIC").named("set") == ["table public.t"]
        assert db.one("ALTER TABLE t ADD CHECK (a > 0)").named("set", direct=False) != []
    assert warnings(db) == []


def test_a_hostile_search_path_changes_nothing(db: Captured) -> None:
    """The capture runs with the rights of its owner: names that the user puts in front must not be found."""
    db.conn.execute(f"CREATE SCHEMA own AUTHORIZATION {PLAIN}".encode())
    with psycopg.connect(make_conninfo(db.dsn, user=PLAIN), autocommit=True) as plain:
        plain.execute("CREATE TYPE own.text AS ENUM ('x')")
        plain.execute("CREATE TYPE own.oid AS ENUM ('x')")
        plain.execute(
            "CREATE FUNCTION own.current_setting(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE 'called by %', current_user; END $$"
        )
        plain.execute("SET search_path = own, pg_catalog, pg_temp")
        db.events()
        plain.execute("CREATE TABLE t (a int)")
        plain.execute("DROP TABLE t")
    assert [(e.kind, e.failure) for e in db.events()] == [("ddl", None), ("drop", None)]


# ------------------------------------------------------------------ size


def test_thousands_of_statements_in_one_transaction_stay_quick(db: Captured) -> None:
    """2,000 tables and 2,000 grants: each event tells its own object only, and no cost grows with the square."""
    took: list[float] = []
    with db.conn.transaction():
        for hundred in range(20):
            started = time.perf_counter()
            db.conn.execute(
                f"DO $$ BEGIN FOR i IN {hundred * 100 + 1}..{hundred * 100 + 100} LOOP"
                " EXECUTE format('CREATE TABLE t%s (a int)', i);"
                " EXECUTE format('GRANT SELECT ON t%s TO PUBLIC', i); END LOOP; END $$"
            )
            took.append(time.perf_counter() - started)
    counts = db.conn.execute(
        "SELECT command_tag, count(*), min(jsonb_array_length(objects::jsonb)), max(jsonb_array_length(objects::jsonb))"
        " FROM pggit_daemon.ddl_event GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert counts == [("CREATE TABLE", 2000, 1, 1), ("GRANT", 2000, 1, 1)]
    # The quickest hundred of each end: the machine's other work slows one down, hardly five. A cost that grows with
    # what the transaction did before would make the last ones more than ten times the first; the server's own is 1.4.
    assert min(took[-5:]) < 4 * min(took[:5]), took

"""integrate_flyway and integrate_liquibase with the real tools: the row names its session, and nothing of ours ever
makes the tool fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors

from tests.acceptance.scenes import Scene, until_there

UPSTREAM = """
CREATE FUNCTION public.pggit_flyway_sync() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit.get_current_version();
    RETURN NEW;
END $$;
CREATE TRIGGER pggit_flyway_integration AFTER INSERT OR UPDATE ON public.flyway_schema_history
    FOR EACH ROW EXECUTE FUNCTION public.pggit_flyway_sync()
"""
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal"
SELF_TRACKED = """
SELECT pggit.begin_migration(%(id)s, 'flyway', 'tracked by itself');
%(ddl)s
SELECT pggit.end_migration(%(id)s, checksum => 'abc');
"""


def run(scene: Scene, *statements: str) -> None:
    with psycopg.connect(scene.dsn, autocommit=True, application_name="psql") as conn:
        for statement in statements:
            conn.execute(statement.encode())


def names(scene: Scene, table: str = "public.flyway_schema_history") -> list[str]:
    with psycopg.connect(scene.dsn) as conn:
        return [row[0] for row in conn.execute(TRIGGERS, [table]).fetchall()]


def migrations(scene: Scene) -> list[str]:
    """Of all sources: source, version, status and evidence."""
    scene.caught_up()
    with psycopg.connect(scene.dsn) as conn:
        rows = conn.execute(
            "SELECT concat_ws(' ', source, version, status, coalesce(evidence, 'unlinked'))"
            " FROM pggit.external_migrations ORDER BY source_lsn, source"
        ).fetchall()
    return [row[0] for row in rows]


# ---------------------------------------------------------------- Flyway


@pytest.mark.parametrize("before", [True, False], ids=["before its table", "after"])
def test_flyway(scene: Scene, *, before: bool) -> None:
    """Flyway writes its rows on one connection and runs its scripts on another, so its links go by the writer's lock.

    Asked twice it is the same as once.
    """
    if before:
        run(scene, "SELECT pggit.integrate_flyway('public')", "SELECT pggit.integrate_flyway()")
    scene.scripts(V1__one="CREATE TABLE one (id integer);")
    scene.flyway().migrate().check()
    if not before:
        run(scene, "SELECT pggit.integrate_flyway('public')", "SELECT pggit.integrate_flyway()")
    assert names(scene) == ["pggit_daemon_session"]
    scene.scripts(V2__two="CREATE TABLE two (id integer);", V3__data="INSERT INTO one VALUES (1);")
    scene.flyway().migrate().check()
    found = migrations(scene)
    assert found[:2] == [
        "public.flyway_schema_history 1 applied lock",
        "public.flyway_schema_history 2 applied lock",
    ]
    assert len(found) == 3
    run(scene, "SELECT pggit.remove_integration('flyway')")
    assert names(scene) == []
    assert scene.value("SELECT count(*) FROM pg_event_trigger WHERE evtname = 'pggit_daemon_integrate'") == 0
    with pytest.raises(errors.UndefinedObject) as raised:
        run(scene, "SELECT pggit.remove_integration('flyway')")
    assert raised.value.diag.message_hint


def test_flyway_over_the_broken_trigger_of_upstream(scene: Scene) -> None:
    scene.scripts(V1__one="CREATE TABLE one (id integer);")
    scene.flyway().migrate().check()
    run(scene, UPSTREAM)
    scene.scripts(V2__two="CREATE TABLE two (id integer);")
    assert scene.flyway().migrate().exit_code != 0, "the broken trigger does not fail: the test proves nothing"
    run(scene, "SELECT pggit.integrate_flyway()")
    assert names(scene) == ["pggit_daemon_session"]
    scene.scripts(V2__two=None, V3__three="CREATE TABLE three (id integer);")
    scene.flyway().repair()
    scene.flyway().migrate().check()
    assert migrations(scene)[-1] == "public.flyway_schema_history 3 applied lock"


@contextmanager
def wrecked(scene: Scene, how: str) -> Iterator[None]:
    """Take away what our trigger needs, in one of several ways, while the body runs."""
    with psycopg.connect(scene.dsn, application_name="psql") as conn:
        match how:
            case "the schemas dropped":
                conn.execute("DROP SCHEMA pggit, pggit_daemon CASCADE")
                conn.commit()
            case "the table dropped":
                conn.execute("DROP TABLE pggit_daemon.request CASCADE")
                conn.commit()
            case "its functions dropped":
                conn.execute("DROP FUNCTION pggit_daemon.send_request(text, jsonb) CASCADE")
                conn.commit()
            case "locked":
                conn.execute("LOCK TABLE pggit_daemon.request")
            case "a small statement_timeout":
                conn.execute("ALTER ROLE postgres SET statement_timeout = '2s'")
                conn.commit()
                conn.execute("LOCK TABLE pggit_daemon.request")
        try:
            yield
        finally:
            conn.rollback()
            conn.execute("ALTER ROLE postgres RESET statement_timeout")


@pytest.mark.parametrize(
    "how", ["the schemas dropped", "the table dropped", "its functions dropped", "locked", "a small statement_timeout"]
)
def test_the_tools_never_fail_by_it(unfollowed: Scene, how: str) -> None:
    """Both tools go on, whatever is left of us."""
    scene = unfollowed
    run(scene, "SELECT pggit.integrate_flyway('app')", "SELECT pggit.integrate_liquibase('public')")
    scene.scripts(V1__one="CREATE TABLE app.one (id integer);")
    scene.flyway(schema="app").migrate().check()
    scene.liquibase("ann:1\nCREATE TABLE first (id integer);").update().check()
    with wrecked(scene, how):
        scene.scripts(V2__two="CREATE TABLE app.two (id integer);")
        scene.flyway(schema="app").migrate().check()
        both = ("ann:1\nCREATE TABLE first (id integer);", "ann:2\nCREATE TABLE second (id integer);")
        scene.liquibase(*both).update().check()
    with psycopg.connect(scene.dsn) as conn:
        made = conn.execute("SELECT to_regclass('app.two') IS NOT NULL, to_regclass('second') IS NOT NULL").fetchone()
    assert made == (True, True)


def test_a_statement_timeout_is_not_used_up_by_waiting(unfollowed: Scene) -> None:
    """With the outbox locked, a row is written within a timeout that leaves no time to wait."""
    scene = unfollowed
    run(
        scene,
        "CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, version varchar(50),"
        " description varchar(200), type varchar(20), script varchar(1000), checksum integer,"
        " installed_by varchar(100), installed_on timestamp, execution_time integer, success boolean)",
        "SELECT pggit.integrate_flyway()",
    )
    insert = "INSERT INTO flyway_schema_history (installed_rank) VALUES (%s)"
    with psycopg.connect(scene.dsn) as holder, psycopg.connect(scene.dsn, autocommit=True) as conn:
        conn.execute(insert, [1])  # the function's plans are made
        said: list[str] = []
        conn.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        holder.execute("LOCK TABLE pggit_daemon.request")
        conn.execute("SET statement_timeout = '15ms'")
        for rank in range(2, 12):
            conn.execute(insert, [rank])
    assert len(said) == 10
    assert "could not note the session" in said[0]


def test_a_script_that_tracks_itself_is_one_migration(scene: Scene) -> None:
    """A script that calls begin_migration and end_migration: the tool's row is the migration, with or without DDL."""
    scene.scripts(
        V1__ddl=SELF_TRACKED % {"id": 1, "ddl": "CREATE TABLE one (id integer);"},
        V2__data=SELF_TRACKED % {"id": 2, "ddl": "INSERT INTO one VALUES (1);"},
        V3__first_data=SELF_TRACKED % {"id": 3, "ddl": "INSERT INTO one VALUES (2); CREATE TABLE three (id integer);"},
    )
    scene.flyway().migrate().check()
    found = migrations(scene)
    assert [line.split()[:2] for line in found] == [["public.flyway_schema_history", str(n)] for n in (1, 2, 3)]
    assert scene.value("SELECT count(*) FROM pggit.commits WHERE kind = 'out_of_band'") == 0
    assert scene.value("SELECT count(*) FROM pggit_daemon.open_run") == 0


def test_a_deployment_beside_flyway_stays_its_own(scene: Scene) -> None:
    """A program of another name that tracks its migration while Flyway runs is not taken for Flyway."""
    scene.scripts(V1__slow=f"CREATE TABLE one (id integer); {until_there('nine')};")
    tracked = SELF_TRACKED % {"id": 900, "ddl": "CREATE TABLE nine (id integer);"}
    with scene.meanwhile("public.flyway_schema_history", tracked.replace("\n", " ")):
        scene.flyway().migrate().check()
    assert sorted(migrations(scene)) == ["public.flyway_schema_history 1 applied lock", "sql 900 applied transaction"]


# ---------------------------------------------------------------- Liquibase


@pytest.mark.parametrize("before", [True, False], ids=["before its table", "after"])
def test_liquibase(scene: Scene, *, before: bool) -> None:
    """With the whole old row in the WAL, rollback and runOnChange are seen where they stand."""
    one = "ann:one\nCREATE TABLE one (id integer);\n--rollback DROP TABLE one;"
    two = "ann:two\nCREATE TABLE two (id integer);\n--rollback DROP TABLE two;"
    view = "ann:view runOnChange:true\nCREATE OR REPLACE VIEW v AS SELECT {} AS n;\n--rollback DROP VIEW v;"
    if before:
        run(scene, "SELECT pggit.integrate_liquibase('public')", "SELECT pggit.integrate_liquibase()")
    scene.liquibase(one).update().check()
    if not before:
        run(scene, "SELECT pggit.integrate_liquibase('public')", "SELECT pggit.integrate_liquibase()")
    assert names(scene, "public.databasechangelog") == ["pggit_daemon_session"]
    identity = "SELECT relreplident::text FROM pg_class WHERE oid = 'databasechangelog'::regclass"
    assert scene.value(identity) == "f"
    scene.liquibase(one, two, view.format(1)).update().check()
    scene.liquibase(one, two, view.format("1, 2")).update()
    scene.liquibase(one, two, view.format("1 AS m, 2")).update()
    scene.liquibase(one, two).rollback_count(1)
    found = scene.events()
    assert "applied insert 2" in found
    with psycopg.connect(scene.dsn) as conn:
        evidence = conn.execute(
            "SELECT migration_name, evidence FROM pggit.external_migrations WHERE migration_id > 0 ORDER BY 1"
        ).fetchall()
    assert evidence[:2] == [("one", "session" if before else "bracket"), ("two", "session")]


def test_liquibase_rollback_and_reran_are_seen(scene: Scene) -> None:
    run(scene, "SELECT pggit.integrate_liquibase()")
    view = "ann:view runOnChange:true\nCREATE OR REPLACE VIEW v AS SELECT 1 AS n{};\n--rollback DROP VIEW v;"
    scene.liquibase(view.format("")).update().check()
    scene.liquibase(view.format(", 2 AS m")).update().check()
    scene.liquibase(view.format(", 2 AS m")).rollback_count(1).check()
    events = scene.events()
    assert [line.split()[:2] for line in events if line.split()[0] in {"applied", "reran", "rolled_back"}] == [
        ["applied", "insert"],
        ["reran", "update"],
        ["rolled_back", "delete"],
    ]
    with psycopg.connect(scene.dsn) as conn:
        links = conn.execute("SELECT evidence FROM pggit_daemon.link ORDER BY id").fetchall()
    assert [row[0] for row in links] == ["session", "session", "session"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("integrate_flyway(NULL)", "22004"),
        ("integrate_flyway('')", "22004"),
        ("integrate_flyway('pggit')", "3F000"),
        ("integrate_liquibase('pg_catalog')", "3F000"),
        ("integrate_liquibase(repeat('x', 10000))", "3F000"),
        ("remove_integration('flyway', 'nowhere')", "42704"),
        ("remove_integration(NULL, 'public')", "42704"),
        ("remove_integration('flyway', NULL)", "22004"),
    ],
)
def test_what_is_refused(installed_database: str, call: str, sqlstate: str) -> None:
    with psycopg.connect(installed_database, autocommit=True) as conn:
        with pytest.raises(psycopg.Error) as raised:
            conn.execute(f"SELECT pggit.{call}".encode())
        assert raised.value.diag.sqlstate == sqlstate
        assert raised.value.diag.message_hint
        assert conn.execute("SELECT count(*) FROM pggit_daemon.integration").fetchone() == (0,)
        event_triggers = "SELECT count(*) FROM pg_event_trigger WHERE evtname = 'pggit_daemon_integrate'"
        assert conn.execute(event_triggers).fetchone() == (0,)

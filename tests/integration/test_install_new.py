"""Installing, upgrading and removing on a database of the users' own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.errors import InstallError, PrerequisiteError
from pggit_daemon.install import install, installed_version, plan, state, uninstall
from pggit_daemon.install import upgrade as install_module
from pggit_daemon.install.script import LOCK_KEY
from pggit_daemon.sql import SqlFile, repeatable, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

CATALOGS = ("pg_class", "pg_proc", "pg_type", "pg_constraint", "pg_trigger", "pg_event_trigger", "pg_namespace")


@pytest.fixture
def installed(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a database on which `init` has run."""
    with psycopg.connect(installed_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def catalog(conn: psycopg.Connection[Any], columns: str = "oid, xmin, c.*") -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the catalogs; with xmin: which transaction wrote it."""
    return {
        name: conn.execute(f"SELECT {columns} FROM {name} c WHERE oid >= 16384 ORDER BY oid").fetchall()
        for name in CATALOGS
    }


def test_installing_again_changes_nothing(conn: psycopg.Connection[Any]) -> None:
    first = install(conn)
    assert first.from_version is None
    assert first.to_version == steps()[-1].number == installed_version(conn)
    before = catalog(conn)
    assert len(before["pg_event_trigger"]) == 4

    second = install(conn)

    assert not second.changed
    assert second.from_version == first.to_version
    assert catalog(conn) == before


@pytest.mark.parametrize("number", [steps()[0].number, steps()[-2].number])
def test_upgrade_from_the_first_version_and_from_the_last(
    conn: psycopg.Connection[Any], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is there comes out, and a step that was applied is not applied again."""
    with monkeypatch.context() as patch:
        patch.setattr(install_module, "steps", lambda: tuple(step for step in steps() if step.number <= number))
        patch.setattr(install_module, "repeatable", tuple)
        assert install(conn).to_version == number

    report = install(conn)

    assert report.from_version == number
    assert report.steps == tuple(step.name for step in steps() if step.number > number)
    assert report.repeatable == tuple(file.name for file in repeatable())
    recorded = conn.execute("SELECT number FROM pggit_daemon.schema_step ORDER BY 1").fetchall()
    assert [row[0] for row in recorded] == [step.number for step in steps()]
    assert uninstall(conn).left == ()


def test_the_same_tables_come_of_every_earlier_version(
    conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps before a version and those after it, in two upgrades, are what all of them are in one."""
    monkeypatch.setattr(install_module, "repeatable", tuple)
    install(conn)
    expected = _tables(conn)
    assert len(expected) > 100
    for number in [step.number for step in steps()][:-1]:
        conn.execute("DROP SCHEMA pggit, pggit_daemon CASCADE")
        with monkeypatch.context() as patch:
            earlier = tuple(step for step in steps() if step.number <= number)
            patch.setattr(install_module, "steps", lambda earlier=earlier: earlier)
            assert install(conn).to_version == number
        report = install(conn)
        assert report.from_version == number
        assert report.steps == tuple(step.name for step in steps() if step.number > number)
        assert _tables(conn) == expected


def _tables(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Every column, constraint and index of ours, and which steps are remembered."""
    return conn.execute(
        "WITH ours AS (SELECT oid, relname FROM pg_class"
        "              WHERE relnamespace::regnamespace::text IN ('pggit', 'pggit_daemon'))"
        " SELECT relname, attnum::text, attname, format_type(atttypid, atttypmod) || ' ' || attnotnull || ' '"
        "        || coalesce(pg_get_expr(adbin, adrelid), '')"
        "   FROM ours JOIN pg_attribute ON attrelid = ours.oid"
        "   LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        "  WHERE attnum > 0 AND NOT attisdropped"
        " UNION ALL SELECT relname, 'constraint', conname, pg_get_constraintdef(pg_constraint.oid)"
        "   FROM ours JOIN pg_constraint ON conrelid = ours.oid"
        " UNION ALL SELECT relname, 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)"
        "   FROM ours JOIN pg_index ON indrelid = ours.oid"
        " UNION ALL SELECT 'schema_step', 'step', number::text, name FROM pggit_daemon.schema_step"
        " ORDER BY 1, 2, 3, 4"
    ).fetchall()


def test_a_changed_function_file_is_applied_without_a_new_step(
    installed: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = SqlFile("api/zz.sql", "CREATE FUNCTION pggit_daemon.zz() RETURNS int LANGUAGE sql AS 'SELECT 7';")
    triggers = catalog(installed, "oid")["pg_event_trigger"]
    monkeypatch.setattr(install_module, "repeatable", lambda: (*repeatable(), more))
    report = install(installed)
    assert report.steps == ()
    assert report.changed
    assert installed.execute("SELECT pggit_daemon.zz()").fetchone() == (7,)
    assert catalog(installed, "oid")["pg_event_trigger"] == triggers


def test_functions_of_an_earlier_version_make_room(installed: psycopg.Connection[Any]) -> None:
    installed.execute(
        "DROP FUNCTION pggit_daemon.object_key(oid, oid);"
        "CREATE FUNCTION pggit_daemon.object_key(oid, oid, OUT type text, OUT key text) LANGUAGE sql"
        " AS $$ SELECT '', '' $$;"
        "CREATE FUNCTION pggit_daemon.describe_table(oid) RETURNS pggit_daemon.description LANGUAGE sql"
        " AS 'SELECT NULL::pggit_daemon.description';"
        "CREATE FUNCTION pggit_daemon.of_a_user() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "UPDATE pggit_daemon.repeatable SET sha256 = 'of an earlier version'"
    )
    install(installed)
    left = installed.execute(
        "SELECT proname, pg_get_function_result(oid) FROM pg_proc WHERE pronamespace = 'pggit_daemon'::regnamespace"
        " AND proname IN ('object_key', 'describe_table', 'of_a_user') ORDER BY 1"
    ).fetchall()
    assert left == [("object_key", "TABLE(type text, identity text, key text)"), ("of_a_user", "integer")]


def test_a_newer_installation_is_left_alone(installed: psycopg.Connection[Any]) -> None:
    installed.execute("INSERT INTO pggit_daemon.schema_step (number, name, sha256) VALUES (9999, 'future', '')")
    with pytest.raises(InstallError, match="9999") as caught:
        install(installed)
    assert caught.value.hint == "upgrade pggit-daemon on this machine"
    with pytest.raises(InstallError, match="9999"):
        plan(installed)


def test_a_failing_file_is_named_and_nothing_is_left(
    conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = SqlFile("api/broken.sql", "SELECT 1;\nSELECT no_such_column;")
    monkeypatch.setattr(install_module, "repeatable", lambda: (*repeatable(), broken))
    before = catalog(conn)
    with pytest.raises(InstallError, match=r"api/broken\.sql"):
        install(conn)
    assert catalog(conn) == before


def test_only_a_superuser_may(conn: psycopg.Connection[Any], database: str) -> None:
    conn.execute("DROP ROLE IF EXISTS install_nobody")
    conn.execute("CREATE ROLE install_nobody LOGIN")
    with (
        psycopg.connect(make_conninfo(database, user="install_nobody"), autocommit=True) as plain,
        pytest.raises(PrerequisiteError, match="install_nobody") as caught,
    ):
        install(plain)
    assert "--dsn" in str(caught.value.hint)
    assert "ALTER ROLE" not in str(caught.value.hint), "it may be the daemon's role, which needs no such right"
    conn.execute("DROP ROLE install_nobody")


def test_whoever_is_in_the_way_is_named(
    installed: psycopg.Connection[Any], installed_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LOCK_TIMEOUT", "200ms")
    with psycopg.connect(installed_database, application_name="the one in the way") as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        with pytest.raises(InstallError, match="the one in the way") as caught:
            install(installed)
        assert str(other.info.backend_pid) in str(caught.value)
        other.rollback()
        other.execute("LOCK pggit_daemon.ddl_event IN ACCESS SHARE MODE")
        with pytest.raises(InstallError, match="the one in the way"):
            uninstall(installed)
    assert installed_version(installed) is not None


def test_two_installations_at_once_are_one(database: str) -> None:
    """The second one waits for the first and finds nothing to do."""
    reports = []

    def run() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            reports.append(install(connection))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.changed for report in reports) == [False, True]


def test_the_daemons_role_gets_what_it_needs_and_no_more(conn: psycopg.Connection[Any], database: str) -> None:
    conn.execute("DROP ROLE IF EXISTS install_worker")
    try:
        install(conn, daemon_role="install_worker")
        with psycopg.connect(make_conninfo(database, user="install_worker"), autocommit=True) as worker:
            worker.execute("INSERT INTO pggit.commits (hash, branch_id) VALUES ('x', 1)")
            worker.execute("UPDATE pggit.branches SET head_commit_hash = 'x'")
            worker.execute("INSERT INTO pggit_daemon.blob VALUES ('\\x00', '', NULL, '{}')")
            worker.execute("SELECT * FROM pggit_daemon.snapshot()")
            worker.execute("DELETE FROM pggit_daemon.ddl_event")
            for forbidden in (
                "INSERT INTO pggit_daemon.request (action, arguments) VALUES ('x', '{}')",
                "UPDATE pggit_daemon.schema_step SET name = ''",
                "UPDATE pggit_daemon.ddl_event SET pid = 1",
                "DROP TABLE pggit_daemon.ddl_event",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    worker.execute(forbidden.encode())
    finally:
        conn.execute("DROP OWNED BY install_worker")
        conn.execute("DROP ROLE install_worker")


def test_init_makes_a_role_that_can_follow_the_database(conn: psycopg.Connection[Any]) -> None:
    """LOGIN, REPLICATION and pg_read_all_stats, also for a role that lacks them; reading the tables is asked for."""
    conn.execute("DROP ROLE IF EXISTS install_follower")
    conn.execute("CREATE ROLE install_follower")
    rights = (
        "SELECT rolcanlogin, rolreplication, pg_has_role(oid, 'pg_read_all_stats', 'MEMBER'),"
        " pg_has_role(oid, 'pg_read_all_data', 'MEMBER') FROM pg_roles WHERE rolname = 'install_follower'"
    )
    try:
        notes = install(conn, daemon_role="install_follower").notes
        assert conn.execute(rights).fetchone() == (True, True, True, False)
        assert 'GRANT pg_read_all_data TO "install_follower";' in notes[-1]
        assert any("max_slot_wal_keep_size" in note for note in notes)
        notes = install(conn, daemon_role="install_follower", read_all_data=True).notes
        assert conn.execute(rights).fetchone() == (True, True, True, True)
        assert not any("GRANT" in note for note in notes)
    finally:
        conn.execute("DROP OWNED BY install_follower")
        conn.execute("DROP ROLE install_follower")


def test_an_upgrade_gives_the_daemons_role_what_has_come_since(conn: psycopg.Connection[Any], database: str) -> None:
    """Also when nobody names it again: the daemon that is running must not lose its rights."""
    conn.execute("DROP ROLE IF EXISTS install_upgraded")
    try:
        install(conn, daemon_role="install_upgraded")
        conn.execute("UPDATE pggit_daemon.repeatable SET sha256 = 'of an earlier version'")
        conn.execute("DROP FUNCTION pggit_daemon.findings(text)")
        assert install(conn).changed
        with psycopg.connect(make_conninfo(database, user="install_upgraded"), autocommit=True) as worker:
            assert worker.execute("SELECT status FROM pggit_daemon.findings(NULL)").fetchall() == [("pending",)]
    finally:
        conn.execute("DROP OWNED BY install_upgraded")
        conn.execute("DROP ROLE install_upgraded")


def test_nobody_else_gets_anything_of_ours(installed: psycopg.Connection[Any]) -> None:
    open_to_public = installed.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'pggit_daemon'::regnamespace"
        " AND has_function_privilege('pg_monitor', oid, 'EXECUTE')"
        " UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'pggit_daemon'::regnamespace"
        " AND relkind IN ('r', 'v') AND has_table_privilege('pg_monitor', oid, 'SELECT')"
    ).fetchall()
    assert open_to_public == []
    monitor = "SELECT has_schema_privilege('pg_monitor', 'pggit_daemon', 'USAGE')"
    assert installed.execute(monitor).fetchone() == (False,)


def test_uninstall_leaves_the_database_as_it_was(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE customers (id int PRIMARY KEY)")
    before = catalog(conn)
    assert uninstall(conn).version is None
    install(conn)
    report = uninstall(conn)
    assert report.version == steps()[-1].number
    assert report.left == ()
    assert catalog(conn) == before
    assert installed_version(conn) is None


def test_objects_of_users_in_our_schema_stay_and_are_named(installed: psycopg.Connection[Any]) -> None:
    installed.execute("CREATE TABLE pggit.mine (id int); INSERT INTO pggit.mine VALUES (1)")
    installed.execute("CREATE FUNCTION pggit.of_mine() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert uninstall(installed).left == ("function pggit.of_mine()", "table pggit.mine")
    assert installed.execute("SELECT count(*) FROM pggit.mine").fetchone() == (1,)
    assert installed.execute("SELECT to_regclass('pggit.commits')").fetchone() == (None,)


def test_uninstall_does_not_take_users_objects_along(installed: psycopg.Connection[Any]) -> None:
    installed.execute("CREATE VIEW report AS SELECT count(*) FROM pggit.commits")
    installed.execute("CREATE VIEW pggit.mine AS SELECT count(*) FROM pggit_daemon.ddl_event")
    before = catalog(installed)
    with pytest.raises(InstallError, match=r"view pggit\.mine, view public\.report"):
        uninstall(installed)
    assert catalog(installed) == before

"""Who may use what of schema pggit: the contract's list is what is there, and nobody has more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install, uninstall
from tests.integration.api_support import followed, history_table, migrate, synced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

Connection = psycopg.Connection[Any]
ROLES = {"api_nobody": None, "api_reader": "pggit_reader", "api_migrator": "pggit_migrator"}


@pytest.fixture
def conn(installed_database: str) -> Iterator[Connection]:
    """Give a connection beside three roles that may log in: with no right, as a reader, as a migrator."""
    with psycopg.connect(installed_database, autocommit=True) as connection:
        for role, group in ROLES.items():
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
            connection.execute(f"CREATE ROLE {role} LOGIN {f'IN ROLE {group}' if group else ''}".encode())
        yield connection
        for role in ROLES:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def _as(conn: Connection, role: str) -> Connection:
    return psycopg.connect(make_conninfo(conn.info.dsn, user=role), autocommit=True)


def test_the_contract_is_what_is_there(conn: Connection) -> None:
    """Every function of schema pggit with its arguments and result, no more and no less."""
    there = conn.execute(
        "SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid) FROM pg_proc"
        " WHERE pronamespace = 'pggit'::regnamespace ORDER BY 1, 2"
    ).fetchall()
    listed = conn.execute("SELECT name, arguments, result FROM pggit_daemon.contract() ORDER BY 1, 2").fetchall()
    assert there == listed


def test_the_settings_of_whoever_installs_do_not_matter(database: str) -> None:
    """The list is compared as text; under any settings each function gets its privileges."""
    options = "-c intervalstyle=sql_standard -c datestyle=german -c search_path=pg_temp"
    with psycopg.connect(make_conninfo(database, options=options), autocommit=True) as installer:
        install(installer)
        closed = "SELECT has_function_privilege('pg_monitor', 'pggit.wait_for_sync(interval)', 'EXECUTE')"
        assert installer.execute(closed).fetchone() == (False,)


def test_the_daemons_role_can_read_the_findings(conn: Connection) -> None:
    install(conn, daemon_role="api_nobody")
    with _as(conn, "api_nobody") as worker:
        assert worker.execute("SELECT status FROM pggit_daemon.findings(NULL)").fetchall() == [("pending",)]


def test_everything_public_has_a_comment(conn: Connection) -> None:
    silent = conn.execute(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'pggit'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL"
        " UNION ALL SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'pggit'::regnamespace"
        " AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL"
        " UNION ALL SELECT c.oid::regclass || '.' || attname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid"
        " WHERE relnamespace = 'pggit'::regnamespace AND relname IN ('migration_history', 'commit_changes')"
        " AND col_description(c.oid, attnum) IS NULL"
    ).fetchall()
    assert silent == []


@pytest.mark.parametrize(
    ("role", "audiences"),
    [
        ("api_nobody", {"public"}),
        ("api_reader", {"public", "reader"}),
        ("api_migrator", {"public", "reader", "migrator"}),
    ],
)
def test_a_role_may_call_what_the_contract_says(conn: Connection, role: str, audiences: set[str]) -> None:
    rows = conn.execute(
        "SELECT p.oid::regprocedure::text, c.audience, has_function_privilege(%s, p.oid, 'EXECUTE')"
        " FROM pggit_daemon.contract() AS c JOIN pg_proc AS p ON p.proname = c.name"
        " AND p.pronamespace = 'pggit'::regnamespace AND pg_get_function_arguments(p.oid) = c.arguments",
        [role],
    ).fetchall()
    assert {name for name, _, may in rows if may} == {name for name, audience, _ in rows if audience in audiences}


def test_a_reader_reads_and_writes_nothing(conn: Connection, tmp_path: Path) -> None:
    """Each reading function and view really works with its caller's rights; the file does not get written."""
    with followed(conn.info.dsn, tmp_path) as (worker, _daemon):
        history_table(worker)
        migrate(worker, 1, "CREATE TABLE t (id int PRIMARY KEY)")
        # A gap, so that there is a finding: whether the stopped daemon is behind depends on what else is written.
        migrate(worker, 3)
        synced(worker)
    with _as(conn, "api_reader") as reader:
        for call in (
            "pggit.migration_history",
            "pggit.commit_changes",
            "pggit.external_migrations",
            "pggit.commits",
            "pggit.validate_migrations()",
            "pggit.analyze_migration_impact(1)",
            "pggit.export_migration_schema(1)",
            "pggit.schema_at('head')",
            "pggit.diff('@1', 'head')",
            "pggit.object_history('t')",
        ):
            assert reader.execute(f"SELECT * FROM {call}".encode()).fetchall(), call
        findings = reader.execute("SELECT message FROM pggit.validate_migrations() WHERE status = 'gap'")
        assert findings.fetchall() == [("Missing migration 2",)]
        for call in ("pggit.drift()", "pggit.list_conflicts()", "pggit.wait_for_sync('0 s')"):
            reader.execute(f"SELECT * FROM {call}".encode())
        with pytest.raises(errors.InsufficientPrivilege, match="api_reader may not write files") as caught:
            reader.execute("SELECT pggit.export_migration_schema(1, '/tmp/pggit_reader.sql')")
        assert "pggit-daemon export 1 --output" in (caught.value.diag.message_hint or "")
        for forbidden in (
            "SELECT pggit.resolve_conflict(1, 'x')",
            "INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (5, 'x')",
            "DELETE FROM pggit.commits",
            "SELECT * FROM pggit_daemon.secret",
            "SELECT pggit_daemon.tell('x', '{}')",
            "SELECT pggit_daemon.findings(NULL)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(forbidden.encode())
        conn.execute("GRANT pg_write_server_files TO api_reader")
        path = f"{conn.execute('SHOW data_directory').fetchall()[0][0]}/pggit_reader.sql"
        text = reader.execute("SELECT pggit.export_migration_schema(1, %s)", [path]).fetchall()[0][0]
        assert conn.execute("SELECT pg_read_file(%s)", [path]).fetchone() == (text,)


def test_a_file_is_written_unchanged_or_not_at_all(conn: Connection, tmp_path: Path) -> None:
    """Backslashes, quotes and tabs come out as they are; what COPY would change is refused with the way out."""
    folder = conn.execute("SHOW data_directory").fetchall()[0][0]
    with followed(conn.info.dsn, tmp_path) as (worker, _daemon):
        history_table(worker)
        body = "SELECT E'a\\\\n\\tb', '\"x\"'\n\n;\n"
        migrate(worker, 1, f"CREATE FUNCTION odd() RETURNS SETOF record LANGUAGE sql AS $f$ {body} $f$")
        migrate(worker, 2, "CREATE FUNCTION dos() RETURNS int LANGUAGE sql AS E'SELECT\\r\\n1'")
        synced(worker)
    text = conn.execute("SELECT pggit.export_migration_schema(1, %s)", [f"{folder}/odd.sql"]).fetchall()[0][0]
    assert body in text
    assert conn.execute("SELECT pg_read_file(%s)", [f"{folder}/odd.sql"]).fetchone() == (text,)
    with pytest.raises(errors.FeatureNotSupported) as caught:
        conn.execute("SELECT pggit.export_migration_schema(2, %s)", [f"{folder}/dos.sql"])
    assert "pggit-daemon export 2 --output" in (caught.value.diag.message_hint or "")


def test_a_role_without_any_right_can_still_migrate(conn: Connection) -> None:
    conn.execute("CREATE SCHEMA app AUTHORIZATION api_nobody")
    conn.execute("REVOKE USAGE ON SCHEMA pggit FROM PUBLIC")
    with _as(conn, "api_nobody") as nobody:
        nobody.execute("CREATE TABLE app.t (id int PRIMARY KEY)")
        with pytest.raises(errors.InsufficientPrivilege):
            nobody.execute("SELECT * FROM pggit.migration_history")
    assert conn.execute("SELECT count(*) FROM pggit_daemon.ddl_event WHERE failure IS NOT NULL").fetchone() == (0,)


def test_roles_stay_while_another_database_needs_them(conn: Connection, cluster: Databases) -> None:
    """They belong to the whole server: the template of these tests still needs them."""
    cluster.create_database("api_roles")
    try:
        with psycopg.connect(cluster.dsn("api_roles"), autocommit=True) as other:
            install(other)
            uninstall(other)
            roles = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'pggit_%' ORDER BY 1"
            assert [row[0] for row in other.execute(roles)] == ["pggit_migrator", "pggit_reader"]
            left = other.execute(
                "SELECT count(*) FROM pg_shdepend"
                " WHERE refobjid IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'pggit_%')"
                " AND dbid = (SELECT oid FROM pg_database WHERE datname = 'api_roles')"
            ).fetchone()
            assert left == (0,)
    finally:
        cluster.drop_database("api_roles")
    assert conn.execute("SELECT has_function_privilege('pggit_reader', 'pggit.drift()', 'EXECUTE')").fetchone() == (
        True,
    )

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


@pytest.mark.parametrize(("role", "reads"), [("api_nobody", False), ("api_reader", True), ("api_migrator", True)])
def test_a_role_may_read_what_the_contract_says(conn: Connection, role: str, *, reads: bool) -> None:
    rows = conn.execute(
        "SELECT DISTINCT has_function_privilege(%s, p.oid, 'EXECUTE')"
        " FROM pggit_daemon.contract() AS c JOIN pg_proc AS p ON p.proname = c.name AND c.audience = 'reader'"
        " AND p.pronamespace = 'pggit'::regnamespace AND pg_get_function_arguments(p.oid) = c.arguments",
        [role],
    ).fetchall()
    assert rows == [(reads,)]


WRITES = {
    "begin_migration": "(1, 'custom')",
    "end_migration": "(1)",
    "link_migration": "(1)",
    "begin_deployment": "('x')",
    "end_deployment": "()",
    "integrate": "('pg_class')",
    "integrate_flyway": "()",
    "integrate_liquibase": "()",
    "remove_integration": "('flyway')",
    "resolve_conflict": "(1, 'x')",
    "acknowledge_finding": "('x', 'y')",
    "reopen_finding": "('x')",
}


@pytest.mark.parametrize("role", ["api_nobody", "api_reader"])
def test_who_is_no_migrator_writes_nothing_and_is_told_how(conn: Connection, role: str) -> None:
    """Nothing is recorded, and the functions behind those of schema pggit are out of reach, too."""
    listed = conn.execute("SELECT name FROM pggit_daemon.contract() WHERE audience = 'migrator'").fetchall()
    assert {name for (name,) in listed} == WRITES.keys()
    with _as(conn, role) as stranger:
        for name, arguments in WRITES.items():
            with pytest.raises(errors.InsufficientPrivilege, match=f"role {role} may not call pggit.{name}") as caught:
                stranger.execute(f"SELECT pggit.{name}{arguments}".encode())
            assert caught.value.diag.message_hint == f"As a superuser: GRANT pggit_migrator TO {role};"
        for (signature,) in conn.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.pronamespace = 'pggit_daemon'::regnamespace"
        ).fetchall():
            allowed = conn.execute("SELECT has_function_privilege(%s, %s, 'EXECUTE')", [role, signature]).fetchall()
            reads = ("migration_script", "write_file", "impact_level")
            assert allowed == [(role == "api_reader" and signature.split("(")[0].split(".")[1] in reads,)], signature
        with pytest.raises(errors.InsufficientPrivilege):
            stranger.execute("INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (-2, 'flyway')")
    assert conn.execute("SELECT count(*) FROM pggit_daemon.request").fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM pggit_daemon.ddl_event").fetchone() == (0,)


def test_a_migrator_fills_what_users_know_and_nothing_else(conn: Connection) -> None:
    with _as(conn, "api_migrator") as migrator:
        migrator.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, migration_name, checksum, success)"
            " VALUES (-7, 'rollback', 'Rollback of migration 7', 'abc', true)"
        )
        for column, value in {
            "pggit_commit_id": "1",
            "evidence": "'transaction'",
            "source": "'public.flyway_schema_history'",
            "source_lsn": "'0/1'",
            "status": "'rolled_back'",
            "sequence": "1",
            "rollback_of": "2",
        }.items():
            with pytest.raises(errors.InsufficientPrivilege):
                migrator.execute(
                    f"INSERT INTO pggit.external_migrations (migration_id, tool_name, {column})"
                    f" VALUES (8, 'x', {value})".encode()
                )
        for forbidden in (
            "UPDATE pggit.external_migrations SET success = false",
            "DELETE FROM pggit.external_migrations",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                migrator.execute(forbidden.encode())


@pytest.mark.parametrize(
    "call",
    [
        "SELECT pggit.begin_migration(-2, 'flyway')",
        "SELECT pggit.end_migration(-2, success => false)",
        "SELECT pggit.link_migration(-2, 'undone', 'flyway')",
        "INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (-2, 'flyway')",
        "INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (-2, 'rollback')",
    ],
)
def test_a_rollback_is_of_what_its_caller_may_undo(conn: Connection, call: str) -> None:
    """Flyway's migrations are undone by whoever may write its table; what the SQL API recorded, by any migrator."""
    conn.execute("CREATE TABLE public.flyway_schema_history (installed_rank int PRIMARY KEY)")
    conn.execute(
        "INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)"
        " VALUES ('public.flyway_schema_history', 'flyway', 'flyway', 'public', 'flyway_schema_history', 'discovered')"
    )
    conn.execute(
        "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, pggit_commit_id)"
        " VALUES (2, 'flyway', 'public.flyway_schema_history', NULL)"
    )
    conn.execute("DELETE FROM pggit_daemon.request")
    requests = "SELECT count(*) FROM pggit_daemon.request"
    with _as(conn, "api_migrator") as migrator:
        with pytest.raises(errors.InsufficientPrivilege, match="may not roll back migration 2 of flyway") as caught:
            migrator.execute(call.encode())
        assert "Undo it with its tool" in (caught.value.diag.message_hint or "")
        assert conn.execute(requests).fetchone() == (0,)
        conn.execute("GRANT INSERT ON public.flyway_schema_history TO api_migrator")
        with migrator.transaction(force_rollback=True):
            migrator.execute(call.encode())
        conn.execute("REVOKE INSERT ON public.flyway_schema_history FROM api_migrator")
        conn.execute("UPDATE pggit.external_migrations SET source = 'sql' WHERE migration_id = 2")
        with migrator.transaction(force_rollback=True):
            migrator.execute(call.encode())


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
            "SELECT pggit_daemon.send_request('x', '{}')",
            "SELECT pggit_daemon.findings(NULL)",
            "SELECT pggit_daemon.begin_migration(1, 'x', 'x')",
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
            assert [row[0] for row in other.execute(roles)] == [
                "pggit_api",
                "pggit_capture",
                "pggit_migrator",
                "pggit_reader",
            ]
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

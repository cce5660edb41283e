"""What begin_migration and end_migration refuse, and whom."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from sandbox.databases import Databases
from tests.integration.api_write_support import Connection, Followed
from tests.integration.tracked import begin, create, end

NO_MIGRATION = [
    ("NULL, 'custom'", "22004"),
    ("0, 'custom'", "22003"),
    ("-9223372036854775808, 'custom'", "22003"),
    ("5, ''", "22023"),
    ("5, '  '", "22023"),
    ("5, NULL", "22023"),
    ("5, repeat('x', 10000)", "22001"),
    ("5, 'custom', repeat('x', 10001)", "22001"),
]


@pytest.mark.parametrize(("arguments", "sqlstate"), NO_MIGRATION)
def test_what_cannot_be_a_migration(api: Followed, conn: Connection, arguments: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        conn.execute(f"SELECT pggit.begin_migration({arguments})".encode())
    assert raised.value.diag.sqlstate == sqlstate
    assert raised.value.diag.message_hint
    assert api.value("SELECT count(*) FROM pggit_daemon.request") == 0
    assert api.value("SELECT count(*) FROM pggit_daemon.open_run WHERE migration_id = 5") == 0


@pytest.mark.parametrize("migration_id", ["NULL", "0", "-9223372036854775808"])
def test_what_cannot_be_ended(conn: Connection, migration_id: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        conn.execute(f"SELECT pggit.end_migration({migration_id}, success => false)".encode())
    assert raised.value.diag.sqlstate in {"22004", "22003"}
    assert raised.value.diag.message_hint


def test_the_largest_values(api: Followed, conn: Connection) -> None:
    largest = (1 << 63) - 1
    conn.execute("SELECT pggit.begin_migration(%s, repeat('t', 200), repeat('n', 10000))", [largest])
    create(conn, "largest")
    conn.execute("SELECT pggit.end_migration(%s, repeat('c', 20000), true, repeat('e', 20000))", [largest])
    assert api.migration(largest, "length(migration_name)", "length(checksum)", tool="t" * 200) == (10000, 10000)
    begin(conn, -largest)
    end(conn, -largest)
    assert api.migration(-largest, "rollback_of") == (largest,)
    assert api.commits() == [f"migration {'t' * 200}:{largest}/session: public.largest"]
    assert api.without_ddl() == [f"custom:-{largest}/none"]


def test_a_role_without_any_right(api: Followed, number: int, cluster: Databases) -> None:
    """It is told what it lacks. As a migrator it tracks its migrations, and still cannot touch what is recorded."""
    with api.connect() as admin:
        admin.execute("DROP ROLE IF EXISTS nobody_special")
        admin.execute("CREATE ROLE nobody_special LOGIN")
        admin.execute(f"CREATE SCHEMA s{number} AUTHORIZATION nobody_special".encode())
    dsn = cluster.dsn(str(api.value("SELECT current_database()")), "nobody_special")
    with psycopg.connect(dsn, autocommit=True) as conn:
        for call in ("begin_migration(1, 'custom')", "end_migration(1)", "begin_deployment('x')", "end_deployment()"):
            with pytest.raises(errors.InsufficientPrivilege, match="no member of pggit_migrator") as raised:
                conn.execute(f"SELECT pggit.{call}".encode())
            assert "GRANT pggit_migrator TO nobody_special" in str(raised.value.diag.message_hint)
        with api.connect() as admin:
            admin.execute("GRANT pggit_migrator TO nobody_special")
        conn.execute("SELECT pggit.begin_migration(%s, 'custom', 'mine')", [number])
        create(conn, f"s{number}.t{number}")
        conn.execute("SELECT pggit.end_migration(%s)", [number])
        conn.execute("SELECT pggit.begin_deployment('mine')")
        conn.execute("SELECT pggit.end_deployment()")
        for forbidden in (
            "DELETE FROM pggit.external_migrations",
            "SELECT * FROM pggit_daemon.secret",
            "SELECT pggit_daemon.send_request('link', '{}')",
            "SELECT pggit_daemon.send_message('end', '{}')",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                conn.execute(forbidden.encode())
    assert api.commits()[-1] == f"migration custom:{number}/session: s{number}.t{number}"
    assert api.migration(number, "applied_by") == ("nobody_special",)
    with api.connect() as admin:
        admin.execute("DROP OWNED BY nobody_special")
        admin.execute("DROP ROLE nobody_special")

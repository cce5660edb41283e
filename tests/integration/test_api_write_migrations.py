"""begin_migration and end_migration: what a session runs between them is the migration's, and nothing else is."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors

from sandbox.databases import Databases
from tests.integration.api_write_support import Connection, Followed, following

_ids = itertools.count(101)

WRAPPER = """
CREATE OR REPLACE FUNCTION run_migration(p_migration_id bigint, p_name text, p_sql text) RETURNS void AS $$
DECLARE
    v_deployment_id uuid;
BEGIN
    v_deployment_id := pggit.begin_migration(p_migration_id, 'custom', p_name);
    EXECUTE p_sql;
    PERFORM pggit.end_migration(p_migration_id, checksum => md5(p_sql), success => true);
EXCEPTION WHEN OTHERS THEN
    PERFORM pggit.end_migration(p_migration_id, success => false, error_message => SQLERRM);
    RAISE;
END;
$$ LANGUAGE plpgsql
"""


@pytest.fixture(scope="module")
def shared(cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    with following(cluster, installed_template, tmp_path_factory.mktemp("migrations")) as followed:
        with followed.connect() as conn:
            conn.execute(WRAPPER)
        yield followed


@pytest.fixture
def api(shared: Followed) -> Followed:
    shared.start()
    return shared


@pytest.fixture
def conn(api: Followed) -> Iterator[Connection]:
    with api.connect() as connection:
        yield connection


@pytest.fixture
def number() -> int:
    """The id of a migration; its table is called `t<id>`."""
    return next(_ids)


def begin(conn: Connection, number: int, name: str = "a name") -> Any:
    row = conn.execute("SELECT pggit.begin_migration(%s, 'custom', %s)", [number, name]).fetchone()
    return row[0] if row else None


def end(conn: Connection, number: int, *, success: bool = True, error: str | None = None) -> None:
    conn.execute("SELECT pggit.end_migration(%s, success => %s, error_message => %s)", [number, success, error])


def create(conn: Connection, table: str) -> None:
    conn.execute(f"CREATE TABLE {table} (id integer)".encode())


# ---------------------------------------------------------------- ways of calling


def test_named_arguments_as_the_document_has_them(api: Followed, conn: Connection, number: int) -> None:
    with conn.transaction():
        conn.execute(
            "SELECT pggit.begin_migration(migration_id => %s, tool_name => 'custom', migration_name => 'prefs')",
            [number],
        )
        create(conn, f"t{number}")
        conn.execute("SELECT pg_sleep(0.05)")
        conn.execute("SELECT pggit.end_migration(migration_id => %s, checksum => 'abc123', success => true)", [number])
    assert api.commits() == [f"migration custom:{number}/transaction: public.t{number}"]
    found = api.migration(
        number, "migration_name", "checksum", "success", "status", "source", "evidence", "execution_time", "applied_by"
    )
    assert found is not None
    assert found[:6] == ("prefs", "abc123", True, "applied", "sql", "transaction")
    assert timedelta(milliseconds=50) <= found[6] < timedelta(seconds=20)
    assert found[7] == "postgres"


def test_defaults(api: Followed, conn: Connection, number: int) -> None:
    """Without a tool it is Flyway's, without a name it has none, and it has succeeded."""
    with conn.transaction():
        conn.execute("SELECT pggit.begin_migration(%s)", [number])
        conn.execute("SELECT pggit.end_migration(%s)", [number])
    assert (api.commits(), api.without_ddl()) == ([], [f"flyway:{number}/none"])
    assert api.migration(number, "migration_name", "checksum", "success", tool="flyway") == (None, None, True)


def test_null_success_is_success(api: Followed, conn: Connection, number: int) -> None:
    begin(conn, number)
    conn.execute("SELECT pggit.end_migration(%s, NULL, NULL, NULL)", [number])
    assert api.migration(number, "success", "status") == (True, "applied")


# ---------------------------------------------------------------- whose DDL


def test_several_transactions_of_one_session(api: Followed, conn: Connection, number: int) -> None:
    begin(conn, number)
    create(conn, f"t{number}a")
    create(conn, f"t{number}b")
    end(conn, number)
    assert api.commits() == [
        f"migration custom:{number}/session+: public.t{number}a",
        f"migration custom:{number}/session: public.t{number}b",
    ]
    linked = "pggit_commit_id = (SELECT max(id) FROM pggit.commits)"
    assert api.migration(number, linked) == (True,)


def test_the_last_statements_may_stand_beside_the_end(api: Followed, conn: Connection, number: int) -> None:
    begin(conn, number)
    create(conn, f"t{number}a")
    with conn.transaction():
        create(conn, f"t{number}b")
        end(conn, number)
        create(conn, f"t{number}_after")
    assert api.commits() == [
        f"migration custom:{number}/session+: public.t{number}a",
        f"migration custom:{number}/session: public.t{number}b",
        f"out_of_band: public.t{number}_after",
    ]


def test_other_sessions_are_not_the_migration(api: Followed, conn: Connection, number: int) -> None:
    """The same role, the same program, at the same time: only the session counts."""
    with api.connect() as other:
        begin(conn, number)
        create(other, f"t{number}_other")
        create(conn, f"t{number}")
        create(other, f"t{number}_another")
        end(conn, number)
    assert api.commits() == [
        f"out_of_band: public.t{number}_other",
        f"migration custom:{number}/session: public.t{number}",
        f"out_of_band: public.t{number}_another",
    ]


def test_before_and_behind_in_one_transaction(api: Followed, conn: Connection, number: int) -> None:
    with conn.transaction():
        create(conn, f"t{number}_before")
        begin(conn, number)
        create(conn, f"t{number}")
        end(conn, number)
        create(conn, f"t{number}_behind")
    assert api.commits() == [
        f"out_of_band: public.t{number}_before",
        f"migration custom:{number}/transaction: public.t{number}",
        f"out_of_band: public.t{number}_behind",
    ]


@pytest.mark.parametrize("together", [True, False], ids=["one transaction", "several"])
def test_nested(api: Followed, conn: Connection, *, together: bool) -> None:
    """The inner migration's DDL is its own; the outer has what stands around it."""
    outer, inner = next(_ids), next(_ids)
    with conn.transaction() if together else nullcontext():
        begin(conn, outer)
        create(conn, f"t{outer}a")
        begin(conn, inner)
        create(conn, f"t{inner}")
        end(conn, inner)
        create(conn, f"t{outer}b")
        end(conn, outer)
    evidence = "transaction" if together else "session"
    assert api.commits() == [
        f"migration custom:{outer}/{evidence}+: public.t{outer}a",
        f"migration custom:{inner}/{evidence}: public.t{inner}",
        f"migration custom:{outer}/{evidence}: public.t{outer}b",
    ]


def test_begun_while_another_is_open(api: Followed, conn: Connection) -> None:
    """One may end after the other has begun: DDL is of the one that was begun last and is still open."""
    first, second = next(_ids), next(_ids)
    begin(conn, first)
    begin(conn, second)
    create(conn, f"t{second}")
    end(conn, first)
    end(conn, second)
    assert api.commits() == [f"migration custom:{second}/session: public.t{second}"]
    assert api.without_ddl() == [f"custom:{first}/none"]


def test_repeated(api: Followed, conn: Connection, number: int) -> None:
    """Run again after its end, it has two commits and is linked to the newer."""
    for table in ("one", "two"):
        begin(conn, number, table)
        create(conn, f"t{number}_{table}")
        end(conn, number)
    assert api.commits() == [
        f"migration custom:{number}/session: public.t{number}_one",
        f"migration custom:{number}/session: public.t{number}_two",
    ]
    assert api.migration(number, "migration_name", "status") == ("two", "applied")


def test_a_savepoint_around_it(api: Followed, conn: Connection, number: int) -> None:
    """What is rolled back was never there, and the session has nothing open."""
    with conn.transaction():
        conn.execute("SAVEPOINT here")
        begin(conn, number)
        create(conn, f"t{number}")
        end(conn, number)
        conn.execute("ROLLBACK TO SAVEPOINT here")
        create(conn, f"t{number}_other")
    assert api.commits() == [f"out_of_band: public.t{number}_other"]
    assert api.migration(number, "status") is None
    with pytest.raises(errors.ObjectNotInPrerequisiteState):
        end(conn, number)


def test_a_savepoint_inside_it(api: Followed, conn: Connection, number: int) -> None:
    with conn.transaction():
        begin(conn, number)
        conn.execute("SAVEPOINT here")
        create(conn, f"t{number}_gone")
        conn.execute("ROLLBACK TO SAVEPOINT here")
        create(conn, f"t{number}")
        end(conn, number)
    assert api.commits() == [f"migration custom:{number}/transaction: public.t{number}"]


def test_a_negative_id_is_a_rollback(api: Followed, conn: Connection, number: int) -> None:
    with conn.transaction():
        begin(conn, number)
        create(conn, f"t{number}")
        end(conn, number)
    with conn.transaction():
        begin(conn, -number)
        conn.execute(f"DROP TABLE t{number}".encode())
        end(conn, -number)
    assert api.commits() == [
        f"migration custom:{number}/transaction: public.t{number}",
        f"rollback custom:-{number}/transaction: public.t{number}",
    ]
    assert api.migration(-number, "status", "rollback_of") == ("rollback", number)
    assert api.migration(number, "status") == ("rolled_back",)


# ---------------------------------------------------------------- not as it should be


def test_never_ended(api: Followed, conn: Connection, number: int) -> None:
    """It stays as started, with the commits of what it ran."""
    begin(conn, number)
    create(conn, f"t{number}")
    assert api.commits() == [f"migration custom:{number}/session+: public.t{number}"]
    assert api.migration(number, "status", "pggit_commit_id") == ("started", None)


def test_ended_twice(conn: Connection, number: int) -> None:
    begin(conn, number)
    end(conn, number)
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="has ended") as raised:
        end(conn, number)
    assert "link_migration" in str(raised.value.diag.message_hint)


def test_success_without_a_begin(api: Followed, conn: Connection, number: int) -> None:
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="was not begun in this session") as raised:
        end(conn, number)
    assert "pggit.begin_migration" in str(raised.value.diag.message_hint)
    assert api.migration(number, "status") is None


def test_another_session_cannot_end_it(api: Followed, conn: Connection, number: int) -> None:
    begin(conn, number)
    with api.connect() as other, pytest.raises(errors.ObjectNotInPrerequisiteState):
        end(other, number)
    end(conn, number)


def test_failure_without_a_begin(api: Followed, conn: Connection, number: int) -> None:
    end(conn, number, success=False, error="it broke")
    assert api.migration(number, "success", "status", "error_message", tool="flyway") == (False, "failed", "it broke")
    assert (api.commits(), api.without_ddl()) == ([], [f"flyway:{number}/none"])


def test_the_same_one_begun_twice(api: Followed, conn: Connection, number: int) -> None:
    begin(conn, number)
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="open in this session already") as raised:
        begin(conn, number)
    assert "pggit.end_migration" in str(raised.value.diag.message_hint)
    create(conn, f"t{number}")
    end(conn, number)
    assert api.commits() == [f"migration custom:{number}/session: public.t{number}"]


# ---------------------------------------------------------------- failures


def test_a_failure_that_is_committed(api: Followed, conn: Connection, number: int) -> None:
    """Told once as a message and once as a row: recorded once."""
    begin(conn, number)
    with pytest.raises(errors.SyntaxError), conn.transaction():
        conn.execute("CREATE TABLE oops (")
    end(conn, number, success=False, error="oops")
    create(conn, f"t{number}_by_hand")
    assert api.commits() == [f"out_of_band: public.t{number}_by_hand"]
    assert api.without_ddl() == [f"custom:{number}/none"]
    found = api.migration(number, "success", "status", "error_message", "migration_name")
    assert found == (False, "failed", "oops", "a name")


def test_a_failure_after_statements_that_stay(api: Followed, conn: Connection, number: int) -> None:
    """What it ran is in the database: the failed migration has it as its commit."""
    begin(conn, number)
    create(conn, f"t{number}a")
    end(conn, number, success=False)
    assert api.commits() == [f"migration custom:{number}/session: public.t{number}a"]
    assert api.migration(number, "status", "pggit_commit_id IS NOT NULL") == ("failed", True)


@pytest.mark.parametrize("ran", [True, False], ids=["with DDL", "without"])
def test_a_failure_in_one_transaction_that_commits(api: Followed, conn: Connection, number: int, *, ran: bool) -> None:
    with conn.transaction():
        begin(conn, number)
        if ran:
            create(conn, f"t{number}")
        end(conn, number, success=False, error="but kept")
    assert api.commits() == ([f"migration custom:{number}/transaction: public.t{number}"] if ran else [])
    assert api.without_ddl() == ([] if ran else [f"custom:{number}/none"])
    assert api.migration(number, "status", "error_message") == ("failed", "but kept")


def test_the_wrapper_of_the_document(api: Followed, conn: Connection, number: int) -> None:
    conn.execute("SELECT run_migration(%s, 'good', %s)", [number, f"CREATE TABLE t{number} (id integer)"])
    assert api.commits() == [f"migration custom:{number}/transaction: public.t{number}"]
    assert api.migration(number, "status", "checksum IS NOT NULL") == ("applied", True)


def test_the_failure_of_the_wrapper_survives_its_rollback(api: Followed, conn: Connection, number: int) -> None:
    """The begin was rolled back before the failure was told: tool, name and time are known all the same."""
    with pytest.raises(errors.DuplicateTable):
        conn.execute(
            "SELECT run_migration(%s, 'bad', 'SELECT pg_sleep(0.05); CREATE TABLE x(); CREATE TABLE x()')", [number]
        )
    found = api.migration(number, "success", "status", "error_message", "migration_name", "execution_time")
    assert found is not None
    assert found[:4] == (False, "failed", 'relation "x" already exists', "bad")
    assert found[4] >= timedelta(milliseconds=50)
    assert (api.commits(), api.without_ddl()) == ([], [f"custom:{number}/none"])
    # Mended, it runs again in the same session.
    conn.execute("SELECT run_migration(%s, 'good', %s)", [number, f"CREATE TABLE t{number} (id integer)"])
    assert api.commits() == [f"migration custom:{number}/transaction: public.t{number}"]
    assert api.migration(number, "status", "error_message") == ("applied", None)


def test_wrappers_in_wrappers(api: Followed, conn: Connection) -> None:
    outer, inner = next(_ids), next(_ids)
    text = f"CREATE TABLE y(); SELECT run_migration({inner}, 'inner', 'SELECT 1/0')"
    with pytest.raises(errors.DivisionByZero):
        conn.execute("SELECT run_migration(%s, 'outer', %s)", [outer, text])
    assert api.migration(inner, "status", "migration_name") == ("failed", "inner")
    assert api.migration(outer, "status", "migration_name") == ("failed", "outer")


def test_a_rolled_back_end_leaves_no_more_to_the_migration(api: Followed, conn: Connection, number: int) -> None:
    """Begun and partly committed, then failed in a transaction that is rolled back: what follows is not its own."""
    begin(conn, number)
    create(conn, f"t{number}a")
    with suppress(ZeroDivisionError), conn.transaction():
        create(conn, f"t{number}b")
        end(conn, number, success=False, error="no")
        raise ZeroDivisionError
    create(conn, f"t{number}_by_hand")
    assert api.commits() == [
        f"migration custom:{number}/session: public.t{number}a",
        f"out_of_band: public.t{number}_by_hand",
    ]
    assert api.migration(number, "status", "error_message") == ("failed", "no")


def test_a_failure_that_commits_is_linked_to_what_it_ran_alone(api: Followed, conn: Connection, number: int) -> None:
    """The failure is told at once, as its transaction may be rolled back; this one commits what it ran."""
    begin(conn, number)
    with conn.transaction():
        create(conn, f"t{number}")
        end(conn, number, success=False, error="no")
    assert api.commits() == [f"migration custom:{number}/transaction: public.t{number}"]
    assert api.without_ddl() == []
    assert api.migration(number, "status", "error_message") == ("failed", "no")


def test_only_what_is_followed_by_more_is_called_a_part(api: Followed, conn: Connection, number: int) -> None:
    begin(conn, number)
    create(conn, f"t{number}a")
    create(conn, f"t{number}b")
    end(conn, number)
    assert api.commits() == [
        f"migration custom:{number}/session+: public.t{number}a",
        f"migration custom:{number}/session: public.t{number}b",
    ]
    told = api.rows("SELECT message, metadata -> 'part' FROM pggit.commits WHERE id > %s ORDER BY id", api.mark)
    assert [(" (part)" in message, part) for message, part in told] == [(True, True), (False, False)]


def test_a_forged_message_is_counted_and_ignored(api: Followed, conn: Connection, number: int) -> None:
    """Who knows the prefix can be heard, not believed; a flood of such messages makes one line of the log."""
    (prefix,) = conn.execute("SELECT pggit_daemon.message_prefix()").fetchone() or ("",)
    before = api.daemon.metric("pggit_forged_messages_total")
    told = json.dumps({"action": "end", "pid": 1, "user": "x", "arguments": {"migration_id": number, "success": False}})
    for content in (told, f"{'0' * 64} {told}", "?", "x" * 100_000, "é" * 64 + " {}", '\\ " \n'):
        conn.execute("SELECT pg_logical_emit_message(false, %s, %s::text)", [prefix, content])
        conn.execute("SELECT pg_logical_emit_message(true, %s, %s::text)", [prefix, content])
    conn.execute(r"SELECT pg_logical_emit_message(false, %s, '\xff00fe22'::bytea)", [prefix])
    conn.execute(r"SELECT pg_logical_emit_message(true, %s, '\xff00fe22'::bytea)", [prefix])
    create(conn, f"t{number}")
    assert api.commits() == [f"out_of_band: public.t{number}"]
    assert api.migration(number, "status", tool="flyway") is None
    assert api.daemon.metric("pggit_forged_messages_total") >= before + 6
    events = api.daemon.events()
    assert [event for event in events if event.get("event") == "database_failed"] == []
    assert len([event for event in events if event.get("event") == "message_forged"]) == 1
    # Inside a transaction it cannot be told from another record of which nothing can be read.
    assert [event["event"] for event in events if event.get("level") == "error"] == ["record_quarantined"]


# ---------------------------------------------------------------- what is refused

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


# ---------------------------------------------------------------- who may


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

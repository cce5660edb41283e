"""link_migration and rows inserted by hand: linked to the commit whose schema they saw, they stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from sandbox.daemon import Daemon
from sandbox.databases import Databases
from tests.integration.api_write_support import Connection, Followed, following


@pytest.fixture(scope="module")
def shared(cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    with following(cluster, installed_template, tmp_path_factory.mktemp("link")) as followed:
        yield followed


def unlinked(conn: Connection, number: int, *tools: str, source: str = "sql") -> None:
    """Rows that the daemon does not know of, as those of an earlier pgGit are."""
    with conn.transaction():
        conn.execute("SET LOCAL pggit_daemon.storing = 'on'")
        for tool in tools:
            conn.execute(
                "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, checksum, applied_at,"
                " applied_by, execution_time) VALUES (%s, %s, %s, 'c', '2024-01-20', 'bob', '5 s')",
                [number, tool, source],
            )


def link(conn: Connection, arguments: str) -> list[str]:
    """Call it; the notices that it gave."""
    said: list[str] = []
    conn.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    conn.execute(f"SELECT pggit.link_migration({arguments})".encode())
    return said


# ---------------------------------------------------------------- link_migration


def test_what_happened_elsewhere(api: Followed, conn: Connection, number: int) -> None:
    """The document's call: nothing is recorded under that number, so it is recorded now."""
    said = link(conn, f"migration_id => {number}, description => 'Initial schema creation', tool_name => 'flyway'")
    assert said == []
    assert (api.commits(), api.without_ddl()) == ([], [f"flyway:{number}/manual"])
    found = api.migration(
        number, "migration_name", "evidence", "source", "status", "pggit_commit_id IS NOT NULL", tool="flyway"
    )
    assert found == ("Initial schema creation", "manual", "sql", "applied", True)
    seen = conn.execute(
        "SELECT commit_message, objects_changed FROM pggit.migration_history WHERE migration_id = %s", [number]
    ).fetchall()
    assert seen == [("no schema change", 0)]


def test_without_a_tool_it_is_flyways(api: Followed, conn: Connection, number: int) -> None:
    link(conn, str(number))
    assert api.migration(number, "evidence", tool="flyway") == ("manual",)


def test_an_unlinked_row_of_one_tool(api: Followed, conn: Connection, number: int) -> None:
    """It keeps all that it says; only the link is new."""
    unlinked(conn, number, "sqitch")
    link(conn, f"{number}, 'Retroactively linked migration'")
    assert (api.commits(), api.without_ddl()) == ([], [f"sqitch:{number}/manual"])
    found = api.migration(
        number,
        "migration_name",
        "checksum",
        "applied_at::date::text",
        "applied_by",
        "execution_time::text",
        tool="sqitch",
    )
    assert found == ("Retroactively linked migration", "c", "2024-01-20", "bob", "00:00:05")
    assert api.migration(number, "evidence", tool="flyway") is None


def test_unlinked_rows_of_several_tools(api: Followed, conn: Connection, number: int) -> None:
    unlinked(conn, number, "sqitch", "dbmate")
    with pytest.raises(errors.AmbiguousFunction, match=r"dbmate \(sql\), sqitch \(sql\)") as raised:
        link(conn, str(number))
    assert "tool_name" in str(raised.value.diag.message_hint)
    assert api.commits() == []
    link(conn, f"{number}, NULL, 'dbmate'")
    assert api.without_ddl() == [f"dbmate:{number}/manual"]
    assert api.migration(number, "pggit_commit_id", tool="sqitch") == (None,)
    link(conn, str(number))
    assert api.without_ddl()[1:] == [f"sqitch:{number}/manual"]
    assert api.commits() == []


def test_unlinked_rows_of_several_sources_of_one_tool(api: Followed, conn: Connection, number: int) -> None:
    unlinked(conn, number, "flyway", source="a.flyway_schema_history")
    unlinked(conn, number, "flyway", source="b.flyway_schema_history")
    with pytest.raises(errors.AmbiguousFunction, match=r"a\.flyway_schema_history"):
        link(conn, f"{number}, NULL, 'flyway'")
    link(conn, f"{number}, NULL, 'b.flyway_schema_history'")
    api.daemon.wait_caught_up()
    rows = api.rows(
        "SELECT source, pggit_commit_id IS NULL FROM pggit.external_migrations WHERE migration_id = %s ORDER BY 1",
        number,
    )
    assert rows == [("a.flyway_schema_history", True), ("b.flyway_schema_history", False)]


def test_linked_already(api: Followed, conn: Connection, number: int) -> None:
    link(conn, f"{number}, 'once', 'custom'")
    before = api.migration(number, "pggit_commit_id", "migration_name")
    commits = api.commits()
    said = link(conn, f"{number}, 'twice', 'custom'")
    assert len(said) == 1
    assert "is linked already" in said[0]
    assert "nothing was changed" in said[0]
    assert api.migration(number, "pggit_commit_id", "migration_name") == before
    assert api.commits() == commits


def test_twice_before_the_daemon_has_come_that_far(api: Followed, conn: Connection, number: int) -> None:
    with conn.transaction():
        link(conn, f"{number}, 'once', 'custom'")
        link(conn, f"{number}, 'twice', 'custom'")
    assert api.migration(number, "migration_name", "evidence") == ("once", "manual")


def test_from_a_trigger_in_a_transaction_with_ddl(api: Followed, conn: Connection, number: int) -> None:
    """The document's custom tool: the transaction is its own, also what stands behind the row."""
    conn.execute("CREATE TABLE IF NOT EXISTS custom_migrations (version integer PRIMARY KEY, description text)")
    conn.execute(
        "CREATE OR REPLACE FUNCTION track() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pggit.link_migration(NEW.version, NEW.description, 'custom'); RETURN NEW; END $$"
    )
    conn.execute(
        "CREATE OR REPLACE TRIGGER tracker AFTER INSERT ON custom_migrations FOR EACH ROW EXECUTE FUNCTION track()"
    )
    api.start()
    with conn.transaction():
        conn.execute(f"CREATE TABLE t{number} (id integer)".encode())
        conn.execute("INSERT INTO custom_migrations VALUES (%s, 'from a trigger')", [number])
        conn.execute(f"CREATE INDEX i{number} ON t{number} (id)".encode())
    assert api.commits() == [
        f"migration custom:{number}/transaction+: public.t{number}",
        f"migration custom:{number}/transaction: public.i{number}",
    ]
    assert api.migration(number, "migration_name") == ("from a trigger",)


def test_a_rolled_back_link_was_never_there(api: Followed, conn: Connection, number: int) -> None:
    with conn.transaction(force_rollback=True):
        link(conn, f"{number}, 'no', 'custom'")
    assert api.migration(number, "evidence") is None


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ("NULL", "22004"),
        ("0", "22003"),
        ("-9223372036854775808", "22003"),
        ("7, repeat('x', 10001)", "22001"),
        ("7, 'x', ' '", "22023"),
        ("7, 'x', repeat('x', 201)", "22001"),
    ],
)
def test_what_cannot_be_linked(api: Followed, conn: Connection, arguments: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        link(conn, arguments)
    assert raised.value.diag.sqlstate == sqlstate
    assert raised.value.diag.message_hint
    assert api.commits() == []


# ---------------------------------------------------------------- rows inserted by hand


def insert(conn: Connection, number: int, tool: str = "custom", **columns: object) -> None:
    named = {"migration_id": number, "tool_name": tool, **columns}
    values = ", ".join(["%s"] * len(named))
    conn.execute(
        f"INSERT INTO pggit.external_migrations ({', '.join(named)}) VALUES ({values})".encode(), [*named.values()]
    )


def test_an_inserted_row_is_linked_and_stays_as_it_is(api: Followed, conn: Connection, number: int) -> None:
    columns = {
        "migration_name": "mine",
        "checksum": "c",
        "applied_at": "2020-02-02",
        "applied_by": "bob",
        "error_message": "e",
    }
    insert(conn, number, **columns)
    assert (api.commits(), api.without_ddl()) == ([], [f"custom:{number}/manual"])
    found = api.migration(
        number, "migration_name", "checksum", "applied_at::date::text", "applied_by", "error_message", "source_lsn"
    )
    assert found == ("mine", "c", "2020-02-02", "bob", "e", None)


def test_an_inserted_row_beside_ddl(api: Followed, conn: Connection, number: int) -> None:
    with conn.transaction():
        conn.execute(f"CREATE TABLE t{number} (id integer)".encode())
        insert(conn, number)
    assert api.commits() == [f"migration custom:{number}/transaction: public.t{number}"]


def test_a_failed_row(api: Followed, conn: Connection, number: int) -> None:
    insert(conn, number, success=False, error_message="it broke")
    assert api.migration(number, "status", "success", "error_message") == ("failed", False, "it broke")


def test_the_rollback_of_the_document(api: Followed, conn: Connection, number: int) -> None:
    """A negative id points to what it rolls back, which counts as rolled back from then on."""
    with conn.transaction():
        conn.execute("SELECT pggit.begin_migration(%s, 'custom', 'forth')", [number])
        conn.execute(f"CREATE TABLE t{number} (id integer)".encode())
        conn.execute("SELECT pggit.end_migration(%s)", [number])
    with conn.transaction():
        conn.execute("SELECT pggit.begin_deployment(format('Rollback migration %%s', %s::bigint))", [number])
        conn.execute(f"DROP TABLE t{number}".encode())
        insert(conn, -number, "rollback", migration_name=f"Rollback of migration {number}", success=True)
        conn.execute("SELECT pggit.end_deployment()")
    assert api.commits() == [
        f"migration custom:{number}/transaction: public.t{number}",
        f"rollback rollback:-{number}/transaction: public.t{number}",
    ]
    assert api.migration(-number, "status", "rollback_of", tool="rollback") == ("rollback", number)
    assert api.migration(number, "status") == ("rolled_back",)


@pytest.mark.parametrize(
    ("name", "told"),
    [("Rollback of migration {}", "{}"), ("orders go again", "{} orders go again"), (None, "{}"), ("-{}", "{}")],
)
def test_a_rollback_is_titled_by_what_it_rolls_back_once(
    api: Followed, conn: Connection, number: int, name: str | None, told: str
) -> None:
    with conn.transaction():
        conn.execute(f"CREATE TABLE t{number} (id integer)".encode())
        insert(conn, -number, migration_name=name and name.format(number))
    assert api.commits() == [f"rollback custom:-{number}/transaction: public.t{number}"]
    assert api.value("SELECT message FROM pggit.commits ORDER BY id DESC LIMIT 1") == (
        f"custom: roll back {told.format(number)}"
    )


def test_odd_rows_stop_nothing(api: Followed, conn: Connection, number: int) -> None:
    """Whatever the table takes: the smallest number has no positive one, a name may be huge, a tool may be empty."""
    insert(conn, -(1 << 63), "odd")
    insert(conn, 0, "odd")
    insert(conn, number, "", migration_name="n" * 1_000_000)
    insert(conn, number, "odd", source="no.such", status="whatever", success=None)
    conn.execute("DELETE FROM pggit.external_migrations WHERE tool_name = ''")
    assert api.commits() == []
    assert len(api.without_ddl()) == 4
    assert api.migration(-(1 << 63), "rollback_of", "pggit_commit_id IS NOT NULL", tool="odd") == (None, True)
    assert api.migration(number, "status", "evidence", tool="odd") == ("whatever", "manual")


def test_many_rows_at_once(api: Followed, conn: Connection, number: int) -> None:
    conn.execute(
        "INSERT INTO pggit.external_migrations (migration_id, tool_name) SELECT n, %s FROM generate_series(1, 300) n",
        [f"tool {number}"],
    )
    assert api.commits() == []
    assert len(api.without_ddl()) == 300
    missing = "SELECT count(*) FROM pggit.external_migrations WHERE tool_name = %s AND pggit_commit_id IS NULL"
    assert api.value(missing, f"tool {number}") == 0


def test_a_role_that_may_insert(api: Followed, conn: Connection, number: int, cluster: Databases) -> None:
    """A right on the table is enough; the daemon's own tables stay closed."""
    conn.execute("DROP ROLE IF EXISTS inserter")
    conn.execute("CREATE ROLE inserter LOGIN")
    conn.execute("GRANT USAGE ON SCHEMA pggit TO inserter; GRANT INSERT ON pggit.external_migrations TO inserter")
    dsn = cluster.dsn(str(api.value("SELECT current_database()")), "inserter")
    with psycopg.connect(dsn, autocommit=True) as other:
        # What the daemon says of itself counts only for who may write the record.
        other.execute("SET pggit_daemon.storing = 'on'")
        insert(other, number)
    assert api.migration(number, "evidence", "applied_by") == ("manual", "inserter")
    conn.execute("DROP OWNED BY inserter; DROP ROLE inserter")


# ---------------------------------------------------------------- before the daemon


def test_what_was_told_before_the_history_began(cluster: Databases, installed_template: str, tmp_path: Path) -> None:
    """Requests wait in the outbox for the first daemon: their commit is the baseline."""
    name = "told_before"
    cluster.create_database(name, installed_template)
    dsn = cluster.dsn(name)
    with psycopg.connect(dsn, autocommit=True) as conn:
        link(conn, "1, 'linked', 'custom'")
        insert(conn, 2)
        conn.execute("SELECT pggit.begin_migration(3, 'custom', 'three')")
        conn.execute("CREATE TABLE three (id integer)")
        conn.execute("SELECT pggit.end_migration(3)")
        conn.execute("SELECT pggit.begin_migration(4, 'custom', 'four')")
        with Daemon(dsn, tmp_path) as daemon:
            followed = Followed(dsn, daemon, conn)
            assert followed.value("SELECT count(*) FROM pggit_daemon.request") == 0
            conn.execute("CREATE TABLE four (id integer)")
            conn.execute("SELECT pggit.end_migration(4)")
            followed.daemon.wait_caught_up()
            rows = followed.rows(
                "SELECT migration_id, migration_name, status, evidence, pggit_commit_id, applied_at IS NOT NULL"
                " FROM pggit.external_migrations ORDER BY 1"
            )
            assert rows == [
                (1, "linked", "applied", "baseline", 1, True),
                (2, None, "applied", "baseline", 1, True),
                (3, "three", "applied", "baseline", 1, True),
                (4, "four", "applied", "session", 2, True),
            ]
    cluster.drop_database(name)

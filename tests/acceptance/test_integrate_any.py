"""integrate(table): the history table of any tool names the sessions that write to it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from tests.acceptance.scenes import Scene

LARAVEL = "CREATE TABLE public.migrations (id serial PRIMARY KEY, migration varchar(255) NOT NULL, batch int NOT NULL)"
TERN = "CREATE TABLE public.schema_version (version int NOT NULL)"
SEQUEL = "CREATE TABLE public.schema_info (version int NOT NULL DEFAULT 0)"
TRIGGERS = "SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = %s::regclass"
IDENTITY = "SELECT relreplident::text FROM pg_class WHERE oid = %s::regclass"


def run(scene: Scene, *statements: str) -> None:
    """Each statement as the tool's own session would send it, by itself."""
    with psycopg.connect(scene.dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def value(scene: Scene, query: str, table: str) -> object:
    with psycopg.connect(scene.dsn) as conn:
        row = conn.execute(query.encode(), [table]).fetchone()
    assert row is not None
    return row[0]


def test_a_row_takes_the_ddl_of_the_session_that_wrote_it(unfollowed: Scene) -> None:
    """A hand of the same role and program runs DDL at the same time: nothing but the session tells them apart."""
    scene = unfollowed
    scene.follow(grace_seconds=5)
    run(scene, LARAVEL, "SELECT pggit.integrate('public.migrations')", "SELECT pggit.integrate('public.migrations')")
    with (
        psycopg.connect(scene.dsn, autocommit=True) as tool,
        psycopg.connect(scene.dsn, autocommit=True) as hand,
    ):
        tool.execute("CREATE TABLE of_the_tool (id int)")
        hand.execute("CREATE TABLE by_hand (id int)")
        tool.execute("INSERT INTO migrations (migration, batch) VALUES ('2026_01_01_000001_one', 1)")
        scene.caught_up()
    assert scene.value("SELECT evidence FROM pggit.external_migrations WHERE tool_name = 'laravel'") == "session"
    with psycopg.connect(scene.dsn) as conn:
        linked = conn.execute(
            "SELECT DISTINCT ch.object_name FROM pggit.external_migrations AS m"
            " JOIN pggit.commit_changes AS ch ON ch.commit_id = m.pggit_commit_id WHERE m.tool_name = 'laravel'"
        ).fetchall()
    assert linked == [("public.of_the_tool",)]


def test_a_table_without_a_key_is_decoded_whole(scene: Scene) -> None:
    run(scene, TERN, "INSERT INTO schema_version VALUES (0)", "SELECT pggit.integrate('schema_version'::regclass)")
    assert value(scene, IDENTITY, "public.schema_version") == "f"
    for number in (1, 2):
        with psycopg.connect(scene.dsn) as tool:
            tool.execute(f"CREATE TABLE m{number} (id int)".encode())
            tool.execute("UPDATE schema_version SET version = %s", [number])
    scene.caught_up()
    with psycopg.connect(scene.dsn) as conn:
        found = conn.execute(
            "SELECT version, evidence FROM pggit.external_migrations WHERE tool_name = 'tern' ORDER BY migration_id"
        ).fetchall()
    assert found == [("1", "transaction"), ("2", "transaction")]


def test_it_is_taken_off_again(scene: Scene) -> None:
    run(scene, LARAVEL, "SELECT pggit.integrate('public.migrations')")
    assert value(scene, TRIGGERS, "public.migrations") == "pggit_daemon_session,pggit_daemon_truncate"
    assert value(scene, IDENTITY, "public.migrations") == "d", "it has a key"
    run(scene, "TRUNCATE public.migrations", "SELECT pggit.remove_integration('public.migrations'::regclass)")
    assert value(scene, TRIGGERS, "public.migrations") is None
    with pytest.raises(errors.UndefinedObject):
        run(scene, "SELECT pggit.remove_integration('public.migrations'::regclass)")
    run(scene, "SELECT pggit.integrate('public.migrations')", "SELECT pggit.remove_integration('public.migrations')")
    assert value(scene, TRIGGERS, "public.migrations") is None


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ("NULL", errors.NullValueNotAllowed),
        ("'pg_catalog.pg_class'", errors.InvalidSchemaName),
        ("'pggit.commits'", errors.InvalidSchemaName),
        ("'public.a_view'", errors.WrongObjectType),
    ],
)
def test_what_is_no_history_table_is_refused(scene: Scene, table: str, error: type[Exception]) -> None:
    run(scene, "CREATE VIEW public.a_view AS SELECT 1 AS one")
    with pytest.raises(error):
        run(scene, f"SELECT pggit.integrate({table})")


def test_an_identity_that_was_set_back_is_a_finding_and_the_writer_still_counts(unfollowed: Scene) -> None:
    """Two sessions of one look ran what no transaction tells apart; the table's row does not show who wrote it."""
    scene = unfollowed
    scene.follow(grace_seconds=5)
    run(scene, SEQUEL, "INSERT INTO schema_info VALUES (0)", "SELECT pggit.integrate('schema_info'::regclass)")
    run(scene, "CREATE TABLE m0 (id int)", "ALTER TABLE schema_info REPLICA IDENTITY DEFAULT")
    with (
        psycopg.connect(scene.dsn, autocommit=True) as tool,
        psycopg.connect(scene.dsn, autocommit=True) as hand,
    ):
        hand.execute("CREATE INDEX CONCURRENTLY by_hand ON m0 (id)")
        tool.execute("CREATE INDEX CONCURRENTLY of_the_tool ON m0 (id)")
        tool.execute("UPDATE schema_info SET version = 1")
        scene.caught_up()
    linked = (
        "SELECT string_agg(m.version || ' ' || m.evidence || ' ' || ch.object_name, ',')"
        " FROM pggit.external_migrations AS m JOIN pggit.commit_changes AS ch ON ch.commit_id = m.pggit_commit_id"
        " WHERE m.tool_name = 'sequel'"
    )
    assert scene.value(linked) == "1 session public.of_the_tool"
    found = "SELECT message FROM pggit.validate_migrations('sequel') WHERE status = 'no_identity'"
    message = str(scene.value(found))
    assert message.endswith("SELECT pggit.integrate('public.schema_info')")
    run(scene, message.rpartition(": ")[2])
    assert scene.value(found) is None


@pytest.mark.parametrize("apart", [False, True], ids=["in its transaction", "before it"])
def test_one_number_that_is_integrated_late_goes_on_exactly(unfollowed: Scene, *, apart: bool) -> None:
    """The first UPDATE that is decoded bears the number before it, which no row of the stream had shown."""
    scene = unfollowed
    scene.follow(grace_seconds=5)
    run(scene, SEQUEL, "INSERT INTO schema_info VALUES (0)")
    for number in range(1, 5):
        if number == 3:
            run(scene, "SELECT pggit.integrate('schema_info'::regclass)")
        with psycopg.connect(scene.dsn, autocommit=True) as hand, psycopg.connect(scene.dsn, autocommit=apart) as tool:
            hand.execute(f"CREATE TABLE before_{number} (id int)".encode())
            tool.execute(f"CREATE TABLE m{number} (id int)".encode())
            hand.execute(f"CREATE TABLE beside_{number} (id int)".encode())
            tool.execute("UPDATE schema_info SET version = %s", [number])
    scene.caught_up()
    with psycopg.connect(scene.dsn) as conn:
        found = conn.execute(
            "SELECT m.version, ch.object_name FROM pggit.external_migrations AS m"
            " JOIN pggit.commit_changes AS ch ON ch.commit_id = m.pggit_commit_id"
            " WHERE m.tool_name = 'sequel' AND m.evidence <> 'none' ORDER BY 1"
        ).fetchall()
        known = conn.execute(
            "SELECT version, status FROM pggit.external_migrations WHERE tool_name = 'sequel' ORDER BY migration_id"
        ).fetchall()
    assert known == [(str(number), "applied") for number in range(1, 5)]
    assert [name for version, name in found if name != f"public.m{version}"] == [], "nothing is linked wrongly"
    assert [version for version, _ in found][-2:] == ["3", "4"], "everything since is exact"

"""The reading side of the SQL API over a history that the real daemon recorded.

One history for all tests of this file: three migrations, changes by hand, a failed migration, a rollback.
"""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors

from pggit_daemon.model.transaction import TableName
from sandbox.recorded import commits
from tests.integration.api_support import Connection, followed, history_table, migrate, synced
from tests.unit.build import flyway_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

FIRST = 20240120001
WHOSE = ("flyway", "public.flyway_schema_history")
DAY = 86400


@pytest.fixture(scope="module")
def history(
    cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """Give a connection to the database with the history; its daemon goes on running."""
    cluster.create_database("api_reading", installed_template)
    dsn = cluster.dsn("api_reading")
    with followed(dsn, tmp_path_factory.mktemp("api")) as (conn, _daemon):
        history_table(conn)
        migrate(
            conn,
            FIRST,
            "CREATE TABLE user_preferences (user_id int PRIMARY KEY, preferences jsonb NOT NULL DEFAULT '{}',"
            " updated_at timestamptz DEFAULT now())",
            "CREATE INDEX idx_preferences_updated ON user_preferences(updated_at)",
        )
        migrate(conn, FIRST + 1, "CREATE TABLE orders (id serial PRIMARY KEY, note text)", "CREATE SCHEMA app")
        migrate(conn, FIRST + 2, "ALTER TABLE orders RENAME TO sales", "ALTER TABLE sales ALTER id TYPE bigint")
        with psycopg.connect(dsn, autocommit=True, application_name="psql") as hand:
            hand.execute("ALTER TABLE sales ADD COLUMN sold_by text")
            hand.execute("COMMENT ON TABLE user_preferences IS 'what users like'")
        synced(conn)
        yield conn
    cluster.drop_database("api_reading")


def test_the_documents_impact_example_comes_out_exactly(history: Connection) -> None:
    """The table's key and its index are part of the table's row; an index goes by its bare name."""
    assert history.execute("SELECT * FROM pggit.analyze_migration_impact(%s)", [FIRST]).fetchall() == [
        ("table", "public.user_preferences", "CREATE", "medium", *WHOSE),
        ("index", "idx_preferences_updated", "CREATE", "low", *WHOSE),
    ]


def test_a_rewrite_is_grave_and_a_rename_is_one_change(history: Connection) -> None:
    impact = history.execute("SELECT * FROM pggit.analyze_migration_impact(%s, 'flyway')", [FIRST + 2]).fetchall()
    assert impact == [("table", "public.sales", "RENAME", "high", *WHOSE)]
    changed = history.execute(
        "SELECT object_type, object_name, old_name, operation FROM pggit.commit_changes"
        " JOIN pggit.migration_history USING (commit_id) WHERE migration_id = %s ORDER BY 1, 2",
        [FIRST + 2],
    ).fetchall()
    assert ("table", "public.sales", "public.orders", "RENAME") in changed


def test_changes_of_a_commit_are_those_of_the_record(history: Connection) -> None:
    """Every version that a commit began or ended is in exactly one row of the view."""
    for commit in commits(history.info.dsn):
        rows = history.execute(
            "SELECT object_type || ' ' || object_name, object_type || ' ' || old_name, operation, level,"
            " old_definition IS NULL, new_definition IS NULL FROM pggit.commit_changes WHERE commit_id = %s",
            [commit.id],
        ).fetchall()
        assert sorted({name for row in rows for name in row[:2] if name}) == list(commit.changed)
        assert all((old, new) == (op == "CREATE", op == "DROP") for _, _, op, _, old, new in rows)
        assert all(level in {"low", "medium", "high"} for _, _, _, level, _, _ in rows)


def test_the_documents_queries_of_the_history(history: Connection) -> None:
    rows = history.execute(
        "SELECT m.migration_id, m.migration_name, m.applied_by, m.checksum, m.commit_message, m.tree_id, m.evidence"
        " FROM pggit.migration_history m WHERE m.tool_name = 'flyway' ORDER BY m.migration_id"
    ).fetchall()
    assert [row[:4] for row in rows] == [(FIRST + n, f"step {FIRST + n}", "anna", "7") for n in range(3)]
    assert all(row[4].startswith("flyway: ") and len(row[5]) == 64 and row[6] == "transaction" for row in rows)
    summary = history.execute(
        "SELECT m.migration_id, count(*), array_agg(DISTINCT impact.object_type) FROM pggit.external_migrations m"
        " CROSS JOIN LATERAL pggit.analyze_migration_impact(m.migration_id) AS impact GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert summary == [(FIRST, 2, ["index", "table"]), (FIRST + 1, 2, ["schema", "table"]), (FIRST + 2, 1, ["table"])]


def test_export_is_the_schema_of_that_moment(history: Connection, cluster: Databases, tmp_path: Path) -> None:
    script = _one(history, "SELECT pggit.export_migration_schema(%s)", FIRST)
    assert "CREATE TABLE public.user_preferences" in script
    assert "sales" not in script
    assert script == _one(
        history,
        "SELECT pggit.schema_at(commit_id) FROM pggit.migration_history WHERE migration_id = %s",
        FIRST,
    )
    (tmp_path / "schema.sql").write_text(script)
    cluster.create_database("api_restored")
    try:
        command = ["psql", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-qX", "-f", str(tmp_path / "schema.sql")]
        subprocess.run([*command, cluster.dsn("api_restored")], check=True, capture_output=True)
    finally:
        cluster.drop_database("api_restored")


def test_the_server_writes_the_same_text(history: Connection) -> None:
    folder = _one(history, "SELECT current_setting('data_directory')")
    path = f"{folder}/exported.sql"
    text = _one(history, "SELECT pggit.export_migration_schema(migration_id => %s, output_path => %s)", FIRST, path)
    assert _one(history, "SELECT pg_read_file(%s)", path) == text


def test_commits_are_named_in_four_ways(history: Connection) -> None:
    number, digest = history.execute("SELECT id, hash FROM pggit.commits ORDER BY id DESC LIMIT 1").fetchall()[0]
    by_id = _one(history, "SELECT pggit.schema_at(%s::integer)", number)
    for name in ("head", "HEAD", str(number), f"@{number}", digest, digest[:12]):
        assert _one(history, "SELECT pggit.schema_at(%s::text)", name) == by_id


def test_diff_shows_what_differs_and_nothing_else(history: Connection) -> None:
    first, last = (
        _one(history, "SELECT commit_id FROM pggit.migration_history WHERE migration_id = %s", FIRST + n)
        for n in (1, 2)
    )
    rows = history.execute("SELECT * FROM pggit.diff(%s::integer, %s::integer)", [first, last]).fetchall()
    table = next(row for row in rows if row[0] == "table")
    assert table[1:4] == ("public.sales", "public.orders", "RENAME")
    assert "-    id integer" in table[5]
    assert "+    id bigint" in table[5]
    assert "\n     note text\n" in table[5]
    assert not any("user_preferences" in row[1] for row in rows)
    assert history.execute("SELECT * FROM pggit.diff('head', 'head')").fetchall() == []
    back = history.execute("SELECT * FROM pggit.diff(%s::integer, %s::integer)", [last, first]).fetchall()
    assert next(row for row in back if row[0] == "table")[1:4] == ("public.orders", "public.sales", "RENAME")


def test_an_objects_history_goes_back_over_its_names(history: Connection) -> None:
    rows = history.execute(
        "SELECT kind, migration_id, operation, object_name, old_name FROM pggit.object_history('sales')"
        " WHERE object_type = 'table'"
    ).fetchall()
    assert rows == [
        ("migration", FIRST + 1, "CREATE", "public.orders", None),
        ("migration", FIRST + 2, "RENAME", "public.sales", "public.orders"),
        ("out_of_band", None, "ALTER", "public.sales", None),
    ]
    both = history.execute("SELECT before, after FROM pggit.object_history('public.sales')").fetchall()
    assert any(before and "sold_by" not in before and "sold_by" in after for before, after in both)


def test_drift_says_who_when_from_where_and_what(history: Connection) -> None:
    rows = history.execute(
        "SELECT author, application_name, object_type, object_name, operation, impact_level,"
        " extract(epoch FROM now() - occurred_at) FROM pggit.drift()"
    ).fetchall()
    assert [row[:6] for row in rows] == [
        ("postgres", "psql", "table", "public.sales", "ALTER", "medium"),
        ("postgres", "psql", "table", "public.user_preferences", "ALTER", "low"),
    ]
    assert all(0 <= row[6] < DAY for row in rows)
    found = history.execute("SELECT status, message FROM pggit.validate_migrations()").fetchall()
    assert [status for status, _ in found] == ["drift"]
    assert found[0][1].startswith("2 commits outside migrations since the last one, the newest by postgres: ")
    assert history.execute("SELECT * FROM pggit.validate_migrations('flyway')").fetchall() == []


def test_conflicts_are_listed_and_resolved(history: Connection) -> None:
    rows = history.execute(
        "SELECT conflict_id, conflict_type, object_type, object_identifier FROM pggit.list_conflicts()"
    ).fetchall()
    assert [row[1:] for row in rows] == [
        ("out_of_band", "table", "public.sales"),
        ("out_of_band", "table", "public.user_preferences"),
    ]
    number = rows[0][0]
    with history.transaction(force_rollback=True):
        history.execute("SELECT pggit.resolve_conflict(%s, 'wanted')", [number])
        assert _one(history, "SELECT count(*) FROM pggit.list_conflicts('unresolved')") == 1
        assert _one(history, "SELECT conflict_id FROM pggit.list_conflicts('resolved')") == number
        assert _one(history, "SELECT count(*) FROM pggit.list_conflicts('all')") == 2
        history.execute("SELECT pggit.resolve_conflict(%s, 'again')", [number])
        assert history.execute(
            "SELECT resolution, resolved_by FROM pggit.conflicts WHERE conflict_id = %s", [number]
        ).fetchone() == ("wanted", "postgres")


def test_a_session_that_resolves_does_not_hold_the_daemon(history: Connection) -> None:
    """A migration of the same object is recorded while the resolving transaction is still open."""
    with psycopg.connect(history.info.dsn) as slow:
        slow.execute(
            "SELECT pggit.resolve_conflict(conflict_id, 'in a moment') FROM pggit.list_conflicts()"
            " WHERE object_identifier = 'public.sales'"
        )
        migrate(history, FIRST + 3, "ALTER TABLE sales DROP COLUMN sold_by")
        synced(history)
        slow.rollback()


def test_what_waits_for_its_row_is_recorded_and_holds_up_nobody(history: Connection) -> None:
    """DDL of a tool's session whose row has not come yet is a pending commit at once, until the tool is gone."""
    newest = "SELECT kind FROM pggit.commits ORDER BY id DESC LIMIT 1"
    with psycopg.connect(history.info.dsn, autocommit=True) as tool:
        tool.execute(
            "SELECT pg_advisory_lock(%s::bigint << 32 | %s::bigint)",
            flyway_key(TableName("public", "flyway_schema_history")),
        )
        with psycopg.connect(history.info.dsn, autocommit=True) as worker:
            worker.execute("CREATE TABLE public.waits (id int)")
            synced(history)
            assert _one(history, newest) == "pending"
    deadline = time.monotonic() + 60
    while _one(history, newest) == "pending":
        assert time.monotonic() < deadline, "the commit stayed pending"
        time.sleep(0.1)


def test_waiting_is_cheap(history: Connection) -> None:
    synced(history)
    took = []
    for _ in range(20):
        began = time.monotonic()
        synced(history)
        took.append(time.monotonic() - began)
    assert sorted(took)[4] < 0.05  # whatever else the machine does at times


@pytest.mark.parametrize(
    ("call", "error", "hint"),
    [
        ("pggit.analyze_migration_impact(NULL)", errors.NullValueNotAllowed, "lists them"),
        ("pggit.analyze_migration_impact(0)", errors.UndefinedObject, "migration_history lists"),
        ("pggit.analyze_migration_impact(-9223372036854775808)", errors.UndefinedObject, "migration_history lists"),
        ("pggit.analyze_migration_impact(9223372036854775807)", errors.UndefinedObject, "migration_history lists"),
        (f"pggit.analyze_migration_impact({FIRST}, 'nope')", errors.UndefinedObject, "Pass one of these"),
        (f"pggit.analyze_migration_impact({FIRST}, repeat('x', 10000))", errors.UndefinedObject, "Pass one of these"),
        (f"pggit.analyze_migration_impact({FIRST}, '')", errors.InvalidParameterValue, "flyway"),
        ("pggit.export_migration_schema(NULL)", errors.NullValueNotAllowed, "lists them"),
        ("pggit.export_migration_schema(1)", errors.UndefinedObject, "migration_history lists"),
        (f"pggit.export_migration_schema({FIRST}, 'here.sql')", errors.InvalidParameterValue, "leave it out"),
        (f"pggit.export_migration_schema({FIRST}, '')", errors.InvalidParameterValue, "leave it out"),
        ("pggit.validate_migrations('')", errors.InvalidParameterValue, "flyway"),
        ("pggit.validate_migrations('nope')", errors.UndefinedObject, "Recorded are: flyway"),
        ("pggit.schema_at(NULL::text)", errors.NullValueNotAllowed, "head"),
        ("pggit.schema_at(NULL::integer)", errors.NullValueNotAllowed, "head"),
        ("pggit.schema_at(-1)", errors.UndefinedObject, "head"),
        ("pggit.schema_at('')", errors.UndefinedObject, "head"),
        ("pggit.schema_at('99999999999999999999')", errors.UndefinedObject, "head"),
        ("pggit.schema_at('%')", errors.UndefinedObject, "head"),
        ("pggit.diff('head', 'nope')", errors.UndefinedObject, "head"),
        ("pggit.object_history(NULL)", errors.NullValueNotAllowed, "public.users"),
        ("pggit.object_history(' ')", errors.InvalidParameterValue, "public.users"),
        ("pggit.object_history('nobody')", errors.UndefinedObject, "commit_changes"),
        ("pggit.list_conflicts('open')", errors.InvalidParameterValue, "unresolved, resolved or all"),
        ("pggit.resolve_conflict(NULL, 'x')", errors.NullValueNotAllowed, "list_conflicts"),
        ("pggit.resolve_conflict(-1, 'x')", errors.UndefinedObject, "list_conflicts"),
        ("pggit.resolve_conflict(1, '')", errors.InvalidParameterValue, "how it was resolved"),
        ("pggit.wait_for_sync(NULL)", errors.NullValueNotAllowed, "10 s"),
        ("pggit.wait_for_sync('-1 s')", errors.InvalidParameterValue, "10 s"),
    ],
)
def test_each_misuse_is_a_clear_error(history: Connection, call: str, error: type[psycopg.Error], hint: str) -> None:
    with pytest.raises(error) as caught:
        history.execute(f"SELECT * FROM {call}".encode())
    assert hint in (caught.value.diag.message_hint or "")
    assert len(caught.value.diag.message_primary or "") < 500


def test_two_tools_with_one_id_are_told_apart(history: Connection) -> None:
    with history.transaction(force_rollback=True):
        history.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, source) VALUES"
            " (%(id)s, 'liquibase', 'app.databasechangelog'), (%(id)s, 'flyway', 'app.history')",
            {"id": FIRST},
        )
        with pytest.raises(errors.AmbiguousFunction) as caught, history.transaction():
            history.execute("SELECT pggit.export_migration_schema(%s)", [FIRST])
        names = "flyway (app.history), flyway (public.flyway_schema_history), liquibase (app.databasechangelog)"
        assert names in str(caught.value)
        with pytest.raises(errors.AmbiguousFunction) as caught, history.transaction():
            history.execute("SELECT pggit.export_migration_schema(%s, tool_name => 'flyway')", [FIRST])
        assert "liquibase" not in str(caught.value)
        by_source = "SELECT count(*) FROM pggit.analyze_migration_impact(%s, 'public.flyway_schema_history')"
        assert _one(history, by_source, FIRST) == 2
        # Reading functions that can answer for all of them do.
        history.execute(
            "UPDATE pggit.external_migrations SET pggit_commit_id = head.id FROM (SELECT max(id) AS id FROM"
            " pggit.commits WHERE kind = 'out_of_band') AS head WHERE tool_name = 'liquibase'"
        )
        of_all = "SELECT tool, source, count(*) FROM pggit.analyze_migration_impact(%s) GROUP BY 1, 2 ORDER BY 1, 2"
        liquibase = ("liquibase", "app.databasechangelog", 1)
        assert history.execute(of_all, [FIRST]).fetchall() == [(*WHOSE, 2), liquibase]
        history.execute("UPDATE pggit.external_migrations SET pggit_commit_id = NULL WHERE tool_name = 'liquibase'")
        with pytest.raises(errors.ObjectNotInPrerequisiteState, match="not linked"), history.transaction():
            history.execute("SELECT pggit.export_migration_schema(%s, tool_name => 'liquibase')", [FIRST])


def test_a_failed_migration_and_a_rollback(history: Connection) -> None:
    """Nothing came of the one; the other is found by its negative id."""
    migrate(history, FIRST + 8, success=False)
    synced(history)
    assert history.execute("SELECT * FROM pggit.analyze_migration_impact(%s)", [FIRST + 8]).fetchall() == []
    found = history.execute(
        "SELECT migration_id, status, message FROM pggit.validate_migrations('flyway')"
        " WHERE status <> 'orphan'"  # DDL under the tool's lock that an earlier test left without a row
    ).fetchall()
    assert [row[:2] for row in found] == [(FIRST + 8, "failed")]
    assert found[0][2].startswith("Migration failed: ")
    with psycopg.connect(history.info.dsn) as hand:
        hand.execute("DROP TABLE user_preferences")
        hand.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, migration_name)"
            " VALUES (%s, 'rollback', 'no')",
            [-FIRST],
        )
    synced(history)
    undone = history.execute("SELECT * FROM pggit.analyze_migration_impact(%s)", [-FIRST]).fetchall()
    assert undone == [
        ("table", "public.user_preferences", "DROP", "high", "rollback", "sql"),
        ("index", "idx_preferences_updated", "DROP", "medium", "rollback", "sql"),
    ]
    assert "user_preferences" not in _one(history, "SELECT pggit.export_migration_schema(%s)", -FIRST)


def test_a_migration_of_the_baseline_says_whose_schema_it_is(history: Connection) -> None:
    """Promise: what was there before the history is not shown as if the schema were known as of then."""
    notices: list[str | None] = []
    history.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    with history.transaction(force_rollback=True):
        history.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, pggit_commit_id, evidence)"
            " SELECT n, 'flyway', 'app.old', (SELECT id FROM pggit.commits WHERE kind = 'baseline'), 'baseline'"
            " FROM generate_series(1, 2) AS n"
        )
        assert history.execute("SELECT * FROM pggit.analyze_migration_impact(1)").fetchall() == []
        script = _one(history, "SELECT pggit.export_migration_schema(1)")
    said = "migration 1 of flyway was there before the history began: its schema is that of the baseline, commit 1, "
    said += "and what it changed is not recorded"
    assert notices == [said, said]
    assert script.startswith(f"-- {said}\n\n")


def _one(conn: Connection, query: str, *parameters: object) -> Any:
    row = conn.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]

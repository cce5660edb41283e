"""History tables of somebody's own, described in the configuration."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.acceptance.conftest import BOTH_PLUGINS
from tests.acceptance.harness import pggit
from tests.acceptance.scenes import Scene

SAME = """
[[database.source]]
name = "ops"
table = "ops.applied"
tool = "scripts"
columns = { id = "version", name = "title", checksum = "digest", applied_by = "by_whom", success = "ok" }
"""
AFTER = SAME.replace('tool = "scripts"', 'tool = "scripts"\nddl = "after"\napplication_name = "deploy*"')
TABLE = (
    "CREATE TABLE ops.applied (version text PRIMARY KEY, title text, digest text, by_whom text DEFAULT session_user,"
    " ok boolean NOT NULL DEFAULT true)"
)


def row(version: str, title: str = "", *, ok: bool = True, digest: str = "") -> str:
    return f"INSERT INTO ops.applied (version, title, ok, digest) VALUES ('{version}', '{title}', {ok}, '{digest}')"


@pytest.fixture
def ops(unfollowed: Scene) -> Scene:
    """A scene in which the table is there before the daemon is. Being superuser, the deploying role has a grant too."""
    unfollowed.hand("CREATE SCHEMA ops", TABLE, "GRANT INSERT ON ops.applied TO postgres")
    return unfollowed


def test_ddl_and_row_in_one_transaction(ops: Scene) -> None:
    """Before the row or behind it: what the transaction ran is the migration's; a hand beside it is a hand."""
    ops.follow(SAME)
    ops.script("CREATE TABLE a (id int PRIMARY KEY)", row("1", "first"))
    ops.hand("CREATE TABLE by_hand (id int)")
    ops.script(row("20240101", "row first"), "CREATE TABLE b (id int)", "CREATE INDEX b_i ON b (id)")
    ops.script(row("v3-final", "no DDL"))
    ops.moment("the end")
    assert ops.commits() == [
        "migration 1/transaction: table constraint a_pkey on public.a, table public.a",
        "out_of_band ada: table public.by_hand",
        "migration 20240101/transaction v3-final/none: index public.b_i, table public.b",
    ]
    assert sorted(ops.migrations("ops")) == [
        "1 1 first applied transaction",
        "1000000000000000001 v3-final no DDL applied none",
        "20240101 20240101 row first applied transaction",
    ]


def test_several_rows_in_one_transaction(ops: Scene) -> None:
    """Each row takes the statements before it; each is a commit, though the transaction is one."""
    ops.follow(SAME)
    ops.script("CREATE TABLE a (id int)", row("1"), "CREATE TABLE b (id int)", row("2"), row("3"))
    assert ops.commits() == [
        "migration 1/transaction: table public.a",
        "migration 2/transaction 3/none: table public.b",
    ]


def test_a_deleted_row_is_a_rollback(ops: Scene) -> None:
    ops.follow(SAME)
    ops.script("CREATE TABLE a (id int)", row("1", "first"))
    ops.script("DROP TABLE a", "DELETE FROM ops.applied WHERE version = '1'")
    assert ops.commits() == ["migration 1/transaction: table public.a", "rollback 1/transaction: table public.a"]
    assert ops.migrations("ops") == ["1 1 first rolled_back transaction", "-1 1 first rollback transaction"]
    ops.script("CREATE TABLE a (id bigint)", row("1", "again"))
    assert ops.commits()[2:] == ["migration 1/transaction: table public.a"]
    assert ops.migrations("ops")[0] == "1 1 again applied transaction"
    assert ops.events() == ["applied insert 1", "rolled_back delete -1", "applied insert 1"]


@BOTH_PLUGINS
def test_failures_edits_and_truncation(ops: Scene) -> None:
    """success=false is a failed migration; a checksum that changes later a conflict; TRUNCATE clears the rows."""
    ops.follow(SAME)
    ops.script(row("1", "bad", ok=False, digest="x"), "CREATE TABLE a (id int)")
    ops.script("UPDATE ops.applied SET digest = 'y'")
    ops.script("UPDATE ops.applied SET title = 'edited'")
    assert ops.commits() == ["migration 1/transaction: table public.a"]
    assert ops.migrations("ops") == ["1 1 edited failed unsuccessful transaction"]
    assert ops.value("SELECT string_agg(conflict_type, ',') FROM pggit.conflicts") == "checksum_changed"
    ops.script("TRUNCATE ops.applied")
    assert ops.migrations("ops") == ["1 1 edited cleared unsuccessful transaction"]
    assert ops.events() == ["failed insert 1", "checksum_changed update 1", "edited update 1", "cleared truncate 1"]


def test_the_row_in_a_later_transaction(ops: Scene) -> None:
    """With ddl = "after" the DDL waits for its row; DDL of sessions that are not the tool's does not."""
    ops.follow(AFTER)
    with psycopg.connect(ops.dsn, application_name="deploy 7", autocommit=True) as conn:
        conn.execute("CREATE TABLE a1 (id int)")
        ops.hand("CREATE TABLE by_hand (id int)")
        conn.execute("CREATE TABLE a2 (id int)")
        conn.execute(row("1", "first"))
        conn.execute("CREATE TABLE b (id int)")
        conn.execute(row("2", "second"))
        conn.execute(row("3", "data"))
    ops.moment("the end")
    assert ops.commits() == [
        "migration 1/window+: table public.a1",
        "out_of_band ada: table public.by_hand",
        "migration 1/window: table public.a2",
        "migration 2/window 3/none: table public.b",
    ]


def test_a_finding_says_why_a_row_is_linked_to_nothing(ops: Scene) -> None:
    """Two sessions may have run it: the finding and `show` name both, as the log does."""
    ops.follow(AFTER, grace_seconds=2)
    with (
        psycopg.connect(ops.dsn, application_name="deploy 7", autocommit=True) as one,
        psycopg.connect(ops.dsn, application_name="deploy 8", autocommit=True) as other,
    ):
        one.execute("CREATE TABLE a (id int)")
        other.execute("CREATE TABLE b (id int)")
        other.execute(row("1", "first"))
        assert ops.migrations("ops") == ["1 1 first applied unlinked"]
        message = ops.value("SELECT message FROM pggit.validate_migrations() WHERE status = 'unlinked'")
        assert ops.daemon is not None
        [told] = [event["why"] for event in ops.daemon.events() if event.get("event") == "migration_unlinked"]
    assert "deploy 7" in told
    assert "deploy 8" in told
    assert message == f"Migration not linked to pgGit commit: {told}"
    shown = json.loads(pggit("show", "scripts:1", "--json", "--dsn", ops.dsn).stdout)
    assert shown["migration"]["why_unlinked"] == told


def test_ddl_that_gets_no_row(ops: Scene) -> None:
    """It is recorded at once, pending while a row of another session may come, and out of band after the grace."""
    daemon = ops.follow(AFTER, grace_seconds=2)
    ops.script("CREATE TABLE a (id int)", application_name="deploy 8")
    assert ops.commits() == ["out_of_band postgres: table public.a"]
    assert [event["kind"] for event in daemon.events() if event.get("event") == "commit_stored"][-1:] == ["pending"]


@BOTH_PLUGINS
def test_a_table_that_is_made_while_the_daemon_runs(scene_of_nothing: Scene) -> None:
    """Its first row comes in the very transaction that makes it, and is not missed."""
    scene = scene_of_nothing
    scene.follow(SAME)
    scene.script("CREATE SCHEMA ops", TABLE, "CREATE TABLE a (id int)", row("1", "first"))
    scene.script("CREATE TABLE b (id int)", row("2"))
    lines = scene.commits()
    assert lines[-1] == "migration 2/transaction: table public.b"
    assert any("migration 1/transaction" in line and "table public.a" in line for line in lines)
    # Dropped and made again, it goes on.
    first = scene.newest("pggit.commits")
    scene.script("DROP TABLE ops.applied")
    assert [line.rsplit(" ", 2)[1] for line in scene.migrations("ops")] == ["cleared", "cleared"]
    scene.script(TABLE)
    scene.script("CREATE TABLE c (id int)", row("3"))
    assert scene.commits(first)[-1] == "migration 3/transaction: table public.c"


@pytest.fixture
def scene_of_nothing(unfollowed: Scene) -> Scene:
    """A scene without the table."""
    return unfollowed


def test_hostile_names_and_values(unfollowed: Scene) -> None:
    """Quotes, spaces, dots, new lines, backslashes and letters of three bytes: in names and in values."""
    scene = unfollowed
    schema, table = 'a"b.c d', "日本.\\'t\n"
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))
    in_toml = quoted.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    scene.script(
        'CREATE SCHEMA "a""b.c d"', f'CREATE TABLE {quoted} ("v é""" text PRIMARY KEY, "name" text, "日" text)'
    )
    config = SAME.replace('"ops.applied"', f'"{in_toml}"')
    columns = 'columns = { id = "v é\\"", name = "name" }'
    config = config[: config.index("columns")] + columns
    scene.follow(config)
    value = 'x"y\\z\n\t%(a)s {} 日本 \U0001f418'
    with psycopg.connect(scene.dsn) as conn:
        conn.execute('CREATE TABLE "a""b.c d"."\U0001f418 ""t." (id int)')
        conn.execute(f"INSERT INTO {quoted} VALUES (%s, %s, NULL)", [value, "n\\'"])
    assert scene.commits() == [f'migration {value}/transaction: table "a""b.c d"."\U0001f418 ""t."']
    scene.script(f"DELETE FROM {quoted}")
    assert [line.rsplit(" ", 2)[1] for line in scene.migrations("ops")] == ["rolled_back", "rollback"]
    scene.moment("the end")

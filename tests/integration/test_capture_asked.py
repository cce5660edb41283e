"""A session that asks for a followed history table by CREATE TABLE IF NOT EXISTS is remembered as one that used it.

Many tools begin so on the connection that runs their scripts, and dbmate does nothing else there before a migration
that runs outside of transactions.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.capture_support import Captured


@pytest.fixture
def followed(installed_database: str) -> Iterator[Captured]:
    """Two history tables of one name, in two schemas."""
    captured = Captured(installed_database)
    captured.run('CREATE SCHEMA "Odd one"', "SELECT setval('pggit_daemon.tool_watch', 1)")
    for schema in ("public", "Odd one"):
        captured.run(f'CREATE TABLE "{schema}".schema_migrations (version varchar PRIMARY KEY)')
        captured.conn.execute(
            "INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin, objid)"
            " SELECT %s, 'dbmate', 'dbmate', %s, 'schema_migrations', 'discovered', to_regclass(%s)",
            [schema, schema, f'"{schema}".schema_migrations'],
        )
    yield captured
    captured.close()


def _used(dsn: str, *before: str) -> object:
    """What the first statement with an effect tells, in a new session."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in before:
            conn.execute(statement.encode())
        conn.execute("CREATE TABLE probed (); DROP TABLE probed")
        row = conn.execute(
            "SELECT used_histories FROM pggit_daemon.ddl_event ORDER BY id DESC OFFSET 1 LIMIT 1"
        ).fetchone()
    return row and row[0]


@pytest.mark.parametrize(
    ("path", "statement", "asked"),
    [
        (
            "public",
            "create table if not exists public.schema_migrations (version varchar primary key)",
            ["public"],
        ),
        ("public", 'CREATE TABLE IF NOT EXISTS "schema_migrations" ("version" bigint)', ["public"]),
        ('nowhere, "Odd one", public', "\n  CREATE TABLE IF NOT EXISTS Schema_Migrations(version int)", ["Odd one"]),
        ("public", 'CREATE TABLE IF NOT EXISTS "Odd one".schema_migrations (version int)', ["Odd one"]),
        ("public", "SELECT 'create table if not exists public.schema_migrations (version int)'", None),
        ("public", "CREATE TABLE IF NOT EXISTS other (version int)", None),
    ],
)
def test_who_asks_for_a_history_table_used_it(followed: Captured, path: str, statement: str, asked: object) -> None:
    followed.run("CREATE TABLE public.other (version int)")
    assert _used(followed.dsn, f"SET search_path = {path}", statement, "SET search_path = public") == asked


@pytest.mark.parametrize(("role", "asked"), [("asked_role", ["Odd one"]), (None, ["public"])])
def test_the_role_in_force_says_which_schema_is_its_own(followed: Captured, role: str | None, asked: object) -> None:
    """`$user` in the search_path means whom SET ROLE made the session, not who logged in."""
    followed.run(
        'ALTER SCHEMA "Odd one" RENAME TO asked_role',
        "DROP ROLE IF EXISTS asked_role",
        "CREATE ROLE asked_role",
        "GRANT ALL ON SCHEMA asked_role, public TO asked_role",
        "GRANT ALL ON ALL TABLES IN SCHEMA asked_role TO asked_role",
        "UPDATE pggit_daemon.source SET schema_name = 'asked_role' WHERE name = 'Odd one'",
    )
    before = ['SET search_path = "$user", public', f"SET ROLE {role or 'none'}"]
    statement = "CREATE TABLE IF NOT EXISTS schema_migrations (version int)"
    try:
        assert _used(followed.dsn, *before, statement, "RESET ROLE", "SET search_path = public") == asked
    finally:
        followed.run("DROP OWNED BY asked_role", "DROP ROLE asked_role")


def test_what_was_asked_long_ago_counts_no_more(followed: Captured) -> None:
    old = "SELECT set_config('pggit_daemon.asked', concat_ws(' ', pg_backend_pid(), '{}'::regclass::oid, {}), false)"
    then = "extract(epoch FROM now())::bigint - {}"
    assert _used(followed.dsn, old.format("schema_migrations", then.format(50))) == ["public"]
    assert _used(followed.dsn, old.format("schema_migrations", then.format(70))) is None
    assert _used(followed.dsn, "SET pggit_daemon.asked = 'of no use at all'") is None


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (("SELECT FROM schema_migrations FOR UPDATE",), ["public"]),
        (("DELETE FROM schema_migrations",), ["public"]),
        (("INSERT INTO schema_migrations VALUES ('1')",), ["public", {"wrote": "public"}]),
        (("LOCK TABLE schema_migrations",), None),
    ],
)
def test_who_wrote_rows_is_told_from_who_looked_or_locked(
    followed: Captured, before: tuple[str, ...], told: object
) -> None:
    assert _used(followed.dsn, "BEGIN", *before, "COMMIT") == told


def test_a_setting_that_names_no_table_is_none(followed: Captured) -> None:
    """Any session may write the setting, also with a number that no oid has; its statements are captured still."""
    now = "extract(epoch FROM now())::bigint"
    forged = f"SELECT set_config('pggit_daemon.asked', concat_ws(' ', pg_backend_pid(), 9999999999, {now}), false)"
    assert _used(followed.dsn, forged) is None
    assert [event.failure for event in followed.events()] == [None, None]

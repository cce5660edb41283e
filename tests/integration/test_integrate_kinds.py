"""pggit.integrate on every kind of table that a history may stand in, and on what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

TRIGGERS = "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname LIKE 'pggit_daemon_%%'"
IDENTITY = "SELECT relreplident FROM pg_class WHERE oid = %s::regclass"
DEEP = "CREATE TABLE deep PARTITION OF history DEFAULT PARTITION BY RANGE (version)"
SESSIONS = "SELECT count(*) FROM pggit_daemon.request WHERE action = 'session'"


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database, autocommit=True) as conn:
        yield conn


def test_each_partition_of_a_table_without_a_key_is_decoded_whole(conn: psycopg.Connection[Any]) -> None:
    """UPDATE and DELETE are written with the partition's identity, not the whole's."""
    conn.execute("CREATE TABLE history (version int, tenant text) PARTITION BY LIST (tenant)")
    conn.execute("CREATE TABLE history_a PARTITION OF history FOR VALUES IN ('a')")
    conn.execute("SELECT pggit.integrate('history')")
    assert {name: conn.execute(IDENTITY, [name]).fetchone() for name in ("history", "history_a")} == {
        "history": ("f",),
        "history_a": ("f",),
    }
    conn.execute("INSERT INTO history VALUES (1, 'a')")
    conn.execute("TRUNCATE history")
    assert conn.execute(SESSIONS).fetchone() == (2,)


@pytest.mark.parametrize(
    "attach",
    [
        "CREATE TABLE later PARTITION OF history FOR VALUES IN ('b')",
        "CREATE TABLE later (version int, tenant text); ALTER TABLE history ATTACH PARTITION later FOR VALUES IN ('b')",
        f"{DEEP}; CREATE TABLE later PARTITION OF deep DEFAULT",
    ],
)
def test_a_partition_that_comes_later_is_decoded_whole(conn: psycopg.Connection[Any], attach: str) -> None:
    """By whatever statement, of an owner who is no superuser; and nobody's who is not integrated."""
    conn.execute("DROP ROLE IF EXISTS integrate_owner; CREATE ROLE integrate_owner")
    conn.execute("GRANT CREATE ON SCHEMA public TO integrate_owner")
    conn.execute("CREATE TABLE history (version int, tenant text) PARTITION BY LIST (tenant)")
    conn.execute("ALTER TABLE history OWNER TO integrate_owner")
    conn.execute("SELECT pggit.integrate('history')")
    conn.execute("SET ROLE integrate_owner")
    for statement in attach.split("; "):
        conn.execute(statement.encode())
    conn.execute("CREATE TABLE other (id int) PARTITION BY RANGE (id); CREATE TABLE other_a PARTITION OF other DEFAULT")
    conn.execute("RESET ROLE")
    assert conn.execute(IDENTITY, ["later"]).fetchone() == ("f",)
    assert conn.execute(IDENTITY, ["other_a"]).fetchone() == ("d",)
    there = "SELECT count(*) FROM pg_event_trigger WHERE evtname = 'pggit_daemon_partitions'"
    assert conn.execute(there).fetchone() == (1,)
    conn.execute("SELECT pggit.remove_integration('history')")
    assert conn.execute(there).fetchone() == (0,)
    conn.execute("DROP TABLE history, other; DROP OWNED BY integrate_owner; DROP ROLE integrate_owner")


@pytest.mark.parametrize(
    ("table", "before", "after"),
    [
        ("version int PRIMARY KEY", "DEFAULT", "d"),
        ("version int PRIMARY KEY", "NOTHING", "f"),
        ("version int", "DEFAULT", "f"),
        ("version int NOT NULL CONSTRAINT k UNIQUE", "USING INDEX k", "i"),
    ],
)
def test_what_decoding_needs_is_there_afterwards(
    conn: psycopg.Connection[Any], table: str, before: str, after: str
) -> None:
    conn.execute(f"CREATE TABLE history ({table})".encode())
    conn.execute(f"ALTER TABLE history REPLICA IDENTITY {before}".encode())
    conn.execute("SELECT pggit.integrate('history')")
    conn.execute("SELECT pggit.integrate('history')")
    assert conn.execute(IDENTITY, ["history"]).fetchone() == (after,)
    assert conn.execute(TRIGGERS, ["history"]).fetchone() == (2,)
    notices: list[str | None] = []
    conn.add_notice_handler(lambda said: notices.append(said.message_primary))
    conn.execute("SELECT pggit.remove_integration('history')")
    assert notices == [], "nobody asked for what is not there"
    assert conn.execute(TRIGGERS, ["history"]).fetchone() == (0,)


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        ("CREATE TEMPORARY TABLE history (version int)", "neither temporary nor unlogged"),
        ("CREATE UNLOGGED TABLE history (version int)", "neither temporary nor unlogged"),
        ("CREATE VIEW history AS SELECT 1 AS version", "ordinary or partitioned table"),
        ("CREATE SEQUENCE history", "ordinary or partitioned table"),
    ],
)
def test_what_is_no_history_is_refused_with_a_hint(conn: psycopg.Connection[Any], make: str, hint: str) -> None:
    conn.execute(make.encode())
    with pytest.raises(psycopg.errors.WrongObjectType) as refused:
        conn.execute("SELECT pggit.integrate('history')")
    assert hint in (refused.value.diag.message_hint or "")
    with pytest.raises(psycopg.errors.UndefinedObject) as unknown:
        conn.execute("SELECT pggit.remove_integration('history')")
    assert "pggit.integrate" in (unknown.value.diag.message_hint or "")


@pytest.mark.parametrize("call", ["integrate", "remove_integration"])
def test_it_does_not_queue_before_a_tool_at_work(
    conn: psycopg.Connection[Any], installed_database: str, call: str
) -> None:
    """Whoever waits for a lock on the table has the tool's next statement wait behind him."""
    conn.execute("CREATE TABLE history (version int)")
    if call == "remove_integration":
        conn.execute("SELECT pggit.integrate('history')")
    with psycopg.connect(installed_database) as tool:
        tool.execute("INSERT INTO history VALUES (1)")
        with pytest.raises(psycopg.errors.LockNotAvailable, match="somebody is at work") as refused:
            conn.execute(f"SELECT pggit.{call}('history')".encode())
        assert refused.value.diag.message_hint
    conn.execute(f"SELECT pggit.{call}('history')".encode())


def test_a_table_that_is_not_followed_is_integrated_with_a_notice(conn: psycopg.Connection[Any]) -> None:
    """Whoever names the wrong table hears of it; of one that the daemon knows nothing is said."""
    told: list[str] = []
    conn.add_notice_handler(lambda notice: told.append(f"{notice.message_primary} {notice.message_hint}"))
    conn.execute("CREATE TABLE users (id int PRIMARY KEY)")
    conn.execute("SELECT pggit.integrate('users')")
    assert len(told) == 1
    assert "users is no history table that the daemon knows so far" in told[0]
    assert "remove_integration" in told[0]
    conn.execute(
        "INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)"
        " VALUES ('ours', 'custom', 'custom', 'public', 'users', 'config')"
    )
    conn.execute("SELECT pggit.integrate('users')")
    assert len(told) == 1

"""Migrations of the SQL API that fail, are never ended, or are ended wrongly: what is recorded is what they ran."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from psycopg import errors

from tests.integration.api_write_support import Connection, Followed
from tests.integration.tracked import IDS, begin, create, end


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
    outer, inner = next(IDS), next(IDS)
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

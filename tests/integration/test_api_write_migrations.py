"""begin_migration and end_migration: what a session runs between them is the migration's, and nothing else is."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest
from psycopg import errors

from tests.integration.api_write_support import Connection, Followed
from tests.integration.tracked import IDS, begin, create, end


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
    outer, inner = next(IDS), next(IDS)
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
    first, second = next(IDS), next(IDS)
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

"""What the capture notes of a history table with one number and no key: what it holds, and who had left it so.

The plugin shows nothing of an UPDATE there. Whoever runs DDL reads it, in the way of nobody, and is not taken for a
session that used the table itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.capture_support import Captured

Connection = psycopg.Connection[Any]
TOLD = "SELECT used_histories, failure FROM pggit_daemon.ddl_event ORDER BY id DESC LIMIT 1"


@pytest.fixture
def followed(installed_database: str) -> Iterator[Captured]:
    """A table as tern makes it, under a name that needs quotes."""
    captured = Captured(installed_database)
    captured.run(
        'CREATE SCHEMA "Odd one"',
        'CREATE TABLE "Odd one".schema_version (version int4 NOT NULL)',
        'INSERT INTO "Odd one".schema_version VALUES (7)',
    )
    captured.conn.execute(
        "INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin, objid)"
        " VALUES ('tern', 'tern', 'tern', 'Odd one', 'schema_version', 'discovered',"
        """ '"Odd one".schema_version'::regclass)"""
    )
    captured.conn.execute("SELECT setval('pggit_daemon.tool_watch', 3)")
    yield captured
    captured.close()


def _session(followed: Captured, **parts: str) -> Connection:
    return psycopg.connect(make_conninfo(followed.dsn, **parts), autocommit=True)


def _told(followed: Captured, *before: str, conn: Connection | None = None) -> list[Any]:
    """What a statement tells of history tables, in a new session."""
    with conn or _session(followed) as session:
        for statement in before:
            session.execute(statement.encode())
        session.execute("CREATE TABLE public.probed (); DROP TABLE public.probed")
        row = session.execute(TOLD.replace("DESC", "DESC OFFSET 1")).fetchone()
        assert row is not None
        assert row[1] is None
    return list(row[0] or [])


def _writer(followed: Captured) -> int:
    row = followed.conn.execute('SELECT xmin::text::bigint FROM "Odd one".schema_version').fetchone()
    assert row is not None
    return int(row[0])


def test_a_statement_tells_the_number_and_who_left_it(followed: Captured) -> None:
    followed.conn.execute('UPDATE "Odd one".schema_version SET version = 8')
    assert _told(followed) == [{"source": "tern", "xid": _writer(followed), "row": {"version": "8"}}]


def test_what_the_transaction_wrote_itself_is_not_told(followed: Captured) -> None:
    """Nor of its subtransactions: nobody knows yet what it will leave."""
    move = 'UPDATE "Odd one".schema_version SET version = version + 1'
    for before in ([move], ["SAVEPOINT a", move, "RELEASE a"]):
        assert _told(followed, "BEGIN", *before) == ["tern"]


@pytest.mark.parametrize(
    "change",
    [
        'INSERT INTO "Odd one".schema_version VALUES (8)',
        'DELETE FROM "Odd one".schema_version',
        'ALTER TABLE "Odd one".schema_version REPLICA IDENTITY FULL',
        'ALTER TABLE "Odd one".schema_version ADD PRIMARY KEY (version)',
        'ALTER TABLE "Odd one".schema_version ADD COLUMN note text',
        'ALTER TABLE "Odd one".schema_version ALTER version TYPE text',
        'ALTER TABLE "Odd one".schema_version ENABLE ROW LEVEL SECURITY',
        'DROP TABLE "Odd one".schema_version; CREATE VIEW "Odd one".schema_version AS SELECT 8 AS version',
    ],
)
def test_of_any_other_table_nothing_is_told(followed: Captured, change: str) -> None:
    followed.conn.execute(change.encode())
    assert _told(followed) == []


def test_a_table_that_others_have_locked_is_not_waited_for(followed: Captured) -> None:
    with _session(followed) as other, other.transaction():
        other.execute('LOCK TABLE "Odd one".schema_version')
        assert _told(followed) == []


def test_the_lock_is_given_back_at_once(followed: Captured) -> None:
    with _session(followed) as session, session.transaction():
        session.execute("CREATE TABLE public.probed ()")
        with _session(followed, options="-c lock_timeout=2s") as tool, tool.transaction():
            tool.execute('LOCK TABLE "Odd one".schema_version')


def test_the_statement_is_recorded_outside_of_any_subtransaction(followed: Captured) -> None:
    with _session(followed) as session, session.transaction():
        session.execute("CREATE TABLE public.probed ()")
        top = session.execute("SELECT pg_current_xact_id()::xid").fetchone()
        assert session.execute("SELECT xmin FROM pggit_daemon.ddl_event ORDER BY id DESC LIMIT 1").fetchone() == top


def test_who_only_ran_ddl_has_not_used_the_table(followed: Captured) -> None:
    """Our own reading counts in the server's statistics of the session, too."""
    with _session(followed) as hand:
        for settings in ("", "SET enable_tidscan = off", "SET enable_seqscan = on"):
            hand.execute(settings.encode())
            for number in range(3):
                for statement in ("CREATE TABLE public.by_hand ()", "DROP TABLE public.by_hand"):
                    hand.execute(statement.encode())
                    row = hand.execute(TOLD).fetchone()
                    assert row is not None
                    assert [one for one in row[0] or () if isinstance(one, str)] == [], (
                        f"{settings} {number} {statement}"
                    )
                hand.execute("BEGIN; CREATE TABLE public.taken_back (); ROLLBACK")


@pytest.mark.parametrize("use", ["SELECT version FROM {}", "UPDATE {} SET version = 9", "INSERT INTO {} VALUES (9)"])
def test_who_used_it_has(followed: Captured, use: str) -> None:
    table = '"Odd one".schema_version'
    assert "tern" in _told(followed, "CREATE TABLE public.first (); DROP TABLE public.first", use.format(table))


def test_a_transaction_that_could_fail_for_it_reads_nothing(followed: Captured) -> None:
    assert _told(followed, "BEGIN ISOLATION LEVEL SERIALIZABLE") == []


def test_beside_many_the_number_is_read_in_the_way_of_nobody(followed: Captured) -> None:
    """DDL of many sessions while the tool moves its row: each tells a number with the transaction that left it."""
    stop = threading.Event()

    def tool() -> None:
        with _session(followed) as conn:
            while not stop.is_set():
                conn.execute('UPDATE "Odd one".schema_version SET version = version + 1')

    working = threading.Thread(target=tool)
    working.start()
    try:
        with _session(followed) as hand:
            for number in range(20):
                hand.execute(f"CREATE TABLE public.beside_{number} ()".encode())
    finally:
        stop.set()
        working.join()
    told = followed.conn.execute(
        "SELECT (h ->> 'xid')::bigint, (h -> 'row' ->> 'version')::int FROM pggit_daemon.ddl_event,"
        " jsonb_array_elements(used_histories) AS h WHERE objects::text LIKE '%beside_%' ORDER BY id"
    ).fetchall()
    assert len(told) == 20
    assert told == sorted(told), "a later one tells no earlier number"
    assert len(dict(told)) == len(set(told)), "one transaction left one number"

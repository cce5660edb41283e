"""What the real wal2json sends, as values: rows of every shape, and tables of every name."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pggit_daemon.model.transaction import Message, RowChange, RowOp, TableName, Value
from tests.integration.streaming import changes_to_marker, connect, make_slot, mark, read_to_marker

if TYPE_CHECKING:
    from sandbox.databases import Databases

T = TableName("public", "t")


async def rows(dsn: str, slot: str, *tables: TableName) -> list[RowChange]:
    changes = await changes_to_marker(dsn, slot, *tables)
    assert all(isinstance(change, RowChange) for change in changes), changes
    return [change for change in changes if isinstance(change, RowChange)]


async def test_insert_update_delete_with_default_identity(database: str) -> None:
    """The identity is the primary key's old value; an insert has none."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, note text)")
        slot = make_slot(conn)
        conn.execute("INSERT INTO t VALUES (1, 'a')")
        conn.execute("UPDATE t SET note = 'b'")
        conn.execute("UPDATE t SET id = 2")
        conn.execute("DELETE FROM t")
        mark(conn)
    seen = [(c.op, dict(c.new), dict(c.identity)) for c in await rows(database, slot, T)]
    assert seen == [
        (RowOp.INSERT, {"id": 1, "note": "a"}, {}),
        (RowOp.UPDATE, {"id": 1, "note": "b"}, {"id": 1}),
        (RowOp.UPDATE, {"id": 2, "note": "b"}, {"id": 1}),
        (RowOp.DELETE, {}, {"id": 2}),
    ]


async def test_full_identity_shows_the_whole_old_row(database: str) -> None:
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, note text)")
        conn.execute("ALTER TABLE t REPLICA IDENTITY FULL")
        slot = make_slot(conn)
        conn.execute("INSERT INTO t VALUES (1, 'a')")
        conn.execute("UPDATE t SET note = 'b'")
        conn.execute("DELETE FROM t")
        mark(conn)
    _insert, update, delete = await rows(database, slot, T)
    assert update.identity == {"id": 1, "note": "a"}
    assert delete.identity == {"id": 1, "note": "b"}


async def test_without_identity_the_server_warns(database: str) -> None:
    """wal2json drops such a row: the warning on the stream is all that tells."""
    notices: list[tuple[str, str, str]] = []
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (id int)")
        slot = make_slot(conn)
        conn.execute("INSERT INTO t VALUES (1)")
        conn.execute("DELETE FROM t")
        mark(conn)
    found = await read_to_marker(database, slot, [T], on_notice=lambda *notice: notices.append(notice))
    ops = [change.op for transaction in found for change in transaction.changes if isinstance(change, RowChange)]
    assert ops == [RowOp.INSERT]
    assert [(severity, "DELETE" in text) for severity, _state, text in notices] == [("WARNING", True)]


async def test_an_unchanged_toasted_column_is_absent(database: str) -> None:
    """Absent is not NULL: the value is still there, it was only not sent."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, big text, note text)")
        conn.execute("ALTER TABLE t ALTER big SET STORAGE EXTERNAL")
        slot = make_slot(conn)
        conn.execute("INSERT INTO t VALUES (1, repeat('x', 1000000), NULL)")
        conn.execute("UPDATE t SET note = 'n'")
        mark(conn)
    insert, update = await rows(database, slot, T)
    assert insert.new == {"id": 1, "big": "x" * 1_000_000, "note": None}
    assert update.new == {"id": 1, "note": "n"}


async def test_values_of_many_types(database: str) -> None:
    """Numbers are exact, texts are PostgreSQL's own under the pinned settings, whatever the role has set."""
    with connect(database) as conn:
        conn.execute(
            "CREATE TABLE t (n numeric, big bigint, f float8, b bool, bytes bytea, at timestamptz, span interval,"
            " doc jsonb, list int[], nan numeric, inf float8, double int GENERATED ALWAYS AS (big % 7) STORED)"
        )
        slot = make_slot(conn)
        conn.execute(
            "INSERT INTO t VALUES (12345678901234567890.10, 9007199254740993, 0.1, true, '\\x00ff',"
            " '2026-01-02 03:04:05+02', '1 day 02:00', '{\"a\": [1]}', '{1,2}', 'NaN', '-Infinity')"
        )
        mark(conn)
    strange = make_conninfo(
        database,
        options="-c TimeZone=Asia/Tokyo -c DateStyle=German -c IntervalStyle=iso_8601 -c bytea_output=escape"
        " -c extra_float_digits=0 -c statement_timeout=1 -c lock_timeout=1",
    )
    (row,) = await rows(strange, slot, T)
    expected: dict[str, Value] = {
        "n": Decimal("12345678901234567890.10"),
        "big": 9007199254740993,
        "f": Decimal("0.1"),
        "b": True,
        "bytes": "00ff",
        "at": "2026-01-02 01:04:05+00",
        "span": "1 day 02:00:00",
        "doc": '{"a": [1]}',
        "list": "{1,2}",
        "nan": None,  # wal2json has no other way to say it
        "inf": None,
        "double": 9007199254740993 % 7,
    }
    assert row.new == expected


async def test_hostile_values_arrive_as_they_are(database: str) -> None:
    values = ['"', "\\", "\n\t\r\x01\x7f", "'; DROP TABLE t; --", '{"action":"C"', "é漢🐘\u2028", "", "x" * 3_000_000]
    digits = "9" * 20_000
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v text, n numeric)")
        slot = make_slot(conn)
        for value in values:
            conn.execute("INSERT INTO t VALUES (%s, 1)", [value])
        conn.execute("INSERT INTO t VALUES ('digits', %s::numeric)", [digits])
        mark(conn)
    *found, last = await rows(database, slot, T)
    assert [row.new["v"] for row in found] == values
    assert str(last.new["n"]) == digits


async def test_savepoints_and_rollbacks(database: str) -> None:
    """Only what was committed, as one transaction with the top-level xid."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int)")
        slot = make_slot(conn)
        with conn.transaction():
            conn.execute("INSERT INTO t VALUES (1)")
            row = conn.execute("SELECT txid_current() % (2^32)::bigint").fetchone()
            with conn.transaction():
                conn.execute("INSERT INTO t VALUES (2)")
            with conn.transaction():
                conn.execute("INSERT INTO t VALUES (3)")
                raise psycopg.Rollback
        with conn.transaction():
            conn.execute("INSERT INTO t VALUES (4)")
            raise psycopg.Rollback
        mark(conn)
    (transaction,) = await read_to_marker(database, slot, [T])
    assert [change.new["v"] for change in transaction.changes if isinstance(change, RowChange)] == [1, 2]
    assert row == (transaction.xid,)
    assert transaction.commit_lsn < transaction.end_lsn


async def test_truncate_names_each_table(database: str) -> None:
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int); CREATE TABLE u (v int); CREATE TABLE other (v int)")
        slot = make_slot(conn)
        conn.execute("TRUNCATE t, u, other")
        mark(conn)
    u = TableName("public", "u")
    assert [(c.op, c.table) for c in await rows(database, slot, T, u)] == [(RowOp.TRUNCATE, T), (RowOp.TRUNCATE, u)]


async def test_positions_are_those_of_the_records(database: str) -> None:
    """The change's position comes from the frame's header; it lies before its commit."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int)")
        slot = make_slot(conn)
        conn.execute("INSERT INTO t VALUES (1)")
        mark(conn)
        told = conn.execute(
            "SELECT data::jsonb ->> 'lsn', data::jsonb ->> 'nextlsn', data::jsonb ->> 'action'"
            " FROM pg_logical_slot_peek_changes(%s, NULL, NULL, 'format-version', '2', 'include-lsn', '1',"
            " 'add-tables', 'public.t')",
            [slot],
        ).fetchall()
    (transaction,) = await read_to_marker(database, slot, [T])
    _begin, insert, commit = told[:3]
    assert [str(change.lsn) for change in transaction.changes] == [insert[0]]
    assert (str(transaction.commit_lsn), str(transaction.end_lsn), "C") == commit


async def test_only_our_messages_come(database: str) -> None:
    with connect(database) as conn:
        slot = make_slot(conn)
        conn.execute(
            "SELECT pg_logical_emit_message(true, 'theirs', 'a'), pg_logical_emit_message(true, %s, 'b')",
            ["pggit_daemon"],
        )
        mark(conn)
    (message,) = await changes_to_marker(database, slot)
    assert isinstance(message, Message)
    assert (message.content, message.transactional) == ("b", True)


HOSTILE = [
    "plain", "UPPER", "two words", " lead", "trail ", "dot.ted", "a,b", "*", "*.*", "back\\slash", "\\", "\\.",
    "line\nbreak", "tab\t", 'double"quote', "single'quote", "semi;colon", "é" * 31, "漢" * 21, "🐘" * 15 + "abc",
    "x" * 63, "%s %(a)s", "{}", "\u00a0nbsp", "\u2028", "\x7f",
]  # fmt: skip


async def test_rows_of_tables_with_hostile_names_arrive(database: str) -> None:
    """Each name as a table's and as a schema's; and none of them lets a neighbour's rows in."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE public.neighbour (v int)")
        wanted = [TableName("public", name) for name in HOSTILE]
        for name in HOSTILE:
            conn.execute(sql.SQL("CREATE TABLE {} (v int)").format(sql.Identifier("public", name)))
            if name != "public":
                conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
                conn.execute(sql.SQL("CREATE TABLE {} (v int)").format(sql.Identifier(name, name)))
                conn.execute(sql.SQL("CREATE TABLE {} (v int)").format(sql.Identifier(name, "neighbour")))
                wanted.append(TableName(name, name))
        slot = make_slot(conn)
        for table in wanted:
            conn.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(sql.Identifier(table.schema, table.table)))
            conn.execute(sql.SQL("INSERT INTO {} VALUES (2)").format(sql.Identifier(table.schema, "neighbour")))
        mark(conn)
    seen = await rows(database, slot, *wanted)
    assert [(change.table, change.new["v"]) for change in seen] == [(table, 1) for table in wanted]


async def test_no_tables_means_no_rows(database: str) -> None:
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int)")
        slot = make_slot(conn)
        conn.execute("INSERT INTO t VALUES (1)")
        mark(conn)
    assert await read_to_marker(database, slot, []) == []


async def test_a_database_in_another_encoding(cluster: Databases) -> None:
    """wal2json writes in the database's encoding, not in the client's."""
    name = "latin_encoded"
    with connect(cluster.dsn()) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        with connect(cluster.dsn(name)) as conn:
            conn.execute('CREATE TABLE "straße" ("größe" text)')
            slot = make_slot(conn)
            conn.execute("INSERT INTO \"straße\" VALUES ('é à ü')")
            mark(conn)
        (row,) = await rows(cluster.dsn(name), slot, TableName("public", "straße"))
        assert row.new == {"größe": "é à ü"}
    finally:
        cluster.drop_database(name)

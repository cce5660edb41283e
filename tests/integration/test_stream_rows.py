"""What the real plugins send, as values, alike by both: rows of every shape, and tables of every name."""

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


async def test_insert_update_delete_with_default_identity(database: str, plugin: str) -> None:
    """The identity is the primary key's old value; an insert has none."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, note text)")
        slot = make_slot(conn, plugin)
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


async def test_full_identity_shows_the_whole_old_row(database: str, plugin: str) -> None:
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, note text)")
        conn.execute("ALTER TABLE t REPLICA IDENTITY FULL")
        slot = make_slot(conn, plugin)
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


async def test_an_unchanged_toasted_column_is_absent(database: str, plugin: str) -> None:
    """Absent is not NULL: the value is still there, it was only not sent."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, big text, note text)")
        conn.execute("ALTER TABLE t ALTER big SET STORAGE EXTERNAL")
        slot = make_slot(conn, plugin)
        conn.execute("INSERT INTO t VALUES (1, repeat('x', 1000000), NULL)")
        conn.execute("UPDATE t SET note = 'n'")
        mark(conn)
    insert, update = await rows(database, slot, T)
    assert insert.new == {"id": 1, "big": "x" * 1_000_000, "note": None}
    assert update.new == {"id": 1, "note": "n"}


async def test_values_of_many_types(database: str, plugin: str) -> None:
    """Numbers are exact, texts are PostgreSQL's own under the pinned settings, whatever the role has set."""
    with connect(database) as conn:
        conn.execute(
            "CREATE TABLE t (n numeric, big bigint, f float8, b bool, bytes bytea, at timestamptz, span interval,"
            " doc jsonb, list int[], nan numeric, inf float8, double int GENERATED ALWAYS AS (big % 7) STORED)"
        )
        slot = make_slot(conn, plugin)
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
    if plugin == "pgoutput":
        del expected["double"]  # what the server computes, it leaves out
    assert row.new == expected


async def test_both_plugins_say_the_same(database: str) -> None:
    """Every value, identity, position and time: two slots on the same WAL."""
    with connect(database) as conn:
        conn.execute(MANY)
        slot = make_slot(conn, "pgoutput")
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'wal2json')", [f"{slot}_json"])
        for statement in MANY_CHANGES.split(";"):
            conn.execute(statement)
        with conn.transaction():
            conn.execute("INSERT INTO t (id) SELECT generate_series(10, 12)")
            conn.execute("ALTER TABLE t DROP o, ADD late text DEFAULT 'x', ALTER d TYPE text, DROP CONSTRAINT t_pkey")
            conn.execute("ALTER TABLE t ADD PRIMARY KEY (id, late)")
            conn.execute("UPDATE t SET late = id WHERE id > 10")
        mark(conn)
    tables = [T, TableName("public", "full"), TableName("Odd", 'na"me')]
    by_pgoutput = await read_to_marker(database, slot, tables)
    # As text, too: 5 and Decimal("5") are equal, but not alike.
    assert list(map(repr, by_pgoutput)) == list(map(repr, await read_to_marker(database, f"{slot}_json", tables)))
    assert sum(len(transaction.changes) for transaction in by_pgoutput) == 20


MANY = """
    CREATE DOMAIN int_domain AS int; CREATE DOMAIN bytea_domain AS bytea; CREATE TYPE letter AS ENUM ('a', 'b');
    CREATE TABLE t (id int PRIMARY KEY, o oid, x xid8, cash money, d int_domain, b bytea_domain, bits bit(3), l letter,
        c "char", n name, doc json, f4 float4, f8 float8, exact numeric, at pg_lsn, r regclass, flag bool, raw bytea,
        ch char(4), stamp timestamp, zoned timestamptz, day date, span interval, list int[], uid uuid, addr inet,
        big text);
    ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE "full" (id int, note text, big text);
    ALTER TABLE "full" REPLICA IDENTITY FULL;
    ALTER TABLE "full" ALTER big SET STORAGE EXTERNAL;
    CREATE SCHEMA "Odd"; CREATE TABLE "Odd"."na""me" ("Th e" int PRIMARY KEY, "ünï" text);
"""
MANY_CHANGES = r"""
    INSERT INTO t VALUES (1, 4000000000, '6', '12.3', 7, '\x00ff', B'101', 'a', 'q', 'nn', '{"a": "\u00e9"}', 1e-20,
        1e300, 'Infinity', '0/12', 'pg_class', true, '\x0001', 'ab', '0044-03-15 BC', '2026-01-02 03:04:05.678+02',
        'infinity', '1 day -2:03', '{1,NULL}', '00000000-0000-0000-0000-000000000001', '::1', repeat('x', 3000));
    INSERT INTO t (id, f4, f8, exact, cash) VALUES (2, 'NaN', '-Infinity', '-0.00', '-1'), (3, 0, -0.0, 1e30, NULL);
    UPDATE t SET cash = 5 WHERE id = 1;
    UPDATE t SET id = -1, exact = 'NaN' WHERE id = 1;
    DELETE FROM t WHERE id = -1;
    INSERT INTO "full" VALUES (1, NULL, repeat('y', 3000));
    UPDATE "full" SET note = 'x';
    UPDATE "full" SET note = NULL;
    DELETE FROM "full";
    INSERT INTO "Odd"."na""me" VALUES (1, 'ß');
    UPDATE "Odd"."na""me" SET "ünï" = NULL;
    SELECT pg_logical_emit_message(true, 'pggit_daemon', 'é');
    SELECT pg_logical_emit_message(true, 'pggit_daemon.x', 'theirs');
    TRUNCATE t, "full"
"""


async def test_hostile_values_arrive_as_they_are(database: str, plugin: str) -> None:
    values = ['"', "\\", "\n\t\r\x01\x7f", "'; DROP TABLE t; --", '{"action":"C"', "é漢🐘\u2028", "", "x" * 3_000_000]
    digits = "9" * 20_000
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v text, n numeric)")
        slot = make_slot(conn, plugin)
        for value in values:
            conn.execute("INSERT INTO t VALUES (%s, 1)", [value])
        conn.execute("INSERT INTO t VALUES ('digits', %s::numeric)", [digits])
        mark(conn)
    *found, last = await rows(database, slot, T)
    assert [row.new["v"] for row in found] == values
    assert str(last.new["n"]) == digits


async def test_savepoints_and_rollbacks(database: str, plugin: str) -> None:
    """Only what was committed, as one transaction with the top-level xid."""
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int)")
        slot = make_slot(conn, plugin)
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


async def test_truncate_names_each_table(database: str, plugin: str) -> None:
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int); CREATE TABLE u (v int); CREATE TABLE other (v int)")
        u = TableName("public", "u")
        slot = make_slot(conn, plugin, publish=[T, u])
        conn.execute("TRUNCATE t, u, other")
        mark(conn)
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


async def test_only_our_messages_come(database: str, plugin: str) -> None:
    with connect(database) as conn:
        slot = make_slot(conn, plugin)
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


async def test_rows_of_tables_with_hostile_names_arrive(database: str, plugin: str) -> None:
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
        slot = make_slot(conn, plugin, publish=wanted)
        for table in wanted:
            conn.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(sql.Identifier(table.schema, table.table)))
            conn.execute(sql.SQL("INSERT INTO {} VALUES (2)").format(sql.Identifier(table.schema, "neighbour")))
        mark(conn)
    seen = await rows(database, slot, *wanted)
    assert [(change.table, change.new["v"]) for change in seen] == [(table, 1) for table in wanted]


async def test_no_tables_means_no_rows(database: str, plugin: str) -> None:
    with connect(database) as conn:
        conn.execute("CREATE TABLE t (v int)")
        slot = make_slot(conn, plugin, publish=[])
        conn.execute("INSERT INTO t VALUES (1)")
        mark(conn)
    assert await read_to_marker(database, slot, []) == []


async def test_a_database_in_another_encoding(cluster: Databases, plugin: str) -> None:
    """wal2json writes in the database's encoding, not in the client's."""
    name = "latin_encoded"
    with connect(cluster.dsn()) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        with connect(cluster.dsn(name)) as conn:
            conn.execute('CREATE TABLE "straße" ("größe" text)')
            slot = make_slot(conn, plugin)
            conn.execute("INSERT INTO \"straße\" VALUES ('é à ü')")
            mark(conn)
        (row,) = await rows(cluster.dsn(name), slot, TableName("public", "straße"))
        assert row.new == {"größe": "é à ü"}
    finally:
        cluster.drop_database(name)

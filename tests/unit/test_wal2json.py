"""wal2json's records as values, and its options. What the real plugin sends is tested in tests/integration."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.decode.plugin import Commit
from pggit_daemon.decode.wal2json import options, parse_change, parse_commit
from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Message, RowChange, RowOp, TableName, Unreadable

AT = LSN(0x1516D28)
TABLE = TableName("public", "t")


def record(action: str, **more: Any) -> bytes:
    return json.dumps({"action": action, "xid": 7, "lsn": str(AT), "schema": "public", "table": "t"} | more).encode()


def columns(**values: Any) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def test_insert_update_delete_truncate() -> None:
    """`new` is there for I and U, the old key for U and D."""
    assert parse_change(record("I", columns=columns(id=1)), AT) == RowChange(AT, RowOp.INSERT, TABLE, {"id": 1}, {})
    update = record("U", columns=columns(id=2, note="x"), identity=columns(id=1))
    assert parse_change(update, AT) == RowChange(AT, RowOp.UPDATE, TABLE, {"id": 2, "note": "x"}, {"id": 1})
    delete = record("D", identity=columns(id=2))
    assert parse_change(delete, AT) == RowChange(AT, RowOp.DELETE, TABLE, {}, {"id": 2})
    assert parse_change(record("T"), AT) == RowChange(AT, RowOp.TRUNCATE, TABLE, {}, {})


def test_numbers_are_exact() -> None:
    """No float anywhere, and no limit on digits: numeric has up to 131072 of them."""
    digits = "9" * 6000
    raw = b'{"action":"I","schema":"public","table":"t","columns":[%s]}' % b",".join(
        b'{"name":"c%d","value":%s}' % (number, text.encode())
        for number, text in enumerate(["0.1", "1.10", "12345678901234567890", digits, "-0.5e-3", "null", "true"])
    )
    change = parse_change(raw, AT)
    assert isinstance(change, RowChange)
    values = list(change.new.values())
    assert values[:3] == [Decimal("0.1"), Decimal("1.10"), 12345678901234567890]
    assert str(values[1]) == "1.10"
    assert str(values[3]) == digits
    assert values[4:] == [Decimal("-0.0005"), None, True]


def test_a_message_is_read() -> None:
    raw = json.dumps({"action": "M", "lsn": "0/1", "transactional": True, "prefix": "p", "content": "c"}).encode()
    assert parse_change(raw, AT) == Message(AT, transactional=True, prefix="p", content="c")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"action":"X"}',
        b'{"action":["I"]}',
        b'{"action":"I","schema":"s","table":"t"}',
        b'{"action":"I","schema":"s","table":"t","columns":[{"name":"a"}]}',
        b'{"action":"I","schema":"s","table":"t","columns":[{"name":1,"value":1}]}',
        b'{"action":"I","schema":"s","table":"t","columns":[{"name":"a","value":{"b":1}}]}',
        b'{"action":"I","schema":null,"table":"t","columns":[]}',
        b'{"action":"D","schema":"s","table":"t"}',
        b'{"action":"M","transactional":1,"prefix":"p","content":"c"}',
        b'{"action":"I","schema":"s","table":"t","columns":[{"name":"a","type":"x"y","value":1}]}',
        b'{"action":"I","schema":"s","table":"\xff","columns":[]}',
    ],
)
def test_what_does_not_parse_is_kept_raw(raw: bytes) -> None:
    """The quarantine gets the position, the text and the reason; nothing is raised and nothing lost."""
    change = parse_change(raw, AT)
    assert isinstance(change, Unreadable)
    assert change.lsn == AT
    assert change.raw == raw.decode("utf-8", errors="backslashreplace")
    assert change.reason


@given(st.binary(max_size=200))
def test_no_bytes_raise(raw: bytes) -> None:
    assert isinstance(parse_change(raw, AT), Unreadable | RowChange | Message)


def test_the_databases_encoding_is_used() -> None:
    raw = '{"action":"I","schema":"s","table":"t","columns":[{"name":"ü","value":"é"}]}'.encode("latin-1")
    change = parse_change(raw, AT, "iso8859-1")
    assert isinstance(change, RowChange)
    assert change.new == {"ü": "é"}


def test_a_commit_is_read() -> None:
    raw = b'{"action":"C","xid":9,"timestamp":"2026-11-22 20:49:22.5+00","lsn":"0/10","nextlsn":"0/40"}'
    assert parse_commit(raw) == Commit(9, LSN(0x10), LSN(0x40), datetime(2026, 11, 22, 20, 49, 22, 500_000, tzinfo=UTC))


@pytest.mark.parametrize("missing", ["xid", "timestamp", "lsn", "nextlsn"])
def test_a_commit_that_lacks_something_stops_the_stream(missing: str) -> None:
    whole = {"action": "C", "xid": 9, "timestamp": "2026-11-22 20:49:22+00", "lsn": "0/10", "nextlsn": "0/40"}
    del whole[missing]
    with pytest.raises(ProtocolError):
        parse_commit(json.dumps(whole).encode())


def test_names_are_escaped_for_the_plugin() -> None:
    tables = [TableName("public", "plain_1"), TableName("a b", "c.d"), TableName("*", "\\,\n'")]
    assert options(tables)["add-tables"] == "public.plain_1,a\\ b.c\\.d,\\*.\\\\\\,\\\n\\'"


def test_no_tables_is_an_empty_list() -> None:
    """The plugin takes that as: no rows at all."""
    assert options([])["add-tables"] == ""

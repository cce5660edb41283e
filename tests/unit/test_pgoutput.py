"""pgoutput's records as values. That they are those of wal2json is tested with both, in test_stream_rows.py."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.decode.assembler import Assembler
from pggit_daemon.decode.pgoutput import Pgoutput
from pggit_daemon.decode.plugin import Commit
from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Message, RowChange, RowOp, TableName, Unreadable
from pggit_daemon.replication import protocol
from pggit_daemon.replication.protocol import to_clock

AT = LSN(0x1516D28)
OID = 16384
PREFIX = "pggit_daemon.0123"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BEGIN = struct.pack(">cQqI", b"B", 0x100, to_clock(NOON), 4_000_000_000)
COMMIT = struct.pack(">cbQQq", b"C", 0, 0x100, 0x130, to_clock(NOON))


def relation(*columns: tuple[str, int, bool], table: str = "t", oid: int = OID) -> bytes:
    told = b"".join(bytes((key,)) + name.encode() + b"\0" + struct.pack(">Ii", of, -1) for name, of, key in columns)
    return (
        b"R" + struct.pack(">I", oid) + b"public\0" + table.encode() + b"\0d" + struct.pack(">H", len(columns)) + told
    )


def row(*values: str | None) -> bytes:
    fields = (b"n" if v is None else b"t" + struct.pack(">I", len(v.encode())) + v.encode() for v in values)
    return struct.pack(">H", len(values)) + b"".join(fields)


def change(kind: bytes, rest: bytes, oid: int = OID) -> bytes:
    return kind + struct.pack(">I", oid) + rest


def message(prefix: str, content: bytes, *, transactional: bool = True) -> bytes:
    head = struct.pack(">cbQ", b"M", transactional, AT.value) + prefix.encode() + b"\0"
    return head + struct.pack(">I", len(content)) + content


def decoder(*columns: tuple[str, int, bool]) -> Pgoutput:
    reading = Pgoutput("utf-8", PREFIX)
    if columns:
        assert reading.changes(relation(*columns), AT) == ()
    return reading


def frame(payload: bytes) -> bytes:
    return b"w" + AT.value.to_bytes(8, "big") + bytes(16) + payload


def test_a_commit_takes_its_number_from_the_begin() -> None:
    """Numbers of transactions have no sign, as wal2json gives them."""
    assert decoder().read_commit(BEGIN, COMMIT) == Commit(4_000_000_000, LSN(0x100), LSN(0x130), NOON)
    with pytest.raises(ProtocolError):
        decoder().read_commit(BEGIN, COMMIT[:-1])


def test_a_relation_that_changed_is_read_anew() -> None:
    reading = decoder(("id", 23, True))
    (first,) = reading.changes(change(b"I", b"N" + row("1")), AT)
    reading.changes(relation(("id", 25, True), ("more", 16, False), table="renamed"), AT)
    (second,) = reading.changes(change(b"I", b"N" + row("1", "t")), AT)
    assert isinstance(first, RowChange)
    assert isinstance(second, RowChange)
    assert (first.table, first.new) == (TableName("public", "t"), {"id": 1})
    assert (second.table, second.new) == (TableName("public", "renamed"), {"id": "1", "more": True})


def test_a_key_says_nothing_of_the_other_columns() -> None:
    reading = decoder(("id", 23, True), ("note", 25, False))
    (deleted,) = reading.changes(change(b"D", b"K" + row("1", None)), AT)
    assert deleted == RowChange(AT, RowOp.DELETE, TableName("public", "t"), {}, {"id": 1})


def test_numbers_are_exact() -> None:
    """As wal2json's, digit by digit, however many there are."""
    texts = ["0.10", "-0.00", "9" * 6000, "1e+30", "-Infinity", "NaN", "-7"]
    reading = decoder(*((f"c{place}", 1700, False) for place in range(len(texts))))
    (inserted,) = reading.changes(change(b"I", b"N" + row(*texts)), AT)
    assert isinstance(inserted, RowChange)
    values = [Decimal("0.10"), Decimal("-0.00"), Decimal("9" * 6000), Decimal("1e+30"), None, None, -7]
    assert [str(value) for value in inserted.new.values()] == [str(value) for value in values]


@pytest.mark.parametrize(
    "record",
    [
        b"X",
        b"",
        b"I",
        change(b"I", b"N" + row("1"), oid=7),
        change(b"I", b"N" + row("1")),
        change(b"I", b"N" + row("1", "2")[:-1]),
        change(b"I", b"N" + row("x", "2")),
        change(b"I", b"Z" + row("1", "2")),
        change(b"U", b"K" + row("1", "2")),
        change(b"D", b"N" + row("1", "2")),
        change(b"I", b"N" + struct.pack(">H", 2) + b"b" + struct.pack(">I", 1) + b"\1n"),
        b"T" + struct.pack(">IbI", 1, 0, 7),
        message(PREFIX, b"\xff"),
        relation(("id", 23, True))[:-2],
    ],
)
def test_what_does_not_parse_is_kept_raw(record: bytes) -> None:
    """And can be stored: a text of PostgreSQL has no zero byte."""
    (found,) = decoder(("id", 23, True), ("note", 25, False)).changes(record, AT)
    assert isinstance(found, Unreadable)
    assert found.reason
    assert "\0" not in found.raw


@given(st.binary(max_size=200))
def test_no_bytes_raise(record: bytes) -> None:
    for found in decoder(("id", 23, True)).changes(record, AT):
        assert isinstance(found, Unreadable | RowChange | Message)


def test_only_our_messages_are_read() -> None:
    """Whatever others send, and in whatever encoding, it is dropped; also what only begins as ours does."""
    reading = decoder()
    for prefix in ("", "pggit_daemon", PREFIX + "x", PREFIX[:-1]):
        assert reading.changes(message(prefix, b"\xff"), AT) == ()
    assert reading.changes(message(PREFIX, b"a\0b", transactional=False), AT) == (
        Message(AT, transactional=False, prefix=PREFIX, content="a"),
    )


def test_what_is_too_large() -> None:
    """A row is put aside under its table's name; a message of others, however large, is nothing."""
    assembler = Assembler(decoder(("id", 23, True)))
    frames = [change(b"I", b"N" + row("1" * 100_000)), message("theirs", b"x" * 100_000)]
    shortened = [protocol.shortened(memoryview(frame(one))) for one in frames]
    (found,) = assembler.feed([frame(BEGIN), *shortened, frame(COMMIT)]).transactions
    (put_aside,) = found.changes
    assert isinstance(put_aside, Unreadable)
    assert put_aside.table == TableName("public", "t")
    assert "bytes is too large" in put_aside.reason
    assert assembler.feed([shortened[1]]).messages == ()


def test_transactions_of_others_are_empty() -> None:
    """A transaction that holds nothing for us is counted, and says how far the stream is."""
    batch = Assembler(decoder()).feed([frame(BEGIN), frame(message("theirs", b"")), frame(COMMIT)])
    assert (batch.transactions, batch.empties, batch.received) == ((), 1, LSN(0x130))

"""pgoutput, protocol version 1: its records as the same values that wal2json gives. Pure.

In: the payload of one XLogData frame. Out: typed changes and commits. Called by `assembler.py` for each record.

    B  final LSN (8), commit time (8), xid (4)
    C  flags (1), commit LSN (8), end LSN (8), commit time (8)
    R  relation: oid (4), schema, name, identity (1), columns (2): key (1), name, type (4), modifier (4)
    I  oid (4), N row        U  oid (4), [K key | O old row], N row        D  oid (4), K key | O old row
    T  relations (4), options (1), oids (4 each)
    M  flags (1), LSN (8), prefix, size (4), content
    Y and O (types, origins) say nothing that we need

A relation is sent before its first row and again whenever it changed. Texts end with a zero byte and come in the
connection's encoding, which is the database's; so do values, each as PostgreSQL's own text.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pggit_daemon.decode.plugin import Commit
from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import (
    Change,
    Message,
    RowChange,
    RowOp,
    TableName,
    UndecodableChange,
    Unreadable,
    Value,
)
from pggit_daemon.replication.protocol import Oversize, from_clock

PLUGIN = "pgoutput"

INSERTS = "pggit_daemon"
"""The publication that brings inserts and truncations: of our outboxes and of every history table."""

CHANGES = "pggit_daemon_keyed"
"""The publication that brings updates and deletions: only of tables that have a replica identity."""


def options(*, messages: bool) -> dict[str, str]:
    """Return the options for START_REPLICATION that stream what is published, and `messages` of anybody."""
    return {
        "proto_version": "1",
        "publication_names": f"{INSERTS},{CHANGES}",
        "messages": "true" if messages else "false",
    }


_BEGIN = struct.Struct(">cQqi")
_COMMIT = struct.Struct(">cbQQq")
_COLUMN = struct.Struct(">Ii")
_MESSAGE_HEAD = 10  # bytes before the prefix: type, flags, position
_LONGEST_INT = 4000  # digits; Python refuses to read longer ones as int (a guard against slow conversions)

_NUMBERS = frozenset((20, 21, 23, 26, 700, 701, 1700))  # int8, int2, int4, oid, float4, float8, numeric
_NO_NUMBERS = frozenset(("NaN", "Infinity", "-Infinity"))
_BOOL = 16
_BYTEA = 17


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type_oid: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class _Relation:
    table: TableName
    columns: tuple[_Column, ...]


class _Absent:
    """A TOASTed value that did not change and was not sent."""


_ABSENT = _Absent()


class _Cursor:
    """Reads one record from front to back; IndexError, struct.error or ValueError where it is not as it should be."""

    def __init__(self, record: bytes, at: int, encoding: str) -> None:
        self._record = record
        self._at = at
        self._encoding = encoding

    def byte(self) -> int:
        self._at += 1
        return self._record[self._at - 1]

    def number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def text(self) -> str:
        end = self._record.index(0, self._at)
        text = self._record[self._at : end].decode(self._encoding)
        self._at = end + 1
        return text

    def sized(self) -> str:
        return self._take(self.number(4)).decode(self._encoding)

    def column(self) -> tuple[int, int]:
        oid, modifier = _COLUMN.unpack(self._take(_COLUMN.size))
        return oid, modifier

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._record):
            raise ValueError(f"the record ends after {len(self._record)} bytes, at least {end} were announced")
        taken = self._record[self._at : end]
        self._at = end
        return taken


class Pgoutput:
    """One connection's records; it remembers the relations. `messages`: the prefix of ours, all others are dropped."""

    begin = b"B"
    commit = b"C"

    def __init__(self, encoding: str, messages: str) -> None:
        self._encoding = encoding
        self._ours = messages.encode(encoding)
        self._relations: dict[int, _Relation] = {}

    def read_commit(self, begin: bytes, commit: bytes) -> Commit:
        try:
            _kind, _final, _time, xid = _BEGIN.unpack(begin)
            _kind, _flags, lsn, end, clock = _COMMIT.unpack(commit)
        except struct.error as exc:
            raise ProtocolError(f"the commit record cannot be read: {commit[:300]!r}") from exc
        return Commit(xid & 0xFFFFFFFF, LSN(lsn), LSN(end), from_clock(clock))

    def changes(self, record: bytes, lsn: LSN) -> Sequence[Change]:
        try:
            return self._read(record, lsn)
        except (ValueError, IndexError, KeyError, struct.error, InvalidOperation) as exc:
            return (self._unreadable(record, lsn, f"{type(exc).__name__}: {exc}"),)

    def oversize(self, large: Oversize) -> Sequence[Change]:
        if large.head[:1] == b"M" and not self._is_ours(large.head):
            return ()
        reason = f"a record of {large.size} bytes is too large; its SHA-256 is {large.digest.hex()}"
        return (self._unreadable(large.head, large.start, reason),)

    def undecodable(self, warning: str) -> UndecodableChange | None:
        """No warning stands for a row: rows without a replica identity are not published at all."""

    def _read(self, record: bytes, lsn: LSN) -> Sequence[Change]:
        kind = record[:1]
        if kind in {b"I", b"U", b"D"}:
            return (self._row_change(record, lsn),)
        if kind == b"R":
            self._learn(record)
        elif kind == b"T":
            return self._truncation(record, lsn)
        elif kind == b"M":
            return self._message(record, lsn)
        elif kind not in {b"Y", b"O"}:
            raise ValueError(f"a record of the unknown kind {kind!r}")
        return ()

    def _row_change(self, record: bytes, lsn: LSN) -> RowChange:
        cursor = _Cursor(record, 1, self._encoding)
        relation = self._relations[cursor.number(4)]
        op = _OPS[record[:1]]
        part = cursor.byte()
        identity: Mapping[str, Value] | None = None
        if op is not RowOp.INSERT and part in _OLD:
            identity = _row(cursor, relation, keys_only=part == _KEY)
            if op is RowOp.DELETE:
                return RowChange(lsn, op, relation.table, {}, identity)
            part = cursor.byte()
        if part != _NEW or op is RowOp.DELETE:
            raise ValueError(f"no row of the {op.value}, but a part {chr(part)!r}")
        new = _row(cursor, relation)
        if identity is None:
            # The key did not change, so it is that of the new row.
            keys = {column.name for column in relation.columns if column.is_key and op is RowOp.UPDATE}
            identity = {name: value for name, value in new.items() if name in keys}
        return RowChange(lsn, op, relation.table, new, identity)

    def _learn(self, record: bytes) -> None:
        cursor = _Cursor(record, 1, self._encoding)
        oid = cursor.number(4)
        table = TableName(sys.intern(cursor.text() or "pg_catalog"), sys.intern(cursor.text()))
        cursor.byte()  # the replica identity: the columns say what follows from it
        columns = []
        for _ in range(cursor.number(2)):
            is_key, name = cursor.byte() & 1 != 0, cursor.text()
            columns.append(_Column(sys.intern(name), cursor.column()[0], is_key))
        self._relations[oid] = _Relation(table, tuple(columns))

    def _truncation(self, record: bytes, lsn: LSN) -> Sequence[RowChange]:
        cursor = _Cursor(record, 1, self._encoding)
        amount = cursor.number(4)
        cursor.byte()  # CASCADE, RESTART IDENTITY
        relations = [self._relations[cursor.number(4)] for _ in range(amount)]
        return [RowChange(lsn, RowOp.TRUNCATE, relation.table, {}, {}) for relation in relations]

    def _message(self, record: bytes, lsn: LSN) -> Sequence[Message]:
        if not self._is_ours(record):
            return ()
        cursor = _Cursor(record, 1, self._encoding)
        transactional = cursor.byte() & 1 != 0
        cursor.number(8)  # the position, which the frame says too
        prefix, content = cursor.text(), cursor.sized()
        return (Message(lsn, transactional, prefix, content.partition("\0")[0]),)

    def _is_ours(self, record: bytes) -> bool:
        """Whether a message has our prefix; anybody may send others, of any size and content."""
        end = _MESSAGE_HEAD + len(self._ours)
        return record[_MESSAGE_HEAD:end] == self._ours and record[end : end + 1] == b"\0"

    def _unreadable(self, record: bytes, lsn: LSN, reason: str) -> Unreadable:
        raw = record.decode(self._encoding, "backslashreplace").replace("\0", "\\x00")
        relation = None
        if record[:1] in _OPS:
            relation = self._relations.get(int.from_bytes(record[1:5], "big"))
        return Unreadable(lsn, raw, reason, relation.table if relation is not None else None)


_OPS = {b"I": RowOp.INSERT, b"U": RowOp.UPDATE, b"D": RowOp.DELETE}
_KEY, _NEW = ord("K"), ord("N")
_OLD = {_KEY, ord("O")}
_NULL, _UNCHANGED, _TEXT = ord("n"), ord("u"), ord("t")


def _row(cursor: _Cursor, relation: _Relation, *, keys_only: bool = False) -> dict[str, Value]:
    """Read a row; a key has all columns, of which only the key's say something."""
    amount = cursor.number(2)
    if amount != len(relation.columns):
        raise ValueError(f"a row of {amount} columns, its table has {len(relation.columns)}")
    row: dict[str, Value] = {}
    for column in relation.columns:
        value = _column_value(cursor, column)
        if not isinstance(value, _Absent) and (column.is_key or not keys_only):
            row[column.name] = value
    return row


def _column_value(cursor: _Cursor, column: _Column) -> Value | _Absent:
    form = cursor.byte()
    if form == _NULL:
        return None
    if form == _UNCHANGED:
        return _ABSENT
    if form != _TEXT:
        raise ValueError(f"a value in the unknown form {chr(form)!r}")
    return _value(column.type_oid, cursor.sized())


def _value(type_oid: int, text: str) -> Value:
    """The value as wal2json writes it in JSON: of the base types only, a domain's is text."""
    if type_oid in _NUMBERS:
        return _number(text)
    if type_oid == _BOOL:
        return text == "t"
    return text[2:] if type_oid == _BYTEA else text


def _number(text: str) -> Value:
    """A number exactly; None where JSON has none: NaN and the infinities."""
    if text in _NO_NUMBERS:
        return None
    if text.lstrip("-").isdigit() and len(text) < _LONGEST_INT:
        return int(text)
    return Decimal(text)

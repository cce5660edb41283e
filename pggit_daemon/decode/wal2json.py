"""wal2json, format 2: the options we ask for, and its records as values. Pure.

In: the tables to stream, and the payload of one XLogData frame. Out: the plugin's options, and a typed change
or commit. Called by `plugins.py` when the stream starts, and by `assembler.py` for each record.

A change that does not parse becomes `Unreadable` with its raw text, never an exception: one odd row must not
stop the history of all others. A commit that does not parse is a ProtocolError: its position is unknown.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pggit_daemon.decode.plugin import MESSAGE_PREFIX, Commit
from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import (
    Change,
    Message,
    Row,
    RowChange,
    RowOp,
    TableName,
    UndecodableChange,
    Unreadable,
)
from pggit_daemon.replication.protocol import Oversize

PLUGIN = "wal2json"
BEGIN = b'{"action":"B"'
COMMIT = b'{"action":"C"'
"""How every begin and commit record starts: told apart without parsing, as most transactions are not ours."""

_OPS = {"I": RowOp.INSERT, "U": RowOp.UPDATE, "D": RowOp.DELETE, "T": RowOp.TRUNCATE}
_LONGEST_INT = 4000  # digits; Python refuses to read longer ones as int (a guard against slow conversions)


class Wal2json:
    """Each record stands for itself. `encoding`: the plugin writes in the database's, whatever the client's is."""

    begin = BEGIN
    commit = COMMIT

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def read_commit(self, begin: bytes, commit: bytes) -> Commit:  # noqa: ARG002  (the commit says it all)
        return parse_commit(commit)

    def changes(self, record: bytes, lsn: LSN) -> Sequence[Change]:
        return (parse_change(record, lsn, self._encoding),)

    def oversize(self, large: Oversize) -> Sequence[Change]:
        return (oversize(large.head, large.start, large.size, large.digest, self._encoding),)

    def undecodable(self, warning: str) -> UndecodableChange | None:
        table = undecodable_table(warning)
        return UndecodableChange(LSN(0), table) if table is not None else None


def options(tables: Iterable[TableName], messages: str = MESSAGE_PREFIX) -> dict[str, str]:
    """Return the options for START_REPLICATION that stream the rows of `tables`, `messages` and nothing else.

    Types are left out because wal2json writes some of them as invalid JSON.
    """
    return {
        "format-version": "2",
        "include-transaction": "1",
        "include-xids": "1",
        "include-timestamp": "1",
        "include-lsn": "1",
        "include-types": "0",
        "include-typmod": "0",
        "add-tables": ",".join(f"{_escape(name.schema)}.{_escape(name.table)}" for name in tables),
        "add-msg-prefixes": messages,
    }


def parse_commit(payload: bytes) -> Commit:
    """Read a `C` record; ProtocolError when it is not one."""
    try:
        record = json.loads(payload.decode())
        return Commit(
            xid=int(record["xid"]),
            lsn=LSN.parse(record["lsn"]),
            end=LSN.parse(record["nextlsn"]),
            time=_moment(record["timestamp"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ProtocolError(f"the commit record cannot be read: {payload[:300]!r}") from exc


def undecodable_table(warning: str) -> str | None:
    """The table of a row that the plugin drops for lack of a replica identity, as its warning names it; else None.

    The warning ends with `table "schema"."table"`, where quotes in the names are not doubled: what is between the
    first double quote and the last is compared with the tables that are known, not taken apart.
    """
    _, quote, rest = warning.partition('"')
    name, closing, after = rest.rpartition('"')
    return name if quote and closing and not after else None


def parse_change(payload: bytes, lsn: LSN, encoding: str = "utf-8") -> Change:
    """Read a row change, truncation or message.

    `lsn` is the record's position as the frame's header says. `encoding` is Python's name of the database's
    encoding: wal2json writes in it, whatever the client's encoding is.
    """
    try:
        record = _RECORD.decode(payload.decode(encoding))
        action = record["action"]
        if action == "M":
            return Message(lsn, _flag(record["transactional"]), _text(record["prefix"]), _text(record["content"]))
        op = _OPS[action]
        table = _table(_text(record["schema"]), _text(record["table"]))
        new = _row(record["columns"]) if op in (RowOp.INSERT, RowOp.UPDATE) else {}
        # An UPDATE has no identity where the table has none; a DELETE without one says nothing.
        identity = _row(record["identity"] if op is RowOp.DELETE else record.get("identity", []))
        return RowChange(lsn, op, table, new, identity)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raw = payload.decode(encoding, errors="backslashreplace")
        return Unreadable(lsn, raw, f"{type(exc).__name__}: {exc}")


def oversize(head: bytes, lsn: LSN, size: int, digest: bytes, encoding: str = "utf-8") -> Unreadable:
    """A record that was too large to be read: its beginning, which names the table, its size and its SHA-256."""
    raw = head.decode(encoding, errors="backslashreplace")
    named = _NAMED.search(raw)
    table = _table(json.loads(named[1]), json.loads(named[2])) if named is not None else None
    return Unreadable(lsn, raw, f"a record of {size} bytes is too large; its SHA-256 is {digest.hex()}", table)


_NAMED = re.compile(r'"schema":("(?:[^"\\]|\\.)*"),"table":("(?:[^"\\]|\\.)*")')


def _escape(name: str) -> str:
    """Escape all but ASCII letters, digits and underscores.

    The plugin takes a backslash before any character, and what it takes for white space depends on the locale.
    """
    return "".join(c if c == "_" or (c.isascii() and c.isalnum()) else f"\\{c}" for c in name)


def _row(columns: list[Any]) -> Row:
    """Build a row from `[{"name": …, "value": …}]`; the names are shared between rows to keep them small."""
    row = {sys.intern(column["name"]): column["value"] for column in columns}
    for value in row.values():
        if isinstance(value, (dict, list)):
            raise TypeError("a column's value is not a scalar")
    return row


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _LONGEST_INT else Decimal(digits)


_RECORD = json.JSONDecoder(parse_float=Decimal, parse_int=_integer)
"""Made once: making one costs more than reading a short record."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {value!r}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false expected, not {value!r}")
    return value


def _moment(text: str) -> datetime:
    """Read `2026-11-22 20:49:22.123+00`; the session's time zone is pinned to UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


@lru_cache(maxsize=1024)
def _table(schema: str, table: str) -> TableName:
    return TableName(schema, table)

"""A record beyond the limit is known by its head and hash, and never parsed."""

from __future__ import annotations

import hashlib
import json

from pggit_daemon.decode.assembler import Assembler
from pggit_daemon.decode.plugin import message_prefix
from pggit_daemon.decode.wal2json import Wal2json
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import TableName, Unreadable
from pggit_daemon.replication import protocol

BEGIN = b'{"action":"B"}'
COMMIT = json.dumps(
    {"action": "C", "xid": 7, "timestamp": "2026-03-01 00:00:00+00", "lsn": "0/64", "nextlsn": "0/68"}
).encode()


def frame(payload: bytes, start: int = 0x50) -> bytes:
    return b"w" + start.to_bytes(8, "big") + bytes(16) + payload


def large(payload: bytes) -> bytes:
    return protocol.shortened(memoryview(frame(payload)))


def test_a_large_row_is_put_aside_in_its_place() -> None:
    row = b'{"action":"I","xid":7,"schema":"a\\"b","table":"t.u","columns":[' + b"x" * 100_000
    small = large(row)
    assert len(small) < 5000
    commit = COMMIT.replace(b'{"action": "C"', b'{"action":"C"')
    (transaction,) = Assembler(Wal2json("utf-8")).feed([frame(BEGIN), small, frame(commit)]).transactions
    (change,) = transaction.changes
    assert isinstance(change, Unreadable)
    assert (change.lsn, change.table) == (LSN(0x50), TableName('a"b', "t.u"))
    assert change.raw == row[:4096].decode()
    assert f"{len(row)} bytes" in change.reason
    assert hashlib.sha256(row).hexdigest() in change.reason


def test_a_large_message_outside_of_transactions_is_none_of_ours() -> None:
    (message,) = (
        Assembler(Wal2json("utf-8")).feed([large(b'{"action":"M","transactional":false' + b"x" * 100_000)]).messages
    )
    assert message.content
    assert len(message.content) < 5000


def test_prefixes_are_of_a_database_and_tell_no_secret() -> None:
    one, other = message_prefix("secret"), message_prefix("another")
    assert one != other
    assert "secret" not in one
    assert len(one.encode()) < 64

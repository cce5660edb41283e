"""Frames become transactions, whatever way they are cut into lots."""

from __future__ import annotations

import itertools
import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.decode.assembler import Assembler, Batch
from pggit_daemon.decode.wal2json import COMMIT, Wal2json
from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Message, RowChange, Unreadable, Value
from pggit_daemon.replication.pacing import Urgency
from pggit_daemon.replication.protocol import to_clock

START = datetime(2026, 11, 22, tzinfo=UTC)


def data(lsn: int, payload: bytes) -> bytes:
    return struct.pack(">cQQq", b"w", lsn, lsn, 0) + payload


def begin(at: int) -> bytes:
    return data(at, b'{"action":"B","xid":%d}' % at)


def insert(at: int, value: int) -> bytes:
    row = {"action": "I", "schema": "s", "table": "t", "columns": [{"name": "v", "value": value}]}
    return data(at, json.dumps(row, separators=(",", ":")).encode())


def commit(at: int) -> bytes:
    """Make a commit record that starts at `at` and ends eight bytes later, `at` seconds after START."""
    told = (LSN(at), LSN(at + 8), START + timedelta(seconds=at))
    return data(at + 8, b'{"action":"C","xid":%d,"timestamp":"%s","lsn":"%s","nextlsn":"%s"}' % (
        at, str(told[2]).encode(), str(told[0]).encode(), str(told[1]).encode(),
    ))  # fmt: skip


def keepalive(wal_end: int, *, reply: bool = False) -> bytes:
    return struct.pack(">cQq?", b"k", wal_end, to_clock(START + timedelta(seconds=wal_end)), reply)


@dataclass
class Seen:
    """What several batches gave, together."""

    values: list[list[Value]]
    ends: list[LSN]
    empties: int
    received: LSN


def collect(batches: list[Batch]) -> Seen:
    transactions = [transaction for batch in batches for transaction in batch.transactions]
    values = [[c.new["v"] for c in t.changes if isinstance(c, RowChange)] for t in transactions]
    return Seen(values, [t.end_lsn for t in transactions], sum(b.empties for b in batches), batches[-1].received)


SIZES = st.lists(st.integers(min_value=0, max_value=4), min_size=1, max_size=12)


@given(SIZES, st.data())
def test_lots_may_be_cut_anywhere(sizes: list[int], drawn: st.DataObject) -> None:
    """However the frames arrive, the transactions, their order and the position are the same."""
    frames = []
    for number, size in enumerate(sizes):
        at = (number + 1) * 100
        frames += [begin(at), *(insert(at + i, number * 10 + i) for i in range(size)), commit(at + 50)]
    cuts = sorted(drawn.draw(st.lists(st.integers(0, len(frames)), max_size=6)))
    assembler = Assembler(Wal2json("utf-8"))
    edges = [0, *cuts, len(frames)]
    seen = collect([assembler.feed(frames[a:b]) for a, b in itertools.pairwise(edges)])
    filled = [(n, size) for n, size in enumerate(sizes) if size]
    assert seen.values == [[n * 10 + i for i in range(size)] for n, size in filled]
    assert seen.ends == [LSN((n + 1) * 100 + 58) for n, _size in filled]
    assert seen.empties == sizes.count(0)
    assert seen.received == LSN(len(sizes) * 100 + 58)


@given(SIZES, st.data())
def test_nothing_depends_on_when_somebody_asks(sizes: list[int], drawn: st.DataObject) -> None:
    """One batch of many lots says what a batch for each lot says together; keepalives stand anywhere among them."""
    frames = []
    for number, size in enumerate(sizes):
        at = (number + 1) * 100
        frames += [begin(at), *(insert(at + i, number * 10 + i) for i in range(size)), commit(at + 50)]
    for place in sorted(drawn.draw(st.lists(st.integers(0, len(frames)), max_size=6)), reverse=True):
        frames.insert(place, keepalive(100 * sum(frame[25:].startswith(COMMIT) for frame in frames[:place]) + 60))
    asked = drawn.draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))
    assembler = Assembler(Wal2json("utf-8"))
    seen = []
    for frame, asks in zip(frames, asked, strict=True):
        assembler.take([frame])
        seen += [assembler.batch()] if asks else []
    whole = Assembler(Wal2json("utf-8")).feed(frames)
    last = assembler.batch()
    assert collect([*seen, last]) == collect([whole])
    assert (last.stream_time, last.server_time) == (whole.stream_time, whole.server_time)


def test_what_is_urgent() -> None:
    """Ours at once; the rest of it without a pause; an answer the server waits for; nothing else."""
    assembler = Assembler(Wal2json("utf-8"))
    assert assembler.take([begin(1), commit(10), keepalive(20), begin(21)]) is Urgency.LATER
    assert assembler.take([insert(22, 1)]) is Urgency.COMING
    assert assembler.take([commit(30), begin(40), commit(50)]) is Urgency.OURS
    assert assembler.take([keepalive(60, reply=True)]) is Urgency.OURS, "nobody has asked for the batch yet"
    assert len(assembler.batch().transactions) == 1
    assert assembler.take([keepalive(70, reply=True)]) is Urgency.ASKED
    assembler.batch()
    assert assembler.take([keepalive(80)]) is Urgency.LATER
    message = b'{"action":"M","transactional":false,"prefix":"pggit_daemon","content":""}'
    assert assembler.take([data(90, message)]) is Urgency.OURS


def test_received_holds_at_the_last_commit_while_a_transaction_is_open() -> None:
    """A keepalive inside a transaction must not let the slot forget that transaction."""
    batch = Assembler(Wal2json("utf-8")).feed([begin(100), commit(150), begin(200), insert(210, 1), keepalive(900)])
    assert batch.received == LSN(158)
    assert batch.in_transaction


def test_a_keepalive_between_transactions_moves_received() -> None:
    batch = Assembler(Wal2json("utf-8")).feed([begin(100), commit(150), keepalive(900, reply=True)])
    assert (batch.received, batch.reply_requested, batch.in_transaction) == (LSN(900), True, False)


def test_received_never_moves_back() -> None:
    """After a reconnect the server's first keepalives may name positions long passed."""
    assembler = Assembler(Wal2json("utf-8"))
    assembler.feed([keepalive(900)])
    assert assembler.feed([keepalive(300)]).received == LSN(900)


def test_a_reply_is_requested_only_in_its_own_batch() -> None:
    assembler = Assembler(Wal2json("utf-8"))
    assert assembler.feed([keepalive(1, reply=True)]).reply_requested
    assert not assembler.feed([keepalive(2)]).reply_requested


def test_times() -> None:
    """Commits move both times, the clock of a keepalive only the server's; empty transactions count too."""
    assembler = Assembler(Wal2json("utf-8"))
    first = assembler.feed([begin(1)])
    assert (first.stream_time, first.server_time) == (None, None)
    batch = assembler.feed([commit(10), keepalive(20)])
    assert batch.stream_time == START + timedelta(seconds=10)
    assert batch.server_time == START + timedelta(seconds=20)


def test_what_is_stored_already_is_dropped_and_counted() -> None:
    """The server sends a transaction again when its acknowledgement was lost."""
    frames = [begin(1), insert(2, 1), commit(10), begin(20), insert(21, 2), commit(30)]
    batch = Assembler(Wal2json("utf-8"), after=LSN(10)).feed(frames)
    assert [t.commit_lsn for t in batch.transactions] == [LSN(30)]
    assert batch.repeats == 1


def test_an_unreadable_change_stays_in_its_transaction() -> None:
    batch = Assembler(Wal2json("utf-8")).feed([begin(1), data(5, b"{broken"), insert(6, 1), commit(10)])
    (transaction,) = batch.transactions
    assert isinstance(transaction.changes[0], Unreadable)
    assert transaction.changes[0].lsn == LSN(5)
    assert isinstance(transaction.changes[1], RowChange)


def test_a_non_transactional_message_belongs_to_no_transaction() -> None:
    raw = b'{"action":"M","transactional":false,"prefix":"pggit_daemon","content":"x"}'
    batch = Assembler(Wal2json("utf-8")).feed([data(7, raw)])
    assert batch.messages == (Message(LSN(7), transactional=False, prefix="pggit_daemon", content="x"),)
    assert batch.transactions == ()


@pytest.mark.parametrize(
    "frames",
    [
        [commit(1)],
        [begin(1), begin(2)],
        [insert(1, 1)],
        [b""],
        [b"x" * 60],
        [b"k"],
        [b"w" * 10],
        [b"x" + begin(1)[1:]],
        [begin(1), data(10, b'{"action":"C","xid":1}')],
        [begin(1), insert(2, 1), data(10, b'{"action":"C","broken')],
    ],
)
def test_what_does_not_fit_stops_the_stream(frames: list[bytes]) -> None:
    """Going on would mean to guess a position, and to acknowledge it."""
    with pytest.raises(ProtocolError):
        Assembler(Wal2json("utf-8")).feed(frames)

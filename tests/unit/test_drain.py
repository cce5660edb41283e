"""What the loop at libpq's buffer counts is what the assembler would have counted, and nothing else is lost by it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.decode.assembler import Assembler, Batch
from pggit_daemon.decode.pgoutput import Pgoutput
from pggit_daemon.decode.plugin import Decoder
from pggit_daemon.decode.wal2json import Wal2json
from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.replication import protocol
from pggit_daemon.replication.drain import MAX_BYTES, MAX_MESSAGES, Haul, drain
from pggit_daemon.replication.pacing import Urgency
from tests.unit import test_pgoutput as pgoutput
from tests.unit.test_assembler import begin, commit, data, insert, keepalive

PREFIX = "pggit_daemon.0123"
OURS = pgoutput.message(PREFIX, b"")
WARNED = 'table "s"."t" without primary key or replica identity is nothing'
KINDS = st.lists(
    st.sampled_from(["empty", "empty", "empty", "row", "pulse", "asked", "warned", "message"]), max_size=40
)


def wal2json() -> Decoder:
    return Wal2json("utf-8")


def binary() -> Decoder:
    return Pgoutput("utf-8", PREFIX)


class Arrived:
    """Messages as libpq gives them: one after the other, the warnings that came before one together with it."""

    def __init__(self, messages: list[bytes | str]) -> None:
        self._messages = iter(messages)
        self.warnings: list[str] = []

    def get(self, _asynchronously: int) -> tuple[int, memoryview]:
        for one in self._messages:
            if isinstance(one, bytes):
                return len(one), memoryview(one)
            self.warnings.append(one)
        return 0, memoryview(b"")


def stream(kinds: list[str], decoder: Decoder) -> list[bytes | str]:
    """Transactions, and what comes between and inside them; only wal2json warns of rows."""
    text = isinstance(decoder, Wal2json)
    found: list[bytes | str] = []
    for number, kind in enumerate(kinds):
        at = (number + 1) * 100
        opening = begin(at) if text else pgoutput.frame(pgoutput.BEGIN)
        row = insert(at + 1, number) if text else pgoutput.frame(OURS)
        closing = commit(at + 50) if text else pgoutput.frame(pgoutput.COMMIT)
        told = data(at + 2, b'{"action":"M","transactional":false,"prefix":"pggit_daemon","content":""}')
        records: dict[str, list[bytes | str]] = {
            "empty": [opening, closing],
            "row": [opening, row, closing],
            "pulse": [keepalive(at), opening, keepalive(at + 10), closing, keepalive(at + 60)],
            "asked": [opening, closing, keepalive(at + 60, reply=True)],
            "warned": [opening, WARNED, closing] if text else [opening, closing],
            "message": [told] if text else [pgoutput.frame(pgoutput.message(PREFIX, b"", transactional=False))],
        }
        found += records[kind]
    return found


def one_by_one(messages: list[bytes | str], assembler: Assembler) -> Batch:
    return assembler.feed([one if isinstance(one, bytes) else protocol.warning(one) for one in messages])


def drained(lots: Iterator[list[bytes | str]], assembler: Assembler) -> tuple[Batch, int]:
    messages = 0
    for lot in lots:
        haul, arrived = Haul(), Arrived(lot)
        assert drain(arrived.get, haul, assembler.marks, arrived.warnings)
        assembler.take(haul.frames)
        messages += haul.messages
    return assembler.batch(), messages


@pytest.mark.parametrize("make", [wal2json, binary])
@given(kinds=KINDS, chosen=st.data())
def test_counting_changes_nothing(make: Callable[[], Decoder], kinds: list[str], chosen: st.DataObject) -> None:
    """Promise: whatever comes, and wherever the looks cut it, the batch is that of every message taken by itself."""
    messages = stream(kinds, make())
    # A warning comes with the message behind it.
    cuts = [at for at in range(1, len(messages)) if isinstance(messages[at - 1], bytes)]
    cut = sorted(chosen.draw(st.sets(st.sampled_from(cuts), max_size=6))) if cuts else []
    lots = [messages[a:b] for a, b in itertools.pairwise([0, *cut, len(messages)])]
    whole = one_by_one(messages, Assembler(make()))
    batch, taken = drained(iter(lots), Assembler(make()))
    told = ("transactions", "messages", "received", "stream_time", "server_time", "empties", "reply_requested")
    assert {name: getattr(batch, name) for name in told} == {name: getattr(whole, name) for name in told}
    assert (batch.frames, batch.in_transaction) == (whole.frames, whole.in_transaction)
    assert taken == sum(isinstance(one, bytes) for one in messages)


@pytest.mark.parametrize("make", [wal2json, binary])
def test_a_row_of_its_own_is_never_counted(make: Callable[[], Decoder]) -> None:
    """Promise: what stands between two hundred empty transactions is found, and only that is urgent."""
    assembler = Assembler(make())
    for kinds, urgency in ((["empty"] * 100, Urgency.LATER), (["empty", "row", "empty"], Urgency.OURS)):
        arrived, haul = Arrived(stream(kinds, make())), Haul()
        drain(arrived.get, haul, assembler.marks, arrived.warnings)
        assert assembler.take(haul.frames) is urgency
    assert len(assembler.batch().transactions) == 1


def test_a_begin_inside_an_open_transaction_is_refused() -> None:
    """Promise: frames that do not fit together end the stream also where they are only counted."""
    assembler = Assembler(wal2json())
    assembler.take([begin(1), insert(2, 1)])
    arrived, haul = Arrived([begin(100), commit(150)]), Haul()
    drain(arrived.get, haul, assembler.marks, arrived.warnings)
    with pytest.raises(ProtocolError):
        assembler.take(haul.frames)


def test_a_look_ends() -> None:
    """Promise: however much has come, a look takes a part and says that there is more."""
    many, large = Arrived([begin(1), commit(2)] * MAX_MESSAGES), Arrived([bytes(MAX_BYTES)] * 3)
    for arrived in (many, large):
        haul = Haul()
        assert drain(arrived.get, haul, Assembler(wal2json()).marks, arrived.warnings)
        assert haul.is_full
    assert many.get(1)[0] > 0
    assert large.get(1)[0] == MAX_BYTES


def test_what_came_before_the_end_is_kept() -> None:
    """Promise: where the connection breaks in the middle, all before it was taken."""
    arrived = Arrived([begin(100), commit(150), begin(200)])

    def get(asynchronously: int) -> tuple[int, memoryview]:
        size, message = arrived.get(asynchronously)
        if size == 0:
            raise ConnectionError("gone")
        return size, message

    assembler, haul = Assembler(wal2json()), Haul()
    with pytest.raises(ConnectionError):
        drain(get, haul, assembler.marks, arrived.warnings)
    batch = assembler.feed(haul.frames)
    assert (batch.empties, batch.received, batch.in_transaction) == (1, LSN(158), True)

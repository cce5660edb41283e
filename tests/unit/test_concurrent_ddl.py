"""Which objects are read again when transactions ran DDL concurrently."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectEvent, ObjectId, ObjectOp
from pggit_daemon.model.session import Profile, Session, SessionKey, Snapshot
from pggit_daemon.reconcile import concurrent_ddl as beside
from pggit_daemon.reconcile.concurrent_ddl import ConcurrentDdl, as_found

WHO = Session(SessionKey.of(1, datetime(2026, 1, 1, tzinfo=UTC)), Profile("u", "a", None), "u")


def event(*oids: int, snapshot: str | None, op: ObjectOp = ObjectOp.SET) -> DdlEvent:
    objects = tuple(ObjectEvent(op, ObjectId(1259, oid), direct=True, key=None, blob=None) for oid in oids)
    seen = Snapshot.parse(snapshot) if snapshot is not None else None
    return DdlEvent(1, LSN(1), "ddl", "ALTER TABLE", None, WHO, (), objects, None, snapshot=seen)


def ids(*oids: int) -> frozenset[ObjectId]:
    return frozenset(ObjectId(1259, oid) for oid in oids)


@pytest.mark.parametrize(
    ("snapshot", "xid", "sees"),
    [
        ("100:100:", 99, True),
        ("100:100:", 100, False),
        ("90:100:90,95", 95, False),
        ("90:100:90,95", 96, True),
        ("4294967296:4294967300:", 3, True),  # the second round of the 32-bit numbers
        ("4294967296:4294967300:", 4, False),
        ("4294967290:4294967300:4294967290", 4294967290, False),
        ("4294967290:4294967300:4294967290", 4294967291, True),
    ],
)
def test_a_snapshot_sees_what_had_ended(snapshot: str, xid: int, sees: bool) -> None:  # noqa: FBT001  # a column
    assert list(Snapshot.parse(snapshot).not_visible([xid])) == ([] if sees else [xid])


@given(
    half=st.integers(min_value=1, max_value=5),
    past=st.integers(min_value=-50, max_value=50),
    running=st.sets(st.integers(min_value=1, max_value=40)),
    others=st.sets(st.integers(min_value=-40, max_value=40)),
)
def test_what_had_not_ended_is_found_among_many(half: int, past: int, running: set[int], others: set[int]) -> None:
    """Also where the 32-bit numbers begin anew between them."""
    following = (half << 31) + past
    snapshot = Snapshot(following, frozenset(following - back for back in running))
    numbers = sorted((following + distance) % (1 << 32) for distance in others)
    expected = {
        (following + distance) % (1 << 32)
        for distance in others
        if distance >= 0 or following + distance in snapshot.running
    }
    found = list(snapshot.not_visible(numbers))
    assert set(found) == expected
    assert len(found) == len(expected)


class Counted(Sequence[int]):
    """Transactions, and how often one of them was looked at."""

    def __init__(self, numbers: range) -> None:
        self.numbers = numbers
        self.looks = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return self.numbers[at]


def test_a_long_history_is_not_looked_through() -> None:
    numbers = Counted(range(1, 10_001))
    assert sorted(Snapshot.parse("9000:10000:9000,9500").not_visible(numbers)) == [9000, 9500, 10000]
    assert numbers.looks < 100


def test_one_after_the_other_nothing_is_read_again() -> None:
    transactions = ConcurrentDdl()
    assert transactions.outdated(100, [event(1, snapshot="100:100:")]) == ids()
    assert transactions.outdated(101, [event(2, snapshot="101:101:")]) == ids()


def test_the_last_of_two_beside_each_other_stands_for_both() -> None:
    """101 began while 100 was under way, and 102 while 101 was."""
    transactions = ConcurrentDdl()
    transactions.outdated(100, [event(1, snapshot="100:100:")])
    assert transactions.outdated(101, [event(2, snapshot="100:101:100"), event(3, snapshot=None)]) == ids(1, 2, 3)
    assert transactions.outdated(102, [event(4, snapshot="101:102:101")]) == ids(2, 3, 4)


def test_parts_of_one_transaction_are_not_beside_each_other() -> None:
    transactions = ConcurrentDdl()
    transactions.outdated(100, [event(1, snapshot="99:99:")])
    assert transactions.outdated(100, [event(2, snapshot="99:99:")]) == ids()


def test_both_parts_of_a_transaction_are_beside_another() -> None:
    transactions = ConcurrentDdl()
    transactions.outdated(100, [event(1, snapshot="99:99:")])
    transactions.outdated(100, [event(2, snapshot=None)])
    assert transactions.outdated(101, [event(3, snapshot="100:101:100")]) == ids(1, 2, 3)


def test_one_that_only_dropped_counts_as_beside() -> None:
    """What it dropped is not read again, but what the other described while it was still there."""
    transactions = ConcurrentDdl()
    transactions.outdated(100, [event(1, snapshot="99:99:", op=ObjectOp.DROP)])
    assert transactions.outdated(101, [event(2, snapshot="100:101:100")]) == ids(2)


def test_only_so_many_objects_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "REMEMBERED", 4)
    transactions = ConcurrentDdl()
    for number in range(4):
        transactions.outdated(100 + number, [event(number, snapshot="100:100:")])
    assert transactions.outdated(104, [event(9, snapshot="100:100:")]) == ids(2, 3, 9)


def test_what_is_not_found_any_more_was_dropped() -> None:
    """The other transaction's drop stands before the description that this one made of the object."""
    [still] = event(2, snapshot=None).objects
    gone, there = as_found(sorted(ids(1, 2)), [still])
    assert (gone.op, gone.oid) == (ObjectOp.DROP, ObjectId(1259, 1))
    assert (there.op, there.oid, there.direct) == (ObjectOp.SET, ObjectId(1259, 2), False)

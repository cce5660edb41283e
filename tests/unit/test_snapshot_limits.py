"""What snapshots do without after the server refused one, and until when."""

from __future__ import annotations

from datetime import UTC, datetime

from pggit_daemon.db.catalog import ChangeCounters
from pggit_daemon.model.differences import Difference
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import Blob, ObjectId, ObjectKey
from pggit_daemon.reconcile.outcome import Cause, Limits, Outcome, snapshot_step
from pggit_daemon.versioning.plan import Commit
from pggit_daemon.versioning.record import Record
from pggit_daemon.versioning.tree import blob_hash


def _differs(number: int, definition: str = "x") -> Difference:
    blob = Blob(definition, None, ())
    key = ObjectKey("view", "s", f"s.v{number}")
    return Difference(ObjectId(1259, number), None, blob_hash(blob), key, blob, None)


def _snapshot(*differences: Difference) -> Commit:
    counters = ChangeCounters(None, 0, "w", 1, asked=False, at=datetime(2026, 1, 1, tzinfo=UTC))
    outcome = Outcome(Cause.TIMER, counters, len(differences), differences, (), 0.0, LSN(1))
    commit = snapshot_step(outcome, Record(), None).commit
    assert commit is not None
    return commit


def _refused(*differences: Difference) -> Limits:
    """Refuse snapshots of these until the first one is left out."""
    limits = Limits()
    while tried := limits.within(limits.without(differences)):
        if differences[0] not in tried:
            break
        limits.refused(_snapshot(*tried))
    return limits


def test_the_one_at_fault_is_found_and_left_out() -> None:
    found = tuple(_differs(number) for number in range(8))
    limits = _refused(*found)
    assert limits.without(found) == found[1:]
    assert limits.most == 1


def test_it_is_tried_again_once_it_differs_in_another_way() -> None:
    limits = _refused(_differs(0))
    assert limits.without((_differs(0),)) == ()
    assert limits.without((_differs(0, "y"),)) == (_differs(0, "y"),)


def test_it_is_tried_again_once_in_a_while_and_alone() -> None:
    """After an hour, two, four, at most a day; and never with others, which it would hinder."""
    now = 0.0
    limits = Limits(clock=lambda: now)
    bad, fine = _differs(0), _differs(1)
    limits.refused(_snapshot(bad))
    waits = []
    for _refusal in range(8):
        began = now
        while not limits.without((bad,)):
            now += 600
        waits.append((now - began) / 3600)
        assert limits.within(limits.without((bad, fine))) == (fine,)
        assert limits.within(limits.without((bad,))) == (bad,)
        limits.refused(_snapshot(bad))
    assert waits == [1, 2, 4, 8, 16, 24, 24, 24]


def test_what_was_compared_and_is_fine_is_forgotten() -> None:
    """A watch says it of what it looked at, a comparison of everything of all; what still differs stays left out."""
    found = (_differs(0),)
    for only, differing, forgotten in (
        ([found[0].oid], [], True),
        ([ObjectId(1259, 7)], [], False),
        (None, [], True),
        (None, [found[0].oid], False),
    ):
        limits = _refused(*found)
        limits.compared(differing, only=only)
        assert (limits.without(found) == found) is forgotten, (only, differing)


def test_many_are_tried_together_again_when_nothing_else_differs() -> None:
    found = tuple(_differs(number) for number in range(4))
    limits = _refused(*found)
    limits.compared([one.oid for one in found[:2]])
    assert limits.most == 1
    limits.compared([found[0].oid], only=[found[0].oid])
    assert limits.most == 1
    limits.compared([found[0].oid])
    assert limits.most is None
    assert limits.without(found) == found[1:]

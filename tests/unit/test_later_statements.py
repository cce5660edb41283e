"""What a later statement names, as the outbox has it, without asking more often than needed."""

from __future__ import annotations

from pggit_daemon.model.objects import ObjectId
from pggit_daemon.reconcile.later_statements import LaterStatements

ONE, TWO = ObjectId(1259, 1), ObjectId(1259, 2)


def _named(later: LaterStatements) -> tuple[bool, bool]:
    return ONE in later, TWO in later


def test_a_row_counts_until_it_is_handled() -> None:
    later = LaterStatements()
    later.observe({1: frozenset({ONE}), 2: frozenset({ONE, TWO})}, [])
    assert (_named(later), later.known) == ((True, True), [1, 2])
    assert later.handle([2])
    assert (_named(later), later.known) == ((True, False), [1])
    assert not later.handle([2])
    assert later.handle([1])
    assert _named(later) == (False, False)


def test_rows_that_are_handled_or_gone_name_nothing() -> None:
    later = LaterStatements()
    later.observe({1: frozenset({ONE}), 2: frozenset({TWO})}, [{1}, {7}])
    assert _named(later) == (False, True)
    later.observe({2: None, 3: frozenset({ONE})}, [{1}])
    assert _named(later) == (True, True)
    later.observe({3: None}, [])
    assert (_named(later), later.known) == ((True, False), [3])

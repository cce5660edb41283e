"""History tables of which only inserts are streamed: updates and deletions are found by comparing at the end of a run.

Where a plugin streams no updates and deletions of a history table, one row at the end of each bracket stands for all of
them, with the DDL that no inserted row took. An inserted row takes the DDL of one transaction: what stands before that
may be of a row that was changed.

In: these rows, and the differences between table and ledger in the order in which the tool makes them. Out: rows of
which each stands for one change. Pure; called by `correlator.py`.

If as many changes ran DDL as there are transactions with DDL, they are paired in order. If none ran DDL, the
transactions belong to the inserted row behind them, which ran in several. Otherwise nobody can say which is which: all
is recorded, nothing is linked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pggit_daemon.attribute.attribution import taker_of
from pggit_daemon.attribute.row import Part, WaitingRow
from pggit_daemon.attribute.settling import report
from pggit_daemon.attribute.state import State
from pggit_daemon.model.changeset import HistoryRowEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange

AMBIGUOUS = "several updates or deletions that the stream does not show; they cannot be told apart"


def resolve_insert_only(state: State, rows: Sequence[WaitingRow], changes: Sequence[HistoryChange]) -> list[WaitingRow]:
    """The rows as single changes; none of them is undecodable afterwards."""
    ran = [change for change in changes if change.ran_ddl]
    if not ran:
        _give_back(state, rows)
    single = [one for row in rows for one in _by_transaction(row)]
    with_ddl = [row for row in single if row.parts]
    sure = len(with_ddl) == len(ran)
    rest = [change for change in changes if not sure or not change.ran_ddl]
    for row in single:
        row.event = None
    for row, change in zip(with_ddl, ran, strict=True) if sure else ():
        row.event = HistoryRowEvent((replace(change, lsn=row.lsn),))
    for row in with_ddl if not sure else ():
        row.let_go()
    if rest and single:
        _record(single[-1], rest)
    return single


def _by_transaction(row: WaitingRow) -> list[WaitingRow]:
    """One row for each transaction that it took DDL of; they lie in its own, as records are longer than a byte."""
    parts: dict[LSN, list[Part]] = {}
    for part in sorted(row.parts, key=lambda part: part[0].place):
        parts.setdefault(part[0].commit_lsn, []).append(part)
    *earlier, last = parts.values() or [[]]
    places = [LSN(row.lsn.value - back) for back in range(len(earlier), 0, -1)]
    split = [replace(row, lsn=lsn, parts=own) for lsn, own in zip(places, earlier, strict=True)]
    row.parts = last
    return [*split, row]


def _record(row: WaitingRow, rest: Sequence[HistoryChange]) -> None:
    """Record what ran no DDL, or cannot be told apart, with the last of the rows."""
    own = row.event.changes if isinstance(row.event, HistoryRowEvent) else ()
    row.event = HistoryRowEvent((*(replace(change, lsn=row.lsn) for change in rest), *own))
    if not own and any(change.ran_ddl for change in rest):
        row.evidence, row.note = None, AMBIGUOUS


def _give_back(state: State, rows: Sequence[WaitingRow]) -> None:
    """Give DDL that no change took to the inserted row behind it."""
    for row in rows:
        kept = []
        for part in row.parts:
            owner = state.behind.get(part[0].place)
            if owner is None or not isinstance(owner.event, HistoryRowEvent) or owner.evidence is None:
                kept.append(part)
                continue
            owner.parts = sorted([*owner.parts, part], key=lambda one: one[0].place)
            part[0].takers.append(taker_of(owner.event, owner.evidence, part=True))
            state.update_attribution(part[0])
            report(state, owner)
        row.parts = kept
    state.behind.clear()

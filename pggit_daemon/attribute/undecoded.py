"""The meaning of undecodable changes, found by comparing the history table with its ledger.

In: the undecodable rows of one source in stream order, and the differences between its table and its ledger in the
order in which the tool makes them. Pure; called by `correlator.py`.

If the rows that took DDL are as many as the differences that run DDL, these are paired in order, and so are the others.
Otherwise, if there are as many rows as differences, all are paired in order. Otherwise nobody can say which is which:
all is recorded, nothing is linked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.model.changeset import HistoryRowEvent
from pggit_daemon.model.migration import HistoryChange


def resolve(rows: Sequence[WaitingRow], changes: Sequence[HistoryChange]) -> None:
    """Fill in the rows; afterwards none of them is undecodable."""
    if not rows:
        return
    with_ddl, others = [row for row in rows if row.parts], [row for row in rows if not row.parts]
    ran, rest = [change for change in changes if change.ran_ddl], [change for change in changes if not change.ran_ddl]
    pairs: list[tuple[WaitingRow, HistoryChange]] = []
    if with_ddl and len(with_ddl) == len(ran):
        pairs = list(zip(with_ddl, ran, strict=True))
        if len(others) == len(rest):
            pairs, rest = [*pairs, *zip(others, rest, strict=True)], []
    elif len(rows) == len(changes):
        pairs, rest = list(zip(rows, changes, strict=True)), []
    else:
        rest = list(changes)
    filled = {id(row): change for row, change in pairs}
    for row in rows:
        change = filled.get(id(row))
        row.event = None if change is None else HistoryRowEvent((replace(change, lsn=row.lsn),))
        if row.parts and (change is None or not change.ran_ddl):
            row.let_go()
    if rest:
        _append(rows[-1], rest)


def _append(row: WaitingRow, rest: Sequence[HistoryChange]) -> None:
    """Record what could not be told apart with the last of the rows, before its own meaning."""
    own = row.event.changes if isinstance(row.event, HistoryRowEvent) else ()
    row.event = HistoryRowEvent((*(replace(change, lsn=row.lsn) for change in rest), *own))
    if not own:
        row.let_go()
        row.evidence, row.note = None, "several changes that decoding could not show; they cannot be told apart"

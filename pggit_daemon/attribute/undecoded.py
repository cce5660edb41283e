"""The meaning of undecodable changes, found by comparing the history table with its ledger.

In: the undecodable rows of one source in stream order, and the differences between its table and its ledger in the
order in which the tool makes them. Pure; called by `correlator.py`.

Of a table with many rows: if the rows that took DDL are as many as the differences that run DDL, these are paired in
order, and so are the others. Otherwise, if there are as many rows as differences, all are paired in order. Otherwise
nobody can say which is which: all is recorded, nothing is linked.

Of a table with one row that moves (tern, Sequel's integers): what one change left may be known for itself, as whoever
reads the row learns which transaction wrote it (`model/held.py`). So the rows are compared piece by piece, each up to
one of which that is known. Of a piece, as many rows as differences are paired in order, as the tool makes one step with
each; anything else is not told apart, as a step forth and back leaves no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.state import State
from pggit_daemon.model.changeset import Changeset, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.held import Held
from pggit_daemon.model.migration import HistoryChange

AMBIGUOUS = "several changes that decoding could not show; they cannot be told apart"


def undecoded_rows(state: State, source: str) -> list[WaitingRow]:
    """The rows of a source that wait for their meaning, in stream order."""
    waiting = [row for row in state.rows.get(source, ()) if isinstance(row.event, UndecodableRow)]
    return sorted([*state.undecoded.get(source, ()), *waiting], key=lambda row: (row.commit_lsn, row.lsn))


def hold(state: State, held: Iterable[Held]) -> None:
    """Somebody read what a transaction had left: its last row knows that from now on."""
    for one in held:
        for row in reversed(undecoded_rows(state, one.source)):
            if row.xid == one.xid and row.commit_lsn < one.read_at and not row.blind:
                row.left = one.row
                state.changed.rows[row.source, row.lsn] = row
                break


def blind(state: State, changeset: Changeset) -> None:
    """The stream shows a change: the ledger has gone on, and what came before is not compared with it any more."""
    for source in {item.source for item in changeset.items if isinstance(item, HistoryRowEvent)}:
        if state.sources[source].moves_one_row:
            for row in undecoded_rows(state, source):
                row.left, row.blind = None, True
                state.changed.rows[row.source, row.lsn] = row


def resolve(rows: Sequence[WaitingRow], compared: Sequence[Sequence[HistoryChange]], *, moves_one_row: bool) -> None:
    """Fill in the rows; afterwards none of them is undecodable.

    `compared`: the differences up to each row of which is known what it left, and those behind the last of them.
    """
    for row in rows:
        if row.blind:
            _fill(row, None)
    pieces = _pieces([row for row in rows if not row.blind])
    differences = [list(changes) for changes in compared]
    if len(pieces) > 1 and not pieces[-1] and differences[-1]:
        # The table says otherwise than the last of them left it: it is not known either.
        pieces.pop()
        differences[-2:] = [[*differences[-2], *differences[-1]]]
    for piece, changes in zip(pieces, differences, strict=True):
        rest = _moves(piece, changes) if moves_one_row else _many(piece, changes)
        if rest and rows:
            _append(piece[-1] if piece else rows[-1], rest)


def _pieces(rows: Sequence[WaitingRow]) -> list[list[WaitingRow]]:
    """The rows up to each of which is known what it left, and those behind the last of them."""
    pieces: list[list[WaitingRow]] = [[]]
    for row in rows:
        pieces[-1].append(row)
        if row.left is not None:
            pieces.append([])
    return pieces


def _moves(rows: Sequence[WaitingRow], changes: Sequence[HistoryChange]) -> Sequence[HistoryChange]:
    """Fill in the rows of a table with one row; what cannot be told apart."""
    told_apart = len(rows) == len(changes)
    for row, change in zip(rows, changes if told_apart else [None] * len(rows), strict=True):
        _fill(row, change)
    return () if told_apart else changes


def _many(rows: Sequence[WaitingRow], changes: Sequence[HistoryChange]) -> Sequence[HistoryChange]:
    """Fill in the rows of a table with many; what cannot be told apart."""
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
        _fill(row, filled.get(id(row)))
    return rest


def _fill(row: WaitingRow, change: HistoryChange | None) -> None:
    row.event = None if change is None else HistoryRowEvent((replace(change, lsn=row.lsn),), session=row.writer)
    if row.parts and (change is None or not change.ran_ddl):
        row.let_go()


def _append(row: WaitingRow, rest: Sequence[HistoryChange]) -> None:
    """Record what could not be told apart with the last of the rows, before its own meaning."""
    own = row.event.changes if isinstance(row.event, HistoryRowEvent) else ()
    changes = (*(replace(change, lsn=row.lsn) for change in rest), *own)
    row.event = HistoryRowEvent(changes, session=row.writer)
    if not own:
        row.let_go()
        row.evidence, row.note = None, AMBIGUOUS

"""What a new transaction shows by itself: whose some of its statements are, which rows it has, what those take.

In: a recorded transaction. Out: rows with the DDL of their own transaction; the others wait. Called by `correlator.py`;
pure, over the state of attribution.
"""

from __future__ import annotations

from collections.abc import Sequence

from pggit_daemon.attribute.attribution import taker_of
from pggit_daemon.attribute.brackets import mark
from pggit_daemon.attribute.deadlines import RowOverdue
from pggit_daemon.attribute.matching import close, match_own, match_without_ddl
from pggit_daemon.attribute.proofs import proof_of
from pggit_daemon.attribute.proofs.transaction import taker
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.settling import settle
from pggit_daemon.attribute.state import State
from pggit_daemon.model.changeset import (
    AlreadyStored,
    Changeset,
    Evidence,
    HistoryRowEvent,
    RecordedSegment,
    UndecodableRow,
)


def rows_of(changeset: Changeset, recorded: Sequence[RecordedSegment], head: str | None) -> list[WaitingRow]:
    """The transaction's rows, each with the commit whose schema it saw."""
    items = [item for item in changeset.items if isinstance(item, (HistoryRowEvent, UndecodableRow))]
    last = {item.source: item.lsn for item in items}
    rows, position = [], 0
    for item in items:
        while position < len(recorded) and recorded[position].segment.events[0].lsn < item.lsn:
            head = recorded[position].commit or head
            position += 1
        rows.append(
            WaitingRow(
                item,
                item.source,
                item.lsn,
                changeset.commit_lsn,
                changeset.commit_time,
                max(last[item.source], item.lsn),
                head,
                changeset.xid,
            )
        )
    return rows


def decided_at_once(
    state: State, recorded: Sequence[RecordedSegment], segments: Sequence[OpenSegment]
) -> list[OpenSegment]:
    """The content says whose some segments are; those that are left."""
    free = []
    for one, segment in zip(recorded, segments, strict=True):
        if one.segment.part_of is not None:
            segment.take()
            segment.takers.append(taker_of(one.segment.part_of, Evidence.SESSION, part=True))
        elif one.segment.housekeeping is not None:
            segment.left_to(one.segment.housekeeping, orphan=False)
        else:
            free.append(segment)
            continue
        state.update_attribution(segment)
    return free


def take_own(state: State, rows: Sequence[WaitingRow], free: Sequence[OpenSegment]) -> None:
    """Rows take the DDL of their own transaction: a lone row all of it, several what stands before each.

    The first one may belong to what its session ran before in a transaction of its own (Alembic's autocommit_block).
    """
    for row in rows:
        _see_writer(state, row)
        _note_bracket(state, row)
        if not row.may_run_ddl:
            match_without_ddl(row)
            settle(state, row)
    running = [row for row in rows if row.may_run_ddl]
    if not running or not free:
        return
    for segment in free:
        found = taker(running, segment.statements[0].lsn, state.sources)
        if found is not None:
            found.take(segment, None)
    first = running[0]
    if not first.parts and len(running) > 1 and proof_of(state.sources[first.source]).is_timed:
        wait(state, [first])
        running = running[1:]
    for row in running:
        match_own(state, row)


def _see_writer(state: State, row: WaitingRow) -> None:
    """Whether the source's table is integrated, as its newest row says."""
    tool, named = state.known.sessions.of(row.source), row.writer is not None
    if (named or isinstance(row.event, HistoryRowEvent)) and tool.named != named:
        tool.named = named
        state.changed.tools[row.source] = None


def _note_bracket(state: State, row: WaitingRow) -> None:
    table = state.sources[row.source].bracket_table
    bracket = state.known.brackets.get(table) if table is not None else None
    if table is not None and bracket is not None:
        bracket.wrote = row.time
        state.changed.brackets[table] = None


def wait(state: State, rows: Sequence[WaitingRow]) -> None:
    """Rows without DDL of their own transaction look for theirs, and say something to those that look already."""
    for row in rows:
        if not row.matched and row not in state.rows.get(row.source, ()):
            state.rows.setdefault(row.source, []).append(row)
            state.changed.rows[row.source, row.lsn] = row
            table = state.sources[row.source].bracket_table
            bracket = state.known.brackets.get(table) if table is not None else None
            row.bracket = bracket.opened if bracket is not None else None
            state.deadlines.add(row.time + state.sources[row.source].grace, RowOverdue(row))
            mark(state, row.source, row.lsn)
    if rows:
        # A row tells those of other tables something only where its place does: among tools that hold locks.
        mine = {row.source for row in rows}
        state.dirty.update(name for name in state.rows if name in mine or proof_of(state.sources[name]).has_siblings)


def close_before(state: State, item: AlreadyStored, changeset: Changeset) -> None:
    row = WaitingRow(
        None, item.source, item.lsn, changeset.commit_lsn, changeset.commit_time, item.lsn, None, matched=True
    )
    close(state, item.source, row)

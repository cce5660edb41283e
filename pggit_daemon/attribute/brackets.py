"""Brackets: a tool's lock row that is held, from the update that took it to the one that gave it back.

In: the moves of lock rows, and the ends of sessions. Out: what may be claimed by a bracket, and what not any more.
Called by `correlator.py`; pure, over the state of attribution.
"""

from __future__ import annotations

from pggit_daemon.attribute.known import Bracket
from pggit_daemon.attribute.matching import candidates_of, give_up, match_rows
from pggit_daemon.attribute.opening import estrange
from pggit_daemon.attribute.presence import Presence
from pggit_daemon.attribute.proofs import proof_of
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.state import State
from pggit_daemon.model.changeset import BracketMove, Changeset
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import Source


def move_brackets(state: State, changeset: Changeset) -> list[TableName]:
    """Open and close brackets; those that closed."""
    closed = []
    for item in changeset.items:
        if not isinstance(item, BracketMove):
            continue
        if item.opens:
            state.known.brackets[item.table] = Bracket(changeset.commit_lsn, changeset.commit_time)
        elif state.known.brackets.pop(item.table, None) is not None:
            closed.append(item.table)
        state.changed.brackets[item.table] = None
        for source in _bracketed(state, item.table):
            mark(state, source.name, item.lsn)
    return closed


def mark(state: State, source: str, lsn: LSN) -> None:
    """The source's own session wrote here: whoever had a transaction open then is not it."""
    if not proof_of(state.sources[source]).works_alone(state.sources[source]):
        return
    state.known.sessions.of(source).mark(lsn)
    state.changed.tools[source] = None
    for session, segments in list(state.pool.sessions_of(source)):
        newest = next(reversed(segments.values()))
        found = newest.claims[source]
        if newest.first < lsn < newest.commit_lsn and not found.certain:
            estrange(state, source, found.group, session)


def bracket_closed(state: State, table: TableName, *, dropping: bool) -> None:
    """The rows of a bracket stand inside it. What its own session ran without a row is the tool's.

    A bracket that ends because the tool drops its own tables was about dropping: no row was to be expected.
    """
    for source in _bracketed(state, table):
        for row in state.rows.get(source.name, ()):
            row.ended = True
            state.dirty.add(source.name)
    match_rows(state)
    for source in _bracketed(state, table):
        give_up_ended(state, source)
        for session in state.known.sessions.housekeepers_of(source.name):
            for segment in state.pool.of_session(session):
                segment.left_to(source.name, orphan=not dropping)
            del state.known.sessions.housekeepers[session]
            state.changed.housekeepers[session] = None
        for segment in state.pool.of_source(source.name):
            state.expire_unless_wanted(segment, source.name)


def give_up_ended(state: State, source: Source) -> None:
    """Rows whose bracket has closed, of which nothing will tell any more what they took, nor a look at a session."""
    for row in list(state.rows.get(source.name, ())):
        found = candidates_of(state, row) if row.ended and not row.matched and not source.is_run_by_children else None
        if found is None or any(set(segment.claims) != {source.name} for segment in found):
            continue
        if not any(_is_unseen(state, row, segment) for segment in found):
            give_up(state, row)
            match_rows(state)


def _is_unseen(state: State, row: WaitingRow, segment: OpenSegment) -> bool:
    """Whether a look will tell where the session was when the row was committed."""
    where = state.known.sightings.of(segment.session, row.time, segment.time)
    return segment.place in state.in_sight and where is Presence.NOT_SEEN


def abandoned_by(state: State, session: SessionKey, up_to: LSN) -> None:
    """A session has ended: brackets that it is known to have held claim nothing any more."""
    for table, bracket in state.known.brackets.items():
        partners = {state.known.sessions.partner(one.name, bracket.opened) for one in _bracketed(state, table)}
        if session in partners and bracket.opened <= up_to:
            abandon(state, table, bracket)


def abandon(state: State, table: TableName, bracket: Bracket) -> None:
    """Whoever held the lock row is gone: it claims nothing any more."""
    if bracket.abandoned:
        return
    bracket.abandoned = True
    state.changed.brackets[table] = None
    for source in _bracketed(state, table):
        for segment in state.pool.of_run(source.name, bracket.opened):
            state.expire_unless_wanted(segment, source.name)


def _bracketed(state: State, table: TableName) -> list[Source]:
    return [source for source in state.sources.values() if source.bracket_table == table]

"""What ends a wait: the end of a session, of its lock, of a grace.

In: what ended. Out: claims that are given up, unless a row that is here may still take them up. Called by
`correlator.py`; pure, over the state of attribution.
"""

from __future__ import annotations

from datetime import timedelta

from pggit_daemon.attribute.brackets import abandoned_by
from pggit_daemon.attribute.deadlines import ClaimEnds
from pggit_daemon.attribute.learning import see_other
from pggit_daemon.attribute.matching import candidates_of, give_up, match_rows
from pggit_daemon.attribute.proofs import PROOFS, proof_of
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.state import State
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey, Watched

SOON_AFTER = timedelta(microseconds=1)


def watched(state: State) -> frozenset[Watched]:
    """The sessions whose end would decide something: lock holders, and those that ran what is pending."""
    found: set[Watched | None] = set()
    for source in state.sources.values():
        for group in state.pool.runs_of(source.name):
            if isinstance(group, SessionKey):
                found.add(Watched(group, by_lock=True))
        if source.is_run_by_children:
            waiting = [row for row in state.rows.get(source.name, ()) if not row.matched]
            ran = [segment for row in waiting for segment in candidates_of(state, row)]
            found.update(Watched(segment.session, by_lock=False) for segment in ran if not segment.ended)
        if proof_of(source).asks_who_left(source):
            there = (segment.session for segment in state.pool.of_source(source.name) if not segment.ended)
            found.update(Watched(session, by_lock=False) for session in there)
        if proof_of(source).has_siblings or source.outlives_session:
            continue
        found.update(Watched(session, by_lock=False) for session, _ in state.pool.sessions_of(source.name))
        bracket = state.known.brackets.get(source.bracket_table) if source.bracket_table is not None else None
        if bracket is not None and not bracket.abandoned:
            partner = state.known.sessions.partner(source.name, bracket.opened)
            found.add(Watched(partner, by_lock=False) if partner is not None else None)
    return frozenset(one for one in found if one is not None)


def ended_session(state: State, one: Watched, up_to: LSN, fed: LSN) -> None:
    """A session is gone, or gave up its lock: claims that it had up to that moment end.

    `fed`: the newest transaction by now. Everything that was written before that moment is among them.
    """
    if one.by_lock:
        held = [segment for source in state.sources for segment in state.pool.of_run(source, one.session)]
    else:
        held = state.pool.of_session(one.session)
        abandoned_by(state, one.session, up_to)
        for segment in held:
            segment.ended = True
            segment.gone_before = segment.gone_before or fed
            state.mark_dirty(segment)
    for segment in held:
        for found in list(segment.claims.values()) if segment.commit_lsn <= up_to else ():
            outlived = not one.by_lock and state.sources[found.source].outlives_session
            if PROOFS[found.evidence].watched(found, segment) == one and not outlived:
                if PROOFS[found.evidence].is_timed and not state.wanted(segment, found.source):
                    see_other(state, segment, found.source, segment.time)
                state.expire_unless_wanted(segment, found.source)


def claim_ends(state: State, due: ClaimEnds) -> None:
    """The grace is over, but for what a row that waits may still take up."""
    segment = due.segment
    if due.source not in segment.claims or not segment.is_free:
        return
    if state.wanted(segment, due.source):
        latest = state.rows[due.source][-1].time + state.sources[due.source].grace
        state.deadlines.add(latest + SOON_AFTER, due)
        return
    if not state.sources[due.source].outlives_session or not segment.claims[due.source].reads:
        see_other(state, segment, due.source, segment.time + state.sources[due.source].grace)
    state.expire(segment, due.source, late=True)


def overdue(state: State, row: WaitingRow) -> None:
    row.overdue = True
    if row.matched:
        return
    state.dirty.add(row.source)
    for segment in candidates_of(state, row):
        for source in [name for name in segment.claims if name != row.source]:
            if segment.time + state.sources[source].grace <= row.time + state.sources[row.source].grace:
                state.expire_unless_wanted(segment, source)
    match_rows(state)
    if not row.matched and not _waits_for_look(state, row):
        give_up(state, row)


def looked(state: State) -> None:
    """Sessions were looked at: what waited for that beyond its time waits no more."""
    for source in [source for source in state.sources.values() if source.is_run_by_children]:
        for row in list(state.rows.get(source.name, ())):
            if row.overdue and not row.matched and not _waits_for_look(state, row):
                give_up(state, row)
                match_rows(state)


def _waits_for_look(state: State, row: WaitingRow) -> bool:
    """Whether it must be seen first which sessions have ended: a backlog passes quicker than anybody can look."""
    children = state.sources[row.source].is_run_by_children
    return children and any(not segment.ended for segment in candidates_of(state, row))

"""What a proof shows about a session, and what follows for everything else that it ran.

In: a session that a row, a lock or its own use of a history table has shown to be a tool's. Out: claims that are
certain now, or gone. Called by `matching.py` and `opening.py`; pure, over the state of attribution.
"""

from __future__ import annotations

from datetime import datetime

from pggit_daemon.attribute.callbacks import GRACE as CALLBACK_GRACE
from pggit_daemon.attribute.claims import Group, as_certain
from pggit_daemon.attribute.deadlines import CallbackEnds
from pggit_daemon.attribute.proofs import PROOFS, proof_of
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.state import State
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey


def recognise(state: State, source: str, session: SessionKey) -> None:
    """A session is known as the tool's: what waits to be known as its callback is."""
    for segment in state.pool.waiting_for(session):
        if source in segment.callback_of:
            segment.left_to(source, orphan=False)
            segment.callback_of = frozenset()
            state.refresh(segment)


def learn(state: State, source: str, group: Group, session: SessionKey, now: datetime) -> None:
    """The session runs the DDL of this run: it is no other source's, and the run has no other session."""
    state.known.sessions.learn(source, group, session, now)
    state.changed.tools[source] = None
    for segment in state.pool.of_session(session):
        for other in [name for name in segment.claims if name != source]:
            state.drop_claim(segment, other)
    for segment in state.pool.of_run(source, group) if group is not None else ():
        if segment.session != session:
            if len(segment.claims) == 1 and segment.tool is None and segment.may_call_back:
                # Not the run's own session, but under its lock: a callback on a connection of its own.
                segment.callback_of = segment.may_call_back
                state.pool.watch_siblings(segment)
                state.deadlines.add(segment.time + CALLBACK_GRACE, CallbackEnds(segment))
            state.drop_claim(segment, source)
    recognise(state, source, session)
    if isinstance(group, SessionKey):
        recognise(state, source, group)


def show_own(state: State, source: str, session: SessionKey, now: datetime, *, wrote: bool) -> None:
    """The session has used the source's tables, or `wrote` to them: sources that are not sure of it have no claim."""
    known = state.known.sessions
    known.of(source).works(session, now, wrote=wrote)
    state.changed.tools[source] = None
    own = known.owners(session, now)
    for segment in state.pool.of_session(session):
        for name, claim in list(segment.claims.items()):
            proof = proof_of(state.sources[name])
            if name == source and (proof.is_writers or state.sources[name].shows_itself):
                sure = wrote and not state.sources[name].is_company
                better = as_certain(claim) if sure else proof.shown(claim, state.sources[name], state.known)
                if better != claim and not (claim.certain and not claim.reads):
                    segment.claims[name] = better
                    state.keep_in_sight(segment)
                    state.mark_dirty(segment)
                    state.update_attribution(segment)
            elif name not in own and not claim.certain:
                state.drop_claim(segment, name)


def see_other(state: State, segment: OpenSegment, source: str, now: datetime) -> None:
    """The source did not take what a session of the tool's look ran: others of that look run DDL, too.

    One that used the tool's tables and has ended may have been the tool's, which failed.
    """
    claim = segment.claims.get(source)
    if claim is None or not PROOFS[claim.evidence].is_writers or (claim.reads and segment.ended):
        return
    see_foreign(state, segment, source, now)


def see_foreign(state: State, segment: OpenSegment, source: str, now: datetime) -> None:
    """What the session ran is not the tool's, so its looks show nothing for a while."""
    state.known.sessions.of(source).see_foreign(segment.session, segment.looks, now)
    state.changed.tools[source] = None


def outlived(state: State, session: SessionKey, since: LSN) -> None:
    """The session is there at this place: what it ran is no child's of a tool whose row was written before."""
    waited = {name for name, rows in state.rows.items() if rows and state.sources[name].is_run_by_children}
    # A script may have run thousands of statements before this one, and mostly no such row waits.
    for segment in state.pool.of_session(session) if waited else ():
        for source in [name for name in segment.claims if name in waited]:
            rows = (row for row in state.rows.get(source, ()) if not row.matched and row.commit_lsn <= since)
            if any(segment.stands_before(row.lsn, row.commit_lsn) for row in rows):
                see_foreign(state, segment, source, segment.time)
                state.drop_claim(segment, source)

"""Which sessions are to be looked at, and what a look at them decides.

In: claims that a session's activity decides about, rows that wait for it, transactions that were not taken in yet,
looks. Out: the sessions that are wanted now, and rows that a look has decided. Called by `correlator.py`; pure, over
the state of attribution.

Looks begin with the claim and go on for as long as a row may still come that takes it up, or waits to be decided. What
is not looked at in time stays unknown; that a row then has no link is all that follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from pggit_daemon.attribute.brackets import give_up_ended
from pggit_daemon.attribute.matching import match_rows
from pggit_daemon.attribute.presence import LOOK_FOR, Presence
from pggit_daemon.attribute.proofs import PROOFS
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import ToolSessions
from pggit_daemon.attribute.state import State
from pggit_daemon.model.ddl_event import OUTBOX, histories_of, session_of
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.sighting import Look
from pggit_daemon.model.transaction import Row, RowChange, Transaction
from pggit_daemon.tools.source import Source


@dataclass(frozen=True, slots=True)
class Wanted:
    """`users` are theirs, `tables` the names of the history tables that their DDL may be about.

    `at_once`: something new must be known of one of them. `moments`: the newest that is asked about, of each.
    """

    sessions: frozenset[SessionKey] = frozenset()
    users: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    at_once: bool = False
    moments: Mapping[SessionKey, datetime] = field(default_factory=dict)

    def __or__(self, other: Wanted) -> Wanted:
        return Wanted(
            self.sessions | other.sessions,
            self.users | other.users,
            self.tables | other.tables,
            at_once=self.at_once or other.at_once,
            moments={**self.moments, **other.moments},
        )


def wanted(state: State) -> Wanted:
    """The sessions to be looked at now."""
    if not state.in_sight:
        return Wanted()
    seen = state.known.sightings
    asked, at_once, newest = [], False, dict[SessionKey, datetime]()
    for segment in list(state.in_sight.values()):
        if not _is_asked_about(state, segment):
            del state.in_sight[segment.place]
        elif not seen.has_gone(segment.session):
            moments = _moments(state, segment)
            if seen.now is None or seen.now <= max(moments) + LOOK_FOR:
                asked.append(segment)
                newest[segment.session] = max(*moments, newest.get(segment.session, segment.time))
                at_once = at_once or not all(seen.was_seen_since(segment.session, moment) for moment in moments)
    seen.keep({segment.session for segment in state.in_sight.values()})
    sources = {name for segment in asked for name in segment.claims}
    return Wanted(
        frozenset(segment.session for segment in asked),
        frozenset(segment.user for segment in asked),
        frozenset(one.table for name in sources for one in state.sources[name].tables),
        at_once=at_once,
        moments=newest,
    )


def foreseen(state: State, transactions: Iterable[Transaction]) -> Wanted:
    """The sessions that will be wanted once these transactions are taken in, as far as their rows tell.

    They ran DDL, had read a history table whose row may follow, and have not written that.
    """
    sources = [one for one in state.sources.values() if one.offers.reaches_out and not one.outlives_session]
    asked = Wanted()
    for transaction in transactions if sources else ():
        rows = [change for change in transaction.changes if isinstance(change, RowChange)]
        first = next((row for row in rows if row.table == OUTBOX), None)
        free = [one for one in sources if not any(one.holds(row.table) for row in rows)]
        if first is not None and free:
            with suppress(KeyError, TypeError, ValueError):  # whoever reads all of it says that it is not ours
                asked |= _of_statement(state, first.new, free, transaction.commit_time)
    return asked


def _of_statement(state: State, row: Row, sources: Iterable[Source], time: datetime) -> Wanted:
    """Who ran a transaction's first statement, where one of the sources may ask about that session."""
    session, (used, wrote) = session_of(row), histories_of(row)
    tables = set[str]()
    for one in sources:
        tool = state.known.sessions.tools.get(one.name) or ToolSessions()
        reads = one.name in used or tool.is_own(session.key, time)
        if reads and one.name not in wrote and not tool.has_written(session.key, time):
            tables.update(table.table for table in one.tables)
    if not tables:
        return Wanted()
    key, user = session.key, session.profile.user
    return Wanted(frozenset({key}), frozenset({user}), frozenset(tables), at_once=True, moments={key: time})


def looked_at(state: State, look: Look) -> None:
    """Take in what a look showed."""
    seen = state.known.sightings
    seen.add(look)
    for segment in list(state.in_sight.values()):
        if segment.session in look.found:
            state.mark_dirty(segment)
            asked = look.moments.get(segment.session, segment.time)
            if look.ended < asked <= max(_moments(state, segment)):
                # The clock that stamped a commit we have read is not the one that we look by: it was set back, or is
                # another server's. No look would tell of that moment before our clock comes to it.
                del state.in_sight[segment.place]
    if not state.in_sight:
        seen.keep(())
    match_rows(state)
    for source in [state.sources[name] for name in state.rows]:
        give_up_ended(state, source)


def _is_asked_about(state: State, segment: OpenSegment) -> bool:
    claims = segment.claims.values() if segment.is_free else ()
    return any(PROOFS[one.evidence].depends_on_presence(one, state.sources[one.source]) for one in claims)


def _moments(state: State, segment: OpenSegment) -> list[datetime]:
    """When something was committed of which it must be known where the session was."""
    return [segment.time, *(row.time for row in _undecided(state, segment))]


def _undecided(state: State, segment: OpenSegment) -> Iterator[WaitingRow]:
    """The rows that wait to know where the session was then."""
    for source in segment.claims:
        for row in state.rows.get(source, ()):
            where = state.known.sightings.of(segment.session, row.time, segment.time)
            if where is Presence.NOT_SEEN and segment.stands_before(row.lsn, row.commit_lsn):
                yield row

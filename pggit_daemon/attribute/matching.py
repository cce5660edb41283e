"""Which DDL a history row takes.

In: the rows that wait, and what is open before them. Out: rows with their statements, and what that says of everything
else. Called by `correlator.py`; pure, over the state of attribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pggit_daemon.attribute.learning import learn, see_foreign, see_other, show_own
from pggit_daemon.attribute.proofs import PROOFS, Beside, Candidates, Match, Nothing, Wait, may_be_of, proof_of
from pggit_daemon.attribute.proofs.advisory_lock import row_inside
from pggit_daemon.attribute.proofs.session import by_writer, of_writer
from pggit_daemon.attribute.recent import Late
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.settling import settle
from pggit_daemon.attribute.state import State
from pggit_daemon.attribute.unlocked import close_unlocked, unlocked_before
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey

MOST_CANDIDATES = 64
"""Sessions that are looked at for one row: among so many nobody can say whose it is."""


def match_rows(state: State) -> None:
    """Give rows their DDL; each row that is matched may free another, so go on until nothing moves."""
    while state.dirty:
        source = min(state.dirty, key=lambda name: _first(state.rows.get(name, ())))
        state.dirty.discard(source)
        for row in list(state.rows.get(source, ())):
            # A row that waits for a sign of its session takes nothing of what stands behind it: others go on.
            if not row.matched and not _match(state, row) and not proof_of(state.sources[source]).is_writers:
                break


def _first(rows: Sequence[WaitingRow]) -> tuple[LSN, LSN]:
    return (rows[0].commit_lsn, rows[0].lsn) if rows else (LSN(0), LSN(0))


def give_up(state: State, row: WaitingRow) -> None:
    """Nothing will tell the row's candidates apart any more: it stays without a link.

    One of them was its own, so of other sources they are only where something proves it.
    """
    candidates = candidates_of(state, row)
    several = len({segment.session for segment in candidates}) > 1
    looks_only = several and state.sources[row.source].runs_elsewhere
    if looks_only:
        # At least one of them is not the tool's, and looks like it.
        for segment in candidates:
            see_foreign(state, segment, row.source, segment.time)
    for segment in candidates:
        for source, claim in list(segment.claims.items()):
            if source == row.source:
                state.expire(segment, source)
            elif not claim.certain:
                segment.claims[source] = replace(claim, weak=True)
                state.changed.segments[segment.place] = segment
    row.match(None, row.note)
    _close_recent(state, row)
    settle(state, row)
    _release(state, row)


def candidates_of(state: State, row: WaitingRow) -> list[OpenSegment]:
    """The segments that may be the row's."""
    return [
        segment
        for _, segments in state.pool.sessions_of(row.source)
        for segment in segments.values()
        if may_be_of(segment, row)
    ]


def match_own(state: State, row: WaitingRow) -> None:
    """A row whose DDL can only be its own transaction's, or (where the SQL API wrote it) an earlier part's."""
    event = row.event if isinstance(row.event, HistoryRowEvent) else None
    if event is None or event.certain is None or (row.parts and event.late is None):
        row.match(Evidence.TRANSACTION)
    else:
        row.at = None if row.parts else event.late
        row.match(event.certain)
    if row.parts:
        _ran(state, row, shared=True)
    close(state, row.source, row)
    settle(state, row)


def match_without_ddl(row: WaitingRow) -> None:
    """A row that certainly ran no DDL."""
    is_migration = not isinstance(row.event, HistoryRowEvent) or row.event.makes_commit
    row.match(Evidence.NONE if is_migration else None)


def close(state: State, source: str, row: WaitingRow) -> None:
    """What a row did not take of the DDL before it is not its source's."""
    _close_recent(state, row)
    close_unlocked(state, source, row.lsn)
    if state.may_hide_rows(source):
        return  # what it did not take may be of a change that is not streamed: the end of the bracket decides
    # Where the session that writes a row runs the DDL, too, no later row is about what stands before this one.
    before = row.lsn if proof_of(state.sources[source]).is_writers else None
    ran = {segment.session for segment, _, _ in row.parts}
    for segment in state.pool.of_source(source):
        if segment.last < row.lsn and not state.wanted(segment, source, before):
            if ran and segment.session not in ran and not state.sources[source].is_run_by_children:
                see_other(state, segment, source, row.time)
            state.drop_claim(segment, source)


def _match(state: State, row: WaitingRow) -> bool:
    source = state.sources[row.source]
    proof = proof_of(source)
    candidates = of_writer(row, source, proof, _candidates(state, row))
    found = by_writer(row, source, candidates) or (
        proof.match(row, source, candidates, Beside(lambda *about: _stands_elsewhere(state, *about), state.known))
        if candidates
        else Nothing()
    )
    if isinstance(found, Match):
        _take(state, row, found)
    elif isinstance(found, Nothing):
        if isinstance(row.event, HistoryRowEvent) and row.event.certain is not None:
            match_own(state, row)
            return True
        _match_late(state, row)
    elif isinstance(found, Wait):
        if row.note != found.note:
            row.note = found.note
            state.changed.rows[row.source, row.lsn] = row
        return False
    close(state, row.source, row)
    settle(state, row)
    _release(state, row)
    return True


def _release(state: State, row: WaitingRow) -> None:
    """The row has let go of what it stood for: of a bracket that is closed, nothing is waited for any more."""
    table = state.sources[row.source].bracket_table
    if table is None or row.bracket is None:
        return
    bracket = state.known.brackets.get(table)
    if bracket is None or bracket.opened != row.bracket:
        for segment in state.pool.of_run(row.source, row.bracket):
            state.expire_unless_wanted(segment, row.source)


def _candidates(state: State, row: WaitingRow) -> Candidates:
    """What the row's source claims and stands before the row, by session; the session of the run first."""
    proof = proof_of(state.sources[row.source])
    run = state.known.sessions.of(row.source).run
    found: dict[SessionKey, list[OpenSegment]] = {}
    earlier = state.rows.get(row.source, ()) if proof.is_writers else ()
    waiting = max((one.lsn for one in earlier if one.lsn < row.lsn), default=LSN(0))
    for session, segments in state.pool.sessions_of(row.source, first=run.session if run is not None else None):
        fitting = [
            segment
            for segment in segments.values()
            if may_be_of(segment, row)
            and proof.may_take(row, segment)
            and segment.statements[segment.taken].lsn > waiting
            and (row.since is None or segment.first >= row.since)
        ]
        if fitting:
            found[session] = fitting
            if len(found) == MOST_CANDIDATES:
                break
    return found


def _stands_elsewhere(state: State, source: str, behind: LSN, session: SessionKey) -> bool:
    """Whether a row of the source waits behind a place that stands inside the transaction of another session."""
    for row in state.rows.get(source, ()):
        if row.lsn > behind:
            around = {key for key, segments in _candidates(state, row).items() if row_inside(row, segments)}
            if around and session not in around:
                return True
    return False


def _take(state: State, row: WaitingRow, found: Match) -> None:
    source = state.sources[row.source]
    group = found.segments[0].claims[row.source].group
    for late in state.recent.just_before(found.segments[0], row.source, source.grace):
        _take_late(state, row, late)
    segments = found.segments
    if state.may_hide_rows(row.source) and not isinstance(row.event, UndecodableRow):
        state.behind.update((one.place, row) for one in segments if one.commit_lsn != segments[-1].commit_lsn)
        segments = tuple(one for one in segments if one.commit_lsn == segments[-1].commit_lsn)
    for segment in segments:
        row.take(segment, row.lsn)
        state.taken(segment)
    row.match(found.evidence)
    _ran(state, row, shared=False)
    if found.proven and not source.runs_elsewhere:
        learn(state, row.source, group, found.session, row.time)


def _ran(state: State, row: WaitingRow, *, shared: bool) -> None:
    """Learn from a row's DDL whose session ran it, and what that of the next may look like."""
    proof = proof_of(state.sources[row.source])
    if (proof.is_writers or state.sources[row.source].shows_itself) and shared:
        for session in {segment.session for segment, _, _ in row.parts}:
            show_own(state, row.source, session, row.time, wrote=True)
    if proof.is_timed or state.sources[row.source].shows_itself:
        looks = ((segment.user, segment.application) for segment, _, _ in row.parts)
        if state.known.sessions.of(row.source).ran(looks, shared=shared):
            state.changed.tools[row.source] = None


def _match_late(state: State, row: WaitingRow) -> None:
    """A row with no DDL that waits: it came late, or it has none."""
    source = state.sources[row.source]
    found = state.recent.candidates(row, source.grace)
    if len(found) > 1:
        row.match(None, f"{len(found)} sessions ran DDL that this late row may belong to")
        return
    for lates in found.values():
        claim = lates[-1].claim
        if not PROOFS[claim.evidence].takes_late(claim, source):
            row.match(None, "nothing shows that the DDL before this late row ran in the tool's session")
            return
        for late in lates:
            _take_late(state, row, late)
        row.match(lates[-1].claim.evidence)
        return
    unlocked = unlocked_before(state, row)
    if unlocked is not None:
        row.match(None, unlocked)
        return
    match_without_ddl(row)


def _take_late(state: State, row: WaitingRow, late: Late) -> None:
    late.segment.tool = None
    row.take(late.segment, row.lsn)
    state.changed.segments[late.segment.place] = late.segment


def _close_recent(state: State, row: WaitingRow) -> None:
    for segment in state.recent.close(row):
        state.changed.segments[segment.place] = segment

"""Proof by lock row: between the updates by which the tool took its lock row and gave it back, one session ran DDL.

In: the brackets that are open. Out: a claim that lives until the bracket closes or its holder is gone. Pure.

Whoever held the row was connected when he took it, so a bracket says nothing of sessions that began later: one that a
crashed tool left open claims nothing of tomorrow's. A session with a transaction open while the tool wrote in another
one is not the tool's, which works on one connection. One that wrote to the history table or the lock table itself is.
Where none has shown that by the end of the bracket, the only one that ran DDL counts, or the only one that also used
the tables, if it began about when the lock was taken.
"""

from __future__ import annotations

from dataclasses import replace

from pggit_daemon.attribute.claims import Claim, Group, Seen
from pggit_daemon.attribute.known import Bracket, Known
from pggit_daemon.attribute.proofs.base import (
    TOGETHER,
    Beside,
    Candidates,
    Found,
    Match,
    Proof,
    Wait,
    after_commit,
    is_certain,
    unless_absent,
    unless_others_work,
    unless_weak,
)
from pggit_daemon.attribute.proofs.children import claim_of_child, match_child
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import Housekeeper, are_together, began_after
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.session import SessionKey, Watched
from pggit_daemon.tools.source import Source


class LockRowProof(Proof):
    evidence = Evidence.BRACKET
    by_lock = True
    is_writers = True

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:
        session = seen.session
        bracket = _bracket(source, known)
        if bracket is None or bracket.abandoned or bracket.opened >= seen.first:
            return None
        if known.sessions.partner(source.name, bracket.opened) == session.key:
            return Claim(source.name, Evidence.BRACKET, bracket.opened, certain=True)
        if source.preset.session.rule_out(session) or not known.may_write(source.name, seen):
            return None
        if _is_another(source, session.key, bracket, known):
            return None
        if source.runs_elsewhere:
            # Each migration has a session of its own, which does not touch the history table.
            since = bracket.wrote or bracket.at
            return claim_of_child(source, Evidence.BRACKET, bracket.opened, since, seen=seen, known=known)
        tool = known.sessions.of(source.name)
        own, reads = tool.has_written(session.key, seen.time), tool.is_own(session.key, seen.time)
        together = bracket.at is None or are_together(session.key.started, bracket.at.isoformat(), TOGETHER)
        weak = not (own or together)
        return Claim(source.name, Evidence.BRACKET, bracket.opened, certain=own, weak=weak, reads=reads and not own)

    def shown(self, claim: Claim, source: Source, known: Known) -> Claim:  # noqa: ARG002  # the protocol
        return replace(claim, reads=not claim.certain)

    def goes_on(self, source: Source, group: Group, seen: Seen, known: Known) -> bool:  # noqa: ARG002  # the protocol
        bracket = _bracket(source, known)
        return bracket is not None and bracket.opened == group

    def keeps_house(self, source: Source, housekeeper: Housekeeper, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        return _bracket(source, known) is not None

    def may_go_without(self, source: Source, seen: Seen, known: Known) -> bool:  # noqa: ARG002  # the protocol
        return not source.runs_elsewhere and _bracket(source, known) is None

    def works_alone(self, source: Source) -> bool:
        return not source.runs_elsewhere

    def is_of_run(self, claim: Claim, row: WaitingRow) -> bool:
        """Where the row stands in a bracket, what ran in the same."""
        return row.bracket is None or claim.group == row.bracket

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, beside: Beside) -> Found:
        if source.runs_elsewhere:
            return match_child(row, source, candidates, Evidence.BRACKET, beside.known)
        there = unless_absent(row, source, candidates, beside.known)
        if isinstance(there, Wait):
            return there
        found = after_commit(row, source, _likely(source, there), Evidence.BRACKET)
        if not isinstance(found, Match) or is_certain(found.segments, source.name):
            return found
        if not (row.ended or row.overdue):
            return Wait("its session may still show itself before the lock is given back")
        return unless_others_work(unless_weak(found, source), row, beside.known)

    def depends_on_presence(self, claim: Claim, source: Source) -> bool:
        """One on which nothing but its place in the bracket speaks for its session."""
        return not claim.certain and not source.runs_elsewhere

    def watched(self, claim: Claim, segment: OpenSegment) -> Watched | None:  # noqa: ARG002
        return Watched(segment.session, by_lock=False)


def _likely(source: Source, candidates: Candidates) -> Candidates:
    """Of several that nothing proves, those that used the tool's tables."""
    if any(is_certain(segments, source.name) for segments in candidates.values()):
        return candidates
    readers = {
        session: segments
        for session, segments in candidates.items()
        if all(segment.claims[source.name].reads and not segment.claims[source.name].weak for segment in segments)
    }
    return readers or candidates


def _bracket(source: Source, known: Known) -> Bracket | None:
    return known.brackets.get(source.bracket_table) if source.bracket_table is not None else None


def _is_another(source: Source, session: SessionKey, bracket: Bracket, known: Known) -> bool:
    """Whether the session began too late to have taken the lock, or is known to be none of the tool's.

    Where each migration has a session of its own, that one begins after the lock was taken.
    """
    of_run = bracket.at is None or began_after(session, bracket.at) == source.runs_elsewhere
    return not of_run or known.sessions.of(source.name).is_stranger(session, bracket.opened)

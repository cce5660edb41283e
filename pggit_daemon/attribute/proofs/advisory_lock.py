"""Proof by advisory lock: the DDL's session saw the tool's own lock, held by itself or by a sibling session.

In: the locks that a transaction saw. Out: a claim that lives until the holder gives the lock up or ends, however long
the script runs; and whose the statements before a row are. Pure.

A tool that holds the lock on a second connection writes its row while the DDL's transaction is still open: the row's
own position lies between the last statement and the commit. That tells two candidates apart, and cannot be helped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from pggit_daemon.attribute.claims import Claim, Group, Seen, locks_of
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.proofs.base import (
    TOGETHER,
    Beside,
    Candidates,
    Found,
    Match,
    Nothing,
    Others,
    Proof,
    Wait,
    claimed_elsewhere,
    doubt_at_work,
    is_certain,
    named,
    unless_absent,
    unless_others_work,
)
from pggit_daemon.attribute.proofs.children import claim_of_child, match_child
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import Housekeeper, are_together
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.session import HeldLock, Session, SessionKey, Watched
from pggit_daemon.tools.hints import SessionHints
from pggit_daemon.tools.source import Source

AFTER_DROP = timedelta(seconds=5)
"""How long a session that dropped the tool's tables is taken for the tool's, which then drops its schemas."""


class AdvisoryLockProof(Proof):
    evidence = Evidence.LOCK
    by_lock = True
    has_siblings = True

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:
        session = seen.session
        for lock in locks_of(seen.locks, source.advisory_keys):
            own = lock.holder == session.key
            if own or known.sessions.partner(source.name, lock.holder) == session.key:
                return Claim(source.name, Evidence.LOCK, lock.holder, certain=True)
            hints = source.preset.session
            if source.holds_lock_itself or hints.excludes(session) or lock.holder.pid == session.key.pid:
                continue
            if source.runs_elsewhere:
                if _is_child(lock, session, hints) and not _is_between(lock, seen):
                    return claim_of_child(source, Evidence.LOCK, lock.holder, lock.since, seen=seen, known=known)
                continue
            named = not hints.is_of_people(session)
            if named and lock.profile == session.profile:
                return _held_by_sibling(source, seen, lock, known)
            if (named and _may_be_sibling(lock, session)) or _may_share_a_pool(lock, seen):
                return Claim(source.name, Evidence.LOCK, lock.holder, weak=True)
        return None

    def shown(self, claim: Claim, source: Source, known: Known) -> Claim:
        tool = known.sessions.of(source.name)
        return claim if claim.certain else replace(claim, weak=claim.weak and bool(tool.shares), reads=True)

    def goes_on(self, source: Source, group: Group, seen: Seen, known: Known) -> bool:  # noqa: ARG002  # the protocol
        """While the lock is held, by whoever held it then."""
        return any(lock.holder == group for lock in locks_of(seen.locks, source.advisory_keys))

    def keeps_house(self, source: Source, housekeeper: Housekeeper, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        """While it holds the lock; and for a moment after it dropped the tables."""
        holders = [lock.holder for lock in locks_of(seen.locks, source.advisory_keys)]
        return seen.session.key in holders or (housekeeper.dropped and seen.time - housekeeper.seen <= AFTER_DROP)

    def doubts(self, source: Source, seen: Seen, known: Known) -> bool:
        return source.runs_elsewhere or (source.shows_itself and known.may_write(source.name, seen))

    def may_go_without(self, source: Source, seen: Seen, known: Known) -> bool:  # noqa: ARG002  # the protocol
        return not source.runs_elsewhere and not locks_of(seen.locks, source.advisory_keys)

    def may_take(self, row: WaitingRow, segment: OpenSegment) -> bool:
        """A tool writes each row after its statements: none follows the last row of the row's transaction."""
        return segment.last < row.last

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, beside: Beside) -> Found:
        if source.runs_elsewhere:
            return match_child(row, source, candidates, Evidence.LOCK, beside.known)
        there = unless_absent(row, source, candidates, beside.known) if source.shows_itself else candidates
        return there if isinstance(there, Wait) else self._under_lock(row, source, there, beside)

    def _under_lock(self, row: WaitingRow, source: Source, candidates: Candidates, beside: Beside) -> Found:
        strong = {
            session: segments
            for session, segments in candidates.items()
            if not any(segment.claims[source.name].weak for segment in segments)
        }
        if not strong:
            found = self._weak(row, candidates)
            return found if isinstance(found, Match) else _at_work(row, source, candidates, beside.known) or found
        certain = {session: segments for session, segments in strong.items() if is_certain(segments, source.name)}
        open_then = {session: segments for session, segments in strong.items() if row_inside(row, segments)}
        reading = {
            one: segments for one, segments in strong.items() if all(s.claims[source.name].reads for s in segments)
        }
        for chosen, proven in ((certain, False), (open_then, True), (reading, False)):
            if len(chosen) == 1:
                session, segments = next(iter(chosen.items()))
                rival = _rival(tuple(segments), source.name, beside.others) if proven else None
                if rival is not None:
                    return Wait(rival)
                return Match(session, tuple(segments), Evidence.LOCK, proven)
        if len(strong) == 1:
            session, segments = next(iter(strong.items()))
            if not claimed_elsewhere(segments, source.name):
                return Match(session, tuple(segments), Evidence.LOCK, proven=False)
        return Wait(f"{len(strong)} sessions ran DDL under the lock")

    def depends_on_presence(self, claim: Claim, source: Source) -> bool:
        """Beside a sibling's lock, of a tool whose own session writes its rows."""
        return source.shows_itself and not claim.certain

    def holder(self, claim: Claim) -> SessionKey | None:
        return claim.group if isinstance(claim.group, SessionKey) else None

    def leaves_to_tool(self, claim: Claim, source: Source) -> bool:
        """What ran under the lock is, unless its session is known by no more than its looks."""
        return claim.certain or not (claim.weak or source.is_known_by_looks)

    def watched(self, claim: Claim, segment: OpenSegment) -> Watched | None:  # noqa: ARG002
        holder = self.holder(claim)
        return Watched(holder, by_lock=True) if holder is not None else None

    def _weak(self, row: WaitingRow, candidates: Candidates) -> Found:
        """Scripts may name themselves or act as another user: then only the row's place tells."""
        if not candidates:
            return Nothing()
        inside = {session: segments for session, segments in candidates.items() if row_inside(row, segments)}
        if len(inside) != 1:
            return Wait(f"{len(candidates)} sessions of another name or user ran DDL under the lock")
        session, segments = next(iter(inside.items()))
        if claimed_elsewhere(segments, row.source):
            return Wait("another source may claim the same DDL")
        return Match(session, tuple(segments), Evidence.LOCK, proven=True)


def _held_by_sibling(source: Source, seen: Seen, lock: HeldLock, known: Known) -> Claim:
    """What a session that looks like the lock's holder may claim.

    Looks prove little where the tool's session also uses the history table: then one that did not counts only for what
    runs in no transaction, and with it in none of the tool's. One that read it counts for no more where rows shared
    their DDL's transaction so far.
    """
    tool = known.sessions.of(source.name)
    if not source.shows_itself:
        return Claim(source.name, Evidence.LOCK, lock.holder)
    own = tool.has_written(seen.session.key, seen.time)
    reads = not own and tool.is_own(seen.session.key, seen.time)
    weak = not (own or seen.alone or (reads and not tool.shares))
    return Claim(source.name, Evidence.LOCK, lock.holder, certain=own, weak=weak, reads=reads)


def _at_work(row: WaitingRow, source: Source, candidates: Candidates, known: Known) -> Found | None:
    """The only session, where it has read the table, looks as the tool's and was at work when the row was committed.

    None where this says nothing of it.
    """
    tool = known.sessions.of(source.name)
    if not source.shows_itself or len(candidates) != 1:
        return None
    session, segments = next(iter(candidates.items()))
    alike = all(
        (segment.user, segment.application) in tool.looks and segment.claims[source.name].reads for segment in segments
    )
    if not alike or any(segment.commit_lsn > row.lsn for segment in segments):
        return None
    if claimed_elsewhere(segments, source.name):
        return Wait("another source may claim the same DDL")
    why = doubt_at_work(row, session, segments, known)
    if why is not None:
        return Wait(f"the session that ran DDL before it {why}: {named(candidates)}")
    return unless_others_work(Match(session, tuple(segments), Evidence.LOCK, proven=False), row, known)


def row_inside(row: WaitingRow, segments: Sequence[OpenSegment]) -> bool:
    """Whether the row was written after the statements of a transaction, and before that committed."""
    return any(segment.commit_lsn > row.lsn for segment in segments)


def _rival(segments: tuple[OpenSegment, ...], source: str, others: Others) -> str | None:
    """Which other tool's a transaction may be that was open when the row was written; None if it is the row's.

    A tool that holds a lock row looks the same, perhaps, and had its transaction open by chance: its own next row, or
    the end of its bracket, tells. Of a tool that holds such a lock, too, each other table has written a row since,
    inside another session's transaction. A row of its own that stands nowhere would prove nothing: a migration may run
    statement by statement.
    """
    last = segments[-1]
    claims = [claim for segment in segments for claim in segment.claims.values() if claim.source != source]
    if any(claim.evidence is Evidence.BRACKET for claim in claims):
        return "another source may claim the same DDL"
    rivals = {claim.source for claim in claims if claim.evidence is Evidence.LOCK}
    if not all(others(rival, last.last, last.session) for rival in rivals):
        return "another history table's lock was held as well"
    return None


def _may_be_sibling(lock: HeldLock, session: Session) -> bool:
    """Whether it may be the holder's sibling under another program's or user's name: the rest is the same."""
    mine, holders = session.profile, lock.profile
    alike = mine.client_addr == holders.client_addr and (
        mine.user == holders.user or mine.application_name == holders.application_name
    )
    return alike and are_together(lock.holder.started, session.key.started, TOGETHER)


def _may_share_a_pool(lock: HeldLock, seen: Seen) -> bool:
    """Whether a pooler may have given the tool both sessions: the holder is older than a tool that just began.

    Their names then tell nothing: a client that sends none leaves the name of the client before it.
    """
    mine, holders = seen.session.profile, lock.profile
    alike = (mine.user, mine.client_addr) == (holders.user, holders.client_addr)
    return alike and not are_together(lock.holder.started, seen.time.isoformat(), TOGETHER)


def _is_child(lock: HeldLock, session: Session, hints: SessionHints) -> bool:
    """Whether it may be the program that the lock's holder runs scripts with: begun later, and both look as usual."""
    mine, holders = session.profile, lock.profile
    return (
        lock.holder.started <= session.key.started
        and hints.looks_usual(session)
        and hints.row_application_name in {None, holders.application_name}
        and (mine.user, mine.client_addr) == (holders.user, holders.client_addr)
    )


def _is_between(lock: HeldLock, seen: Seen) -> bool:
    """Whether the lock's holder had no transaction open, as it has while a program runs a script for it.

    A capture of an earlier version tells neither that nor who else was there.
    """
    return seen.siblings is not None and lock.since is None

"""Proof by window: between two rows of the source a session of its own ran DDL.

In: which sessions showed themselves to be the source's, what the source's hints say, and what its earlier rows showed.
Out: a claim that lives until the source's grace is over. Pure.

A wrong link is worse than none, and order alone proves nothing: whoever ran DDL just before a migration that only
changed data stands where a tool would stand. So a session must have shown that it is the tool's. It certainly is where
it wrote a row together with DDL, or the capture saw that it had written to the history table. That it has read, locked
or asked for the table proves less, as people and other programs do that, too: such a session counts where it looks as
those that ran the source's migrations so far, its DDL ended right before the row, it was seen at work when the row was
committed (`attribute/presence.py`), and no other of that look has lately read the table and run DDL of its own. Where
the row may come from another session of a pool, it must not have left by then instead, and (where rows shared a
transaction with their DDL so far) its statement cannot run in one.

Of a tool that runs scripts on a connection which never uses the table (marv), none of this counts: only the company of
its connections. A row that finds only others waits for such a sign until its grace is over, and is not linked then.
Only where the user's configuration trusts the order does an unknown session count: alone, and if its DDL ended right
before the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from pggit_daemon.attribute.claims import Claim, Seen
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.presence import Presence
from pggit_daemon.attribute.proofs.base import (
    Beside,
    Candidates,
    Found,
    Match,
    Nothing,
    Proof,
    Wait,
    after_commit,
    doubt_at_work,
    is_proven,
    named,
    unless_others_work,
    unless_weak,
)
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import ToolSessions, lasted
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.ddl_event import MOST_SIBLINGS
from pggit_daemon.model.proof import InWindow
from pggit_daemon.model.session import HeldLock, SessionKey, Watched
from pggit_daemon.tools.source import Source

READ_GAP = timedelta(seconds=5)
"""Where unknown sessions count, too, their gap may be shorter than one that used the history table needs."""


POOL_KEEPS = timedelta(seconds=10)
"""How long pools keep a session that does nothing (Sequelize's default)."""


class WindowProof(Proof):
    evidence = Evidence.WINDOW
    is_timed = True
    is_writers = True

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:
        if not known.may_write(source.name, seen):
            return None
        tool = known.sessions.of(source.name)
        # A company's connection that runs scripts does not touch the table: who did is another.
        reads = tool.is_own(seen.session.key, seen.time) and not source.is_company
        if tool.named and not source.is_company:
            # The row will say which session it was, whatever that looks like.
            return Claim(source.name, Evidence.WINDOW, None, certain=reads)
        if source.preset.session.rule_out(seen.session):
            return None
        if is_of_company(source, seen) or (reads and tool.has_written(seen.session.key, seen.time)):
            return Claim(source.name, Evidence.WINDOW, None, certain=True)
        fits, free = _looks_like_one(source, seen, tool), seen.alone or not tool.shares or window_of(source).apart
        if reads:
            free = free or not source.outlives_session  # then it must have been at work when the row was written
            # Kept also where it does not fit: so a row that finds nothing else says that it may have run this.
            return Claim(source.name, Evidence.WINDOW, None, certain=fits and free, weak=not fits, reads=True)
        return Claim(source.name, Evidence.WINDOW, None) if fits and free else None

    def shown(self, claim: Claim, source: Source, known: Known) -> Claim:  # noqa: ARG002  # the protocol
        return claim if claim.reads or source.is_company else replace(claim, certain=True, weak=False, reads=True)

    def takes_late(self, claim: Claim, source: Source) -> bool:
        return not claim.reads and (claim.certain or window_of(source).trusted)

    def leaves_to_tool(self, claim: Claim, source: Source) -> bool:  # noqa: ARG002
        """Its sessions run other DDL, too: it is nobody's."""
        return False

    def asks_who_left(self, source: Source) -> bool:
        """Where pools give sessions up: a run that failed had left, and its DDL is not the next row's."""
        return source.runs_elsewhere

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, beside: Beside) -> Found:
        window, recent = window_of(source), _near(row, candidates, source, source.grace)
        own = {session: some for session, some in recent.items() if is_proven(some, source.name)}
        if own:
            return after_commit(row, source, _kept(row, own), Evidence.WINDOW)
        gap = max(window.gap, READ_GAP) if window.trusted and window.gap is not None else window.gap
        readers = _of_readers(_near(row, candidates, source, gap), source.name)
        if readers:
            there = {session: some for session, some in readers.items() if not _had_left(row, some)}
            if not there:
                return Wait(f"the session that ran DDL just before it had ended by then: {named(readers)}")
            found = self._of_readers(row, source, there, beside.known)
            return unless_others_work(found, row, beside.known)
        unknown = _near(row, candidates, source, window.gap)
        if not unknown:
            earlier = {session: some for session, some in recent.items() if _reads(some, source.name)}
            note = "DDL of a session that had used the history table ended too long before it"
            return Wait(f"{note}: {named(earlier)}") if earlier else Nothing()
        found = after_commit(row, source, unknown, Evidence.WINDOW)
        if not isinstance(found, Match) or (window.trusted and not _reads(found.segments, source.name)):
            return unless_weak(found, source)
        return Wait(f"nothing shows that DDL just before it ran in the tool's session: {named(unknown)}")

    def _of_readers(self, row: WaitingRow, source: Source, readers: Candidates, known: Known) -> Found:
        """Where the row's own session runs the DDL, only one that was at work when the row was committed."""
        if source.outlives_session:
            return after_commit(row, source, readers, Evidence.WINDOW)
        seen = {session: known.sightings.of(session, row.time, some[-1].time) for session, some in readers.items()}
        there = {session: some for session, some in readers.items() if seen[session] is not Presence.ABSENT}
        if not there:
            return Wait(f"the session that ran DDL just before it did nothing when it was written: {named(readers)}")
        found = after_commit(row, source, there, Evidence.WINDOW)
        if not isinstance(found, Match):
            return found
        why = doubt_at_work(row, found.session, found.segments, known)
        return found if why is None else Wait(f"the session that ran DDL just before it {why}: {named(there)}")

    def depends_on_presence(self, claim: Claim, source: Source) -> bool:
        return claim.reads and claim.certain and not source.outlives_session

    def watched(self, claim: Claim, segment: OpenSegment) -> Watched | None:  # noqa: ARG002
        return Watched(segment.session, by_lock=False)


def window_of(source: Source) -> InWindow:
    """What the source says of its window."""
    return next((proof for proof in source.proofs if isinstance(proof, InWindow)), InWindow())


def _reads(segments: Sequence[OpenSegment], source: str) -> bool:
    return any(segment.claims[source].reads for segment in segments)


def _of_readers(candidates: Candidates, source: str) -> Candidates:
    """Those that used the history table, and look as the tool's do. Of each, one statement that counts is enough."""
    found = {}
    for session, segments in candidates.items():
        claims = [segment.claims[source] for segment in segments]
        alike = all(claim.certain or (claim.reads and not claim.weak) for claim in claims)
        if alike and any(claim.certain for claim in claims):
            found[session] = segments
    return found


def _near(row: WaitingRow, candidates: Candidates, source: Source, gap: timedelta | None) -> Candidates:
    """Of each session what it ran in one go, and at most `gap` before the row."""
    near = {session: _in_one_go(row, some, gap, source.grace) for session, some in candidates.items()}
    return {session: some for session, some in near.items() if some}


def _kept(row: WaitingRow, candidates: Candidates) -> Candidates:
    """Without sessions that had ended before the row, so shortly after their DDL that no pool had given them up.

    A run that failed leaves such DDL, and the row of the next run is not its. Where all have ended, all stay rivals.
    """
    kept = {session: segments for session, segments in candidates.items() if not _had_left(row, segments)}
    return kept or candidates


def _had_left(row: WaitingRow, segments: Sequence[OpenSegment]) -> bool:
    """Whether the session had ended before the row, too soon for a pool to have given it up."""
    ended = all(one.gone_before is not None and one.gone_before < row.commit_lsn for one in segments)
    return ended and row.time - segments[-1].time < POOL_KEEPS


def _in_one_go(
    row: WaitingRow, segments: Sequence[OpenSegment], gap: timedelta | None, pause: timedelta
) -> Sequence[OpenSegment]:
    """The last of these that lead to the row without a long pause."""
    moment, longest = row.time, pause if gap is None else gap
    chain: list[OpenSegment] = []
    for segment in reversed(segments):
        if moment - segment.time > longest:
            break
        chain.append(segment)
        moment, longest = segment.start, pause
    return chain[::-1]


def _looks_like_one(source: Source, seen: Seen, tool: ToolSessions) -> bool:
    """Whether the session looks like those that ran the source's migrations so far."""
    profile = seen.session.profile
    if source.hints.looks_usual(seen.session):  # a name of its own for each run
        return not tool.looks or any(user == profile.user for user, _ in tool.looks)
    return not tool.looks or (profile.user, profile.application_name) in tool.looks


def is_of_company(source: Source, seen: Seen) -> bool:
    """Whether the session is one of the connections that the tool opened before one of them locked its lock table.

    They are as many as the tool opens: one more of their look, and nobody knows which of them is not the tool's.
    """
    company, siblings = source.preset.company, seen.siblings
    if company is None or siblings is None:
        return False
    name = (source.table.schema, company.lock_table.replace("{table}", source.table.table))
    for lock in seen.locks:
        if lock.table == name and lock.since is not None and lock.profile == seen.session.profile:
            if len(siblings) >= MOST_SIBLINGS and not any(_is_older(one, lock) for one in siblings):
                return False  # there may be more that began so: only the youngest are named
            opened = {lock.holder, *(one for one in (*siblings, seen.session.key) if _within(one, lock))}
            return seen.session.key in opened and len(opened) == company.sessions
    return False


def _is_older(session: SessionKey, lock: HeldLock) -> bool:
    """Whether it began before the session that holds the lock."""
    return lock.since is not None and lasted(session, lock.since) > lasted(lock.holder, lock.since)


def _within(session: SessionKey, lock: HeldLock) -> bool:
    """Whether it began between the session that holds the lock and the transaction of that."""
    return lock.since is not None and lasted(lock.holder, lock.since) >= lasted(session, lock.since) >= timedelta(0)

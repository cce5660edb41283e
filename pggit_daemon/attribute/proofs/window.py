"""Proof by window: between two rows of the source a session of its own ran DDL.

In: which sessions showed themselves to be the source's, what the source's hints say, and what its earlier rows showed.
Out: a claim that lives until the source's grace is over. Pure.

A wrong link is worse than none, and order alone proves nothing: whoever ran DDL just before a migration that only
changed data stands where a tool would stand. So a session must have shown that it is the tool's: the capture saw that
it used the history table itself, it wrote a row together with DDL, or it made the tables. A row that finds only others
waits for such a sign until its grace is over, and is not linked then. Only where the user's configuration trusts the
order does an unknown session count: alone, and if its DDL ended right before the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pggit_daemon.attribute.claims import Claim, Group, Seen
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.proofs.base import (
    Beside,
    Candidates,
    Found,
    Match,
    Nothing,
    Wait,
    after_commit,
    is_certain,
    named,
    unless_weak,
)
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import Housekeeper, ToolSessions, lasted
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.proof import InWindow
from pggit_daemon.model.session import HeldLock, SessionKey, Watched
from pggit_daemon.tools.source import Source


class WindowProof:
    evidence = Evidence.WINDOW
    has_siblings = False
    is_timed = True
    is_writers = True

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:
        if not known.may_write(source.name, seen):
            return None
        tool = known.sessions.of(source.name)
        own = tool.is_own(seen.session.key, seen.time) or is_of_company(source, seen)
        if tool.named:
            # The row will say which session it was, whatever that looks like.
            return Claim(source.name, Evidence.WINDOW, None, certain=own)
        if source.preset.session.rule_out(seen.session):
            return None
        if own:
            return Claim(source.name, Evidence.WINDOW, None, certain=True)
        if tool.shares and not seen.alone:
            return None
        return Claim(source.name, Evidence.WINDOW, None) if _looks_like_one(source, seen, tool) else None

    def goes_on(self, source: Source, group: Group, seen: Seen, known: Known) -> bool:  # noqa: ARG002  # the protocol
        return False

    def keeps_house(self, source: Source, housekeeper: Housekeeper, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        return False

    def may_take(self, row: WaitingRow, segment: OpenSegment) -> bool:  # noqa: ARG002
        return True

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, beside: Beside) -> Found:  # noqa: ARG002
        own = {session: some for session, some in candidates.items() if is_certain(some, source.name)}
        if own:
            return after_commit(row, source, _near(row, own, source, source.grace), Evidence.WINDOW)
        window = window_of(source)
        unknown = _near(row, candidates, source, window.gap)
        if not unknown:
            return Nothing()
        found = after_commit(row, source, unknown, Evidence.WINDOW)
        if window.trusted or not isinstance(found, Match):
            return unless_weak(found, source)
        return Wait(f"nothing shows that DDL just before it ran in the tool's session: {named(unknown)}")

    def watched(self, claim: Claim, segment: OpenSegment) -> Watched | None:  # noqa: ARG002
        return Watched(segment.session, by_lock=False)


def window_of(source: Source) -> InWindow:
    """What the source says of its window."""
    return next((proof for proof in source.proofs if isinstance(proof, InWindow)), InWindow())


def _near(row: WaitingRow, candidates: Candidates, source: Source, gap: timedelta | None) -> Candidates:
    """Of each session what it ran in one go, and at most `gap` before the row."""
    near = {session: _in_one_go(row, some, gap, source.grace) for session, some in candidates.items()}
    return {session: some for session, some in near.items() if some}


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
        moment, longest = segment.time, pause
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
            opened = {lock.holder, *(one for one in (*siblings, seen.session.key) if _within(one, lock))}
            return seen.session.key in opened and len(opened) == company.sessions
    return False


def _within(session: SessionKey, lock: HeldLock) -> bool:
    """Whether it began between the session that holds the lock and the transaction of that."""
    return lock.since is not None and lasted(lock.holder, lock.since) >= lasted(session, lock.since) >= timedelta(0)

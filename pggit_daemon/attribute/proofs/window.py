"""Proof by window: between two rows of the source one session ran DDL, and no other could be it.

In: what the source's hints say of its sessions, and what its earlier rows showed. Out: a claim that lives until the
source's grace is over. Pure.

A wrong link is worse than none. So nothing is claimed of a session that looks otherwise than those that ran migrations
of the source so far, and nothing, where its rows share a transaction with their DDL, but a statement that
cannot run in one; and no row takes what was followed by a pause longer than the preset's gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pggit_daemon.attribute.claims import Claim, Group, Seen
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.proofs.base import Candidates, Found, Others, after_commit
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import Housekeeper, ToolSessions
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.proof import InWindow
from pggit_daemon.model.session import Watched
from pggit_daemon.tools.source import Source


class WindowProof:
    evidence = Evidence.WINDOW
    has_siblings = False
    is_timed = True
    is_writers = True

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:
        if source.preset.session.rule_out(seen.session) or not known.may_write(source.name, seen):
            return None
        tool = known.sessions.of(source.name)
        if tool.shares and not seen.alone:
            return None
        return Claim(source.name, Evidence.WINDOW, None) if _looks_like_one(source, seen, tool) else None

    def goes_on(self, source: Source, group: Group, seen: Seen, known: Known) -> bool:  # noqa: ARG002  # the protocol
        return False

    def keeps_house(self, source: Source, housekeeper: Housekeeper, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        return False

    def may_take(self, row: WaitingRow, segment: OpenSegment) -> bool:  # noqa: ARG002
        return True

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, others: Others) -> Found:  # noqa: ARG002
        near = {session: _in_one_go(row, source, segments) for session, segments in candidates.items()}
        return after_commit(row, source, {session: some for session, some in near.items() if some}, Evidence.WINDOW)

    def watched(self, claim: Claim, segment: OpenSegment) -> Watched | None:  # noqa: ARG002
        return Watched(segment.session, by_lock=False)


def is_near(row: WaitingRow, segment: OpenSegment, source: Source) -> bool:
    """Whether no longer pause than the source's gap lies between the statements and the row."""
    gap = _gap(source)
    return gap is None or row.time - segment.time <= gap


def _in_one_go(row: WaitingRow, source: Source, segments: Sequence[OpenSegment]) -> Sequence[OpenSegment]:
    """The last of these that lead to the row without a pause longer than the gap."""
    gap, moment = _gap(source), row.time
    chain: list[OpenSegment] = []
    for segment in reversed(segments):
        if gap is not None and moment - segment.time > gap:
            break
        chain.append(segment)
        moment = segment.time
    return chain[::-1]


def _gap(source: Source) -> timedelta | None:
    return next((proof.gap for proof in source.proofs if isinstance(proof, InWindow)), None)


def _looks_like_one(source: Source, seen: Seen, tool: ToolSessions) -> bool:
    """Whether the session looks like those that ran the source's migrations so far."""
    profile = seen.session.profile
    if source.hints.looks_usual(seen.session):  # a name of its own for each run
        return not tool.looks or any(user == profile.user for user, _ in tool.looks)
    return not tool.looks or (profile.user, profile.application_name) in tool.looks

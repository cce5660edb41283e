"""A program that a tool starts for each script: a session of its own, which has ended before the tool writes the row.

In: a session that looks as such a program does, and when the tool began what it is at: its transaction (Sqitch), or its
lock row and its last row (yoyo). Out: a claim, or none. Pure.

Looks alone prove nothing: people use the same program as the same user. But a child begins after the tool has begun,
is the only session of its look that did so, and is gone before the row. Who shares all of that, and lives as shortly as
the tool's work takes, cannot be told apart: where one was seen lately, nothing is linked.
"""

from __future__ import annotations

from datetime import datetime

from pggit_daemon.attribute.claims import Claim, Group, Seen
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.proofs.base import Candidates, Found, Match, Wait, after_commit, unless_weak
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.sessions import began_after
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.tools.source import Source


def claim_of_child(
    source: Source, evidence: Evidence, group: Group, since: datetime | None, *, seen: Seen, known: Known
) -> Claim | None:
    """The claim on what a session of the usual look ran, while the tool was at work `since` then (None: not known)."""
    session = seen.session
    if since is None or seen.siblings is None:
        foreign = known.sessions.of(source.name).is_foreign(session.profile, seen.time)
        return Claim(source.name, evidence, group, weak=foreign)
    if not began_after(session.key, since):
        return None
    beside = any(began_after(one, since) for one in seen.siblings)
    return Claim(source.name, evidence, group, weak=beside, since=since)


def match_child(row: WaitingRow, source: Source, candidates: Candidates, evidence: Evidence, known: Known) -> Found:
    """What is still connected when the row is written is no child."""
    found = unless_weak(after_commit(row, source, candidates, evidence), source)
    if not isinstance(found, Match):
        return found
    if not all(segment.ended for segment in found.segments):
        return Wait("the session that ran DDL before it is not known to have ended")
    tool = known.sessions.of(source.name)
    for segment in found.segments:
        since = segment.claims[source.name].since
        if since is not None and tool.is_foreign(segment.looks, row.time, within=row.time - since):
            return Wait(f"others of {segment.user} ({segment.application}) ran DDL lately in sessions as short")
    return found

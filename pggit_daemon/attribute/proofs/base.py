"""What a proof is asked, and what several proofs have in common.

In: a row, and the segments before it that its source claims. Out: the statements that are certainly the row's, or that
it must wait, or that it has none. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pggit_daemon.attribute.claims import Claim, Group, Seen
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.presence import Presence
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import Housekeeper
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey, Watched
from pggit_daemon.tools.source import Source

Candidates = Mapping[SessionKey, Sequence[OpenSegment]]
"""By session, in commit order, the segments that a row may take from."""


TOGETHER = timedelta(seconds=60)
"""How far apart the connections of one program begin, where nothing but that speaks for a session."""


@dataclass(frozen=True, slots=True)
class Match:
    """The segments of one session. `proven`: by the order of positions, so that the session may be learnt."""

    session: SessionKey
    segments: tuple[OpenSegment, ...]
    evidence: Evidence
    proven: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Undecided: several sessions or several sources could be it."""

    note: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """No DDL that is known can be the row's."""


Found = Match | Wait | Nothing

Others = Callable[[str, LSN, SessionKey], bool]
"""Whether another source has a row behind a place that stands inside the transaction of another session than this."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What else there is when a row looks for its DDL: the rows of other sources, and what is known of sessions."""

    others: Others
    known: Known


class Proof(Protocol):
    """How DDL outside of a row's own transaction is known as a tool's. What is answered here is so of most proofs.

    `by_lock`: the tool holds a lock while its DDL runs. `is_timed`: its claims end with the source's grace.
    `is_writers`: the session that writes the rows runs the DDL, so it is known by what it does and how it looks.
    `has_siblings`: the tool keeps a connection that others of its connections are known by.
    """

    evidence: Evidence
    by_lock: bool = False
    has_siblings: bool = False
    is_timed: bool = False
    is_writers: bool = False

    # -- a session's DDL

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:
        """The source's claim on what this session ran, if it may have one."""

    def shown(self, claim: Claim, source: Source, known: Known) -> Claim:  # noqa: ARG002
        """The claim as it is once its session was seen to use the tool's tables, which people may do, too."""
        return claim

    def goes_on(self, source: Source, group: Group, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        """Whether a run that is known by `group` goes on where this was seen."""
        return False

    def keeps_house(self, source: Source, housekeeper: Housekeeper, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        """Whether a session that worked on the tool's own tables is the tool's still."""
        return False

    def doubts(self, source: Source, seen: Seen, known: Known) -> bool:
        """Whether a session on which the source has no claim makes it doubt others that look so."""
        return source.runs_elsewhere or (self.is_writers and known.may_write(source.name, seen))

    def may_go_without(self, source: Source, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        """Whether what this session ran may be a migration's although the lock, by which it would be known, is free."""
        return False

    def works_alone(self, source: Source) -> bool:  # noqa: ARG002
        """Whether the tool works on one connection from beginning to end: who has a transaction open while the tool
        writes in another is not the tool.
        """
        return False

    # -- a claim

    def holder(self, claim: Claim) -> SessionKey | None:  # noqa: ARG002
        """The session in whose hands the claim's transaction saw the tool's lock, where the claim rests on that."""
        return None

    def is_of_run(self, claim: Claim, row: WaitingRow) -> bool:  # noqa: ARG002
        """Whether a row may be of the run in which the claim's DDL ran."""
        return True

    def takes_late(self, claim: Claim, source: Source) -> bool:  # noqa: ARG002
        """Whether the claim's DDL may still be a row's that comes after the grace."""
        return claim.certain and not claim.reads

    def leaves_to_tool(self, claim: Claim, source: Source) -> bool:  # noqa: ARG002
        """Whether the claim's DDL is the tool's also where no row takes it."""
        return claim.certain

    def watched(self, claim: Claim, segment: OpenSegment) -> Watched | None:  # noqa: ARG002
        """Whose end would mean that the claim's row cannot come; None where only time and rows can tell."""
        return None

    def asks_who_left(self, source: Source) -> bool:  # noqa: ARG002
        """Whether a row asks which sessions had ended before it, though their end ends no claim."""
        return False

    def depends_on_presence(self, claim: Claim, source: Source) -> bool:  # noqa: ARG002
        """Whether where the claim's session was when a row was written decides if that takes its DDL."""
        return False

    # -- a row

    def may_take(self, row: WaitingRow, segment: OpenSegment) -> bool:  # noqa: ARG002
        """Whether a segment that the source claims and that stands before the row may be the row's."""
        return True

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, beside: Beside) -> Found:
        """Which of the candidates the row's statements are."""


def after_commit(row: WaitingRow, source: Source, candidates: Candidates, evidence: Evidence) -> Found:
    """A tool that works on one connection writes the row after the commit of its DDL."""
    done = {
        session: segments
        for session, segments in candidates.items()
        if all(segment.commit_lsn < row.lsn for segment in segments)
    }
    if not done:
        return Nothing()
    certain = {session: segments for session, segments in done.items() if is_certain(segments, source.name)}
    if len(certain) == 1:
        done = certain
    sure = {session: segments for session, segments in done.items() if not claimed_elsewhere(segments, source.name)}
    if len(sure) < len(done):
        return Wait("another source may claim the same DDL")
    chosen = _usual(sure, source) if len(sure) > 1 else sure
    if len(chosen) != 1:
        return Wait(f"{len(sure)} sessions ran DDL that may be this row's: {named(sure)}")
    session, segments = next(iter(chosen.items()))
    return Match(session, tuple(segments), evidence, proven=True)


def unless_absent(row: WaitingRow, source: Source, candidates: Candidates, known: Known) -> Candidates | Wait:
    """Without those that certainly did not write the row, where its own session runs the DDL and none is certain."""
    if any(is_certain(segments, source.name) for segments in candidates.values()):
        return candidates
    where = {session: known.sightings.of(session, row.time, some[-1].time) for session, some in candidates.items()}
    if Presence.NOT_SEEN in where.values() and not row.overdue:
        return Wait("it was not seen yet whether the session that ran DDL before it was at work when it was written")
    there = {session: some for session, some in candidates.items() if where[session] is not Presence.ABSENT}
    return there or Wait(f"the session that ran DDL before it did nothing when it was written: {named(candidates)}")


def doubt_at_work(row: WaitingRow, session: SessionKey, segments: Sequence[OpenSegment], known: Known) -> str | None:
    """Why the session's activity does not show that it wrote the row; None where it does."""
    last = segments[-1]
    where = known.sightings.of(session, row.time, last.time)
    if where not in {Presence.PRESENT, Presence.NEAR}:
        return "was not seen at work when it was written"
    if known.sightings.has_rival(session, (last.user, last.application), row.time, where):
        return "was not the only one that looks so and may have written it"
    return None


def unless_weak(found: Found, source: Source) -> Found:
    """A match by looks alone counts only where nobody else looks so."""
    if isinstance(found, Match) and any(segment.claims[source.name].weak for segment in found.segments):
        who = named({found.session: found.segments})
        return Wait(f"nothing shows that DDL before it ran in the tool's session: {who}")
    return found


def unless_others_work(found: Found, row: WaitingRow, known: Known) -> Found:
    """Looks, and a look at the tool's tables, tell nothing where others of that look run DDL: they may look, too."""
    if isinstance(found, Match):
        for segment in found.segments:
            if known.sessions.of(row.source).is_foreign(segment.looks, row.time, but=segment.session):
                return Wait(
                    f"others of {segment.user} ({segment.application}) ran DDL lately, so nothing shows that DDL"
                    f" before it ran in the tool's session: pid {segment.session.pid}"
                )
    return found


def is_certain(segments: Sequence[OpenSegment], source: str) -> bool:
    return all(segment.claims[source].certain for segment in segments)


def is_proven(segments: Sequence[OpenSegment], source: str) -> bool:
    """Certain, and not only because the session was seen to use the tool's tables."""
    return all(segment.claims[source].certain and not segment.claims[source].reads for segment in segments)


def claimed_elsewhere(segments: Sequence[OpenSegment], source: str) -> bool:
    return any(name != source for segment in segments for name in segment.claims)


def named(candidates: Candidates, most: int = 3) -> str:
    """The sessions, for a finding."""
    some = [f"pid {session.pid} ({segments[0].application})" for session, segments in candidates.items()]
    more = f" and {len(some) - most} more" if len(some) > most else ""
    return ", ".join(some[:most]) + more


def _usual(candidates: Candidates, source: Source) -> Candidates:
    usual = source.preset.session.usual_application_name
    return {
        session: segments
        for session, segments in candidates.items()
        if usual is not None and segments[0].application == usual
    }

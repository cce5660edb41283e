"""All that attribution knows, and what has changed in it since it was stored.

In: moved by `correlator.py` and its helpers. Out: news to be stored with the results. Mutable, private to `attribute/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pggit_daemon.attribute.attribution import attribution
from pggit_daemon.attribute.callbacks import GRACE as CALLBACK_GRACE
from pggit_daemon.attribute.deadlines import CallbackEnds, ClaimEnds, Deadlines
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.pool import Pool
from pggit_daemon.attribute.proofs import PROOFS, may_be_of
from pggit_daemon.attribute.recent import Recent
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment, Place
from pggit_daemon.model.decision import Attribution, Link
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import Source

RowKey = tuple[str, LSN]


@dataclass(slots=True)
class Changed:
    """What has to be stored again, or forgotten."""

    segments: dict[Place, OpenSegment] = field(default_factory=dict)
    rows: dict[RowKey, WaitingRow] = field(default_factory=dict)
    brackets: dict[TableName, None] = field(default_factory=dict)
    tools: dict[str, None] = field(default_factory=dict)
    housekeepers: dict[SessionKey, None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.segments or self.rows or self.brackets or self.tools or self.housekeepers)


@dataclass(slots=True)
class State:
    """`rows` are those without their DDL yet, by source; `undecoded` those that have it and wait for their meaning.

    `insert_only` are history tables of which only inserts are streamed; `behind` has the inserted row behind a segment
    that may be of a change that was not streamed. `dirty` are the sources whose rows must be matched anew. `undecided`
    are segments that only an undecoded row still needs, `in_sight` those whose session's activity may decide a claim.
    """

    sources: Mapping[str, Source]
    known: Known = field(default_factory=Known)
    insert_only: frozenset[TableName] = frozenset()
    behind: dict[Place, WaitingRow] = field(default_factory=dict)
    pool: Pool = field(default_factory=Pool)
    recent: Recent = field(default_factory=Recent)
    deadlines: Deadlines = field(default_factory=Deadlines)
    rows: dict[str, list[WaitingRow]] = field(default_factory=dict)
    undecoded: dict[str, list[WaitingRow]] = field(default_factory=dict)
    undecided: dict[Place, OpenSegment] = field(default_factory=dict)
    in_sight: dict[Place, OpenSegment] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    fresh: list[WaitingRow] = field(default_factory=list)
    attributions: dict[str, Attribution] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    changed: Changed = field(default_factory=Changed)

    def may_hide_rows(self, source: str) -> bool:
        """Whether only inserts of its table are streamed, so that DDL before a row may be of another change."""
        of = self.sources[source]
        return of.table in self.insert_only and of.bracket_table in self.known.brackets

    def waiting(self) -> Iterator[WaitingRow]:
        for rows in (*self.rows.values(), *self.undecoded.values()):
            yield from rows

    def newest(self) -> LSN:
        """Of all that is open, where the newest was committed."""
        segments = (commit for commit, _ in self.pool.segments)
        rows = (row.commit_lsn for row in self.waiting())
        brackets = (bracket.opened for bracket in self.known.brackets.values())
        return max((*segments, *rows, *brackets), default=LSN(0))

    def keep_in_sight(self, segment: OpenSegment) -> None:
        """Have its session looked at where that may decide one of its claims."""
        claims = ((PROOFS[one.evidence], one, self.sources[one.source]) for one in segment.claims.values())
        if any(proof.depends_on_presence(one, source) for proof, one, source in claims):
            self.in_sight[segment.place] = segment

    def await_ends(self, segment: OpenSegment) -> None:
        """Set the deadlines of what somebody may claim for a while."""
        for claim in segment.claims.values():
            if PROOFS[claim.evidence].is_timed:
                self.deadlines.add(segment.time + self.sources[claim.source].grace, ClaimEnds(segment, claim.source))
        if segment.callback_of:
            self.deadlines.add(segment.time + CALLBACK_GRACE, CallbackEnds(segment))

    def mark_dirty(self, segment: OpenSegment) -> None:
        """Have the waiting rows of the sources that claim it matched anew."""
        self.dirty.update(source for source in segment.claims if source in self.rows)

    def update_attribution(self, segment: OpenSegment) -> None:
        """Set the attribution of the segment's commit anew, and have the segment stored as it is now."""
        self.changed.segments[segment.place] = segment
        new = attribution(segment)
        if new is not None:
            before = self.attributions.get(new.commit)
            # What an attribution corrects stays so until it is stored.
            corrects = new.corrects if before is None else before.corrects or new.corrects
            self.attributions[new.commit] = new if corrects == new.corrects else replace(new, corrects=corrects)

    def drop_claim(self, segment: OpenSegment, source: str) -> None:
        """The source has no claim on it any more."""
        if source in segment.claims:
            self.mark_dirty(segment)
            self.pool.drop_claim(segment, source)
            self.refresh(segment)

    def refresh(self, segment: OpenSegment) -> None:
        """Something about the segment has changed: nobody may claim it any more, perhaps."""
        if not segment.is_open:
            self.pool.remove(segment)
        self.update_attribution(segment)

    def taken(self, segment: OpenSegment) -> None:
        """A row took some of it."""
        self.mark_dirty(segment)
        self.refresh(segment)

    def wanted(self, segment: OpenSegment, source: str, before: LSN | None = None) -> bool:
        """Whether a row of the source that is here already, and stands before a place, may take something of it."""
        if not segment.is_free:
            return False
        for row in reversed(self.rows.get(source, ())):
            if row.commit_lsn < segment.commit_lsn:
                return False
            if before is not None and row.lsn >= before:
                continue
            if may_be_of(segment, row):
                return True
        return False

    def expire_unless_wanted(self, segment: OpenSegment, source: str) -> None:
        """End the source's claim, but not while a row that waits may take it up."""
        if source in segment.claims and not self.wanted(segment, source):
            self.expire(segment, source)

    def needs(self, segment: OpenSegment) -> bool:
        """Whether an undecoded row has taken something of it."""
        return any(part[0] is segment for rows in self.undecoded.values() for row in rows for part in row.parts)

    def expire(self, segment: OpenSegment, source: str, *, late: bool = False) -> None:
        """No row of the source can come in time any more; `late`: but one may come late."""
        claim = segment.claims.get(source)
        if claim is None:
            return
        if segment.tool is None and PROOFS[claim.evidence].leaves_to_tool(claim, self.sources[source]):
            segment.left_to(source)
        if late and len(segment.claims) == 1:
            for forgotten in self.recent.add(segment, claim):
                self.changed.segments[forgotten.place] = forgotten
        self.drop_claim(segment, source)

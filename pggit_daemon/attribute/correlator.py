"""Whose each commit is. Read this file first in this folder.

In: recorded transactions in commit order, the stream's time, the ends of sessions. Out: `Outcome`, which is stored with
the results: what is known of commits, old ones among them, the links of history rows, and what must be remembered.
Called by `pipeline.py`; pure, though it holds state: the same transactions and times give the same outcome.

Nothing waits here. A commit that some source may claim is pending until that source's row comes, until its proof
can come no more (the lock changed hands, the bracket closed, the session is gone), or until its grace is over. Each
transaction costs the same, whatever is pending: what it is about is found by source, session, run or deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pggit_daemon.attribute.brackets import (
    abandon,
    abandoned_by,
    bracket_closed,
    expire_unless_wanted,
    mark,
    move_brackets,
)
from pggit_daemon.attribute.deadlines import CallbackEnds, ClaimEnds, RowOverdue
from pggit_daemon.attribute.facts import dump, load
from pggit_daemon.attribute.known import Known, Writers
from pggit_daemon.attribute.matching import (
    candidates_of,
    close,
    give_up,
    match_alone,
    match_own,
    match_rows,
    report,
    settle,
)
from pggit_daemon.attribute.opening import claim, keep_house, opened, seen_of
from pggit_daemon.attribute.proofs import PROOFS, proof_of
from pggit_daemon.attribute.proofs.transaction import taker
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.state import State
from pggit_daemon.attribute.told import taker_of
from pggit_daemon.attribute.undecoded import resolve
from pggit_daemon.model.changeset import (
    AlreadyStored,
    Changeset,
    Evidence,
    HistoryRowEvent,
    RecordedSegment,
    UndecodableRow,
)
from pggit_daemon.model.decision import Fact, Outcome
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.proof import Place
from pggit_daemon.model.session import SessionKey, Watched
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import Source

SOON_AFTER = timedelta(microseconds=1)


class Correlator:
    """`sources` may grow while it works."""

    def __init__(
        self, sources: Mapping[str, Source], facts: Iterable[Fact] = (), writers: Writers | None = None
    ) -> None:
        self._state = State(sources, Known(writers=writers or {}))
        self._stored: set[tuple[str, str]] = set()
        self._newest = LSN(0)
        facts = tuple(facts)
        self._stored.update((fact.kind, fact.key) for fact in facts)
        load(self._state, facts)

    @property
    def waiting(self) -> int:
        """How many commits are pending."""
        return len(self._state.pool)

    @property
    def needs_looking(self) -> bool:
        """Whether the server may have to tell who is gone, or what a row was."""
        brackets = self._state.known.brackets.values()
        return bool(len(self._state.pool) or self._state.rows or self._state.undecoded) or any(
            not bracket.abandoned for bracket in brackets
        )

    @property
    def open_brackets(self) -> frozenset[TableName]:
        """The lock tables whose row is held."""
        return frozenset(self._state.known.brackets)

    @property
    def newest(self) -> LSN:
        """The newest transaction that was fed."""
        return self._newest

    def watched(self) -> frozenset[Watched]:
        """The sessions whose end would decide something: lock holders, and those that ran what is pending."""
        state = self._state
        found: set[Watched | None] = set()
        for source in state.sources.values():
            for group in state.pool.runs_of(source.name):
                if isinstance(group, SessionKey):
                    found.add(Watched(group, by_lock=True))
            if proof_of(source).has_siblings or source.place is Place.OTHER_SESSION:
                continue
            found.update(Watched(session, by_lock=False) for session, _ in state.pool.sessions_of(source.name))
            bracket = state.known.brackets.get(source.bracket_table) if source.bracket_table is not None else None
            if bracket is not None and not bracket.abandoned:
                partner = state.known.sessions.partner(source.name, bracket.opened)
                found.add(Watched(partner, by_lock=False) if partner is not None else None)
        return frozenset(one for one in found if one is not None)

    def undecoded(self) -> frozenset[str]:
        """The sources whose table must be compared to know what their rows were.

        Not while their bracket is open, for then more is to come; but a bracket may stay open for ever.
        """
        return frozenset(
            source
            for source, rows in self._state.undecoded.items()
            if self._state.sources[source].bracket_table not in self._state.known.brackets
            or any(row.overdue for row in rows)
        )

    def set_writers(self, writers: Writers) -> None:
        """Who may write the history tables, as the catalog says now."""
        self._state.known.writers = writers

    def feed(self, changeset: Changeset, recorded: Sequence[RecordedSegment] = (), head: str | None = None) -> None:
        """Take in the next transaction, whose segments are recorded over the commit `head`."""
        state = self._state
        self._newest = max(self._newest, changeset.commit_lsn)
        seen = seen_of(changeset)
        dropped = keep_house(state, changeset, seen)
        closed = move_brackets(state, changeset)
        first = seen.first if seen is not None else changeset.commit_lsn
        segments = [opened(one, first) for one in recorded]
        rows = _rows_of(changeset, recorded, head)
        state.fresh = rows
        free = self._decided_at_once(recorded, segments)
        self._take_own(rows, free)
        rest = [segment for segment in free if segment.is_free]
        for segment in free:
            state.tell(segment)
        if seen is not None and rest:
            claim(state, seen, rest)
        self._wait(rows)
        for item in changeset.items:
            if isinstance(item, AlreadyStored):
                self._close_before(item, changeset)
        match_rows(state)
        for table in closed:
            bracket_closed(state, table, dropping=dropped)
        match_rows(state)
        for row in rows:
            if not isinstance(row.event, UndecodableRow):
                report(state, row)
        state.fresh = []

    def tick(self, now: datetime) -> None:
        """Let the stream's time pass: claims end with their grace, and rows that waited for them are free.

        A row that is here already keeps its candidates until its own grace ends: which of them is older tells nothing.
        """
        state = self._state
        for due in state.deadlines.passed(now):
            if isinstance(due, ClaimEnds):
                self._claim_ends(due)
            elif isinstance(due, CallbackEnds):
                if due.segment.callback_of:
                    due.segment.callback_of = frozenset()
                    state.refresh(due.segment)
            else:
                self._overdue(due.row)
            match_rows(state)

    def gone(self, ended: Iterable[Watched], *, up_to: LSN) -> None:
        """These sessions ended, or gave up their lock, and the stream has passed that moment.

        That counts up to the newest transaction that was fed when it was seen: a tool gives up its lock after each
        migration and takes it again for the next one.
        """
        state = self._state
        for one in sorted(set(ended), key=lambda watched: (watched.session, watched.by_lock)):
            if one.by_lock:
                held = [segment for source in state.sources for segment in state.pool.of_run(source, one.session)]
            else:
                held = state.pool.of_session(one.session)
                abandoned_by(state, one.session, up_to)
            for segment in held:
                for found in list(segment.claims.values()) if segment.commit_lsn <= up_to else ():
                    outlived = not one.by_lock and state.sources[found.source].place is Place.OTHER_SESSION
                    if PROOFS[found.evidence].watched(found, segment) == one and not outlived:
                        expire_unless_wanted(state, segment, found.source)
        match_rows(state)

    def oldest_session(self, began: datetime | None, *, up_to: LSN) -> None:
        """No session of anybody else's began before this moment (None: there is none), and the stream has passed it.

        A bracket that was opened before has lost its holder.
        """
        for table, bracket in self._state.known.brackets.items():
            if bracket.at is not None and bracket.opened <= up_to and (began is None or began > bracket.at):
                abandon(self._state, table, bracket)
        match_rows(self._state)

    def resolve(self, source: str, changes: Sequence[HistoryChange]) -> None:
        """Say what the undecodable rows of a source were: what its table and its ledger differ by, in order."""
        state = self._state
        decided = state.undecoded.pop(source, [])
        waiting = [row for row in state.rows.get(source, ()) if isinstance(row.event, UndecodableRow)]
        rows = sorted([*decided, *waiting], key=lambda row: (row.commit_lsn, row.lsn))
        resolve(rows, changes)
        for row in rows:
            state.changed.rows[row.source, row.lsn] = row
            if row.matched:
                settle(state, row)
            elif row.event is None:
                row.match(None)
                settle(state, row)
            else:
                report(state, row)
        for segment in list(state.held.values()):
            if not state.needs(segment):
                del state.held[segment.place]
                state.tell(segment)
        state.stirred.update(state.rows)
        match_rows(state)

    def take(self) -> Outcome:
        """What became known since the last time; it counts as stored from now on."""
        state = self._state
        facts = tuple(dump(state, self._stored))
        outcome = Outcome(tuple(state.attributions.values()), tuple(state.links), facts)
        state.attributions, state.links = {}, []
        return outcome

    # -- what a new transaction shows

    def _decided_at_once(
        self, recorded: Sequence[RecordedSegment], segments: Sequence[OpenSegment]
    ) -> list[OpenSegment]:
        """The content says whose some segments are; those that are left."""
        free = []
        for one, segment in zip(recorded, segments, strict=True):
            if one.segment.part_of is not None:
                segment.take()
                segment.takers.append(taker_of(one.segment.part_of, Evidence.SESSION, part=True))
            elif one.segment.housekeeping is not None:
                segment.left_to(one.segment.housekeeping, orphan=False)
            else:
                free.append(segment)
                continue
            self._state.tell(segment)
        return free

    def _take_own(self, rows: Sequence[WaitingRow], free: Sequence[OpenSegment]) -> None:
        """Rows take the DDL of their own transaction: a lone row all of it, several what stands before each."""
        for row in rows:
            if not row.may_run_ddl:
                match_alone(row)
                settle(self._state, row)
        running = [row for row in rows if row.may_run_ddl]
        if not running or not free:
            return
        for segment in free:
            found = taker(running, segment.statements[0].lsn, self._state.sources)
            if found is not None:
                found.take(segment, None)
        for row in running:
            match_own(self._state, row)

    def _wait(self, rows: Sequence[WaitingRow]) -> None:
        """Rows without DDL of their own transaction look for theirs, and say something to those that look already."""
        state = self._state
        for row in rows:
            if not row.matched:
                state.rows.setdefault(row.source, []).append(row)
                state.changed.rows[row.source, row.lsn] = row
                state.deadlines.add(row.time + state.sources[row.source].grace, RowOverdue(row))
                mark(state, row.source, row.lsn)
        if rows:
            # A row tells those of other tables something only where its place does: among tools that hold locks.
            mine = {row.source for row in rows}
            state.stirred.update(
                name for name in state.rows if name in mine or proof_of(state.sources[name]).has_siblings
            )

    def _close_before(self, item: AlreadyStored, changeset: Changeset) -> None:
        row = WaitingRow(
            None, item.source, item.lsn, changeset.commit_lsn, changeset.commit_time, item.lsn, None, matched=True
        )
        close(self._state, item.source, row)

    # -- what ends a wait

    def _claim_ends(self, due: ClaimEnds) -> None:
        """The grace is over, but for what a row that waits may still take up."""
        state, segment = self._state, due.segment
        if due.source not in segment.claims or not segment.is_free:
            return
        if state.wanted(segment, due.source):
            latest = state.rows[due.source][-1].time + state.sources[due.source].grace
            state.deadlines.add(latest + SOON_AFTER, due)
            return
        state.expire(segment, due.source, tool=False, late=True)

    def _overdue(self, row: WaitingRow) -> None:
        row.overdue = True
        if row.matched:
            return
        for segment in candidates_of(self._state, row):
            for source in [name for name in segment.claims if name != row.source]:
                if segment.time + self._state.sources[source].grace <= row.time + self._state.sources[row.source].grace:
                    expire_unless_wanted(self._state, segment, source)
        match_rows(self._state)
        if not row.matched:
            give_up(self._state, row)


def _rows_of(changeset: Changeset, recorded: Sequence[RecordedSegment], head: str | None) -> list[WaitingRow]:
    """The transaction's rows, each with the commit whose schema it saw."""
    items = [item for item in changeset.items if isinstance(item, (HistoryRowEvent, UndecodableRow))]
    last = {item.source: item.lsn for item in items}
    rows, position = [], 0
    for item in items:
        while position < len(recorded) and recorded[position].segment.events[0].lsn < item.lsn:
            head = recorded[position].commit or head
            position += 1
        rows.append(
            WaitingRow(
                item,
                item.source,
                item.lsn,
                changeset.commit_lsn,
                changeset.commit_time,
                max(last[item.source], item.lsn),
                head,
                changeset.xid,
            )
        )
    return rows

"""Attribution: which migration each commit belongs to. Read this file first in this folder.

In: recorded transactions in commit order, the stream's time, the ends of sessions. Out: `Outcome`, which is stored with
the results: attributions of commits (also of earlier ones), links of history rows, and the facts to be remembered.
Called by `pipeline.py`; pure, though it holds state: the same transactions and times give the same outcome.

Nothing waits here. A commit that some source may claim is pending until that source's row comes, until its proof
can come no more (the lock changed hands, the bracket closed, the session is gone), or until its grace is over. Each
transaction costs the same, whatever is pending: what it is about is found by source, session, run or deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pggit_daemon.attribute.brackets import abandon, bracket_closed, move_brackets
from pggit_daemon.attribute.deadlines import CallbackEnds, ClaimEnds
from pggit_daemon.attribute.ending import claim_ends, ended_session, looked, overdue, watched
from pggit_daemon.attribute.facts import dump, load
from pggit_daemon.attribute.incoming import close_before, decided_at_once, rows_of, take_own, wait
from pggit_daemon.attribute.insert_only import resolve_insert_only
from pggit_daemon.attribute.known import Known, Writers
from pggit_daemon.attribute.learning import outlived
from pggit_daemon.attribute.looking import Wanted, foreseen, looked_at, wanted
from pggit_daemon.attribute.matching import match_rows
from pggit_daemon.attribute.opening import claim, keep_house, opened, seen_of
from pggit_daemon.attribute.settling import report, settle
from pggit_daemon.attribute.state import State
from pggit_daemon.attribute.undecoded import blind, hold, resolve, undecoded_rows
from pggit_daemon.model.changeset import AlreadyStored, Changeset, RecordedSegment, UndecodableRow
from pggit_daemon.model.decision import Fact, Outcome
from pggit_daemon.model.held import Held
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.session import Watched
from pggit_daemon.model.sighting import Look
from pggit_daemon.model.transaction import TableName, Transaction
from pggit_daemon.tools.source import Source


class Correlator:
    """`sources` may grow while it works. `insert_only`: history tables of which only inserts are streamed."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        facts: Iterable[Fact] = (),
        writers: Writers | None = None,
        *,
        insert_only: frozenset[TableName] = frozenset(),
    ) -> None:
        self._state = State(sources, Known(writers=writers or {}), insert_only=insert_only)
        self._stored: set[tuple[str, str]] = set()
        facts = tuple(facts)
        self._stored.update((fact.kind, fact.key) for fact in facts)
        load(self._state, facts)
        self._newest = self._state.newest()

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
        """The newest transaction that was fed; after a restart, of those that something is open of."""
        return self._newest

    def watched(self) -> frozenset[Watched]:
        """The sessions whose end would decide something: lock holders, and those that ran what is pending."""
        return watched(self._state)

    def to_look_at(self) -> Wanted:
        """The sessions of which it must be seen what they do. Where nobody depends on that, this costs nothing."""
        return wanted(self._state)

    def foreseen(self, transactions: Iterable[Transaction]) -> Wanted:
        """The same of transactions that were not fed yet, as far as it shows without reading all of them."""
        return foreseen(self._state, transactions)

    def looked_at(self, look: Look) -> None:
        """Take what a look at sessions showed."""
        looked_at(self._state, look)

    def undecoded(self) -> frozenset[str]:
        """The sources whose table must be compared to know what their rows were.

        Not while their bracket is open, for then more is to come; but a bracket may stay open for ever.
        """
        state = self._state
        return frozenset(
            source
            for source, rows in state.undecoded.items()
            if state.sources[source].bracket_table not in state.known.brackets or any(row.overdue for row in rows)
        )

    def set_writers(self, writers: Writers) -> None:
        """Who may write the history tables, as the catalog says now."""
        self._state.known.writers = writers

    def feed(self, changeset: Changeset, recorded: Sequence[RecordedSegment] = (), head: str | None = None) -> None:
        """Take in the next transaction, whose segments are recorded over the commit `head`."""
        state = self._state
        self._newest = max(self._newest, changeset.commit_lsn)
        seen = seen_of(changeset)
        hold(state, [held for event in changeset.events for held in event.held])
        dropped = keep_house(state, changeset, seen)
        closed = move_brackets(state, changeset)
        first = seen.first if seen is not None else changeset.commit_lsn
        segments = [opened(one, first) for one in recorded]
        rows = rows_of(changeset, recorded, head)
        state.fresh = rows
        free = decided_at_once(state, recorded, segments)
        take_own(state, rows, free)
        rest = [segment for segment in free if segment.is_free]
        for segment in free:
            if not segment.takers:  # otherwise whoever took it has done so
                state.update_attribution(segment)
        if seen is not None and rest:
            claim(state, seen, rest)
        wait(state, rows)
        blind(state, changeset)
        for item in changeset.items:
            if isinstance(item, AlreadyStored):
                close_before(state, item, changeset)
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
                claim_ends(state, due)
            elif isinstance(due, CallbackEnds):
                if due.segment.callback_of:
                    due.segment.callback_of = frozenset()
                    state.refresh(due.segment)
            else:
                overdue(state, due.row)
            match_rows(state)

    def gone(self, ended: Iterable[Watched], *, up_to: LSN, alive: Iterable[Watched] = ()) -> None:
        """These sessions ended, or gave up their lock, others did not, and the stream has passed that moment.

        That counts up to the newest transaction that was fed when it was seen: a tool gives up its lock after each
        migration and takes it again for the next one.
        """
        for one in sorted(set(ended), key=lambda watched: (watched.session, watched.by_lock)):
            ended_session(self._state, one, up_to, self._newest)
        for one in sorted(set(alive), key=lambda watched: (watched.session, watched.by_lock)):
            outlived(self._state, one.session, up_to)
        match_rows(self._state)
        looked(self._state)

    def oldest_session(self, began: datetime | None, *, up_to: LSN) -> None:
        """No session of anybody else's began before this moment (None: there is none), and the stream has passed it.

        A bracket that was opened before has lost its holder.
        """
        for table, bracket in self._state.known.brackets.items():
            if bracket.at is not None and bracket.opened <= up_to and (began is None or began > bracket.at):
                abandon(self._state, table, bracket)
        match_rows(self._state)

    def hold(self, held: Iterable[Held]) -> None:
        """Take what history tables held at places that the stream has passed."""
        hold(self._state, held)

    def left(self, source: str) -> tuple[TextRow, ...]:
        """Of the source's undecodable rows what some of them left in the table, as far as that is known, in order."""
        return tuple(row.left for row in undecoded_rows(self._state, source) if row.left is not None)

    def resolve(self, source: str, *compared: Sequence[HistoryChange]) -> None:
        """Say what the undecodable rows of a source were: what its table and its ledger differ by, in order.

        As far as each that is known to be `left`, and then as far as what the table holds now.
        """
        state = self._state
        rows = undecoded_rows(state, source)
        state.undecoded.pop(source, None)
        if state.sources[source].table in state.insert_only:
            rows = resolve_insert_only(state, rows, [change for changes in compared for change in changes])
        else:
            resolve(rows, compared, moves_one_row=state.sources[source].moves_one_row)
        for row in rows:
            state.changed.rows[row.source, row.lsn] = row
            if row.matched:
                settle(state, row)
            elif row.event is None:
                row.match(None)
                settle(state, row)
            else:
                report(state, row)
        for segment in list(state.undecided.values()):
            if not state.needs(segment):
                del state.undecided[segment.place]
                state.update_attribution(segment)
        state.dirty.update(state.rows)
        match_rows(state)

    def take(self) -> Outcome:
        """What became known since the last time; it counts as stored from now on."""
        state = self._state
        facts = tuple(dump(state, self._stored))
        outcome = Outcome(tuple(state.attributions.values()), tuple(state.links), facts)
        state.attributions, state.links = {}, []
        return outcome

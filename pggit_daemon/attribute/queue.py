"""The queue: transactions in commit order, and when the oldest of them are decided.

In: units, and the stream's time. Out: `Settled`, a decided prefix of the stream, as soon as there is one.
Called by `pipeline.py`; pure, though it holds state: the same units and times give the same decisions.

A unit whose DDL some source may claim waits for that source's row; all units behind it wait too. It is
free when the row comes, when nothing of the source can come any more (its lock changed hands, its bracket
closed, its session is gone), or when its grace is over. Time here is the stream's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pggit_daemon.attribute.callbacks import GRACE as KIN_GRACE
from pggit_daemon.attribute.callbacks import possible_kin, recognise
from pggit_daemon.attribute.claims import Claim, claims_on
from pggit_daemon.attribute.decide import decisions
from pggit_daemon.attribute.matching import Match, Nothing, match
from pggit_daemon.attribute.pending import Pending, WaitingRow
from pggit_daemon.attribute.state import Group, Memory, Orphan
from pggit_daemon.attribute.undecoded import reveal
from pggit_daemon.model.changeset import (
    AlreadyStored,
    BracketMove,
    Changeset,
    Ddl,
    Evidence,
    HistoryRowEvent,
    UndecodableRow,
)
from pggit_daemon.model.decision import Settled
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Claims, Meaning
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.objects import ObjectOp
from pggit_daemon.model.session import SessionKey, Watched
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import DEFAULT_GRACE, Source

DEPLOYMENT_GRACE = DEFAULT_GRACE
"""How long the DDL of a deployment that is to be one commit waits for its end."""


class Correlator:
    """Decides which DDL is whose. `sources` may grow while it works."""

    def __init__(self, sources: Mapping[str, Source], remembered: str = "{}") -> None:
        self._sources = sources
        self.memory, self._brackets = Memory.load(remembered)
        self._queue: deque[Pending] = deque()

    @property
    def waiting(self) -> int:
        """How many transactions are in the queue."""
        return len(self._queue)

    @property
    def open_brackets(self) -> frozenset[TableName]:
        """The lock tables whose row is held."""
        return frozenset(self._brackets)

    def watched(self) -> frozenset[Watched]:
        """The sessions whose end would free something: lock holders, and for windows the DDL's own."""
        watched = (pending.watched(claim) for pending in self._queue for claim in pending.claims.values())
        held = (Watched(one.session.key, by_lock=False) for one in self._queue if one.held and one.session is not None)
        return frozenset(one for one in (*watched, *held) if one is not None)

    @property
    def newest(self) -> LSN:
        """The newest transaction in the queue; 0 where none waits."""
        return self._queue[-1].unit.commit_lsn if self._queue else LSN(0)

    def unseen(self) -> frozenset[str]:
        """The sources whose table must be compared before the queue can move.

        Not while their bracket is open, for then more is to come; but a bracket may stay open for ever.
        """
        return frozenset(
            row.source
            for row in self._rows()
            if row.matched and isinstance(row.row, UndecodableRow)
            if row.overdue or self._sources[row.source].bracket_table not in self._brackets
        )

    def feed(self, unit: Changeset) -> None:
        """Take in the next transaction of the stream."""
        closed = self._move_brackets(unit)
        pending = Pending.of(unit, dict(self._brackets))
        self._note_keeper(pending)
        self._take_own(pending)
        if pending.open_events() and pending.known_tool is None:
            self._claim(pending)
        self._queue.append(pending)
        for earlier in self._queue:
            if earlier.unit.deployment is not None and earlier.unit.deployment.key in unit.ends:
                earlier.held = False
        for item in unit.items:
            if isinstance(item, AlreadyStored):
                self._close(item.source, item.lsn, unit.commit_lsn)
        self._match_rows()
        for table in closed:
            self._bracket_closed(table, pending)
        self._match_rows()
        self._recognise_kin()

    def tick(self, now: datetime) -> None:
        """Let the stream's time pass: claims end with their grace, and rows that waited for them are free.

        A row that is here already keeps its candidates until its own grace ends: which of them is older tells nothing.
        """
        graces = {name: source.grace for name, source in self._sources.items()}
        self._expire(now, graces)
        for pending in self._queue:
            if now - pending.unit.commit_time > KIN_GRACE:
                pending.kin = frozenset()
            if now - pending.unit.commit_time > DEPLOYMENT_GRACE:
                pending.released()
        self._match_rows()
        for row in self._rows():
            if not row.settled and now - row.unit.commit_time > graces[row.source]:
                row.overdue = True
                if not row.matched:
                    self._give_up(row)
                    self._match_rows()
        self._expire(now, graces)
        self._match_rows()

    def _expire(self, now: datetime, graces: Mapping[str, timedelta]) -> None:
        """End the claims whose grace is over, but for those that a waiting row may take up."""
        for pending in self._queue:
            overdue = [source for source in pending.expired(now, graces) if not self._wanted(pending, source)]
            for source in overdue:
                if pending.session is not None and len(pending.claims) == 1:
                    first = pending.open_events()[0].lsn
                    self.memory.orphaned(source, Orphan(pending.unit.commit_lsn, first, pending.session.key))
                pending.expire(source)

    def gone(self, ended: Iterable[Watched], *, up_to: LSN) -> None:
        """These sessions ended, or gave up their lock, and the stream has passed that moment.

        That counts up to the newest transaction that was in the queue when it was seen: a tool gives up its lock after
        each migration and takes it again for the next one.
        """
        gone = set(ended)
        for pending in self._queue:
            if pending.unit.commit_lsn > up_to:
                break
            if pending.session is not None and Watched(pending.session.key, by_lock=False) in gone:
                pending.released()
            for claim in list(pending.claims.values()):
                if pending.watched(claim) in gone:
                    self._expire_unless_wanted(pending, claim.source)
        self._match_rows()

    def reveal(self, source: str, changes: Sequence[HistoryChange]) -> None:
        """Say what the unseen changes of a source were: what its table and its ledger differ by, in order."""
        reveal([row for row in self._rows() if row.source == source and isinstance(row.row, UndecodableRow)], changes)

    def settle(self) -> Settled | None:
        """The decided prefix of the queue, taken off it; None while the oldest transaction waits."""
        ready = []
        while self._queue and self._queue[0].ready:
            ready.append(self._queue.popleft())
        if not ready:
            return None
        decided = tuple(decisions(ready, self.memory.written))
        last = ready[-1]
        requests = tuple(number for pending in ready for number in pending.unit.requests)
        return Settled(last.unit, decided, requests, self.memory.dump(last.brackets_after, last.unit.commit_lsn))

    def _rows(self) -> list[WaitingRow]:
        return [row for pending in self._queue for row in pending.rows]

    def _recognise_kin(self) -> None:
        """A transaction that waits to be known as a tool's callback is, once its sister is known as the tool's."""
        if not any(pending.kin for pending in self._queue):
            return
        known = {name: set(self.memory.sessions_of(name)) for name in self._sources}
        for pending in self._queue:
            for claim in pending.claims.values():
                if claim.evidence is Evidence.LOCK and isinstance(claim.group, SessionKey):
                    known[claim.source].add(claim.group)
        for pending in self._queue:
            recognise(pending, {name: frozenset(sessions) for name, sessions in known.items()})

    # -- what a new unit shows

    def _move_brackets(self, unit: Changeset) -> list[TableName]:
        closed = []
        for item in unit.items:
            if isinstance(item, BracketMove):
                if item.opens:
                    self._brackets[item.table] = unit.commit_lsn
                elif self._brackets.pop(item.table, None) is not None:
                    closed.append(item.table)
        return closed

    def _note_keeper(self, pending: Pending) -> None:
        """A session that makes or drops a tool's own tables is the tool's, and so is the rest of such a drop."""
        session = pending.session
        kept = [item for item in pending.unit.items if isinstance(item, Ddl) and item.keeps in self._sources]
        if session is None or not kept or kept[-1].keeps is None:
            return
        source = self._sources[kept[-1].keeps]
        if source.preset.claims not in {Claims.LOCK, Claims.BRACKET} or source.preset.session.rule_out(session):
            return
        self.memory.keeps(source.name, session.key, pending.unit.commit_lsn)
        for earlier in self._queue:
            if earlier.session is not None and earlier.session.key == session.key:
                for other in [name for name in earlier.claims if name != source.name]:
                    earlier.refute(other)
        if any(item.op is ObjectOp.DROP for ddl in kept for item in ddl.event.objects):
            pending.known_tool = source.name

    def _take_own(self, pending: Pending) -> None:
        """Rows take the DDL of their own transaction: a lone row all of it, several what stands before each."""
        for row in pending.rows:
            if not row.ran_ddl:
                row.match(self._evidence_alone(row))
        rows = [row for row in pending.rows if row.ran_ddl]
        if not rows or not pending.free:
            return
        for event in pending.free:
            taker = _taker(rows, event.lsn)
            if taker is not None:
                pending.take(event, taker)
        for row in rows:
            self._match_own(row)
            self._close(row.source, row.lsn, row.unit.commit_lsn)

    def _claim(self, pending: Pending) -> None:
        session = pending.session
        if session is None:
            return
        owner = self.memory.owner_of(session.key)
        locks = [lock for event in pending.unit.events for lock in event.locks]
        first = pending.free[0].lsn
        path = next((event.search_path for event in pending.unit.events if event.search_path is not None), None)
        pending.claims = claims_on(
            session,
            locks,
            first,
            sources=self._sources,
            brackets=self._brackets,
            memory=self.memory,
            search_path=path,
        )
        for claim in [claim for claim in pending.claims.values() if self._outdated(claim, first)]:
            pending.refute(claim.source)
        if not pending.claims:
            pending.known_tool = owner
            pending.kin = possible_kin(pending, self._sources.values()) if owner is None else frozenset()
        for claim in pending.claims.values():
            if claim.evidence is Evidence.LOCK:
                self._lock_changed_hands(claim.source, claim.group, first)

    def _outdated(self, claim: Claim, first: LSN) -> bool:
        """Whether the lock was seen in other hands after the transaction began: it was open over the end of a run."""
        later = (pending for pending in self._queue if pending.free and pending.free[0].lsn > first)
        groups = {pending.claims[claim.source].group for pending in later if claim.source in pending.claims}
        return claim.evidence is Evidence.LOCK and bool(groups - {claim.group})

    # -- what ends a wait

    def _lock_changed_hands(self, source: str, holder: Group, seen: LSN) -> None:
        """A tool's next run held the lock at `seen`: the row of an earlier run cannot come any more."""
        for pending in self._queue:
            claim = pending.claims.get(source)
            if claim is not None and claim.group != holder and pending.free[-1].lsn < seen:
                self._expire_unless_wanted(pending, source)

    def _bracket_closed(self, table: TableName, closing: Pending) -> None:
        """The rows of a bracket stand inside it. What its own session ran without a row is the tool's.

        A bracket that ends because the tool drops its own tables was about dropping: no row was to be expected.
        """
        dropping = closing.known_tool is not None and not closing.orphan
        for source in [source.name for source in self._sources.values() if source.bracket_table == table]:
            for row in [row for row in self._rows() if row.source == source and not row.matched]:
                if all(set(pending.claims) == {source} for pending in self._candidates(row)):
                    self._give_up(row)
            for pending in self._queue:
                self._expire_unless_wanted(pending, source)
                if pending.session is not None and self.memory.keeper(pending.session.key) == source:
                    pending.known_tool, pending.orphan = source, not dropping

    def _candidates(self, row: WaitingRow) -> list[Pending]:
        """The transactions with DDL that may be the row's."""
        return [pending for pending in self._queue if pending.may_be_of(row)]

    def _wanted(self, pending: Pending, source: str) -> bool:
        """Whether a row of the source that is here already may be this transaction's."""
        return pending.is_open and any(
            pending.may_be_of(row) for row in self._rows() if row.source == source and not row.matched
        )

    def _expire_unless_wanted(self, pending: Pending, source: str) -> None:
        if source in pending.claims and not self._wanted(pending, source):
            pending.expire(source)

    def _give_up(self, row: WaitingRow) -> None:
        """Nothing will tell the row's candidates apart any more: it stays without a link.

        One of them was its own, so they are no other row's either.
        """
        for pending in self._candidates(row):
            for source in [*pending.claims]:
                pending.expire(source)
        row.match(None, row.note)
        self.memory.close(row.source, row.lsn, row.unit.commit_lsn)

    def _match_rows(self) -> None:
        """Give waiting rows their DDL; each row matched may free another, so go on until nothing moves."""
        moved = True
        while moved:
            moved = False
            blocked: set[str] = set()
            waiting = [row for row in self._rows() if not row.matched]
            for row in waiting:
                if row.source not in blocked and self._match_row(row, waiting):
                    moved = True
                else:
                    blocked.add(row.source)

    def _match_row(self, row: WaitingRow, waiting: list[WaitingRow]) -> bool:
        source = self._sources[row.source]
        found = match(row, source, self._queue, waiting)
        if isinstance(found, Match):
            group = found.parts[0][0].claims[source.name].group
            for pending, event in found.parts:
                pending.take(event, row)
            row.match(found.evidence)
            if found.proven:
                self._learn(source.name, group, found.session, since=found.parts[-1][0].unit.commit_lsn)
        elif isinstance(found, Nothing):
            self._match_alone(row)
        else:
            row.note = found.note
            return False
        self._close(row.source, row.lsn, row.unit.commit_lsn)
        return True

    def _match_own(self, row: WaitingRow) -> None:
        """A row whose DDL can only be its own transaction's, or (told by the SQL API) an earlier part's."""
        told = row.row if isinstance(row.row, HistoryRowEvent) else None
        if told is None or told.certain is None or (row.parts and told.late is None):
            row.match(Evidence.TRANSACTION)
            return
        row.late = None if row.parts else told.late
        row.match(told.certain)

    def _match_alone(self, row: WaitingRow) -> None:
        """A row with no DDL that waits: it came late, or it has none."""
        if isinstance(row.row, HistoryRowEvent) and row.row.certain is not None:
            self._match_own(row)
            return
        late = self.memory.late(row.source, row.lsn)
        sessions = {orphan.session for orphan in late}
        if len(sessions) > 1:
            row.match(None, f"{len(sessions)} sessions ran DDL that this late row may belong to")
            return
        row.late = late[-1].commit if late else None
        row.match(self._evidence_alone(row))

    def _close(self, source: str, row: LSN, commit: LSN) -> None:
        """What a row did not take of the DDL before it is not its source's."""
        self.memory.close(source, row, commit)
        for pending in self._queue:
            passed = pending.is_open and source in pending.claims and pending.free[-1].lsn < row
            if passed and not self._wanted(pending, source):
                pending.refute(source)

    def _learn(self, source: str, group: Group, session: SessionKey, since: LSN) -> None:
        """The session runs the DDL of this run: it is no other source's, and the run has no other session."""
        self.memory.learn(source, group, session, since)
        for pending in self._queue:
            if pending.session is None:
                continue
            if pending.session.key == session:
                for other in [name for name in pending.claims if name != source]:
                    pending.refute(other)
            elif group is not None and source in pending.claims and pending.claims[source].group == group:
                pending.refute(source)
                if not pending.claims and pending.known_tool is None:
                    # Not the run's own session, but under its lock: a callback on a connection of its own.
                    pending.kin = possible_kin(pending, self._sources.values())

    def _evidence_alone(self, row: WaitingRow) -> Evidence | None:
        """Why a row with no DDL is known to have none; None while its migration goes on."""
        if isinstance(row.row, HistoryRowEvent) and row.row.principal.meaning is Meaning.STARTED:
            return None
        claims = self._sources[row.source].preset.claims
        return Evidence.TRANSACTION if claims is Claims.NONE else Evidence.WINDOW


def _taker(rows: Sequence[WaitingRow], event: LSN) -> WaitingRow | None:
    """Which row of the transaction a statement belongs to: one that says since when, a lone one, or the next."""
    told = [row for row in rows if isinstance(row.row, HistoryRowEvent) and row.row.since is not None]
    inside = [
        row
        for row in told
        if isinstance(row.row, HistoryRowEvent) and row.row.since and row.row.since <= event < row.lsn
    ]
    if inside:
        return inside[0]
    others = [row for row in rows if row not in told]
    after = others if len(others) == 1 else [row for row in others if row.lsn > event]
    return after[0] if after else None

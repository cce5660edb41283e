"""Which waiting DDL a row takes.

In: a row of a source, and the queued transactions before it that the source claims. Out: the DDL that is
certainly the row's, or that it must wait, or that it has none. Pure; called by the correlator.

What tells two candidate sessions apart is the order of positions in the WAL, which the tools cannot
help leaving: a tool that holds a lock on a second connection writes its row while the DDL's transaction
is still open (the row's own position lies between the last statement and the commit); a tool that works
on one connection writes the row after the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pggit_daemon.attribute.pending import Pending, WaitingRow
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.meaning import Claims
from pggit_daemon.model.session import SessionKey
from pggit_daemon.tools.source import Source


@dataclass(frozen=True, slots=True)
class Match:
    """The DDL of one session, for one row. `proven`: by the order of positions, so that the session may be learnt."""

    session: SessionKey
    parts: tuple[tuple[Pending, DdlEvent], ...]
    evidence: Evidence
    proven: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Undecided: several sessions or several sources could be it."""

    note: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """No DDL that waits can be the row's."""


def match(
    row: WaitingRow, source: Source, queue: Iterable[Pending], waiting: Sequence[WaitingRow]
) -> Match | Wait | Nothing:
    """Find the row's DDL among the queued transactions before it; `waiting` are all rows still without theirs."""
    before = [pending for pending in queue if pending.unit.commit_lsn < row.unit.commit_lsn]
    if source.preset.claims is Claims.LOCK:
        before = [pending for pending in before if not _outlasts(row, pending)]
    groups = _by_session(row, source.name, before)
    writer = row.row.session if isinstance(row.row, HistoryRowEvent) else None
    if writer is not None:
        groups = {key: parts for key, parts in groups.items() if _is_writers(writer, source, key, parts)}
        if len(groups) == 1:
            session, parts = next(iter(groups.items()))
            return Match(session, parts, Evidence.SESSION, proven=True)
    if not groups:
        return Nothing()
    if source.preset.claims is Claims.LOCK:
        return _under_lock(row, source, groups, _Others(tuple(queue), waiting))
    return _after_commit(row, source, groups)


Parts = tuple[tuple[Pending, DdlEvent], ...]


def _by_session(row: WaitingRow, source: str, before: Iterable[Pending]) -> dict[SessionKey, Parts]:
    groups: dict[SessionKey, list[tuple[Pending, DdlEvent]]] = {}
    for pending in before:
        if source in pending.claims and pending.session is not None:
            parts = [(pending, event) for event in pending.open_events() if event.lsn < row.lsn]
            if parts:
                groups.setdefault(pending.session.key, []).extend(parts)
    return {session: tuple(parts) for session, parts in groups.items()}


def _is_writers(writer: SessionKey, source: Source, session: SessionKey, parts: Parts) -> bool:
    """The row names the session that wrote it: the DDL is that session's, or ran under the lock that it held."""
    if source.preset.claims is Claims.LOCK:
        return {pending.claims[source.name].group for pending, _ in parts} == {writer}
    return session == writer


def _under_lock(row: WaitingRow, source: Source, groups: dict[SessionKey, Parts], others: _Others) -> Match | Wait:
    certain = {key: parts for key, parts in groups.items() if _certain(parts, source.name)}
    open_then = {key: parts for key, parts in groups.items() if _row_inside(row, parts)}
    for chosen, proven in ((certain, False), (open_then, True)):
        if len(chosen) == 1:
            session, parts = next(iter(chosen.items()))
            if proven and not others.have_their_own(parts, source.name):
                return Wait("another history table's lock was held as well")
            return Match(session, parts, Evidence.LOCK, proven)
    if len(groups) == 1:
        session, parts = next(iter(groups.items()))
        if not _claimed_elsewhere(parts, source.name):
            return Match(session, parts, Evidence.LOCK, proven=False)
    return Wait(f"{len(groups)} sessions ran DDL under the lock")


def _after_commit(row: WaitingRow, source: Source, groups: dict[SessionKey, Parts]) -> Match | Wait | Nothing:
    evidence = Evidence.BRACKET if source.preset.claims is Claims.BRACKET else Evidence.WINDOW
    done = {
        key: parts for key, parts in groups.items() if all(pending.unit.commit_lsn < row.lsn for pending, _ in parts)
    }
    if not done:
        return Nothing()
    certain = {key: parts for key, parts in done.items() if _certain(parts, source.name)}
    if len(certain) == 1:
        done = certain
    sure = {key: parts for key, parts in done.items() if not _claimed_elsewhere(parts, source.name)}
    if len(sure) < len(done):
        return Wait("another source may claim the same DDL")
    chosen = _usual(sure, source) if len(sure) > 1 else sure
    if len(chosen) != 1:
        return Wait(f"{len(sure)} sessions ran DDL that may be this row's")
    session, parts = next(iter(chosen.items()))
    return Match(session, parts, evidence, proven=True)


def _usual(groups: dict[SessionKey, Parts], source: Source) -> dict[SessionKey, Parts]:
    usual = source.preset.session.usual_application_name
    return {
        key: parts
        for key, parts in groups.items()
        if usual is not None and parts[0][1].session.profile.application_name == usual
    }


def _certain(parts: Parts, source: str) -> bool:
    return all(pending.claims[source].certain for pending, _ in parts)


def _outlasts(row: WaitingRow, pending: Pending) -> bool:
    """Whether statements follow the last row of the row's transaction: a tool writes each row after its statements."""
    last = max(
        item.lsn
        for item in row.unit.items
        if isinstance(item, (HistoryRowEvent, UndecodableRow)) and item.source == row.source
    )
    return any(event.lsn > last for event in pending.open_events())


def _row_inside(row: WaitingRow, parts: Parts) -> bool:
    """Whether the row was written after the statements of a transaction, and before that committed."""
    return any(pending.unit.commit_lsn > row.lsn for pending, _ in parts)


@dataclass(frozen=True, slots=True)
class _Others:
    """The queue, and the rows in it that wait: what speaks for another source that may claim the same DDL."""

    queue: Sequence[Pending]
    waiting: Sequence[WaitingRow]

    def have_their_own(self, parts: Parts, source: str) -> bool:
        """Whether each other table whose lock was held has written a row since, inside another session's transaction.

        A row of its own that stands nowhere would prove nothing: a migration may run statement by statement.
        """
        session, last = parts[-1][1].session.key, parts[-1][1].lsn
        others = {
            claim.source
            for pending, _ in parts
            for claim in pending.claims.values()
            if claim.source != source and claim.evidence is Evidence.LOCK
        }
        return all(
            any(row.source == other and row.lsn > last and self._stands_elsewhere(row, session) for row in self.waiting)
            for other in others
        )

    def _stands_elsewhere(self, row: WaitingRow, session: SessionKey) -> bool:
        around = _by_session(row, row.source, self.queue)
        inside = {key for key, parts in around.items() if _row_inside(row, parts)}
        return bool(inside) and session not in inside


def _claimed_elsewhere(parts: Parts, source: str) -> bool:
    return any(name != source for pending, _ in parts for name in pending.claims)

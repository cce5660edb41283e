"""Decided transactions into decisions: which commits, of which statements, with which rows.

In: the ready head of the queue, and the rows that were already written with an earlier transaction.
Out: decisions in commit order. Pure; called by the correlator.

A migration's statements may lie in several transactions. Neighbours make one commit; where another's
transaction stands between, each part is a commit of its own, because the schema was so at that moment,
and the row goes with the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pggit_daemon.attribute.pending import Pending, WaitingRow
from pggit_daemon.model.changeset import AlreadyStored, Changeset, Ddl, Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.decision import CommitKind, Decision, Link
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.transaction import Unreadable


@dataclass(frozen=True, slots=True)
class Kept:
    """DDL on a source's own tables."""

    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """DDL of a migration that its session has begun and will end in a later transaction."""

    of: HistoryRowEvent


Target = Kept | Part | WaitingRow | None
"""Whose a stretch of DDL is: the tool's own tables, a migration that is open, a row's migration, or nobody's."""


def decisions(ready: Iterable[Pending], written: set[LSN]) -> Iterator[Decision]:
    """The decisions of these transactions; `written` is kept up to date."""
    held: Decision | None = None
    beside: list[Decision] = []  # no commits: what they say may as well stand behind the held one's
    for pending in ready:
        for decision in _of_one(pending, written):
            if held is not None and (_same_migration(held, decision) or _same_deployment(held, decision)):
                held = replace(decision, events=held.events + decision.events)
                continue
            if held is not None and decision.kind is None and _waits(held):
                beside.append(decision)
                continue
            if held is not None:
                yield held
            yield from beside
            held, beside = decision, []
    if held is not None:
        yield held
    yield from beside


def _same_migration(first: Decision, second: Decision) -> bool:
    if first.part_of is None or first.part_of.principal.meaning is Meaning.STARTED:
        # Parts of a migration that is open are decided one by one, as they come; merged, a backlog would differ.
        return False
    return second.part_of is first.part_of or any(link.row is first.part_of for link in second.links)


def _same_deployment(first: Decision, second: Decision) -> bool:
    return _waits(first) and _waits(second) and first.unit.deployment == second.unit.deployment


def _waits(decision: Decision) -> bool:
    """Whether it is part of a deployment that is to be one commit."""
    deployment = decision.unit.deployment
    waits = deployment is not None and deployment.waits and not decision.alone
    return waits and decision.kind is CommitKind.OUT_OF_BAND


def _of_one(pending: Pending, written: set[LSN]) -> Iterator[Decision]:
    unit = pending.unit
    for target, events in _portions(pending):
        match target:
            case Kept(source):
                yield Decision(unit, CommitKind.TOOL, events, source=source)
            case Part(recorded):
                yield Decision(unit, CommitKind.MIGRATION, events, part_of=recorded, evidence=Evidence.SESSION)
            case WaitingRow() if events:
                yield _taken(unit, target, events, written)
            case WaitingRow(row=HistoryRowEvent()):
                yield _alone(unit, target)
            case WaitingRow():
                pass
            case None:
                yield _left_over(pending, events)
    written.difference_update(row.lsn for row in pending.rows)
    written.difference_update(item.lsn for item in unit.items if isinstance(item, AlreadyStored))
    unreadable = tuple(item for item in unit.items if isinstance(item, Unreadable))
    if unreadable:
        yield Decision(unit, None, unreadable=unreadable)


def _portions(pending: Pending) -> list[tuple[Target, tuple[DdlEvent, ...]]]:
    """The transaction in WAL order, cut where the owner changes; a row with DDL stands where its DDL does."""
    rows = {(row.source, row.lsn): row for row in pending.rows}
    portions: list[tuple[Target, list[DdlEvent]]] = []
    for item in pending.unit.items:
        if isinstance(item, Ddl):
            target: Target = Kept(item.keeps) if item.keeps is not None else pending.taken.get(item.event.event_id)
            if item.part_of is not None:
                target = Part(item.part_of)
            elif target is None and pending.known_tool is not None and not pending.orphan:
                target = Kept(pending.known_tool)
            _stretch(portions, target).append(item.event)
        elif isinstance(item, (HistoryRowEvent, UndecodableRow)) and not rows[item.source, item.lsn].parts:
            portions.append((rows[item.source, item.lsn], []))
    return [(target, tuple(events)) for target, events in portions]


def _stretch(portions: list[tuple[Target, list[DdlEvent]]], target: Target) -> list[DdlEvent]:
    """Where the next statement of this owner belongs: the stretch it continues, or a new one.

    A row without DDL between two statements on the tool's own tables (a baseline's marker) does not part them.
    """
    for known, events in reversed(portions):
        if known == target and events:
            return events
        if not isinstance(target, Kept) or events:
            break
    portions.append((target, []))
    return portions[-1][1]


def _taken(unit: Changeset, row: WaitingRow, events: tuple[DdlEvent, ...], written: set[LSN]) -> Decision:
    recorded = _recorded(row)
    kind = _kind(recorded)
    if row.last_part not in events:
        return Decision(unit, kind, events, part_of=recorded, evidence=row.evidence)
    if row.unit is not unit:
        written.add(row.lsn)
    return Decision(unit, kind, events, (Link(recorded, row.evidence, row.note),))


def _alone(unit: Changeset, row: WaitingRow) -> Decision:
    """A row without DDL: a migration that changed no object, a marker, or an event of another one's row."""
    recorded = _recorded(row)
    if row.late is not None and recorded.ran_ddl:
        evidence = row.evidence if recorded.certain is not None else Evidence.LATE
        return Decision(unit, None, links=(Link(recorded, evidence, row.note, row.late),))
    linked = recorded.makes_commit and row.evidence is not None
    return Decision(unit, _kind(recorded) if linked else None, links=(Link(recorded, row.evidence, row.note),))


def _recorded(row: WaitingRow) -> HistoryRowEvent:
    if not isinstance(row.row, HistoryRowEvent):
        raise TypeError("a row that is not known yet was decided")
    return row.row


def _left_over(pending: Pending, events: tuple[DdlEvent, ...]) -> Decision:
    if pending.known_tool is not None:
        return Decision(pending.unit, CommitKind.TOOL, events, source=pending.known_tool, orphan=pending.orphan)
    return Decision(pending.unit, CommitKind.OUT_OF_BAND, events, alone=pending.alone)


def _kind(row: HistoryRowEvent) -> CommitKind:
    match row.principal.meaning:
        case Meaning.ROLLED_BACK | Meaning.UNDO_FAILED:
            return CommitKind.ROLLBACK
        case Meaning.SCHEMA:
            return CommitKind.TOOL
        case _:
            return CommitKind.MIGRATION

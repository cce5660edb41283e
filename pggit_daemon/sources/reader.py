"""A decoded transaction into what it says: DDL, rows of history tables, lock rows.

In: a `Transaction`. Out: a `Unit` in WAL order, or `NewTables` where the transaction makes a history table
that is not streamed yet: then the stream must start over before it, with the table added, and nothing of
it may have been handled. Pure; called by `pipeline.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pggit_daemon.correlate.unit import BracketMove, Ddl, Item, Recorded, Unit, Unseen, Written
from pggit_daemon.ddl import OUTBOX, DdlEvent, ObjectOp, parse_event
from pggit_daemon.lsn import LSN
from pggit_daemon.records import RowChange, RowOp, TableName, Transaction, Unreadable, Unshown
from pggit_daemon.sources.ledger import Ledger
from pggit_daemon.sources.preset import matches
from pggit_daemon.sources.registry import Registry, created_tables, table_of
from pggit_daemon.sources.text import as_text


@dataclass(frozen=True, slots=True)
class NewTables:
    """History or lock tables that must be streamed from this transaction on."""

    tables: tuple[TableName, ...]


class Reader:
    """Reads transactions in commit order. `written`: rows that were stored ahead of their transaction."""

    def __init__(self, registry: Registry, ledgers: dict[str, Ledger], written: frozenset[LSN]) -> None:
        self._registry = registry
        self._ledgers = ledgers
        self._written = written

    def read(self, transaction: Transaction) -> Unit | NewTables:
        events = {
            change.lsn: _event(change)
            for change in transaction.changes
            if isinstance(change, RowChange) and change.table == OUTBOX and change.op is RowOp.INSERT
        }
        new = tuple(
            table
            for event in events.values()
            if isinstance(event, DdlEvent)
            for table, columns in created_tables(event)
            if self._registry.learn(table, columns)
        )
        if new:
            return NewTables(new)
        made = self._made(event for event in events.values() if isinstance(event, DdlEvent))
        items: list[Item] = []
        for change in transaction.changes:
            event = events.get(change.lsn)
            if event is not None:
                items.extend(self._ddl(event, made))
            elif isinstance(change, RowChange):
                items.extend(self._row(change))
            elif isinstance(change, Unshown):
                items.extend(self._unshown(change))
            elif isinstance(change, Unreadable):
                items.append(change)
        return Unit(transaction.xid, transaction.commit_lsn, transaction.end_lsn, transaction.commit_time, tuple(items))

    def _made(self, events: Iterable[DdlEvent]) -> str | None:
        """The tool whose history table these statements make, if it is one tool's."""
        tools = {
            source.name
            for event in events
            for table, _ in created_tables(event)
            if (source := self._registry.at(table)) is not None
        }
        return next(iter(tools)) if len(tools) == 1 else None

    def _ddl(self, event: DdlEvent | Unreadable, maker: str | None) -> Iterator[Item]:
        if isinstance(event, Unreadable):
            yield event
            return
        keeper = self._registry.keeper(event)
        if keeper is None and event.tag == "CREATE SCHEMA":
            # A tool that makes its schemas does so in the transaction that makes its history table.
            keeper = maker
        yield Ddl(event, keeper)
        for item in event.objects:
            table = table_of(item) if item.op is ObjectOp.DROP else None
            if table is not None:
                yield from self._dropped(event.lsn, table)

    def _dropped(self, lsn: LSN, table: TableName) -> Iterator[Item]:
        source = self._registry.at(table)
        if source is not None:
            gone = self._ledger(source.name).cleared(lsn, "drop")
            if gone:
                yield Recorded(gone)
        elif self._registry.bracket_rules(table) is not None:
            yield BracketMove(table, lsn, opens=False)

    def _row(self, change: RowChange) -> Iterator[Item]:
        source = self._registry.at(change.table)
        rules = self._registry.bracket_rules(change.table)
        if source is not None and change.lsn in self._written:
            yield Written(source.name, change.lsn)
        elif source is not None:
            changes = self._ledger(source.name).read(change)
            if changes:
                yield Recorded(changes)
        elif rules is not None:
            new = as_text(change.new)
            if change.op in {RowOp.INSERT, RowOp.UPDATE} and matches(rules.open, new):
                yield BracketMove(change.table, change.lsn, opens=True)
            elif change.op is not RowOp.INSERT:
                yield BracketMove(change.table, change.lsn, opens=False)

    def _unshown(self, change: Unshown) -> Iterator[Item]:
        for source in self._registry.sources.values():
            if change.is_of(source.table):
                written = change.lsn in self._written
                yield Written(source.name, change.lsn) if written else Unseen(source.name, change.lsn)

    def _ledger(self, source: str) -> Ledger:
        if source not in self._ledgers:
            self._ledgers[source] = Ledger(source, self._registry.sources[source].preset)
        return self._ledgers[source]


def _event(change: RowChange) -> DdlEvent | Unreadable:
    try:
        return parse_event(change)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as exc:
        raw = json.dumps(dict(change.new), default=str, ensure_ascii=False)
        return Unreadable(change.lsn, raw, f"not a row of the outbox: {type(exc).__name__}: {exc}")

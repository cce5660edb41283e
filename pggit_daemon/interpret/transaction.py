"""A decoded transaction into what it says: DDL, rows of history tables, lock rows.

In: a `Transaction`. Out: a `Changeset` in WAL order, or `NewTables` where the transaction makes a history table
that is not streamed yet: then the stream must start over before it, with the table added, and nothing of
it may have been handled. Pure; called by `pipeline.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pggit_daemon.interpret.api_calls import ApiCalls, is_request, request_of, writers
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.interpret.loaded import tell_loaded
from pggit_daemon.interpret.requests import Request
from pggit_daemon.interpret.sql_api import Api
from pggit_daemon.model.changeset import (
    AlreadyStored,
    BracketMove,
    Changeset,
    Ddl,
    HistoryRowEvent,
    Item,
    UndecodableRow,
)
from pggit_daemon.model.ddl_event import OUTBOX, DdlEvent, parse_event
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectOp
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import (
    Change,
    RowChange,
    RowOp,
    TableName,
    Transaction,
    UndecodableChange,
    Unreadable,
)
from pggit_daemon.tools.identity import table_of
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.seen import created_tables
from pggit_daemon.tools.source import Source


@dataclass(frozen=True, slots=True)
class NewTables:
    """History or lock tables that must be streamed from this transaction on."""

    tables: tuple[TableName, ...]


class Reader:
    """Reads transactions in commit order.

    `written`: rows that an earlier version stored ahead of their transaction. `brackets`: the lock tables whose row is
    held. `insert_only`: tables whose updates and deletions are not in the stream, and nothing in their place.
    """

    def __init__(
        self,
        registry: Registry,
        ledgers: dict[str, Ledger],
        *,
        written: frozenset[LSN] = frozenset(),
        brackets: frozenset[TableName] = frozenset(),
        api: Api | None = None,
        insert_only: frozenset[TableName] = frozenset(),
    ) -> None:
        self._registry = registry
        self._ledgers = ledgers
        self._written = written
        self._brackets = set(brackets)
        self._api = api or Api()
        self._insert_only = insert_only
        self._reading, self._alone = LSN(0), True
        self._calls = ApiCalls(registry, self._api, self._brackets)

    def read(self, transaction: Transaction) -> Changeset | NewTables:
        rows = [change for change in transaction.changes if isinstance(change, RowChange)]
        events = {row.lsn: _event(row) for row in rows if row.op is RowOp.INSERT and row.table == OUTBOX}
        # A tool makes its table in several statements: it is judged as the transaction leaves it.
        left = {
            seen.table: seen
            for event in events.values()
            if isinstance(event, DdlEvent)
            for seen in created_tables(event)
        }
        in_order = sorted(left.values(), key=lambda seen: seen.lsn or LSN(0))
        new = tuple(seen.table for seen in in_order if self._registry.look(seen))
        if new:
            return NewTables(new)
        statements = [event for event in events.values() if isinstance(event, DdlEvent)]
        made = self._made(left)
        requests = [request_of(row) for row in rows if is_request(row)]
        self._writers = writers(requests)
        writes = bool(requests) and any(self._registry.at(row.table) is not None for row in rows)
        self._reading, self._alone = transaction.commit_lsn, not statements
        deployment = self._calls.deployment(statements, requests)
        items = tell_loaded(self._items(transaction, events, writes=writes, made=made), self._registry.sources, made)
        for item in items:
            if isinstance(item, Ddl) and item.part_of is not None:
                self._api.ran_part(item.part_of.principal.row_key, transaction.commit_lsn)
        numbers = (request.request_id for request in requests if isinstance(request, Request))
        return Changeset(
            transaction.xid,
            transaction.commit_lsn,
            transaction.end_lsn,
            transaction.commit_time,
            self._whole_drops(items),
            deployment=deployment,
            requests=tuple(number for number in numbers if number is not None),
        )

    def _items(
        self,
        transaction: Transaction,
        events: Mapping[LSN, DdlEvent | Unreadable],
        *,
        writes: bool,
        made: str | None,
    ) -> list[Item]:
        """What its changes say, in the order of the log."""
        items: list[Item] = []
        run: list[RowChange] = []  # of one history table, with no DDL between them
        for change in transaction.changes:
            event = events.get(change.lsn)
            source = self._registry.at(change.table) if event is None and isinstance(change, RowChange) else None
            if run and not _goes_on(run, change, source):
                items.extend(self._rows(run))
                run = []
            if event is not None:
                items.extend(self._ddl(event, made))
            elif isinstance(change, RowChange) and source is not None:
                run.append(change)
            elif is_request(change):
                items = self._calls.add(items, request_of(change), writes=writes)
            elif isinstance(change, RowChange):
                items.extend(self._lock_row(change))
            elif isinstance(change, UndecodableChange):
                items.extend(self._undecodable(change))
            elif isinstance(change, Unreadable):
                items.append(change)
        items.extend(self._rows(run))
        return items

    def message(self, request: Request) -> Changeset:
        """A failure that outlived its transaction: a changeset of its own, at the message's place."""
        items = self._calls.add([], request, writes=False)
        return Changeset(0, request.lsn, request.lsn, request.time, tuple(items))

    def _whole_drops(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """Items in which the rest of a transaction that drops a tool's own tables is the tool's: it cleans up."""
        owner = next((name for item in items if (name := self._cleans_up(item)) is not None), None)
        if owner is None:
            return tuple(items)
        return tuple(
            replace(item, housekeeping=owner)
            if isinstance(item, Ddl) and item.housekeeping is None and item.part_of is None
            else item
            for item in items
        )

    def _cleans_up(self, item: Item) -> str | None:
        """The source whose own tables a session of its tool drops here."""
        if not isinstance(item, Ddl) or item.housekeeping not in self._registry.sources:
            return None
        source = self._registry.sources[item.housekeeping]
        drops = any(change.op is ObjectOp.DROP for change in item.event.objects)
        may_be = source.holds_lock and not source.preset.session.rule_out(item.event.session)
        return source.name if drops and may_be else None

    def _made(self, tables: Iterable[TableName]) -> str | None:
        """The tool whose history table is among these that were made, if it is one tool's."""
        tools = {source.name for table in tables if (source := self._registry.at(table)) is not None}
        return next(iter(tools)) if len(tools) == 1 else None

    def _ddl(self, event: DdlEvent | Unreadable, maker: str | None) -> Iterator[Item]:
        if isinstance(event, Unreadable):
            yield event
            return
        owner = self._registry.housekeeping_owner(event)
        if owner is None and event.tag == "CREATE SCHEMA":
            # A tool that makes its schemas does so in the transaction that makes its history table.
            owner = maker
        begun = self._api.innermost(event.session.key, event.lsn) if owner is None else None
        yield Ddl(event, owner, begun)
        for item in event.objects:
            table = table_of(item) if item.op is ObjectOp.DROP else None
            if table is not None:
                yield from self._dropped(event.lsn, table)

    def _dropped(self, lsn: LSN, table: TableName) -> Iterator[Item]:
        self._registry.dropped(table)
        source = self._registry.at(table)
        if source is not None and source.table == table:
            gone = self._ledger(source.name).cleared(lsn, "drop")
            if gone:
                yield HistoryRowEvent(gone)
        elif self._registry.locks.rules(table) is not None:
            yield BracketMove(table, lsn, opens=False)

    def _rows(self, run: Sequence[RowChange]) -> Iterator[Item]:
        """Changes of one history table that no DDL stands between: what they mean may follow from them together."""
        source = self._registry.at(run[0].table) if run else None
        if source is None:
            return
        for change in run:
            if change.lsn in self._written:
                yield AlreadyStored(source.name, change.lsn)
        fresh = [change for change in run if change.lsn not in self._written]
        writer = self._writer(source)
        for changes in self._ledger(source.name).read_run(fresh):
            yield HistoryRowEvent(changes, session=writer, since=changes[-1].since)

    def _writer(self, source: Source) -> SessionKey | None:
        """Who wrote the rows of the transaction, where the table's trigger says so.

        It names the partitioned table where a row was written to a partition.
        """
        return next((session for table, session in self._writers.items() if source.holds(table)), None)

    def _lock_row(self, change: RowChange) -> Iterator[Item]:
        opens = self._registry.locks.move(change)
        if opens is not None:
            if not opens:
                yield from self._insert_only_at_end(change)
            (self._brackets.add if opens else self._brackets.discard)(change.table)
            yield BracketMove(change.table, change.lsn, opens=opens)

    def _insert_only_at_end(self, change: RowChange) -> Iterator[Item]:
        """At the end of a bracket: rows of its history table may have changed without being streamed."""
        for source in self._registry.histories:
            if source.bracket_table == change.table and source.table in self._insert_only:
                yield UndecodableRow(source.name, change.lsn)

    def _undecodable(self, change: UndecodableChange) -> Iterator[Item]:
        for source in self._registry.sources.values():
            if any(change.is_of(table) for table in (source.table, *source.parts, *source.former)):
                if change.lsn in self._written:
                    yield AlreadyStored(source.name, change.lsn)
                else:
                    yield UndecodableRow(source.name, change.lsn, self._writer(source))

    def _ledger(self, source: str) -> Ledger:
        if source not in self._ledgers:
            self._ledgers[source] = Ledger(source, self._registry.sources[source].preset)
        self._ledgers[source].enter(self._reading, alone=self._alone, beside=self._ledgers.values())
        return self._ledgers[source]


def _goes_on(run: Sequence[RowChange], change: Change, source: Source | None) -> bool:
    """Whether a change may follow on these: it is of their table, or only names the session that wrote them."""
    if isinstance(change, RowChange) and source is not None:
        return source.holds(run[0].table)
    return is_request(change) and change.new.get("action") == "session"


def _event(change: RowChange) -> DdlEvent | Unreadable:
    try:
        return parse_event(change)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as exc:
        raw = json.dumps(dict(change.new), default=str, ensure_ascii=False)
        return Unreadable(change.lsn, raw, f"not a row of the outbox: {type(exc).__name__}: {exc}", change.table)

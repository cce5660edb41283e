"""A decoded transaction into what it says: DDL, rows of history tables, lock rows.

In: a `Transaction`. Out: a `Unit` in WAL order, or `NewTables` where the transaction makes a history table
that is not streamed yet: then the stream must start over before it, with the table added, and nothing of
it may have been handled. Pure; called by `pipeline.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from pggit_daemon.correlate.claims import ruled_out
from pggit_daemon.correlate.unit import BracketMove, Ddl, Item, Recorded, Unit, Unseen, Written
from pggit_daemon.ddl import OUTBOX, DdlEvent, ObjectOp, parse_event
from pggit_daemon.lsn import LSN
from pggit_daemon.records import Change, RowChange, RowOp, TableName, Transaction, Unreadable, Unshown
from pggit_daemon.sources.api import Api
from pggit_daemon.sources.ledger import Ledger
from pggit_daemon.sources.preset import matches
from pggit_daemon.sources.registry import Registry, created_tables, table_of
from pggit_daemon.sources.requests import REQUESTS, Request, parse_request
from pggit_daemon.sources.text import as_text


@dataclass(frozen=True, slots=True)
class NewTables:
    """History or lock tables that must be streamed from this transaction on."""

    tables: tuple[TableName, ...]


class Reader:
    """Reads transactions in commit order. `written`: rows that were stored ahead of their transaction."""

    def __init__(
        self,
        registry: Registry,
        ledgers: dict[str, Ledger],
        *,
        written: frozenset[LSN] = frozenset(),
        brackets: frozenset[TableName] = frozenset(),
        api: Api | None = None,
    ) -> None:
        self._registry = registry
        self._ledgers = ledgers
        self._written = written
        self._brackets = set(brackets)
        self._api = api or Api({})

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
        statements = [event for event in events.values() if isinstance(event, DdlEvent)]
        made = self._made(statements)
        requests = [_request(change) for change in transaction.changes if _is_request(change)]
        self._writers = {
            TableName(str(told.arguments.get("schema")), str(told.arguments.get("table"))): told.session
            for told in requests
            if isinstance(told, Request) and told.action == "session"
        }
        wrapped = self._is_tools(statements)
        deployment = self._deployment(statements, requests)
        items: list[Item] = []
        for change in transaction.changes:
            event = events.get(change.lsn)
            if event is not None:
                items.extend(self._ddl(event, made, wrapped=wrapped))
            elif _is_request(change):
                items = self._told(items, _request(change), wrapped=wrapped)
            elif isinstance(change, RowChange):
                items.extend(self._row(change))
            elif isinstance(change, Unshown):
                items.extend(self._unshown(change))
            elif isinstance(change, Unreadable):
                items.append(change)
        for item in items:
            if isinstance(item, Ddl) and item.part_of is not None:
                self._api.ran_part(item.part_of.principal.row_key, transaction.commit_lsn)
        numbers = (told.request_id for told in requests if isinstance(told, Request))
        return Unit(
            transaction.xid,
            transaction.commit_lsn,
            transaction.end_lsn,
            transaction.commit_time,
            tuple(items),
            deployment=deployment,
            requests=tuple(number for number in numbers if number is not None),
        )

    def message(self, request: Request) -> Unit:
        """A failure that outlived its transaction: a unit of its own, at the message's place."""
        items = self._told([], request, wrapped=False)
        return Unit(0, request.lsn, request.lsn, request.time, tuple(items))

    def _told(self, items: list[Item], request: Request | Unreadable, *, wrapped: bool) -> list[Item]:
        """Add what a request means; the end of a migration takes what its transaction ran since the beginning."""
        if isinstance(request, Unreadable):
            return [*items, request]
        try:
            recorded = tuple(self._api.read(request, wrapped=wrapped))
        except (KeyError, TypeError, ValueError) as exc:
            return [*items, Unreadable(request.lsn, repr(request), f"not a request: {type(exc).__name__}: {exc}")]
        if request.action == "end":
            items = [
                replace(item, part_of=None)
                if isinstance(item, Ddl) and item.part_of is not None and _same(item.part_of, request)
                else item
                for item in items
            ]
        return [*items, *recorded]

    def _is_tools(self, statements: Sequence[DdlEvent]) -> bool:
        """Whether a tool's own migration runs these, so that what they tell through the SQL API is part of it."""
        for event in statements:
            for source in self._registry.sources.values():
                if any(
                    (lock.classid, lock.objid) == source.advisory_key and lock.profile == event.session.profile
                    for lock in event.locks
                ):
                    return True
                if source.bracket_table in self._brackets and not ruled_out(event.session, source.preset.session):
                    return True
        return False

    def _deployment(self, statements: Sequence[DdlEvent], requests: Sequence[Request | Unreadable]) -> str | None:
        """The deployment that the transaction's session has open, before it or within it."""
        begun = [told for told in requests if isinstance(told, Request) and told.action == "deploy"]
        if begun:
            return str(begun[0].arguments.get("deployment"))
        return self._api.deployment(statements[0].session.key) if statements else None

    def _made(self, events: Iterable[DdlEvent]) -> str | None:
        """The tool whose history table these statements make, if it is one tool's."""
        tools = {
            source.name
            for event in events
            for table, _ in created_tables(event)
            if (source := self._registry.at(table)) is not None
        }
        return next(iter(tools)) if len(tools) == 1 else None

    def _ddl(self, event: DdlEvent | Unreadable, maker: str | None, *, wrapped: bool) -> Iterator[Item]:
        if isinstance(event, Unreadable):
            yield event
            return
        keeper = self._registry.keeper(event)
        if keeper is None and event.tag == "CREATE SCHEMA":
            # A tool that makes its schemas does so in the transaction that makes its history table.
            keeper = maker
        begun = None if wrapped or keeper is not None else self._api.innermost(event.session.key)
        yield Ddl(event, keeper, begun.recorded if begun is not None else None)
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
                yield Recorded(changes, session=self._writers.get(change.table))
        elif rules is not None:
            new = as_text(change.new)
            if change.op in {RowOp.INSERT, RowOp.UPDATE} and matches(rules.open, new):
                self._brackets.add(change.table)
                yield BracketMove(change.table, change.lsn, opens=True)
            elif change.op is not RowOp.INSERT:
                self._brackets.discard(change.table)
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


def _is_request(change: Change) -> TypeGuard[RowChange]:
    return isinstance(change, RowChange) and change.table == REQUESTS and change.op is RowOp.INSERT


def _request(change: RowChange) -> Request | Unreadable:
    try:
        return parse_request(change)
    except (KeyError, TypeError, ValueError) as exc:
        raw = json.dumps(dict(change.new), default=str, ensure_ascii=False)
        return Unreadable(change.lsn, raw, f"not a row of the outbox: {type(exc).__name__}: {exc}")


def _same(begun: Recorded, request: Request) -> bool:
    return begun.principal.row_key == str(request.arguments.get("deployment"))


def _event(change: RowChange) -> DdlEvent | Unreadable:
    try:
        return parse_event(change)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as exc:
        raw = json.dumps(dict(change.new), default=str, ensure_ascii=False)
        return Unreadable(change.lsn, raw, f"not a row of the outbox: {type(exc).__name__}: {exc}")

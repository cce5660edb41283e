"""What the SQL API's calls mean among the other changes of a transaction.

In: rows of the outbox `request`. Out: the items of a changeset they stand for, the deployment that is open, and who
wrote which history table. Pure; called by `transaction.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeGuard

from pggit_daemon.interpret.requests import REQUESTS, Request, parse_request
from pggit_daemon.interpret.sql_api import Api, deployment_of
from pggit_daemon.model.changeset import Ddl, Deployment, HistoryRowEvent, Item
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import Change, RowChange, RowOp, TableName, Unreadable
from pggit_daemon.tools.registry import Registry


class ApiCalls:
    """`brackets`: the lock tables whose row is held, as the reader knows them."""

    def __init__(self, registry: Registry, api: Api, brackets: AbstractSet[TableName]) -> None:
        self._registry = registry
        self._api = api
        self._brackets = brackets

    def add(self, items: list[Item], request: Request | Unreadable, *, writes: bool) -> list[Item]:
        """Add what a request means; the end of a migration takes what its transaction ran since the beginning."""
        if isinstance(request, Unreadable):
            return [*items, request]
        try:
            wrapped = request.action == "begin" and (writes or self._is_tools(request))
            ran = any(isinstance(item, Ddl) and item.part_of and _same(item.part_of, request) for item in items)
            recorded = tuple(self._api.read(request, wrapped=wrapped, ran=ran))
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

    def _is_tools(self, request: Request) -> bool:
        """Whether a tool's own migration calls the SQL API, so that it is no migration of its own.

        Its session holds, or looks like a sibling of the one that holds, the lock of a history table; or is what
        the tool's sessions usually are, while its bracket is open.
        """
        session = request.introduced
        if session is None:
            return False
        for source in self._registry.histories:
            hints = source.preset.session
            if any(
                (lock.classid, lock.objid) in source.advisory_keys and lock.profile == session.profile
                for lock in request.locks
            ):
                return True
            usual = hints.usual_application_name in {None, session.profile.application_name}
            if source.bracket_table in self._brackets and usual and not hints.rule_out(session):
                return True
        return False

    def deployment(self, statements: Sequence[DdlEvent], requests: Sequence[Request | Unreadable]) -> Deployment | None:
        """The deployment that the transaction's session has open, before it or within it."""
        known = [request for request in requests if isinstance(request, Request)]
        sessions = [*(event.session.key for event in statements[:1]), *(request.session for request in known)]
        was_open = self._api.deployment(sessions[0]) if sessions else None
        begun = (request for request in known if request.action == "deploy" and "deployment" in request.arguments)
        return was_open or next(map(deployment_of, begun), None)


def writers(requests: Iterable[Request | Unreadable]) -> dict[TableName, SessionKey]:
    """Which session wrote to which history table, where the table's own trigger says so."""
    return {
        TableName(str(request.arguments.get("schema")), str(request.arguments.get("table"))): request.session
        for request in requests
        if isinstance(request, Request) and request.action == "session"
    }


def is_request(change: Change) -> TypeGuard[RowChange]:
    return isinstance(change, RowChange) and change.op is RowOp.INSERT and change.table == REQUESTS


def request_of(change: RowChange) -> Request | Unreadable:
    try:
        return parse_request(change)
    except (KeyError, TypeError, ValueError) as exc:
        raw = json.dumps(dict(change.new), default=str, ensure_ascii=False)
        return Unreadable(change.lsn, raw, f"not a row of the outbox: {type(exc).__name__}: {exc}", change.table)


def _same(begun: HistoryRowEvent, request: Request) -> bool:
    return begun.principal.row_key == str(request.arguments.get("deployment"))

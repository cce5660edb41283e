"""Where the daemon left off.

In: a connection. Out: the progress, the recorded schema, the sources and their ledgers, all as of the last
stored transaction. Called when the worker starts on a database, and again after every broken connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from pggit_daemon.db import catalog
from pggit_daemon.db.refusals import translated
from pggit_daemon.interpret.departed import Gone
from pggit_daemon.interpret.history_table import Ledger, LedgerRow
from pggit_daemon.interpret.sql_api import SQL_API, Api
from pggit_daemon.model.decision import Fact
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectId, ObjectKey
from pggit_daemon.model.open_run import OpenRun, RunState
from pggit_daemon.model.progress import Progress
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName
from pggit_daemon.sql import load_queries
from pggit_daemon.tools.discovery import Discovery
from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source
from pggit_daemon.versioning.record import Record
from pggit_daemon.versioning.tree import Leaf

_QUERIES = load_queries("load")


@dataclass(slots=True)
class State:
    """All that the pipeline moves, and the transactions that it must skip (`poison`).

    `facts` are what attribution remembers; `written` are rows that an earlier version stored before their transaction.
    """

    progress: Progress
    record: Record
    ledgers: dict[str, Ledger]
    api: Api
    secret: str
    poison: frozenset[LSN] = frozenset()
    facts: tuple[Fact, ...] = ()
    written: frozenset[LSN] = frozenset()


async def load_progress(conn: psycopg.AsyncConnection[Any]) -> Progress | None:
    """How far the results go; None before the first baseline."""
    found = await _fetch(conn, "progress")
    if not found:
        return None
    _, commit, end, head, remembered, bound, chain = found[0]
    return Progress(
        LSN.parse(commit), LSN.parse(end), head, remembered, LSN.parse(bound) if bound else None, chain=chain or head
    )


async def load_state(conn: psycopg.AsyncConnection[Any], progress: Progress, registry: Registry) -> State:
    """Everything as of the progress."""
    state = await load_open(conn, progress)
    await fill_schema(conn, state)
    await fill_ledgers(conn, state, registry)
    return state


async def fill_schema(conn: psycopg.AsyncConnection[Any], state: State) -> None:
    """The tree of the newest commit, as stored, and what the WAL says otherwise."""
    leaves = {
        ObjectKey(kind, schema, identity): Leaf(ObjectId(classid, objid), bytes(blob))
        for kind, schema, identity, classid, objid, blob in await _fetch(conn, "leaves")
    }
    logged = {
        ObjectKey(kind, schema, identity): None if blob is None else Leaf(ObjectId(classid, objid), bytes(blob))
        for kind, schema, identity, classid, objid, blob in await _fetch(conn, "logged")
    }
    state.record.replace(Record.load(leaves, logged))


async def fill_ledgers(conn: psycopg.AsyncConnection[Any], state: State, registry: Registry) -> None:
    """The history tables as they were last seen."""
    rows: dict[str, dict[str, LedgerRow]] = {}
    for source, key, columns, migration_id in await _fetch(conn, "rows"):
        rows.setdefault(source, {})[key] = LedgerRow(columns, migration_id)
    state.ledgers.clear()
    state.ledgers.update(await _ledgers(conn, registry, rows))


async def load_open(conn: psycopg.AsyncConnection[Any], progress: Progress) -> State:
    """What is open as of the progress: without the schema and the ledgers, which are large."""
    api = Api(_run(row) for row in await _fetch(conn, "runs"))
    [(secret,)] = await _fetch(conn, "secret")
    poison = frozenset([LSN.parse(lsn) for (lsn,) in await _fetch(conn, "poison")])
    facts = tuple(Fact(kind, key, state) for kind, key, state in await _fetch(conn, "facts"))
    written = frozenset(map(LSN.parse, json.loads(progress.remembered).get("written", ())))
    return State(progress, Record(), {}, api, secret, poison, facts, written)


def _run(row: tuple[Any, ...]) -> OpenRun:
    (
        key,
        state,
        pid,
        backend_start,
        user,
        started_at,
        migration_id,
        tool,
        name,
        xact,
        wrapped,
        waits,
        failed_at,
        last_part,
    ) = row
    return OpenRun(
        key,
        RunState(state),
        SessionKey.of(pid, backend_start),
        user,
        started_at,
        migration_id,
        tool,
        name,
        xact,
        wrapped=wrapped,
        waits=waits,
        failed_at=LSN.parse(failed_at) if failed_at is not None else None,
        last_part=LSN.parse(last_part) if last_part is not None else None,
    )


async def load_registry(
    conn: psycopg.AsyncConnection[Any],
    presets: Mapping[str, Preset],
    configured: Iterable[Source],
    grace: timedelta,
    discovery: Discovery | None = None,
) -> Registry:
    """The sources that are configured, were known before, or stand in the catalog now."""
    sources = {source.name: source for source in configured}
    taken = {source.table for source in sources.values()}
    known = []
    for name, preset, schema, table, lock, origin, oid in await _fetch(conn, "sources"):
        where = TableName(schema, table)
        if origin == "discovered" and preset in presets and name not in sources and where not in taken:
            bracket = TableName(schema, lock) if lock is not None else None
            sources[name] = Source(name, presets[preset], where, bracket, grace=grace, preset_name=preset)
            known.append((where, oid))
    database = conn.info.dbname
    registry = Registry(presets, [SQL_API, *sources.values()], grace=grace, database=database, discovery=discovery)
    for where, oid in known:
        registry.remember(where, oid)
    for seen in await catalog.history_tables(conn, registry):
        registry.look(seen)
    return registry


async def _ledgers(
    conn: psycopg.AsyncConnection[Any], registry: Registry, rows: Mapping[str, Mapping[str, LedgerRow]]
) -> dict[str, Ledger]:
    ids: dict[str, list[tuple[int, str | None]]] = {}
    statuses: dict[str, dict[int, str]] = {}
    begun: dict[str, dict[int, LSN]] = {}
    gone: dict[str, dict[str, Gone]] = {}
    for source, key, columns, migration_id in await _fetch(conn, "gone"):
        gone.setdefault(source, {})[key] = Gone(columns, migration_id)
    for source, migration_id, version, status, lsn in await _fetch(conn, "ids"):
        ids.setdefault(source, []).append((migration_id, version))
        statuses.setdefault(source, {})[migration_id] = status
        if status == "started" and lsn is not None:
            begun.setdefault(source, {})[migration_id] = LSN.parse(lsn)
    return {
        source.name: Ledger.load(
            source.name,
            source.preset,
            rows.get(source.name, {}),
            ids.get(source.name, ()),
            statuses=statuses.get(source.name),
            begun=begun.get(source.name),
            gone=gone.get(source.name),
        )
        for source in registry.histories
    }


async def _fetch(conn: psycopg.AsyncConnection[Any], name: str) -> list[tuple[Any, ...]]:
    try:
        cursor = await conn.execute(_QUERIES[name])
        return await cursor.fetchall()
    except psycopg.Error as exc:
        raise translated(exc) from exc

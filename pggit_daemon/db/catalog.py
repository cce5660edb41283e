"""What is read from the database while following it: history tables, objects, sessions.

In: a connection. Out: values. Called by the baseline, the pipeline, the comparisons and the loader. The SQL is in
sql/queries/load.sql; the rows of history tables are read by `history_rows.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from pggit_daemon.db.refusals import translated
from pggit_daemon.model.differences import Difference, read
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.model.session import SessionKey, Watched
from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import Row, TableName
from pggit_daemon.sql import load_queries
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.seen import Seen

_QUERIES = load_queries("load")


@dataclass(frozen=True, slots=True)
class ChangeCounters:
    """What changes when something may have changed: write counters, names of roles and tablespaces, who describes.

    Every transaction before `horizon` has ended. `asked`: somebody wants everything compared. `writes` is None for
    those of an earlier process.
    """

    writes: int | None
    names: int
    writer: str
    horizon: int
    asked: bool
    at: datetime

    def horizon_is_beyond(self, now: ChangeCounters) -> bool:
        """Whether the ages of rows cannot be compared with it: it is another server's, or too old."""
        return not now.horizon - (1 << 30) < self.horizon <= now.horizon


@dataclass(frozen=True, slots=True)
class Probe:
    """Which of the watched are gone, and which not, as seen at `time`, before the WAL came to `position`.

    It says something of the transactions that had come `up_to` there when we looked, and nothing of later ones.
    `oldest` is when the oldest of all other sessions began, None where there is none; it counts only if `sees_all`.
    """

    gone: frozenset[Watched]
    alive: frozenset[Watched]
    up_to: LSN
    position: LSN
    time: datetime
    oldest: datetime | None = None
    sees_all: bool = False


async def history_tables(conn: psycopg.AsyncConnection[Any], registry: Registry) -> list[Seen]:
    """Tables that may be history or lock tables, or tell tools apart; those of the sources whatever they look like."""
    wanted = registry.wanted
    found = await _fetch(
        conn,
        _QUERIES["tables"],
        {
            "sets": [json.dumps(sorted(names)) for names in wanted.columns],
            "companions": sorted(wanted.companions),
            "named": sorted(str(table) for table in wanted.tables),
        },
    )
    return [
        Seen(TableName(schema, table), Shape.parse(json.loads(shape)), oid)
        for schema, table, oid, shape in found
        if shape is not None
    ]


MANY = 1000
"""Statements in the outbox: a daemon that is so far behind reads nothing again."""


async def position(conn: psycopg.AsyncConnection[Any]) -> LSN:
    """Where the WAL ends now."""
    found = await _fetch(conn, _QUERIES["position"])
    return between_pages(LSN.parse(found[0][0]))


def between_pages(lsn: LSN) -> LSN:
    """The end of the last record: an insert position right behind a page's header is the page's start."""
    short, long, page, segment = 24, 40, 8192, 1 << 20
    if lsn.value % page == short or lsn.value % segment == long:
        return LSN(lsn.value - lsn.value % page)
    return lsn


async def objects_there(conn: psycopg.AsyncConnection[Any]) -> list[ObjectId]:
    """Every address that may be an object of ours, under the connection's snapshot."""
    return [ObjectId(classid, objid) for classid, objid in await _fetch(conn, _QUERIES["objects_there"])]


async def read_objects(
    conn: psycopg.AsyncConnection[Any], oids: Iterable[ObjectId]
) -> tuple[list[ObjectEvent], dict[ObjectId, str]]:
    """Objects as they are under the connection's snapshot, and why others could not be read; waits for nobody."""
    wanted = list(oids)
    values = {"classids": [oid.classid for oid in wanted], "objids": [oid.objid for oid in wanted]}
    found = await _fetch(conn, _QUERIES["read_objects"], values)
    unreadable = {ObjectId(row[0], row[1]): row[-1] for row in found if row[-1] is not None}
    return [_object(row[:-1]) for row in found if row[-1] is None], unreadable


async def change_counters(conn: psycopg.AsyncConnection[Any]) -> ChangeCounters:
    """The counters that say whether a comparison is due, as they are now."""
    return ChangeCounters(*(await _fetch(conn, _QUERIES["change_counters"]))[0])


async def verified(conn: psycopg.AsyncConnection[Any]) -> ChangeCounters | None:
    """The counters of the last comparison of everything; None before the first."""
    found = await _fetch(conn, _QUERIES["verified"])
    if not found:
        return None
    names, writer, horizon, began_at = found[0]
    return ChangeCounters(None, names, writer, horizon, asked=False, at=began_at)


async def addresses(conn: psycopg.AsyncConnection[Any], *, since: int | None = None) -> list[ObjectId]:
    """What a comparison must look at: everything, or what was written `since` a transaction."""
    query, values = ("addresses", None) if since is None else ("written_since", {"horizon": str(since)})
    return [ObjectId(classid, objid) for classid, objid in await _fetch(conn, _QUERIES[query], values)]


async def differing(conn: psycopg.AsyncConnection[Any], oids: Iterable[ObjectId]) -> list[Difference]:
    """Those of these objects that are not as recorded, or could not be compared."""
    wanted = list(oids)
    values = {"classids": [oid.classid for oid in wanted], "objids": [oid.objid for oid in wanted]}
    return [read(row) for row in await _fetch(conn, _QUERIES["differing"], values)]


async def invisible(conn: psycopg.AsyncConnection[Any], xids: Iterable[int]) -> set[int]:
    """Which of these transactions a query does not see yet, though the WAL has their commit.

    A commit is decoded a moment before other sessions see it, and long before where it waits for a standby.
    """
    wanted = sorted(xids)
    return {xid for (xid,) in await _fetch(conn, _QUERIES["invisible"], {"xids": wanted})} if wanted else set()


async def requests(conn: psycopg.AsyncConnection[Any]) -> tuple[Row, ...]:
    """The rows of the second outbox, as the stream would bring them."""
    names = ("id", "recorded_at", "action", "pid", "backend_start", "user_name", "arguments")
    return tuple(dict(zip(names, row, strict=True)) for row in await _fetch(conn, _QUERIES["requests"]))


async def outbox(conn: psycopg.AsyncConnection[Any]) -> tuple[int, ...]:
    """The rows of the outbox: what happened before the stream begins, and the snapshot shows already."""
    return tuple(number for (number,) in await _fetch(conn, _QUERIES["outbox"]))


async def read_again(
    conn: psycopg.AsyncConnection[Any], oids: Mapping[ObjectId, bool]
) -> tuple[list[ObjectEvent], frozenset[ObjectId]]:
    """Objects as they are now, and those that others have locked; with True, also what hangs on an object.

    Waits for nobody. What is in neither does not exist.
    """
    values = {
        "classids": [oid.classid for oid in oids],
        "objids": [oid.objid for oid in oids],
        "direct": list(oids.values()),
    }
    found = await _fetch(conn, _QUERIES["read_again"], values)
    unreadable = frozenset(ObjectId(row[0], row[1]) for row in found if row[-1] is not None)
    return [_object(row[:-1]) for row in found if row[-1] is None], unreadable


async def outbox_objects(
    conn: psycopg.AsyncConnection[Any], known: Iterable[int]
) -> tuple[dict[int, frozenset[ObjectId] | None], bool]:
    """The first rows of the outbox with the objects that each names, None for `known` ones; whether these are all."""
    rows = await _fetch(conn, _QUERIES["outbox_objects"], {"known": list(known), "most": MANY + 1})
    found = {
        number: frozenset(ObjectId(*pair) for pair in pairs) if pairs is not None else None
        for number, pairs in rows[:MANY]
    }
    return found, len(rows) <= MANY


async def probe(conn: psycopg.AsyncConnection[Any], watched: Iterable[Watched], up_to: LSN = ZERO) -> Probe:
    """Which of these ended, or hold no advisory lock any more, and how far the WAL was after that."""
    wanted = set(watched)
    found = await _fetch(conn, _QUERIES["alive"], {"pids": sorted({one.session.pid for one in wanted})})
    pids, starts, holds, oldest, sees_all, where = found[0]
    alive = {SessionKey.of(pid, start): holding for pid, start, holding in zip(pids, starts, holds, strict=True)}
    gone = frozenset(one for one in wanted if one.session not in alive or (one.by_lock and not alive[one.session]))
    position_ = between_pages(LSN.parse(where))
    return Probe(gone, frozenset(wanted - gone), up_to, position_, datetime.now(UTC), oldest, sees_all)


async def writers(
    conn: psycopg.AsyncConnection[Any], tables: Mapping[str, TableName]
) -> dict[str, frozenset[str] | None]:
    """By source, the roles that may write its history table by a right of their own; None where everybody may."""
    values = {
        "names": list(tables),
        "schemas": [table.schema for table in tables.values()],
        "tables": [table.table for table in tables.values()],
    }
    found = await _fetch(conn, _QUERIES["writers"], values)
    return {name: frozenset(roles) if roles is not None else None for name, roles in found}


@asynccontextmanager
async def frozen(conn: psycopg.AsyncConnection[Any], exported: str) -> AsyncIterator[None]:
    """See the database as an exported snapshot shows it."""
    try:
        async with conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await conn.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(exported)))
            yield
    except psycopg.Error as exc:
        raise translated(exc) from exc


async def _fetch(
    conn: psycopg.AsyncConnection[Any], query: str, values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    try:
        cursor = await conn.execute(query, values)
        return await cursor.fetchall()
    except psycopg.Error as exc:
        raise translated(exc) from exc


def _object(row: tuple[Any, ...]) -> ObjectEvent:
    classid, objid, kind, schema, identity, definition, later, depends = row
    return ObjectEvent(
        op=ObjectOp.SET,
        oid=ObjectId(classid, objid),
        direct=True,
        key=ObjectKey(kind, schema, identity),
        blob=Blob(definition, later, tuple(depends or ())),
    )

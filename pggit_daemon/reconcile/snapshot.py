"""The whole database under one exported snapshot, read in pieces that give their locks back.

In: a connection, and a snapshot that the session which made the slot holds open. Out: every object, the outboxes and
the rows of the history tables, all as of one moment. Called by `baseline.py`.

Functions like pg_get_viewdef lock the relations that they name, and a table that is read is locked too. One transaction
over everything would hold all these locks to its end: the server's lock table overflows, and every ALTER TABLE waits.
So each piece is a transaction of its own, and imports the snapshot again.

Such functions look at the catalog of now. What somebody changed after the snapshot reads as it is now, or not at all;
the stream brings that change next, and the first comparison follows. What others have locked is tried again for a
while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog

from pggit_daemon.db import catalog
from pggit_daemon.db.history_rows import TableReading, read_table
from pggit_daemon.model.objects import ObjectEvent, ObjectId
from pggit_daemon.model.transaction import Row, TableName

log = structlog.get_logger(__name__)

PIECE = 200
"""Objects in one transaction."""

TRIES = 10
PAUSE = 1.0
"""How often, so many seconds apart, what others have locked is tried again."""

_PASSING = ("55P03", "53200", "40P01")
"""SQLSTATEs of what is over in a moment: locked by others, no room in the lock table, a deadlock."""


@dataclass(slots=True)
class Found:
    """What was there. `unread`: objects that could not be read."""

    outbox: tuple[int, ...]
    requests: tuple[Row, ...]
    objects: list[ObjectEvent] = field(default_factory=list)
    unread: dict[ObjectId, str] = field(default_factory=dict)
    tables: dict[TableName, TableReading] = field(default_factory=dict)


async def read_snapshot(conn: psycopg.AsyncConnection[Any], exported: str, tables: Iterable[TableName]) -> Found:
    """Read everything under an exported snapshot."""
    async with catalog.frozen(conn, exported):
        todo = await catalog.objects_there(conn)
        found = Found(await catalog.outbox(conn), await catalog.requests(conn))
    for table in tables:
        async with catalog.frozen(conn, exported):
            found.tables[table] = await read_table(conn, table)
    for attempt in range(TRIES):
        await _read(conn, exported, todo, found)
        todo = [oid for oid, why in found.unread.items() if why.startswith(_PASSING)]
        if not todo:
            break
        log.info("objects_locked", objects=len(todo), attempt=attempt + 1)
        await asyncio.sleep(PAUSE)
    if found.unread:
        log.warning("objects_unread", objects=len(found.unread), reason=next(iter(found.unread.values())))
    return found


async def _read(conn: psycopg.AsyncConnection[Any], exported: str, todo: list[ObjectId], found: Found) -> None:
    for at in range(0, len(todo), PIECE):
        piece = todo[at : at + PIECE]
        async with catalog.frozen(conn, exported):
            objects, unread = await catalog.read_objects(conn, piece)
        for oid in piece:
            found.unread.pop(oid, None)
        found.objects += objects
        found.unread |= unread

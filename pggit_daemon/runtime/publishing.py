"""What must be published before pgoutput can stream it.

In: a connection, the registry. Out: the publications hold our outboxes and every history table that exists, and take in
later ones as they are made (sql/api/57_publish.sql). Called by `beginning.py` before it makes a slot, by `worker.py`
before each stream, and by `polling.py` beside it, while a table could not be had or something of ours is disabled.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import structlog

from pggit_daemon.db.refusals import translated
from pggit_daemon.model.transaction import TableName
from pggit_daemon.sql import load_queries
from pggit_daemon.tools.registry import Registry

log = structlog.get_logger(__name__)


class Publishing:
    """The publications of one database.

    `busy`: tables that others hold locked, so that they are not published yet. `insert_only`: tables whose updates and
    deletions do not come, for want of a replica identity.
    """

    def __init__(self, database: str) -> None:
        self._log = log.bind(database=database)
        self._registry: Registry | None = None
        self.busy: tuple[str, ...] = ()
        self.insert_only: frozenset[TableName] = frozenset()

    async def again(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Publish what could not be had, and look after what is published; nothing where nothing was ever published."""
        if self._registry is not None:
            await self.publish(conn, self._registry)

    async def publish(self, conn: psycopg.AsyncConnection[Any], registry: Registry) -> bool:
        """Publish what is not; True where a publication was missing: no slot can read what was written before that."""
        self._registry = registry
        tables = registry.tables
        wanted = {
            "schemas": [table.schema for table in tables],
            "tables": [table.table for table in tables],
            "shapes": json.dumps(registry.shapes),
        }
        try:
            async with conn.transaction(), conn.cursor() as cursor:
                await cursor.execute(load_queries("slot")["publish"].encode(), wanted)
                row = await cursor.fetchone()
        except psycopg.Error as exc:
            raise translated(exc) from exc
        assert row is not None  # noqa: S101  (a function that returns one row)
        made, busy, insert_only = row
        self.insert_only = frozenset(TableName(schema, table) for schema, table in insert_only)
        if tuple(busy) != self.busy:
            self.busy = tuple(busy)
            self._log.warning("tables_not_published", tables=busy, reason="locked by others") if busy else None
        return bool(made)

"""Quick readings of history tables that keep one number in one row, of which the stream shows no UPDATE.

In: a change that decoding could not show. Out: what the table held right after it, and who had left it so. Such a
reading proves something also when more has come meanwhile, so it waits for nothing. Used by `history_tables.py`.
"""

from __future__ import annotations

from typing import Any

import psycopg

from pggit_daemon.db.history_rows import glance
from pggit_daemon.model.held import Held
from pggit_daemon.model.lsn import LSN
from pggit_daemon.tools.registry import Registry


class Glances:
    """What is to be read, and what was read."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._wanted: set[str] = set()
        self._held: list[Held] = []

    def want(self, source: str) -> bool:
        """Read the source's table as soon as possible, if that can tell something; whether it can."""
        if self._registry.sources[source].moves_one_row:
            self._wanted.add(source)
        return source in self._wanted

    async def look(self, conn: psycopg.AsyncConnection[Any]) -> bool:
        """Read what is wanted; whether there was anything."""
        wanted, self._wanted = sorted(self._wanted), set()
        for name in wanted:
            found = await glance(conn, self._registry.sources[name].table)
            if found is not None:
                row, xid, at = found
                self._held.append(Held(name, xid, row, at))
        return bool(wanted)

    def passed(self, received: LSN) -> list[Held]:
        """What was read before this place of the stream, once."""
        found = [one for one in self._held if one.read_at <= received]
        self._held = [one for one in self._held if one.read_at > received]
        return found

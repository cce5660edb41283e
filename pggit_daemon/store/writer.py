"""Plans into tables, with the progress, in one transaction.

In: the steps of a settled prefix of the stream, and where it ends. Out: the `Durable` position, which is all that
may be acknowledged: there is no other way to get one. Called by `pipeline.py` and the baseline.

Statements go out as one pipeline, so that a commit costs one round trip and one flush of the WAL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from pggit_daemon.errors import StoreError
from pggit_daemon.model.lsn import LSN, Durable
from pggit_daemon.model.progress import Progress
from pggit_daemon.sql import load_queries
from pggit_daemon.store.statements import Statement, statements
from pggit_daemon.versioning.plan import Step

OUTBOXES = ("handled_events", "handled_requests")
"""The statements that take handled rows out of an outbox."""


class Store:
    """Writes through one connection, which nothing else uses meanwhile.

    `left` are handled rows that could not be taken out of an outbox yet: a commit is decoded a moment before other
    sessions see it. `clear` tries again.
    """

    def __init__(self, conn: psycopg.AsyncConnection[Any], slot: str) -> None:
        self._conn = conn
        self._slot = slot
        self._queries = load_queries("store")
        self.left: dict[str, set[int]] = {statement: set() for statement in OUTBOXES}

    async def apply(self, steps: Iterable[Step], progress: Progress, before: LSN) -> Durable:
        """Write the steps and the progress; `before` is the commit position that must be stored now.

        StoreError when any of it could not be written (then none of it was), or when the progress has moved
        under another daemon.
        """
        writes = [statement for step in steps for statement in statements(step)]
        await self.run([*writes, self._advance(progress, before)])
        return Durable(progress.end)

    async def run(self, writes: Iterable[Statement]) -> None:
        """Run statements in one transaction; each that must return a row (`advance`) must do so."""
        try:
            async with self._conn.transaction(), self._conn.pipeline():
                done = [
                    (name, values, await self._conn.execute(self._queries[name], values)) for name, values in writes
                ]
                for name, values, cursor in done:
                    if name == "advance" and await cursor.fetchone() is None:
                        raise StoreError("another daemon has stored progress meanwhile; nothing was written")
                    if name in OUTBOXES:
                        gone = {row[0] for row in await cursor.fetchall()}
                        self.left[name] = (self.left[name] | set(values["ids"])) - gone
        except psycopg.Error as exc:
            # The detail behind the first line repeats whole rows.
            said = exc.diag.message_primary or " ".join(str(exc).split())
            raise StoreError(f"results could not be stored: {exc.sqlstate or 'connection'}: {said}") from exc

    async def clear(self) -> None:
        """Take out of the outboxes what was handled and is still there."""
        writes = [(name, {"ids": sorted(ids)}) for name, ids in self.left.items() if ids]
        if writes:
            await self.run(writes)

    def _advance(self, progress: Progress, before: LSN) -> Statement:
        return (
            "advance",
            {
                "slot": self._slot,
                "commit_lsn": str(progress.commit),
                "end_lsn": str(progress.end),
                "head": progress.head,
                "context": progress.remembered,
                "before": str(before),
            },
        )

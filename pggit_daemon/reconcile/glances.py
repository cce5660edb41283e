"""Quick readings of history tables that keep one number in one row, of which the stream shows no UPDATE.

In: transactions as they come, with changes that decoding could not show; a connection on demand. Out: what the table
held right after them, and who had left it so. Called by `pipeline.py`. Such a reading proves something also when more
has come meanwhile, so it waits for nothing; but what follows within milliseconds may hide what it is to show, so it
begins before the transactions are read and stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator

from pggit_daemon.db.history_rows import glance
from pggit_daemon.db.on_demand import OnDemand, abandon
from pggit_daemon.model.held import Held
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Transaction, UndecodableChange
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source


class Glances:
    """What is to be read, and what was read."""

    def __init__(self, registry: Registry, link: OnDemand) -> None:
        self._registry = registry
        self._link = link
        self._wanted: dict[str, Source] = {}
        self._held: list[Held] = []
        self._looking: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Read nothing more."""
        if self._looking is not None:
            abandon(self._looking)

    def came(self, transactions: Collection[Transaction]) -> None:
        """Begin to read where these have just come, and hide what a table of one row holds."""
        self._wanted |= {source.name: source for source in self._hidden(transactions)}
        if self._wanted and self._looking is None:
            self._looking = asyncio.create_task(self._look())

    async def take_in(self) -> bool:
        """Wait for what is being read; whether anything was. ConnectError where the server refused the connection."""
        if self._looking is None:
            return False
        try:
            await self._looking
        finally:
            self._looking = None
        return True

    def passed(self, received: LSN) -> list[Held]:
        """What was read before this place of the stream, once."""
        found = [one for one in self._held if one.read_at <= received]
        self._held = [one for one in self._held if one.read_at > received]
        return found

    def _hidden(self, transactions: Collection[Transaction]) -> Iterator[Source]:
        for transaction in transactions:
            for change in transaction.changes:
                if isinstance(change, UndecodableChange):
                    for source in self._registry.sources.values():
                        if source.moves_one_row and any(change.is_of(table) for table in source.tables):
                            yield source

    async def _look(self) -> None:
        async with self._link.use() as conn:
            while self._wanted:
                wanted, self._wanted = self._wanted, {}
                for name, source in sorted(wanted.items()):
                    found = await glance(conn, source.table)
                    if found is not None:
                        row, xid, at = found
                        self._held.append(Held(name, xid, row, at))

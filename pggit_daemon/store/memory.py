"""The recorded schema and the ledgers of a database, in memory only while something needs them.

In: the state of a stream, and a connection on demand. Out: the same state, filled with what is stored. Called by
`pipeline.py`, which moves the state. Whatever changes a part has it filled before; so a part that is not there is as
it is stored, and one whose changes are all stored may be forgotten and read again, as after a restart.
"""

from __future__ import annotations

import asyncio

from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.model.part import Part
from pggit_daemon.store.loader import State, fill_ledgers, fill_schema
from pggit_daemon.tools.registry import Registry
from pggit_daemon.versioning.record import Record

KEPT = 900.0
"""Seconds for which they stay in memory unused. Whoever comes after that waits some 20 ms for each 1,000 objects."""


class Memory:
    """Which parts of the state are filled."""

    def __init__(self, state: State, registry: Registry, link: OnDemand) -> None:
        self._state = state
        self._registry = registry
        self._link = link
        self._there: set[Part] = set()
        self._used_at = 0.0

    async def have(self, *parts: Part) -> None:
        """Fill these parts, where they are not filled."""
        self._used_at = asyncio.get_running_loop().time()
        for part in parts:
            if part not in self._there:
                await self._fill(part)
                self._there.add(part)

    async def _fill(self, part: Part) -> None:
        async with self._link.use() as conn:
            match part:
                case Part.SCHEMA:
                    await fill_schema(conn, self._state)
                case Part.LEDGERS:
                    await fill_ledgers(conn, self._state, self._registry)

    def forget(self) -> None:
        """Let go of what was not used for long. To be called when everything is stored."""
        if self._there and asyncio.get_running_loop().time() - self._used_at >= KEPT:
            self._state.record.replace(Record())
            self._state.ledgers.clear()
            self._there.clear()

"""History tables compared with their ledgers, to find what decoding could not show.

In: a source whose stream held changes without content. Out: what they were, once it is certain: the table is
read, and the answer counts when the stream has passed the moment of reading and brought no further row of that
source since; otherwise it is read again. Called by `pipeline.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog

from pggit_daemon.db import catalog
from pggit_daemon.errors import PrerequisiteError
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.changeset import Changeset, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.tools.registry import Registry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A table as it was some time before `position`; `seen` rows of the source had come through until then."""

    table: Sequence[TextRow]
    position: LSN
    seen: int


class Comparisons:
    """The readings that are under way, by source."""

    def __init__(self, conn: psycopg.AsyncConnection[Any], registry: Registry, ledgers: dict[str, Ledger]) -> None:
        self._conn = conn
        self._registry = registry
        self._ledgers = ledgers
        self._seen: Counter[str] = Counter()
        self._readings: dict[str, _Reading] = {}
        self._xids: set[int] = set()

    @property
    def under_way(self) -> bool:
        return bool(self._readings)

    def saw(self, unit: Changeset) -> None:
        """Count the source's rows as they come through."""
        self._xids.add(unit.xid)
        for item in unit.items:
            if isinstance(item, (HistoryRowEvent, UndecodableRow)):
                self._seen[item.source] += 1

    async def sees_all(self) -> bool:
        """Whether what is read now shows every transaction that the stream has brought."""
        self._xids = await catalog.invisible(self._conn, self._xids)
        return not self._xids

    async def differences(self, source: str, received: LSN) -> tuple[HistoryChange, ...] | None:
        """What the table and the ledger differ by; None while it is not certain."""
        reading = self._readings.get(source)
        if reading is not None and received >= reading.position:
            del self._readings[source]
            if reading.seen == self._seen[source]:
                ledger = self._ledgers.setdefault(source, Ledger(source, self._registry.sources[source].preset))
                return ledger.compare(received, reading.table)
            reading = None
        if reading is None and await self.sees_all():
            self._readings[source] = await self._read(source)
        return None

    async def _read(self, source: str) -> _Reading:
        seen = self._seen[source]
        table = self._registry.sources[source].table
        try:
            found = await catalog.rows(self._conn, table)
        except PrerequisiteError as exc:
            # Without the right to read it, what happened stays unknown; the ledger as it is keeps the queue moving.
            log.warning("source_unreadable", source=source, error=exc.message, hint=exc.hint)
            ledger = self._ledgers.get(source)
            found = [row.columns for row in ledger.rows.values()] if ledger is not None else []
        return _Reading(found or (), await catalog.position(self._conn), seen)

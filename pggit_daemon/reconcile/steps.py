"""Steps of history tables that keep one number in one row, where the plugin says nothing of an UPDATE (pgoutput).

In: what each transaction with DDL read of such a table before it wrote, and what the table holds now. Out: one step of
the record. A migration is linked where both ends are proven: its transaction read the number that it started from, and
somebody read, with that transaction's number, what it left. Everything else is recorded, and linked to nothing. Pure;
called by `history_tables.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pggit_daemon.db.history_rows import TableReading, TableState
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.changeset import Changeset, HistoryRowEvent
from pggit_daemon.model.decision import Link
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.transaction import TableName
from pggit_daemon.reconcile.late_sources import NOTHING, Ran, linked, step_of
from pggit_daemon.tools.registry import Registry
from pggit_daemon.versioning.plan import Step

AGAIN = 1.0
"""Seconds until a table is compared again whose newest steps somebody may still claim otherwise."""


@dataclass(frozen=True, slots=True)
class _Started:
    """What a transaction read before it wrote, if it did, and where it committed."""

    commit: LSN
    row: TextRow


@dataclass(slots=True)
class _Seen:
    """Of one source, since its table was last compared, by transaction."""

    started: dict[int, _Started] = field(default_factory=dict)
    left: dict[int, TextRow] = field(default_factory=dict)


class Steps:
    """`insert_only`: tables whose updates and deletions the plugin does not tell of."""

    def __init__(self, registry: Registry, insert_only: frozenset[TableName]) -> None:
        self._registry = registry
        self._insert_only = insert_only
        self._seen: dict[str, _Seen] = {}

    def follows(self, source: str) -> bool:
        """Whether this source's steps are found here."""
        one = self._registry.sources[source]
        return one.moves_one_row and one.table in self._insert_only

    def observe(self, changeset: Changeset) -> set[str]:
        """Take what a transaction read; the sources whose table may have moved with it."""
        found = set()
        for held in (held for event in changeset.events for held in event.held):
            if held.source in self._registry.sources and self.follows(held.source):
                seen = self._seen.setdefault(held.source, _Seen())
                seen.started.setdefault(changeset.xid, _Started(changeset.commit_lsn, held.row))
                seen.left[held.xid] = held.row
                found.add(held.source)
        return found

    def writers(self, source: str) -> set[int]:
        """The transactions that are known to have left something."""
        return set(self._seen[source].left) if source in self._seen else set()

    def plan(
        self, ledger: Ledger, table: TableReading, commits: Mapping[int, Ran], *, stored: LSN, read_at: LSN
    ) -> Step | None:
        """What the table has gone through since it was last compared; `commits`: what its writers ran."""
        links: list[Link] = []
        seen = self._seen.get(ledger.source, _Seen())
        writer = table.writers[0] if len(table.writers) == 1 else None
        if writer is not None:
            seen.left[writer] = table.rows[0]
        # Writers of one row wait for each other, so they commit in the order of their steps.
        for xid, started in sorted(seen.started.items(), key=lambda item: item[1].commit):
            if started.commit < read_at and xid in seen.left:
                links += _recorded(ledger.compare(stored, (started.row,)))
                links += _recorded(ledger.compare(stored, (seen.left[xid],)), commits.get(xid, NOTHING))
        if table.state is TableState.READ:
            links += _recorded(ledger.compare(stored, table.rows))
        self._forget(ledger.source, read_at)
        return step_of(links, stored)

    def _forget(self, source: str, read_at: LSN) -> None:
        """What came before the table was read is told now, or never will be."""
        seen = self._seen.pop(source, None)
        if seen is not None:
            started = {xid: one for xid, one in seen.started.items() if one.commit >= read_at}
            if started:
                self._seen[source] = _Seen(started, {xid: row for xid, row in seen.left.items() if xid in started})


def _recorded(changes: tuple[HistoryChange, ...], ran: Ran = NOTHING) -> Iterator[Link]:
    """The tool makes one step with each transaction, so several are not this one's."""
    for change in changes:
        event = HistoryRowEvent((change,))
        yield (linked(event, ran) if len(changes) == 1 and event.ran_ddl else None) or Link(event, None)

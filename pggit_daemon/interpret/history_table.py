"""The ledger of one history table: its rows as last seen, and what each change of them means.

In: row changes in commit order. Out: `HistoryChange` values, one or more for each. A ledger is loaded from
`pggit_daemon.source_row`, moved by the stream, and thrown away when the stream starts over. How the tool keeps its
history (the preset's model) is read by a class of `interpret/models/`.
Pure; called by `interpret/transaction.py` and by the baseline.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pggit_daemon.interpret.book import Book, LedgerRow
from pggit_daemon.interpret.departed import Departed, Gone
from pggit_daemon.interpret.models import MODELS
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.transaction import RowChange
from pggit_daemon.tools.preset import Preset

__all__ = ["Ledger", "LedgerRow"]


class Ledger:
    """Mutable: `read` moves it."""

    def __init__(self, source: str, preset: Preset, book: Book | None = None) -> None:
        self._book = book or Book(source, preset)
        self._model = MODELS[preset.model](self._book)
        self.source = source
        self.preset = preset

    @classmethod
    def load(
        cls,
        source: str,
        preset: Preset,
        rows: Mapping[str, LedgerRow],
        ids: Iterable[tuple[int, str | None]],
        *,
        statuses: Mapping[int, str] | None = None,
        begun: Mapping[int, LSN] | None = None,
        gone: Mapping[str, Gone] | None = None,
    ) -> Ledger:
        """A ledger from what is stored: the rows, and (migration_id, version) of every migration known.

        `statuses` are those of the migrations, `begun` the places of the log where the unfinished ones began,
        `gone` the rows that left, by their keys.
        """
        known = {number: version for number, version in ids if number >= 0}
        named = {
            version: number for number, version in known.items() if version is not None and not preset.migration.unique
        }
        # A row may have another version by now than the one under which its migration was recorded.
        for row in rows.values():
            unique = preset.unique_of(row.columns)
            if unique is not None and row.migration_id is not None and row.migration_id in known:
                named.setdefault(unique, row.migration_id)
        departed = Departed(dict(gone or {}))
        book = Book(source, preset, dict(rows), known, named, dict(statuses or {}), dict(begun or {}), departed)
        return cls(source, preset, book)

    @property
    def rows(self) -> Mapping[str, LedgerRow]:
        """The rows by their keys."""
        return self._book.rows

    @property
    def ids(self) -> Mapping[int, str | None]:
        """The migration ids in use, each with the version that has it."""
        return self._book.ids

    def enter(self, transaction: object, *, alone: bool, beside: Collection[Ledger] = ()) -> None:
        """What is read now is of this transaction; `alone`: which ran no DDL; `beside`: ledgers of all tables."""

        def elsewhere(key: str, row: TextRow) -> bool:
            """What one transaction writes to two tables, as of two tenants, may bear one time and is no copy."""
            others = (one for one in beside if one is not self and one.preset is self.preset)
            return any(one.holds(key, row) and one.entered != transaction for one in others)

        self._book.departed.enter(transaction, alone=alone, elsewhere=elsewhere)

    @property
    def entered(self) -> object:
        """The transaction that its rows were read of last."""
        return self._book.departed.at

    def holds(self, key: str, row: TextRow) -> bool:
        """Whether the ledger has this row, all of it."""
        there = self._book.rows.get(key)
        return there is not None and there.columns == row

    def read(self, change: RowChange) -> tuple[HistoryChange, ...]:
        """What one change of the table means. Never raises on odd values: they are recorded as they are."""
        return tuple(one for changes in self.read_run((change,)) for one in changes)

    def read_run(self, run: Sequence[RowChange]) -> tuple[tuple[HistoryChange, ...], ...]:
        """What the changes of one transaction mean that have no DDL between them: one item for each step.

        The last value of an item is the change itself; those before it follow from it.
        """
        return tuple(changes for changes in self._model.read(run) if changes)

    def baseline(self, row: TextRow) -> HistoryChange:
        """A row that was there before the history began."""
        return self._model.baseline(row)

    def compare(self, lsn: LSN, table: Iterable[TextRow]) -> tuple[HistoryChange, ...]:
        """What the table says and the ledger does not: what decoding could not show."""
        return tuple(self._model.compare(lsn, table))

    def key_of(self, row: TextRow) -> str:
        """Under what the ledger has a row."""
        return self._model.key_of(row)

    def differs(self, row: TextRow) -> bool:
        """Whether the table's row says what the ledger does not."""
        return self._model.differs(row)

    def order(self, row: TextRow) -> tuple[int, str, str]:
        """How rows of the table sort: as the tool counts them, then by key."""
        return self._book.order(row)

    def cleared(self, lsn: LSN, operation: str) -> tuple[HistoryChange, ...]:
        """Every row is gone at once: the table was truncated or dropped."""
        return self._book.cleared(lsn, operation)

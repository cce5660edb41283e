"""The model `events`: an append-only log; a row says what was done to which migration. Pure.

Rows of a log are read as in `rows`, and nothing that happens to them later says anything of migrations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pggit_daemon.interpret.book import Book
from pggit_daemon.interpret.models.base import Changes, Run
from pggit_daemon.interpret.models.rows import Rows
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow, as_text
from pggit_daemon.model.transaction import RowOp


class Events:
    """Reads a table in which each happening has its row."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._rows = Rows(book)

    def read(self, run: Run) -> Iterator[Changes]:
        if all(change.op is RowOp.INSERT for change in run):
            yield from self._rows.read(run)
            return
        for change in run:
            if change.op is RowOp.INSERT:
                yield from self._rows.read([change])
            elif change.op is RowOp.DELETE:
                key = self._book.find(as_text(change.identity))
                if key is not None:
                    yield (self._forgotten(change.lsn, "delete", key),)
            elif change.op is RowOp.TRUNCATE:
                yield tuple(self._forgotten(change.lsn, "truncate", key) for key in list(self._book.rows))

    def baseline(self, row: TextRow) -> HistoryChange:
        return self._rows.baseline(row)

    def key_of(self, row: TextRow) -> str:
        return self._book.key_of(row)

    def differs(self, row: TextRow) -> bool:
        return self.key_of(row) not in self._book.rows

    def compare(self, lsn: LSN, table: Iterable[TextRow]) -> Iterator[HistoryChange]:
        new = [row for row in table if self._book.key_of(row) not in self._book.rows]
        return self._rows.compare(lsn, [*(row.columns for row in self._book.rows.values()), *new])

    def _forgotten(self, lsn: LSN, operation: str, key: str) -> HistoryChange:
        row = self._book.rows.pop(key)
        self._book.leaves(key, row, cleared=operation == "truncate")
        return self._book.change(lsn, operation, Meaning.EDITED, key, old=row.columns)

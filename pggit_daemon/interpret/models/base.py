"""What every model offers, and what it reads from: the changes of one table that stand together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from pggit_daemon.interpret.book import Book
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.transaction import RowChange

Run = Sequence[RowChange]
"""Changes of one table in one transaction, with no DDL between them."""

Changes = tuple[HistoryChange, ...]
"""What one step of the tool means: the last is the change itself, those before it follow from it."""


class Model(Protocol):
    """How one way of keeping a history is read. Called by the ledger; the book is what is known so far."""

    def __init__(self, book: Book) -> None: ...

    def read(self, run: Run) -> Iterable[Changes]:
        """What happened, in the order of the changes. Never raises on odd values: they are recorded as they are."""

    def baseline(self, row: TextRow) -> HistoryChange:
        """A row that was there before the history began."""

    def key_of(self, row: TextRow) -> str:
        """Under what the book has the row."""

    def differs(self, row: TextRow) -> bool:
        """Whether the table's row says what the book does not."""

    def compare(self, lsn: LSN, table: Iterable[TextRow]) -> Iterable[HistoryChange]:
        """What the table says and the book does not: what decoding could not show."""

"""The rows that left a history table, and those of them that come back as they were.

In: rows as they leave the ledger, and rows that are new to it. Out: which of the new ones are no news. Pure; kept by
the book, read by the models.

A table that is restored from a dump, moved to another by copying, or emptied and filled again holds rows that were
there before. They tell of no migration that ran now. But a tool that begins anew writes rows of the same keys, so a row
must prove that it is the former one. The same of rows that are copied from another table of the tool: they count as
migrated, and ran nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pggit_daemon.interpret.values import cell
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.tools.preset import MigrationColumns

_FINE = re.compile(r":\d\d\.\d*[1-9]")
"""A time with a part of a second: no tool that begins anew hits it again."""


Elsewhere = Callable[[str, TextRow], bool]
"""Whether another history table of the same tool holds a row, under this key and with these values."""


def _nowhere(_key: str, _row: TextRow) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Gone:
    """A row as it was, and the migration it stood for; `status` is None where it is not known any more."""

    columns: TextRow
    migration_id: int | None
    status: str | None = None


@dataclass(slots=True)
class Departed:
    """`now`: of these, the keys of rows that were cleared by the transaction that is read (`at`)."""

    rows: dict[str, Gone] = field(default_factory=dict)
    now: set[str] = field(default_factory=set)
    at: object = None
    alone: bool = False
    elsewhere: Elsewhere = field(default=_nowhere)

    def enter(self, transaction: object, *, alone: bool, elsewhere: Elsewhere = _nowhere) -> None:
        """What comes now is of this transaction; `alone`: which ran no DDL; `elsewhere`: what others hold."""
        if transaction != self.at:
            self.at = transaction
            self.now.clear()
        self.alone, self.elsewhere = alone, elsewhere

    def is_copy(self, key: str, new: TextRow, columns: MigrationColumns) -> bool:
        """Whether another table of the tool holds this very row: a schema was cloned, or its history put aside."""
        return is_stamped(new, columns) and self.elsewhere(key, new)

    def leave(self, key: str, row: Gone, *, cleared: bool) -> None:
        """A row is gone; `cleared`: with all others."""
        self.rows[key] = row
        if cleared:
            self.now.add(key)

    def are_copies(self, rows: Sequence[tuple[str, TextRow]]) -> bool:
        """Whether these, which came at once, are former rows that no DDL of their transaction can be about."""
        return self.alone and len(rows) > 1 and all(self._same(key, new) is not None for key, new in rows)

    def returning(self, key: str, new: TextRow, columns: MigrationColumns, *, copied: bool) -> Gone | None:
        """The former row that this is again: copied, cleared by the same transaction, or written at its very moment."""
        gone = self._same(key, new)
        return gone if gone is not None and (copied or key in self.now or is_stamped(new, columns)) else None

    def back(self, key: str) -> None:
        """A row of this key is there again."""
        self.rows.pop(key, None)
        self.now.discard(key)

    def _same(self, key: str, new: TextRow) -> Gone | None:
        gone = self.rows.get(key)
        return (
            gone if gone is not None and all(gone.columns.get(name) == value for name, value in new.items()) else None
        )


def is_stamped(row: TextRow, columns: MigrationColumns) -> bool:
    """Whether the row says to a part of a second when its migration ran."""
    stamp = cell(row, columns.applied_at)
    return columns.applied_at_means != "written" and stamp is not None and _FINE.search(stamp) is not None

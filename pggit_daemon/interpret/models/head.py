"""The model `head`: the table holds the current versions only, one row for each head of a graph. Pure.

A step changes the row of the head it starts from. What it means follows from what was seen before: a step to a version
that was applied before it leads back, one to a new version leads on, and one to a version that is there anyway is a
stamp. A merge takes the other heads away with its step, a branch that is unmerged brings them back, and a purge puts
one row in the place of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pggit_daemon.interpret.book import BASELINE, Book, LedgerRow
from pggit_daemon.interpret.models.base import Changes, Run
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow, as_text
from pggit_daemon.model.transaction import RowChange, RowOp


class Head:
    """Reads a table of heads."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def read(self, run: Run) -> Iterator[Changes]:
        left: list[HistoryChange] = []  # heads that a merge or a purge took away
        for place, change in enumerate(run):
            match change.op:
                case RowOp.DELETE if self._goes_with_next(run, place):
                    left.extend(self._moved_away(change))
                    continue
                case RowOp.DELETE:
                    changes = self._left(change.lsn, as_text(change.identity), "delete")
                case RowOp.INSERT:
                    changes = (*left, self._entered(change.lsn, as_text(change.new), "insert", purged=bool(left)))
                case RowOp.UPDATE:
                    step = self._step(change.lsn, as_text(change.identity), as_text(change.new), "update")
                    changes = (*left, *step)
                case RowOp.TRUNCATE:
                    changes = self._book.cleared(change.lsn, "truncate")
            left = []
            if changes:
                yield changes

    def baseline(self, row: TextRow) -> HistoryChange:
        return self._entered(ZERO, row, BASELINE, purged=False)

    def key_of(self, row: TextRow) -> str:
        return self._book.key_of(row)

    def differs(self, row: TextRow) -> bool:
        return self.key_of(row) not in self._book.rows

    def compare(self, lsn: LSN, table: Iterable[TextRow]) -> Iterator[HistoryChange]:
        found = {self._book.key_of(row): row for row in table}
        gone = [key for key in self._book.rows if key not in found]
        new = [row for key, row in found.items() if key not in self._book.rows]
        if len(gone) == len(new) == 1:
            yield from self._step(lsn, self._book.rows[gone[0]].columns, new[0], "reconcile")
            return
        for key in gone:
            yield from self._left(lsn, self._book.rows[key].columns, "reconcile")
        for row in sorted(new, key=self._book.order):
            yield self._entered(lsn, row, "reconcile", purged=False)

    def _goes_with_next(self, run: Run, place: int) -> bool:
        """Whether the head goes because another takes its place: a merge (UPDATE to a new version) or a purge
        (INSERT).
        """
        following = next((change for change in run[place + 1 :] if change.op is not RowOp.DELETE), None)
        if following is None or following.op is RowOp.TRUNCATE:
            return False
        return following.op is RowOp.INSERT or not self._book.is_applied(self._book.version(as_text(following.new)))

    def _moved_away(self, change: RowChange) -> Iterator[HistoryChange]:
        key = self._book.find(as_text(change.identity))
        if key is not None:
            row = self._book.rows.pop(key)
            yield self._book.change(change.lsn, "delete", Meaning.MOVED, key, old=row.columns)

    def _entered(self, lsn: LSN, new: TextRow, operation: str, *, purged: bool) -> HistoryChange:
        book, key, version = self._book, self._book.key_of(new), self._book.version(new)
        gone = book.departed.returning(key, new, book.preset.migration, copied=False)
        book.departed.back(key)
        if gone is not None:
            book.rows[key] = LedgerRow(new, gone.migration_id)
            amends = book.amend(gone.migration_id, gone.status or "applied")
            return book.change(lsn, operation, Meaning.RESTORED, key, new=new, amends=amends)
        if book.is_applied(version):
            book.rows[key] = LedgerRow(new, book.id_of[version or ""])
            return book.change(lsn, operation, Meaning.MOVED, key, new=new)
        migration = book.migration(new, "marked" if purged else "applied")
        book.rows[key] = LedgerRow(new, migration.migration_id)
        meaning = Meaning.MARKED if purged else Meaning.APPLIED
        return book.change(lsn, operation, meaning, key, new=new, migration=migration)

    def _step(self, lsn: LSN, identity: TextRow, new: TextRow, operation: str) -> Changes:
        book = self._book
        old_key = book.find_updated(new, identity)
        old = book.rows.pop(old_key, LedgerRow(identity, None))
        key, version = book.key_of(new), book.version(new)
        there = book.is_applied(version)
        number = book.id_of[version or ""] if there else None
        if there:
            book.rows[key] = LedgerRow(new, number)
        # What a version is built on was applied before it, and so has the lower number.
        back = number is not None and old.migration_id is not None and number < old.migration_id
        if there and not back:
            change = book.change(lsn, operation, Meaning.MOVED, key, old=old.columns, new=new)
        elif back:
            undo = replace(book.undo(old.columns, old.migration_id), way=_way(book.version(old.columns), version))
            amends = book.amend(old.migration_id, "rolled_back")
            change = book.change(
                lsn, operation, Meaning.ROLLED_BACK, key, old=old.columns, new=new, migration=undo, amends=amends
            )
        else:
            migration = book.migration(new, "applied")
            migration = replace(migration, way=_way(book.version(old.columns), version))
            book.rows[key] = LedgerRow(new, migration.migration_id)
            change = book.change(lsn, operation, Meaning.APPLIED, key, old=old.columns, new=new, migration=migration)
        return (replace(change, old_row_key=old_key),)

    def _left(self, lsn: LSN, identity: TextRow, operation: str) -> Changes:
        book = self._book
        key = book.find(identity)
        if key is None:
            return (book.change(lsn, operation, Meaning.REMOVED, book.key_of(identity), old=identity),)
        row = book.rows.pop(key)
        if row.migration_id is None:
            return (book.change(lsn, operation, Meaning.MOVED, key, old=row.columns),)
        undo = replace(book.undo(row.columns, row.migration_id), way=_way(book.version(row.columns), None))
        amends = book.amend(row.migration_id, "rolled_back")
        return (book.change(lsn, operation, Meaning.ROLLED_BACK, key, old=row.columns, migration=undo, amends=amends),)


def _way(before: str | None, after: str | None) -> str:
    """A step as the tool would name it."""
    return f"{before or 'base'} -> {after or 'base'}"

"""The model `rows`: one row is one migration. What a change of it means is said by the preset's rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pggit_daemon.interpret.book import BASELINE, Book, LedgerRow, first
from pggit_daemon.interpret.departed import Gone
from pggit_daemon.interpret.models.base import Changes, Run
from pggit_daemon.interpret.values import cell, milliseconds
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import Amendment, HistoryChange
from pggit_daemon.model.row_text import TextRow, as_text
from pggit_daemon.model.transaction import RowChange, RowOp


class Rows:
    """Reads a table in which each migration has its row."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def read(self, run: Run) -> Iterator[Changes]:
        if len(run) == 1:  # as nearly always: neither copied nor written anew by another of its run
            yield tuple(self._change(run[0], copied=False))
            return
        coming = [(place, as_text(one.new)) for place, one in enumerate(run) if one.op is RowOp.INSERT]
        keyed = [(self.key_of(new), new) for _, new in coming]
        copied = self._book.departed.are_copies(keyed)
        times = Counter(key for key, _ in keyed)
        last = {key: (place, new) for (key, new), (place, _) in zip(keyed, coming, strict=True) if times[key] == 1}
        kept: set[int] = set()  # the places of rows that were only written anew
        for place, change in enumerate(run):
            if change.op is RowOp.DELETE and (at := self._written_anew(change, place, last)) is not None:
                kept.add(at)
            elif place in kept:
                yield (self._rewritten(change),)
            else:
                yield tuple(self._change(change, copied=copied))

    def _written_anew(self, deletion: RowChange, place: int, coming: Mapping[str, tuple[int, TextRow]]) -> int | None:
        """At which later place the deleted row is inserted again as it was."""
        key = self._book.find(as_text(deletion.identity))
        at, new = coming.get(key or "", (-1, {}))
        return at if key is not None and at > place and new == self._book.rows[key].columns else None

    def _rewritten(self, change: RowChange) -> HistoryChange:
        new = as_text(change.new)
        return self._book.change(change.lsn, "insert", Meaning.EDITED, self.key_of(new), old=new, new=new)

    def baseline(self, row: TextRow) -> HistoryChange:
        return next(iter(self._inserted(LSN(0), row, BASELINE)))

    def key_of(self, row: TextRow) -> str:
        return self._book.key_of(row)

    def differs(self, row: TextRow) -> bool:
        return not self._book.has(self.key_of(row), row)

    def compare(self, lsn: LSN, table: Iterable[TextRow]) -> Iterator[HistoryChange]:
        """In the order in which a tool does it: taken back the newest first, then changed, then added, the
        oldest first.
        """
        book = self._book
        found = {book.key_of(row): row for row in table}
        moved = self._moved(found)
        gone = sorted(
            set(book.rows) - set(found) - set(moved.values()),
            key=lambda key: book.order(book.rows[key].columns),
            reverse=True,
        )
        for key in gone:
            yield self._taken_back(lsn, "reconcile", key)
        fresh = [(key, row) for key, row in found.items() if moved.get(key, key) not in book.rows]
        book.departed.enter(None, alone=True)
        copied = book.departed.are_copies(fresh)
        for key, row in sorted(found.items(), key=lambda item: book.order(item[1])):
            known = book.rows.get(moved.get(key, key))
            if known is None:
                yield from self._inserted(lsn, row, "reconcile", copied=copied)
            elif any(known.columns.get(name) != row.get(name) for name in book.preset.read):
                yield from self._updated(lsn, row, known.columns if key in moved else {}, "reconcile")

    def _moved(self, found: dict[str, TextRow]) -> dict[str, str]:
        """The rows that have another key than before, by their new keys: those which the preset's `same_row` tells."""
        columns = self._book.preset.same_row
        if not columns:
            return {}
        gone: dict[tuple[str | None, ...], list[str]] = {}
        for key, row in self._book.rows.items():
            if key not in found:
                gone.setdefault(tuple(row.columns.get(name) for name in columns), []).append(key)
        new: dict[tuple[str | None, ...], list[str]] = {}
        for key, values in found.items():
            if key not in self._book.rows:
                new.setdefault(tuple(values.get(name) for name in columns), []).append(key)
        return {keys[0]: gone[same][0] for same, keys in new.items() if len(keys) == len(gone.get(same, ())) == 1}

    def _change(self, change: RowChange, *, copied: bool) -> Iterable[HistoryChange]:
        match change.op:
            case RowOp.INSERT:
                return self._inserted(change.lsn, as_text(change.new), "insert", copied=copied)
            case RowOp.UPDATE:
                return self._updated(change.lsn, as_text(change.new), as_text(change.identity), "update")
            case RowOp.DELETE:
                return self._deleted(change.lsn, as_text(change.identity))
            case RowOp.TRUNCATE:
                return self._book.cleared(change.lsn, "truncate")

    def _inserted(self, lsn: LSN, new: TextRow, operation: str, *, copied: bool = False) -> Iterator[HistoryChange]:
        book = self._book
        key = book.key_of(new)
        gone = book.departed.returning(key, new, book.preset.migration, copied=copied)
        if gone is not None and key not in book.rows:
            yield self._restored(lsn, new, operation, gone)
            return
        if key in book.rows:
            # A key comes again only after its row went, which decoding does not show without a replica identity.
            yield self._taken_back(lsn, "inferred", key)
        book.departed.back(key)
        meaning = first(book.preset.insert, new, {})
        if meaning.ran_ddl and operation != BASELINE and book.departed.is_copy(key, new, book.preset.migration):
            meaning = COPIED.get(meaning, Meaning.EDITED)
        if meaning in UNDOES:
            original = book.of(new)
            book.rows[key] = LedgerRow(new, None)
            undo = book.undo(new, original) if meaning not in {Meaning.DELETED, Meaning.UNMARKED} else None
            if undo is not None and meaning is Meaning.UNDO_FAILED:
                undo = replace(undo, success=False, status="failed")
            status = UNDOES[meaning]
            amends = book.amend(original, status) if status is not None else None
            yield book.change(lsn, operation, meaning, key, new=new, migration=undo, amends=amends)
        elif meaning in SILENT:
            book.rows[key] = LedgerRow(new, None)
            yield book.change(lsn, operation, meaning, key, new=new)
        else:
            migration = book.migration(new, STATUS.get(meaning, "applied"))
            book.rows[key] = LedgerRow(new, migration.migration_id)
            yield book.change(lsn, operation, meaning, key, new=new, migration=migration)

    def _restored(self, lsn: LSN, new: TextRow, operation: str, gone: Gone) -> HistoryChange:
        """A row that was there before: its migration is as it was, and linked as it was."""
        book, key = self._book, self.key_of(new)
        meaning = first(book.preset.insert, new, {})
        status = gone.status or STATUS.get(meaning, "applied")
        amended = gone.migration_id
        if meaning in UNDOES:
            amended, status = book.of(new), UNDOES[meaning] or status
        book.departed.back(key)
        book.rows[key] = LedgerRow(new, gone.migration_id)
        amends = book.amend(amended, status) if meaning not in SILENT else None
        return book.change(lsn, operation, Meaning.RESTORED, key, new=new, amends=amends)

    def _updated(self, lsn: LSN, changed: TextRow, identity: TextRow, operation: str) -> Iterator[HistoryChange]:
        book = self._book
        old_key = book.find_updated(changed, identity)
        old = book.rows.get(old_key)
        before: TextRow = {**(old.columns if old else {}), **identity}
        # An unchanged TOASTed column is absent from the new row: it is what it was.
        new = {**before, **changed}
        meaning = first(book.preset.update, new, before)
        migration_id = old.migration_id if old else None
        book.rows.pop(old_key, None)
        key = book.key_of(new)
        book.rows[key] = LedgerRow(new, migration_id)
        migration = amends = None
        if meaning in ENDS:
            migration = book.migration(new, STATUS.get(meaning, "applied"), known=migration_id)
            book.rows[key] = LedgerRow(new, migration.migration_id)
        elif meaning is Meaning.UNMARKED:
            amends = book.amend(migration_id, "rolled_back")
        elif migration_id is not None:
            amends = self._amended(migration_id, before, new, meaning)
        change = book.change(lsn, operation, meaning, key, old=before, new=new, migration=migration, amends=amends)
        yield replace(change, old_row_key=old_key)

    def _deleted(self, lsn: LSN, identity: TextRow) -> Iterator[HistoryChange]:
        key = self._book.find(identity)
        if key is None:
            yield self._book.change(lsn, "delete", Meaning.REMOVED, self._book.key_of(identity), old=identity)
        else:
            yield self._taken_back(lsn, "delete", key)

    def _taken_back(self, lsn: LSN, operation: str, key: str) -> HistoryChange:
        book = self._book
        row = book.rows.pop(key)
        book.leaves(key, row)
        meaning = first(book.preset.delete, {}, row.columns)
        if meaning is not Meaning.ROLLED_BACK or row.migration_id is None:
            means = meaning if meaning in {Meaning.OWN, Meaning.UNMARKED} else Meaning.REMOVED
            amends = book.amend(row.migration_id, "rolled_back" if means is Meaning.UNMARKED else "removed")
            return book.change(lsn, operation, means, key, old=row.columns, amends=amends)
        undo = book.undo(row.columns, row.migration_id)
        amends = book.amend(row.migration_id, "rolled_back")
        return book.change(lsn, operation, meaning, key, old=row.columns, migration=undo, amends=amends)

    def _amended(self, migration_id: int, old: TextRow, new: TextRow, meaning: Meaning) -> Amendment:
        """What the row says of its migration now; a version that changed is the same migration under another name."""
        book, columns = self._book, self._book.preset.migration
        was, version = book.version(old), book.version(new)
        if version is not None and version != was:
            book.name(migration_id, version, book.preset.unique_of(new))
        took = cell(new, columns.execution_time)
        return Amendment(
            migration_id,
            checksum=cell(new, columns.checksum),
            name=cell(new, columns.name),
            checksum_changed=meaning is Meaning.CHECKSUM_CHANGED,
            version=version if version != was else None,
            execution_ms=milliseconds(took, columns.execution_unit)
            if took != cell(old, columns.execution_time)
            else None,
        )


UNDOES = {
    Meaning.ROLLED_BACK: "rolled_back",
    Meaning.DELETED: "deleted",
    Meaning.UNMARKED: "rolled_back",
    Meaning.UNDO_FAILED: None,
}
"""New rows that are about an earlier one, and the status they give it."""

STATUS = {
    Meaning.FAILED: "failed",
    Meaning.BASELINE: "baseline",
    Meaning.SCHEMA: "schema",
    Meaning.MARKED: "marked",
    Meaning.STARTED: "started",
}
COPIED = {
    Meaning.APPLIED: Meaning.MARKED,
    Meaning.RERAN: Meaning.MARKED,
    Meaning.ROLLED_BACK: Meaning.UNMARKED,
}
"""What rows mean that are copied from another table of the tool: the same, but nothing ran."""

SILENT = {Meaning.OWN, Meaning.EDITED, Meaning.MOVED, Meaning.TAGGED}
"""New rows that are about no migration."""

ENDS = {Meaning.RERAN, Meaning.APPLIED, Meaning.FAILED, Meaning.MARKED}
"""Updates that say what became of a migration."""

"""The model `state`: a row holds the number of the current version; some tools also mark it while they migrate. Pure.

Up or down follows from comparing two states. A jump is one migration where numbers may be left out, and one for each
number where the preset says that they are counted. TRUNCATE (or DELETE) and INSERT without DDL between them are one
change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pggit_daemon.interpret.book import BASELINE, Book, LedgerRow
from pggit_daemon.interpret.models.base import Changes, Run
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import HistoryChange, Migration
from pggit_daemon.model.row_text import TextRow, as_text, integer
from pggit_daemon.model.transaction import RowOp
from pggit_daemon.tools.preset import StateColumns
from pggit_daemon.tools.rules import matches

MOST_STEPS = 1000
"""A jump over more numbers than this is one migration whatever the preset says: nobody counts so far at once."""


@dataclass(frozen=True, slots=True)
class _Move:
    """From one state of a row to the next; None where there is no row."""

    lsn: LSN
    operation: str
    key: str
    old: TextRow | None
    new: TextRow | None

    @property
    def row(self) -> TextRow:
        """One of the two, for what is the same in both."""
        return self.new or self.old or {}


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """What a state that says begun has begun: from where, and at which place of the log."""

    before: int | None
    lsn: LSN


class State:
    """Reads a table that holds how far the schema has come."""

    def __init__(self, book: Book) -> None:
        if book.preset.state is None:
            raise ValueError(f"preset of {book.preset.tool}: the model state needs its section [state]")
        self._book = book
        self._columns: StateColumns = book.preset.state
        self._under_way: dict[str, _UnderWay] = {}

    def read(self, run: Run) -> Iterator[Changes]:
        gone: dict[str, tuple[LSN, str, TextRow]] = {}
        for change in run:
            new = as_text(change.new)
            match change.op:
                case RowOp.TRUNCATE:
                    gone |= {key: (change.lsn, "truncate", row.columns) for key, row in self._book.rows.items()}
                case RowOp.DELETE:
                    found = self._book.find(as_text(change.identity)) or self._only()
                    if found is not None:
                        gone[found] = (change.lsn, "delete", self._book.rows[found].columns)
                case RowOp.INSERT | RowOp.UPDATE:
                    key = self.key_of(new)
                    _, _, old = gone.pop(key, (None, None, self._row_at(key)))
                    missed: Changes = ()
                    if change.op is RowOp.UPDATE:
                        said = {**(old or {}), **as_text(change.identity)}
                        missed = self._missed(change.lsn, key, old, said)
                        old, new = said if missed else old, {**said, **new}
                    for changes in self._changes_of(_Move(change.lsn, change.op.value, key, old, new)):
                        yield (*missed, *changes)
                        missed = ()
        for key, (lsn, operation, old) in gone.items():
            yield from self._changes_of(_Move(lsn, operation, key, old, None))

    def baseline(self, row: TextRow) -> HistoryChange:
        move = _Move(ZERO, BASELINE, self.key_of(row), None, row)
        if self._number(row) is None:
            return self._own(move)
        begun = self._is_begun(row)
        migration = self._book.migration(row, "started" if begun else "applied")
        return self._change(move, Meaning.STARTED if begun else Meaning.APPLIED, ledger=row, migration=migration)

    def key_of(self, row: TextRow) -> str:
        """What names it beside its number, or nothing where there is only one."""
        names = [name for name in self._book.preset.key if name != self._columns.number]
        return self._book.key_of({name: row.get(name) for name in names})

    def differs(self, row: TextRow) -> bool:
        return not self._book.has(self.key_of(row), row)

    def compare(self, lsn: LSN, table: Iterable[TextRow]) -> Iterator[HistoryChange]:
        found = {self.key_of(row): row for row in table}
        for key in sorted(self._book.rows.keys() | found.keys()):
            old, new = self._row_at(key), found.get(key)
            if old is None or new is None or any(old.get(name) != new.get(name) for name in self._book.preset.read):
                for changes in self._changes_of(_Move(lsn, "reconcile", key, old, new)):
                    yield from changes

    def _missed(self, lsn: LSN, key: str, known: TextRow | None, said: TextRow) -> Changes:
        """What decoding did not show before: the row was no more what is known of it, as its update says.

        Its table has had a replica identity since then. These steps are their own, whose DDL is not this update's.
        """
        if self._number(said) == self._number(known):
            return ()
        steps = self._changes_of(_Move(lsn, "inferred", key, known, said))
        return tuple(change for changes in steps for change in changes)

    # -- what a move means

    def _changes_of(self, move: _Move) -> Iterator[Changes]:
        before, after = self._number(move.old), self._number(move.new)
        under_way = self._under_way.pop(move.key, None)
        was_begun = self._is_begun(move.old)
        if self._is_begun(move.new):
            yield (self._begins(move, before if not was_begun else None, after),)
        elif was_begun and (before == after or (move.new is None and before is None)):
            yield from self._ends(move, before, under_way)
        elif was_begun:
            yield self._forced(move, before, after)
        elif before is None and after is None:
            if move.new is not None or move.old is not None:
                yield (self._own(move),)
        elif move.new is None:
            yield self._emptied(move)
        elif self._columns.begun and after is not None:
            yield (self._marked(move, after),)
        else:
            yield from self._steps(move, before, after)

    def _begins(self, move: _Move, before: int | None, after: int | None) -> HistoryChange:
        """A state that says begun; the number is where it leads, up or down."""
        self._under_way[move.key] = _UnderWay(before, move.lsn)
        if after is None or (before is not None and after < before):
            return self._change(move, Meaning.MOVED, ledger=move.new)
        migration = replace(self._book.migration(move.new or {}, "started"), success=True)
        return self._change(move, Meaning.STARTED, ledger=move.new, migration=migration)

    def _ends(self, move: _Move, number: int | None, under_way: _UnderWay | None) -> Iterator[Changes]:
        status = self._status(move.row, number)
        since = under_way.lsn if under_way is not None else None
        if status == "started" and move.new is not None:
            migration = self._book.migration(move.new, "applied")
            change = self._change(move, Meaning.APPLIED, ledger=move.new, migration=migration)
            yield (replace(change, since=change.since or since),)
            return
        before = under_way.before if under_way is not None else None
        undone = before if before is not None else max(self._applied_above(move.row, number), default=None)
        if undone is None:
            yield (self._own(move),)
        else:
            yield self._down(move, undone, number, since)

    def _forced(self, move: _Move, began: int | None, after: int | None) -> Changes:
        """The state was set by hand, to another number than the one that was begun."""
        number = self._id(move.row, began)
        amends = self._book.amend(number, "failed") if self._status(move.row, began) == "started" else None
        if after is None or self._status(move.row, after) is not None or move.new is None:
            return (replace(self._change(move, Meaning.MOVED, ledger=move.new), amends=amends),)
        failed = replace(self._change(move, Meaning.MOVED, ledger=move.old), amends=amends)
        return (failed, self._marked(move, after))

    def _marked(self, move: _Move, number: int) -> HistoryChange:
        if self._status(move.row, number) in {"applied", "marked", "baseline"} or move.new is None:
            return self._change(move, Meaning.MOVED, ledger=move.new)
        return self._change(move, Meaning.MARKED, ledger=move.new, migration=self._book.migration(move.new, "marked"))

    def _emptied(self, move: _Move) -> Changes:
        row = self._book.rows.pop(move.key, None)
        amends = self._book.amend(row.migration_id, "cleared") if row is not None else None
        return (replace(self._change(move, Meaning.CLEARED, ledger=None), amends=amends),)

    def _steps(self, move: _Move, before: int | None, after: int | None) -> Iterator[Changes]:
        """A row that moved with no word of a beginning."""
        start, end = before or 0, after or 0
        if end < start:
            counted = self._is_counted(start - end)
            for number in range(start, end, -1) if counted else [start]:
                yield self._down(move, number, number - 1 if counted else after, None)
        elif end > start:
            counted = self._is_counted(end - start)
            for number in range(start + 1, end + 1) if counted else [end]:
                row = {**(move.new or {}), self._columns.number: str(number)}
                migration = self._book.migration(row, "applied")
                migration = replace(migration, way=self._way(row, number - 1 if counted else before or 0, number))
                yield (self._change(move, Meaning.APPLIED, ledger=move.new, migration=migration),)
        else:
            yield (self._change(move, Meaning.EDITED, ledger=move.new),)

    def _down(self, move: _Move, undone: int, after: int | None, since: LSN | None) -> Changes:
        """From `undone` to `after`; what lies between them was undone with it."""
        passed = [number for number in self._applied_above(move.row, after) if number < undone]
        passed_over = [
            replace(
                self._change(move, Meaning.MOVED, ledger=move.old),
                amends=self._book.amend(self._id(move.row, number), "rolled_back"),
            )
            for number in sorted(passed)
        ]
        row = {**(move.old or move.new or {}), self._columns.number: str(undone)}
        undo = self._book.undo(row, self._id(move.row, undone))
        undo = replace(undo, way=self._way(row, undone, after or 0))
        amends = self._book.amend(undo.rollback_of, "rolled_back")
        change = self._change(move, Meaning.ROLLED_BACK, ledger=move.new, migration=undo)
        return (*passed_over, replace(change, amends=amends, since=since))

    def _own(self, move: _Move) -> HistoryChange:
        return self._change(move, Meaning.OWN, ledger=move.new)

    def _change(
        self, move: _Move, meaning: Meaning, *, ledger: TextRow | None, migration: Migration | None = None
    ) -> HistoryChange:
        """The value of it; `ledger` is the row as it is from now on."""
        if ledger is None:
            self._book.rows.pop(move.key, None)
        else:
            self._book.rows[move.key] = LedgerRow(ledger, self._id(ledger, self._number(ledger)))
        return self._book.change(
            move.lsn, move.operation, meaning, move.key, old=move.old, new=ledger, migration=migration
        )

    # -- the row

    def _only(self) -> str | None:
        return next(iter(self._book.rows)) if len(self._book.rows) == 1 else None

    def _row_at(self, key: str) -> TextRow | None:
        row = self._book.rows.get(key)
        return row.columns if row is not None else None

    def _number(self, row: TextRow | None) -> int | None:
        text = row.get(self._columns.number) if row is not None else None
        return None if text is None or text in self._columns.none else integer(text)

    def _is_begun(self, row: TextRow | None) -> bool:
        return row is not None and bool(self._columns.begun) and matches(self._columns.begun, row)

    def _id(self, row: TextRow, number: int | None) -> int | None:
        """The migration of this number, if it is known."""
        if number is None:
            return None
        return self._book.id_of.get(self._book.version({**row, self._columns.number: str(number)}) or "")

    def _way(self, row: TextRow, before: int, after: int) -> str:
        """A step as people read it, with what the number is of where the table holds several."""
        of = (self._book.version(row) or "").removesuffix(row[self._columns.number] or "")
        return f"{of}{before} -> {after}"

    def _status(self, row: TextRow, number: int | None) -> str | None:
        own = self._id(row, number)
        return self._book.status.get(own, "applied") if own is not None else None

    def _applied_above(self, row: TextRow, number: int | None) -> list[int]:
        """The numbers above one that are applied, as far as they are known."""
        joined = self._book.preset.migration.joined
        versions = (version for version in self._book.ids.values() if version is not None)
        found = {one for version in versions if (one := integer(version.split(joined)[-1])) is not None}
        return sorted(one for one in found if one > (number or 0) and self._status(row, one) == "applied")

    def _is_counted(self, steps: int) -> bool:
        return self._book.preset.migration.order == "counted" and steps <= MOST_STEPS

"""The ledger of one history table: its rows as last seen, and what each change of them means.

In: row changes in commit order. Out: `HistoryChange` values, one or more for each. A ledger is loaded from
`pggit_daemon.source_row`, moved by the stream, and thrown away when the stream starts over.
Pure; called by `interpret/transaction.py` and by the baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import Amendment, HistoryChange, Migration
from pggit_daemon.model.row_text import SYNTHETIC, TextRow, as_text, boolean, integer, row_key
from pggit_daemon.model.transaction import RowChange, RowOp
from pggit_daemon.tools.preset import Preset, Rule


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row of the history table, and the migration it stands for (None for markers of others)."""

    columns: TextRow
    migration_id: int | None


@dataclass(slots=True)
class Ledger:
    """Mutable: `read` moves it. `ids` are the migration ids in use, each with the version that has it."""

    source: str
    preset: Preset
    rows: dict[str, LedgerRow] = field(default_factory=dict)
    ids: dict[int, str | None] = field(default_factory=dict)
    id_of: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(
        cls, source: str, preset: Preset, rows: Mapping[str, LedgerRow], ids: Iterable[tuple[int, str | None]]
    ) -> Ledger:
        """A ledger from what is stored: the rows, and (migration_id, version) of every migration known."""
        known = {number: version for number, version in ids if number >= 0}
        named = {version: number for number, version in known.items() if version is not None}
        return cls(source, preset, dict(rows), known, named)

    def read(self, change: RowChange) -> tuple[HistoryChange, ...]:
        """What a change of the table means. Never raises on odd values: they are recorded as they are."""
        match change.op:
            case RowOp.INSERT:
                return tuple(self._inserted(change.lsn, as_text(change.new)))
            case RowOp.UPDATE:
                return tuple(self._updated(change.lsn, as_text(change.new), as_text(change.identity)))
            case RowOp.DELETE:
                return tuple(self._deleted(change.lsn, as_text(change.identity)))
            case RowOp.TRUNCATE:
                return self.cleared(change.lsn, "truncate")

    def baseline(self, row: TextRow) -> HistoryChange:
        """A row that was there before the history began."""
        return next(iter(self._inserted(LSN(0), row, "baseline")))

    def compare(self, lsn: LSN, table: Iterable[TextRow]) -> tuple[HistoryChange, ...]:
        """What the table says and the ledger does not: what decoding could not show.

        In the order in which a tool does it: taken back the newest first, then changed, then added, the oldest first.
        """
        found = {row_key(row, self.preset.key): row for row in table}
        gone = sorted(set(self.rows) - set(found), key=lambda key: self.order(self.rows[key].columns), reverse=True)
        changes = [self._taken_back(lsn, "reconcile", key) for key in gone]
        for key, row in sorted(found.items(), key=lambda item: self.order(item[1])):
            known = self.rows.get(key)
            if known is None:
                changes.extend(self._inserted(lsn, row, "reconcile"))
            elif any(known.columns.get(name) != row.get(name) for name in self.preset.columns):
                changes.extend(self._updated(lsn, row, {}, "reconcile"))
        return tuple(changes)

    def order(self, row: TextRow) -> tuple[int, str]:
        """How rows of the table sort: as the tool counts them, then by key."""
        return (integer(_cell(row, self.preset.migration.sequence)) or 0, row_key(row, self.preset.key))

    def cleared(self, lsn: LSN, operation: str) -> tuple[HistoryChange, ...]:
        """Every row is gone at once: the table was truncated or dropped."""
        gone = [
            self._change(lsn, operation, Meaning.CLEARED, key, old=row.columns, amends=_status(row, "cleared"))
            for key, row in self.rows.items()
        ]
        self.rows.clear()
        return tuple(gone)

    def _inserted(self, lsn: LSN, new: TextRow, operation: str = "insert") -> Iterator[HistoryChange]:
        key = row_key(new, self.preset.key)
        if key in self.rows:
            # A key comes again only after its row went, which decoding does not show without a replica identity.
            yield self._taken_back(lsn, "inferred", key)
        meaning = _first(self.preset.insert, new, {})
        if meaning in _UNDOES:
            original = self.id_of.get(self._version(new) or "")
            self.rows[key] = LedgerRow(new, None)
            undo = self._undo(new, original) if meaning is not Meaning.DELETED else None
            if undo is not None and meaning is Meaning.UNDO_FAILED:
                undo = replace(undo, success=False, status="failed")
            status = _UNDOES[meaning]
            amends = Amendment(original, status=status) if original is not None and status is not None else None
            yield self._change(lsn, operation, meaning, key, new=new, migration=undo, amends=amends)
            return
        migration = self._migration(new, _STATUS.get(meaning, "applied"))
        self.rows[key] = LedgerRow(new, migration.migration_id)
        yield self._change(lsn, operation, meaning, key, new=new, migration=migration)

    def _updated(
        self, lsn: LSN, changed: TextRow, identity: TextRow, operation: str = "update"
    ) -> Iterator[HistoryChange]:
        key = self._find(identity) or self._find(self._key_columns(changed)) or row_key(changed, self.preset.key)
        old = self.rows.get(key)
        before: TextRow = {**(old.columns if old else {}), **identity}
        # An unchanged TOASTed column is absent from the new row: it is what it was.
        new = {**before, **changed}
        meaning = _first(self.preset.update, new, before)
        migration_id = old.migration_id if old else None
        self.rows.pop(key, None)
        old_key, key = key, row_key(new, self.preset.key)
        self.rows[key] = LedgerRow(new, migration_id)
        migration = self._migration(new, "applied", known=migration_id) if meaning is Meaning.RERAN else None
        amends = self._amended(migration_id, new, meaning) if migration_id is not None and not migration else None
        change = self._change(lsn, operation, meaning, key, old=before, new=new, migration=migration, amends=amends)
        yield replace(change, old_row_key=old_key)

    def _deleted(self, lsn: LSN, identity: TextRow) -> Iterator[HistoryChange]:
        key = self._find(identity)
        if key is None:
            yield self._change(lsn, "delete", Meaning.REMOVED, row_key(identity, self.preset.key), old=identity)
        else:
            yield self._taken_back(lsn, "delete", key)

    def _taken_back(self, lsn: LSN, operation: str, key: str) -> HistoryChange:
        row = self.rows.pop(key)
        meaning = _first(self.preset.delete, {}, row.columns)
        if meaning is not Meaning.ROLLED_BACK or row.migration_id is None:
            return self._change(lsn, operation, Meaning.REMOVED, key, old=row.columns, amends=_status(row, "removed"))
        undo = self._undo(row.columns, row.migration_id)
        return self._change(
            lsn, operation, meaning, key, old=row.columns, migration=undo, amends=_status(row, "rolled_back")
        )

    def _find(self, identity: TextRow) -> str | None:
        """The key of the one row that has these values; the identity may be the key, all columns, or a surrogate."""
        if not identity:
            return None
        if all(name in identity for name in self.preset.key):
            key = row_key(identity, self.preset.key)
            return key if key in self.rows else None
        fitting = [
            key
            for key, row in self.rows.items()
            if all(row.columns.get(name) == value for name, value in identity.items())
        ]
        return fitting[0] if len(fitting) == 1 else None

    def _key_columns(self, row: TextRow) -> TextRow:
        return {name: row[name] for name in self.preset.key if name in row}

    def _version(self, row: TextRow) -> str | None:
        parts = [row.get(name) for name in self.preset.migration.version]
        return None if None in parts else "::".join(part for part in parts if part is not None)

    def _migration(self, row: TextRow, status: str, *, known: int | None = None) -> Migration:
        columns = self.preset.migration
        version = self._version(row)
        number = known if known is not None else self._number(row, version)
        self.ids[number] = version
        if version is not None:
            self.id_of[version] = number
        success = boolean(_cell(row, columns.success))
        return Migration(
            migration_id=number,
            version=version,
            name=_cell(row, columns.name),
            checksum=_cell(row, columns.checksum),
            applied_by=_cell(row, columns.applied_by),
            applied_at=_cell(row, columns.applied_at),
            execution_ms=integer(_cell(row, columns.execution_time)),
            success=success is not False and status != "failed",
            sequence=integer(_cell(row, columns.sequence)),
            status=status,
        )

    def _number(self, row: TextRow, version: str | None) -> int:
        """The migration's id: the one it had before, its own integer, or one of ours."""
        if version is not None and version in self.id_of:
            return self.id_of[version]
        columns = self.preset.migration
        own = integer(_cell(row, columns.id))
        if own is not None and own not in self.ids:
            return own
        rank = integer(_cell(row, columns.fallback))
        # A row without a version may take the place of another such row: after repair or clean its rank comes again.
        if rank is not None and (SYNTHETIC + rank not in self.ids or version is self.ids[SYNTHETIC + rank] is None):
            return SYNTHETIC + rank
        return max((number for number in self.ids if number >= SYNTHETIC), default=SYNTHETIC) + 1

    def _undo(self, row: TextRow, original: int | None) -> Migration:
        undone = self._migration(row, "rollback", known=original)
        # Zero has no negative; the rank that this would be belongs to a marker, which is never undone.
        return undone.undoing(-undone.migration_id or -SYNTHETIC, original)

    def _amended(self, migration_id: int, new: TextRow, meaning: Meaning) -> Amendment:
        columns = self.preset.migration
        return Amendment(
            migration_id,
            checksum=_cell(new, columns.checksum),
            name=_cell(new, columns.name),
            checksum_changed=meaning is Meaning.CHECKSUM_CHANGED,
        )

    def _change(
        self,
        lsn: LSN,
        operation: str,
        meaning: Meaning,
        key: str,
        *,
        old: TextRow | None = None,
        new: TextRow | None = None,
        migration: Migration | None = None,
        amends: Amendment | None = None,
    ) -> HistoryChange:
        return HistoryChange(
            source=self.source,
            tool=self.preset.tool,
            lsn=lsn,
            operation=operation,
            meaning=meaning,
            row_key=key,
            old=old,
            new=new,
            migration=migration,
            amends=amends,
            ledger_id=self.rows[key].migration_id if key in self.rows else None,
        )


_UNDOES = {Meaning.ROLLED_BACK: "rolled_back", Meaning.DELETED: "deleted", Meaning.UNDO_FAILED: None}
"""Rows that are about an earlier one, and the status they give it."""

_STATUS = {
    Meaning.FAILED: "failed",
    Meaning.BASELINE: "baseline",
    Meaning.SCHEMA: "schema",
    Meaning.MARKED: "marked",
}


def _first(rules: Iterable[Rule], new: TextRow, old: TextRow) -> Meaning:
    return next((rule.means for rule in rules if rule.fits(new, old)), Meaning.EDITED)


def _cell(row: TextRow, column: str | None) -> str | None:
    return None if column is None else row.get(column)


def _status(row: LedgerRow, status: str) -> Amendment | None:
    return None if row.migration_id is None else Amendment(row.migration_id, status=status)

"""What is known of one history table: its rows as last seen, the migrations they stand for, and their numbers.

In: rows as text. Out: `Migration` and `HistoryChange` values made of them. Mutable: the models of `interpret/models/`
read changes into it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pggit_daemon.interpret.departed import Departed, Gone
from pggit_daemon.interpret.values import cell, milliseconds, moment
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import Amendment, HistoryChange, Migration
from pggit_daemon.model.row_text import SYNTHETIC, TextRow, boolean, integer, row_key
from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.rules import Rule

BASELINE = "baseline"
"""The operation of rows that were there before the history began."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row of the history table, and the migration it stands for (None for markers of others)."""

    columns: TextRow
    migration_id: int | None


@dataclass(slots=True)
class Book:
    """`ids` are the migration ids in use, each with the version that has it; `begun` where the unfinished
    ones began.
    """

    source: str
    preset: Preset
    rows: dict[str, LedgerRow] = field(default_factory=dict)
    ids: dict[int, str | None] = field(default_factory=dict)
    id_of: dict[str, int] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)
    begun: dict[int, LSN] = field(default_factory=dict)
    departed: Departed = field(default_factory=Departed)

    # -- rows

    def key_of(self, row: TextRow) -> str:
        return row_key(row, self.preset.key)

    def has(self, key: str, row: TextRow) -> bool:
        """Whether the row is known under this key, as it is in what the preset reads."""
        known = self.rows.get(key)
        return known is not None and all(known.columns.get(name) == row.get(name) for name in self.preset.read)

    def find(self, identity: TextRow) -> str | None:
        """The key of the one row that has these values; the identity may be the key, all columns, or a surrogate."""
        if not identity:
            return None
        if all(name in identity for name in self.preset.key):
            key = self.key_of(identity)
            return key if key in self.rows else None
        fitting = [
            key
            for key, row in self.rows.items()
            if all(row.columns.get(name) == value for name, value in identity.items())
        ]
        return fitting[0] if len(fitting) == 1 else None

    def find_updated(self, new: TextRow, identity: TextRow) -> str:
        """The key under which the row of an UPDATE was known, or the one that it has now."""
        own = {name: new[name] for name in self.preset.key if name in new}
        return self.find(identity) or self.find(own) or self.key_of({**identity, **new})

    def order(self, row: TextRow) -> tuple[int, str, str]:
        """How rows of the table sort: as the tool counts them, then by key."""
        place = cell(row, self.preset.migration.sequence)
        number = integer(place)
        return (number or 0, (place or "") if number is None else "", self.key_of(row))

    # -- migrations

    def version(self, row: TextRow) -> str | None:
        return self.preset.version_of(row)

    def is_applied(self, version: str | None) -> bool:
        """Whether the migration of this version is known, and was not taken back since."""
        number = self.id_of.get(version) if version is not None else None
        return number is not None and self.status.get(number, "applied") in _STANDS

    def migration(self, row: TextRow, status: str, *, known: int | None = None) -> Migration:
        """The migration that a row is about; `known` is the id that it has already."""
        columns = self.preset.migration
        version, unique = self.version(row), self.preset.unique_of(row)
        number = known if known is not None else self._number(row, unique)
        self.name(number, version, unique)
        self.status[number] = status
        success = boolean(cell(row, columns.success))
        return Migration(
            migration_id=number,
            version=version,
            name=cell(row, columns.name),
            checksum=cell(row, columns.checksum),
            applied_by=cell(row, columns.applied_by),
            applied_at=moment(cell(row, columns.applied_at), columns.applied_at_as)
            if columns.applied_at_means != "written"
            else None,
            execution_ms=milliseconds(cell(row, columns.execution_time), columns.execution_unit),
            success=success is not False and status != "failed",
            sequence=integer(cell(row, columns.sequence)),
            status=status,
            error=cell(row, columns.error) if status == "failed" else None,
        )

    def name(self, number: int, version: str | None, unique: str | None) -> None:
        """The migration has this version from now on; one that comes under the former version is another migration."""
        former = self.ids.get(number)
        if former is not None and former != version and self.id_of.get(former) == number:
            del self.id_of[former]
        self.ids[number] = version
        if unique is not None:
            self.id_of[unique] = number

    def of(self, row: TextRow) -> int | None:
        """The migration that a row names, if it is known."""
        return self.id_of.get(self.preset.unique_of(row) or "")

    def _number(self, row: TextRow, unique: str | None) -> int:
        """The migration's id: the one it had before, its own integer, or one of ours."""
        if unique is not None and unique in self.id_of:
            return self.id_of[unique]
        own = self.preset.number_of(row)
        if own is not None and own not in self.ids:
            return own
        rank = integer(cell(row, self.preset.migration.fallback))
        # A row without a version may take the place of another such row: after repair or clean its rank comes again.
        if rank is not None and (SYNTHETIC + rank not in self.ids or unique is self.ids[SYNTHETIC + rank] is None):
            return SYNTHETIC + rank
        return max((number for number in self.ids if number >= SYNTHETIC), default=SYNTHETIC) + 1

    def undo(self, row: TextRow, original: int | None) -> Migration:
        """The rollback of a migration, under its negative id."""
        before = self.status.get(original) if original is not None else None
        undone = self.migration(row, "rollback", known=original)
        if before is not None:
            self.status[undone.migration_id] = before
        # Zero has no negative; the rank that this would be belongs to a marker, which is never undone.
        return undone.undoing(-undone.migration_id or -SYNTHETIC, original)

    def amend(self, migration_id: int | None, status: str) -> Amendment | None:
        """What becomes of a migration that is recorded already."""
        if migration_id is None:
            return None
        self.status[migration_id] = status
        return Amendment(migration_id, status=status)

    # -- changes

    def change(
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
        number = migration.migration_id if migration is not None else None
        if meaning is Meaning.STARTED and number is not None:
            self.begun[number] = lsn
        ended = meaning is not Meaning.STARTED and number is not None
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
            since=self.begun.pop(number, None) if ended and number is not None else None,
        )

    def leaves(self, key: str, row: LedgerRow, *, cleared: bool = False) -> None:
        """Remember a row that goes, as it may come back; before its migration gets another status."""
        number = row.migration_id
        status = self.status.get(number) if number is not None else None
        self.departed.leave(key, Gone(row.columns, number, status), cleared=cleared)

    def cleared(self, lsn: LSN, operation: str) -> tuple[HistoryChange, ...]:
        """Every row is gone at once: the table was truncated or dropped."""
        for key, row in self.rows.items():
            self.leaves(key, row, cleared=True)
        gone = [
            self.change(
                lsn,
                operation,
                Meaning.CLEARED,
                key,
                old=row.columns,
                amends=self.amend(row.migration_id, "cleared"),
            )
            for key, row in self.rows.items()
        ]
        self.rows.clear()
        return tuple(replace(change, ledger_id=None) for change in gone)


def first(rules: Iterable[Rule], new: TextRow, old: TextRow) -> Meaning:
    """What the first rule that fits says."""
    return next((rule.means for rule in rules if rule.fits(new, old)), Meaning.EDITED)


_STANDS = {"applied", "baseline", "marked", "schema", "failed", "reran"}
"""The statuses of migrations that the tool counts as there."""

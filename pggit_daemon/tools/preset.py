"""A preset: how one tool keeps its history, as data.

In: a TOML file (of `presets/`, of a folder of the user's, or `[[tool]]` of the configuration). Out: a `Preset`, which
says by which looks the table is known, what a change of a row means, and how its DDL is recognised. docs/tools.md
explains the form. Called by the registry (to find tables) and the models (to read rows). Pure but for reading package
data.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Literal, Self

from pydantic import Field, model_validator

from pggit_daemon.model.history_model import HistoryModel
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.proof import Place
from pggit_daemon.model.row_text import TextRow, integer
from pggit_daemon.tools.hints import SessionHints
from pggit_daemon.tools.proof_rules import (
    AdvisoryProof,
    Company,
    Data,
    LockRowProof,
    ProofRule,
    TransactionProof,
    WindowProof,
    of_kind,
)
from pggit_daemon.tools.rules import Patterns, Rule, matches
from pggit_daemon.tools.table import TableRule

__all__ = ["MigrationColumns", "Patterns", "Preset", "SessionHints", "custom", "matches", "packaged"]


UNKNOWN_SESSION = 2.0
"""Seconds before its row that the DDL of a configured tool may have ended in a session that nothing shows to be its."""


class OwnObjects(Data):
    """What else the tool makes for itself.

    `tables` and `types` stand in the history table's schema; {table} is its name. `first` are names that nobody else
    uses, of what may be made before the history table; in `schemas` all of it may.
    """

    tables: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


class MigrationColumns(Data):
    """Which column holds what. `version` may be several columns, joined by `joined`. `unique`: the columns that tell
    two migrations of one version apart, where versions alone do not.

    `number`: a pattern whose group holds the digits of the migration's number inside its version. `chain`: the column
    that names the migration before. `applied_at` is the moment of applying, or of beginning, or when somebody wrote
    the migration. A time without a zone is the server's (`local`, in older presets `time`) or UTC.
    """

    id: str | None = None
    fallback: str | None = None
    version: tuple[str, ...]
    joined: str = "::"
    unique: tuple[str, ...] = ()
    number: str | None = None
    name: str | None = None
    checksum: str | None = None
    chain: str | None = None
    applied_by: str | None = None
    applied_at: str | None = None
    applied_at_as: Literal["local", "utc", "epoch_s", "epoch_ms", "time"] = "local"
    applied_at_means: Literal["applied", "started", "written"] = "applied"
    execution_time: str | None = None
    execution_unit: Literal["ns", "us", "ms", "s", "interval"] = "ms"
    success: str | None = None
    error: str | None = None
    sequence: str | None = None
    order: Literal["counted", "dated", "chained", "arrival"] | None = None

    @property
    def used(self) -> frozenset[str]:
        """The columns that are named."""
        one = (self.id, self.fallback, self.name, self.checksum, self.chain, self.applied_by, self.applied_at)
        more = (self.execution_time, self.success, self.error, self.sequence)
        return frozenset(name for name in (*one, *more, *self.version, *self.unique) if name is not None)


class StateColumns(Data):
    """Of the model `state`: the column that holds the number, the numbers that mean none, and how an
    unfinished state looks.
    """

    number: str
    none: tuple[str, ...] = ("0",)
    begun: Patterns = Field(default_factory=dict)


class Preset(Data):
    """How one tool keeps its history. `rank`: of several presets that fit a table, the one of the highest
    rank has it.
    """

    tool: str
    model: HistoryModel = HistoryModel.ROWS
    table: TableRule
    key: tuple[str, ...]
    same_row: tuple[str, ...] = ()
    rank: int = 0
    session: SessionHints = SessionHints()
    proof: tuple[ProofRule, ...] = ()
    place: Place = Place.BEFORE
    makers_migrate: bool = True
    own: OwnObjects = OwnObjects()
    migration: MigrationColumns
    state: StateColumns | None = None
    insert: tuple[Rule, ...] = (Rule(means=Meaning.APPLIED),)
    update: tuple[Rule, ...] = (Rule(means=Meaning.EDITED),)
    delete: tuple[Rule, ...] = (Rule(means=Meaning.ROLLED_BACK),)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        """Every column that is named is one of the table's, and the model has what it needs."""
        rules = (*self.insert, *self.update, *self.delete)
        state = {self.state.number, *self.state.begun} if self.state is not None else set()
        used = {
            *self.key,
            *self.same_row,
            *self.table.distinctive,
            *state,
            *self.migration.used,
            *(name for rule in rules for name in rule.used),
        }
        known = self.table.columns.keys() | self.table.optional.keys()
        if unknown := sorted(used - known):
            raise ValueError(f"{self.tool}: not a column of its table: {', '.join(unknown)}")
        if self.model.is_number != (self.state is not None):
            raise ValueError(f"{self.tool}: model state and section [state] go together")
        if self.migration.unique and not self.model.is_log:
            raise ValueError(f"{self.tool}: migration.unique: only of the model events, whose rows stay")
        if self.migration.number is not None and re.compile(self.migration.number).groups != 1:
            raise ValueError(f"{self.tool}: migration.number: allowed: a pattern with one group")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the table always has."""
        return tuple(self.table.columns)

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that mean something, in their order; another one may change without anybody's notice."""
        return (*self.table.columns, *self.table.optional)

    @property
    def lock_row(self) -> LockRowProof | None:
        return next(of_kind(self.proof, LockRowProof), None)

    @property
    def company(self) -> Company | None:
        """The connections among which the one that runs its scripts is known, if it has any."""
        return next((proof.company for proof in of_kind(self.proof, WindowProof)), None)

    @property
    def advisories(self) -> tuple[AdvisoryProof, ...]:
        """Its advisory locks; several where the key depends on how the tool is called."""
        return tuple(of_kind(self.proof, AdvisoryProof))

    def version_of(self, row: TextRow) -> str | None:
        """The tool's own name of the migration in a row; None where a part of it is null."""
        return self._joined(row, self.migration.version)

    def unique_of(self, row: TextRow) -> str | None:
        """What tells the migration in a row from all others of the table: its version, as a rule."""
        return self._joined(row, self.migration.unique or self.migration.version)

    def _joined(self, row: TextRow, columns: tuple[str, ...]) -> str | None:
        parts = [row.get(name) for name in columns]
        return None if None in parts else self.migration.joined.join(part for part in parts if part is not None)

    def number_of(self, row: TextRow) -> int | None:
        """The tool's own number of the migration in a row; None where it has none that fits a migration id."""
        columns = self.migration
        if columns.number is None:
            return integer(row.get(columns.id)) if columns.id is not None else None
        found = re.search(columns.number, self.version_of(row) or "")
        return integer(re.sub(r"\D", "", found[1])) if found is not None else None


def custom(
    tool: str, columns: MigrationColumns, *, window: bool, session: SessionHints, key: tuple[str, ...] | None = None
) -> Preset:
    """The preset of a table described in the user's configuration. Scripts of one's own may well run in psql.

    `window`: its DDL may also stand in transactions of its own before the row.
    """
    failed = {columns.success: ("false", "f", "0")} if columns.success is not None else None
    inserts: tuple[Rule, ...] = (Rule(means=Meaning.APPLIED),)
    updates: tuple[Rule, ...] = (Rule(means=Meaning.EDITED),)
    deletes: tuple[Rule, ...] = (Rule(means=Meaning.ROLLED_BACK),)
    if failed is not None:
        inserts = (Rule(means=Meaning.FAILED, when=failed), *inserts)
        deletes = (Rule(means=Meaning.REMOVED, was=failed), *deletes)
    if columns.checksum is not None:
        updates = (Rule(means=Meaning.CHECKSUM_CHANGED, changed=(columns.checksum,)), *updates)
    if columns.applied_at is not None:
        # A row that has no time yet was written before its DDL.
        begun, ended = {columns.applied_at: ("null",)}, {columns.applied_at: ("!null",)}
        inserts = (*inserts[:-1], Rule(means=Meaning.STARTED, when=begun), inserts[-1])
        updates = (Rule(means=Meaning.APPLIED, was=begun, when=ended), *updates)
    return Preset(
        tool=tool,
        table=TableRule(columns=dict.fromkeys(sorted(columns.used), "*"), more=True),
        key=key or columns.version,
        proof=(
            TransactionProof(by="transaction"),
            *((WindowProof(by="window", gap_seconds=UNKNOWN_SESSION, trusted=True, apart=True),) if window else ()),
        ),
        session=session.model_copy(update={"never": ()}),
        migration=columns,
        insert=inserts,
        update=updates,
        delete=deletes,
    )


def parse(text: str) -> Preset:
    """Read a preset's file; pydantic's ValidationError or TOMLDecodeError where it is not one."""
    return Preset.model_validate(tomllib.loads(text))


@cache
def packaged() -> tuple[tuple[str, Preset], ...]:
    """The presets that come with the package, by file name."""
    files = sorted(resources.files("pggit_daemon.tools.presets").iterdir(), key=lambda item: item.name)
    return tuple(
        (file.name.removesuffix(".toml"), parse(file.read_text("utf-8"))) for file in files if file.name[-5:] == ".toml"
    )

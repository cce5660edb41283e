"""Values that a history table is read into.

In: nothing. Out: built by the ledger, matched to DDL by `attribute/`, written by `store/`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.open_run import EndedRun, OpenRun
from pggit_daemon.model.row_text import TextRow


@dataclass(frozen=True, slots=True)
class Migration:
    """One row of `pggit.external_migrations`, but for its link. A rollback has a negative id.

    `way`: from which version to which, for messages, where the tool thinks in steps.
    """

    migration_id: int
    version: str | None
    name: str | None
    checksum: str | None
    applied_by: str | None
    applied_at: str | None
    execution_ms: int | None
    success: bool
    sequence: int | None
    status: str
    rollback_of: int | None = None
    error: str | None = None
    way: str | None = None

    def undoing(self, number: int, original: int | None) -> Migration:
        """The same as a rollback of `original`, under its negative id."""
        return replace(self, migration_id=number, rollback_of=original, success=True)


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a later change of the row makes of a migration that is already recorded; None leaves as is.

    `any_tool`: it may be another tool's than the row's, but only of one of these `sources`.
    """

    migration_id: int
    status: str | None = None
    checksum: str | None = None
    name: str | None = None
    checksum_changed: bool = False
    any_tool: bool = False
    version: str | None = None
    execution_ms: int | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Linking:
    """A migration that is recorded already, and only gets its link; `records`: or is recorded now, if it is not.

    `anywhere`: whatever source it is recorded of.
    """

    anywhere: bool
    records: bool


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """One observed change of a history table, with its meaning.

    `operation` is insert, update, delete, truncate, or inferred where decoding could not show it; `ledger_id` is the
    migration that the row stands for from now on; `old_row_key` is set where the row's key was another before;
    `migration_source` where the migration is another source's than the one that reported it; `linking` where it is
    recorded there already; `unobserved` where only the ledger's row is to be kept; `run` is what becomes of a session's
    open run, instead of a ledger's row. `since`: the DDL stands after this, where an earlier change said that the
    migration had begun.
    """

    source: str
    tool: str
    lsn: LSN
    operation: str
    meaning: Meaning
    row_key: str
    old: TextRow | None
    new: TextRow | None
    migration: Migration | None
    amends: Amendment | None
    old_row_key: str | None = None
    ledger_id: int | None = None
    migration_source: str | None = None
    linking: Linking | None = None
    unobserved: bool = False
    run: OpenRun | EndedRun | None = None
    since: LSN | None = None

    @property
    def ran_ddl(self) -> bool:
        return self.migration is not None and self.meaning.ran_ddl

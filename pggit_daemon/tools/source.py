"""A source: one history table that is followed.

In: a table found by its looks, or named in the configuration. Out: a `Source`, keyed by name, so that a table which is
dropped and made again goes on; a table that is renamed keeps its source. Pure.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from pggit_daemon.model.proof import Holder, InTransaction, Place, Proof
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.hints import SessionHints
from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.proof_rules import Followed

DEFAULT_GRACE = timedelta(seconds=30)


@dataclass(frozen=True)
class Source:
    """`grace`: how long DDL waits for its row, in the stream's own time.

    Without slots, as what follows from its values is kept: each transaction asks for it, of each source.

    `parts` are partitions and children of the table, under whose names its rows are decoded; `former` the names it had.
    """

    name: str
    preset: Preset
    table: TableName
    bracket_table: TableName | None = None
    grace: timedelta = DEFAULT_GRACE
    preset_name: str = "custom"
    origin: str = "discovered"
    database: str = ""
    parts: frozenset[TableName] = frozenset()
    former: frozenset[TableName] = frozenset()

    @property
    def tool(self) -> str:
        return self.preset.tool

    @property
    def hints(self) -> SessionHints:
        return self.preset.session

    @property
    def place(self) -> Place:
        """Where DDL outside of the row's own transaction stands."""
        return self.preset.place

    @property
    def runs_elsewhere(self) -> bool:
        """Whether its DDL runs in other sessions than the one that writes its rows, so that one tells nothing of the
        next.
        """
        return self.place.is_elsewhere

    @property
    def outlives_session(self) -> bool:
        """Whether a row may come of DDL whose session has ended."""
        return self.runs_elsewhere or any(proof.outlives_session for proof in self.proofs)

    @property
    def moves_one_row(self) -> bool:
        """Whether its table has one row and no key, so that the plugin shows no step of it."""
        return self.preset.model.moves_rows and not self.preset.key

    @property
    def makers_migrate(self) -> bool:
        """Whether the session that makes the tool's own tables is one that runs migrations."""
        return self.preset.makers_migrate

    @cached_property
    def proofs(self) -> tuple[Proof, ...]:
        """By what its DDL is known, the strongest first."""
        followed = Followed(self.database, self.table, self.bracket_table)
        return tuple(rule.of(followed) for rule in self.preset.proof)

    @cached_property
    def offers(self) -> type[Proof]:
        """The strongest proof of DDL outside of a row's own transaction; `InTransaction` where it has none."""
        return next((type(one) for one in self.proofs if one.reaches_out), InTransaction)

    @cached_property
    def takes_before(self) -> bool:
        """Whether a row that is alone in its transaction takes nothing of what stands behind it."""
        return any(proof.takes_before for proof in self.proofs)

    @cached_property
    def has_transactions_alone(self) -> bool:
        """Whether the tool writes no two migrations in one transaction."""
        return any(proof.has_transactions_alone for proof in self.proofs)

    @property
    def holds_lock(self) -> bool:
        """Whether the tool holds a lock while its DDL runs."""
        return any(proof.is_lock for proof in self.proofs)

    @cached_property
    def advisory_keys(self) -> frozenset[tuple[int, int]]:
        """(classid, objid) as pg_locks shows the tool's locks for this table; empty where it takes none."""
        keys = (proof.key.of_table(self.database, self.table) for proof in self.preset.advisories)
        return frozenset((key.classid, key.objid) for key in keys)

    @property
    def holds_lock_itself(self) -> bool:
        """Whether the session that runs the tool's DDL is always the one that holds its lock."""
        return all(proof.holder is Holder.OWN for proof in self.preset.advisories)

    @property
    def is_known_by_looks(self) -> bool:
        """Whether the session that runs its DDL is never the one that holds its lock, only one that looks so."""
        return bool(self.preset.advisories) and all(proof.holder is Holder.SIBLING for proof in self.preset.advisories)

    @property
    def shows_itself(self) -> bool:
        """Whether, beside its sibling's lock, the session that runs its DDL uses the history table itself, too."""
        return self.is_known_by_looks and not self.runs_elsewhere

    @property
    def is_company(self) -> bool:
        """Whether one of several connections runs its DDL, and never one that uses the history table."""
        return self.preset.company is not None

    @cached_property
    def is_run_by_children(self) -> bool:
        """Whether a session for each migration runs its DDL, while another holds its lock, and ends before its row."""
        by_lock_row = self.preset.lock_row is not None
        return self.runs_elsewhere and (self.is_known_by_looks or by_lock_row)

    @cached_property
    def tables(self) -> tuple[TableName, ...]:
        """What must be streamed for it."""
        lock = () if self.bracket_table is None else (self.bracket_table,)
        return (self.table, *lock, *sorted(self.parts | self.former, key=str))

    def holds(self, table: TableName) -> bool:
        """Whether rows of this table are rows of the source."""
        return table == self.table or (bool(self._also) and table in self._also)

    @cached_property
    def _also(self) -> frozenset[TableName]:
        return self.parts | self.former


def source_name(table: TableName, taken: Container[str]) -> str:
    """`schema.table`, or with quotes where another source has that name: dots may be part of either."""
    if str(table) not in taken:
        return str(table)
    return ".".join('"' + part.replace('"', '""') + '"' for part in (table.schema, table.table))

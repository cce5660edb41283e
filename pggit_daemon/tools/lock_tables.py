"""The lock tables of tools: which they are, which history table each stands beside, what takes and gives back the lock.

In: tables as they were seen, changes of their rows. Out: the rules of a lock table, and whether a change opens or
closes its bracket. Pure; owned by the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from pggit_daemon.model.row_text import as_text
from pggit_daemon.model.transaction import RowChange, TableName
from pggit_daemon.tools.candidates import Candidates
from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.proof_rules import LockRowProof
from pggit_daemon.tools.rules import matches
from pggit_daemon.tools.seen import Seen
from pggit_daemon.tools.source import Source


class LockTables:
    """`presets_of`: by lock table, the presets that may mean it. `sources` are the registry's own, as they are."""

    def __init__(self, presets: Mapping[str, Preset], sources: Mapping[str, Source]) -> None:
        self._presets = presets
        self._sources = sources
        self._candidates = Candidates(
            {stem: preset.lock_row.table for stem, preset in presets.items() if preset.lock_row is not None}
        )
        self.presets_of: dict[TableName, frozenset[str]] = {
            source.bracket_table: frozenset({source.preset_name})
            for source in sources.values()
            if source.bracket_table is not None
        }

    def fitting(self, seen: Seen) -> frozenset[str]:
        """The presets whose lock table this may be."""
        return frozenset(stem for stem, rule in self._candidates.of(seen.shape) if rule.fits(seen.table, seen.shape))

    def learn(self, table: TableName, fitting: frozenset[str]) -> bool:
        """Take a table for a lock table; True if it was none before."""
        new = table not in self.presets_of
        self.presets_of[table] = fitting
        return new

    def rules(self, table: TableName) -> LockRowProof | None:
        """What opens and closes the bracket of this lock table; None if it is no lock table."""
        stems = self.presets_of.get(table, frozenset())
        of_sources = (one.preset for one in self._sources.values() if one.bracket_table == table)
        of_presets = (self._presets[stem] for stem in sorted(stems) if stem in self._presets)
        return next((one.lock_row for one in (*of_sources, *of_presets) if one.lock_row is not None), None)

    def move(self, change: RowChange) -> bool | None:
        """Whether a change of a lock table takes the lock (True) or gives it back (False); None if neither."""
        rules = self.rules(change.table)
        if rules is None:
            return None
        row = as_text(change.new or change.identity)
        for opens, moves in ((True, rules.open), (False, rules.close)):
            if any(change.op.value in move.on and matches(move.when, row) for move in moves):
                return opens
        return None

    def bracket_table_of(self, source: Source) -> TableName | None:
        """The lock table beside a history table: of the fitting name, or the only one in its schema.

        Lock tables and history tables come in either order, and the only one in a schema may turn out to be another's
        when the one with the fitting name comes.
        """
        rule = source.preset.lock_row
        if rule is None:
            return None
        near = {
            table
            for table, stems in self.presets_of.items()
            if table.schema == source.table.schema and source.preset_name in stems
        }
        patterns = [name.replace("{table}", source.table.table).lower() for name in rule.names]
        named = {table for table in near if any(fnmatchcase(table.table.lower(), one) for one in patterns)}
        fitting = named or near
        return next(iter(fitting)) if len(fitting) == 1 else None

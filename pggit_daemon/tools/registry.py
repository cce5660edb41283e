"""Which tables are history tables, and which lock tables stand beside them.

In: what is stored, configured, found in the catalog, or seen being created in the stream. Out: the sources,
and the tables that must be streamed for them. Pure; owned by the database's worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.candidates import Candidates
from pggit_daemon.tools.capture_settings import capture_settings
from pggit_daemon.tools.configured import as_known
from pggit_daemon.tools.discovery import Discovery
from pggit_daemon.tools.doubts import Doubt, doubt
from pggit_daemon.tools.housekeeping import Housekeeping
from pggit_daemon.tools.identity import parse_table
from pggit_daemon.tools.lock_tables import LockTables
from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.seen import Seen, Wanted
from pggit_daemon.tools.source import DEFAULT_GRACE, Source, source_name


class Registry:
    """The sources of one database. It only grows: a dropped table may come again."""

    def __init__(
        self,
        presets: Mapping[str, Preset],
        sources: Iterable[Source] = (),
        grace: timedelta = DEFAULT_GRACE,
        *,
        database: str = "",
        discovery: Discovery | None = None,
    ) -> None:
        self._presets = presets
        self._grace = grace
        self._database = database
        self._discovery = discovery or Discovery()
        self.sources: dict[str, Source] = {source.name: replace(source, database=database) for source in sources}
        self.locks = LockTables(presets, self.sources)
        self._candidates = Candidates({stem: preset.table for stem, preset in presets.items()})
        self._housekeeping = Housekeeping(presets, self.sources, self.locks.presets_of)
        self._seen: dict[TableName, Seen] = {}
        self._silent: set[TableName] = set()  # of a source's name, and no history table now
        self.unreadable: set[str] = set()
        """Configured sources whose table lacks the columns that name a migration."""
        self.ambiguous: dict[TableName, tuple[str, ...]] = {}
        self._doubts: list[Doubt] = []
        rules = [preset.table for preset in presets.values()]
        self._usual = {table.name for table in rules if table.name is not None}
        self._companions = {name for table in rules for name in (*table.beside, *table.without)}

    # -- what is known

    @property
    def tables(self) -> tuple[TableName, ...]:
        """What must be streamed."""
        tables = {table for source in self.sources.values() for table in source.tables} | self.locks.presets_of.keys()
        return tuple(sorted(tables, key=str))

    def at(self, table: TableName) -> Source | None:
        """The source whose history table this is; None where its rows cannot be told apart."""
        source = self._source_at(table)
        return None if source is None or source.name in self.unreadable else source

    def _source_at(self, table: TableName) -> Source | None:
        if table not in self._silent:
            for source in self.sources.values():
                if source.holds(table) and source.origin != "api":
                    return source
        return None

    @property
    def presets(self) -> Mapping[str, Preset]:
        """How tools keep their history, by the preset's name."""
        return self._presets

    @property
    def histories(self) -> tuple[Source, ...]:
        """The sources that are tables of their own; not the SQL API."""
        return tuple(source for source in self.sources.values() if source.origin != "api")

    @property
    def capture_settings(self) -> dict[str, Any]:
        """What the capture is to look for."""
        return capture_settings(self._presets, self._database, self.histories)

    @property
    def wanted(self) -> Wanted:
        """What the catalog must be asked for."""
        looks = [preset.table for preset in self._presets.values()]
        looks += [preset.lock_row.table for preset in self._presets.values() if preset.lock_row is not None]
        return Wanted(
            frozenset(frozenset(rule.columns) for rule in looks),
            frozenset(self._companions | self._usual),
            frozenset(table for source in self.histories for table in source.tables),
        )

    @property
    def shapes(self) -> tuple[tuple[str, ...], ...]:
        """Columns by which a table that is made is taken for a history or lock table, one tuple a preset."""
        return tuple(sorted(tuple(sorted(columns)) for columns in self.wanted.columns)) if self._discovery.on else ()

    @property
    def misfits(self) -> dict[str, tuple[str, ...]]:
        """By source: what its table lacks of what the configuration names."""
        found = {
            source.name: tuple(source.preset.table.misses(source.table, replace(seen.shape, copied=False)))
            for source in self.histories
            if source.origin == "config" and (seen := self._seen.get(source.table)) is not None and seen.shape.columns
        }
        return {name: misses for name, misses in found.items() if misses}

    def _learn_misfit(self, seen: Seen) -> None:
        """A configured table without the columns that name its migrations says nothing until it has them."""
        source = self._source_at(seen.table)
        if source is None or source.origin != "config" or source.table != seen.table:
            return
        if set(source.preset.migration.version) <= seen.shape.names:
            self.unreadable.discard(source.name)
        else:
            self.unreadable.add(source.name)

    # -- what is learnt

    def learn(self, table: TableName, shape: Shape | Iterable[str]) -> bool:
        """Look at a table: True if the stream must start over with what it is now."""
        return self.look(Seen(table, shape if isinstance(shape, Shape) else Shape.of(shape)))

    def look(self, seen: Seen) -> bool:
        """Look at a table as it is, or was at a place of the log: True if the stream must start over.

        It was not known for a history or lock table, is one of another tool than it was taken for, has another name,
        or is a part of one.
        """
        before = self._seen.get(seen.table)
        if before is not None and before.lsn is not None and seen.lsn is not None and seen.lsn <= before.lsn:
            return False
        if any(seen.is_former_name_of(one) for one in self._seen.values()):
            return False
        self._part_from_former(seen)
        renamed = self._renamed(seen)
        if self._is_part(seen):
            return self._add_part(seen)
        if not renamed and not self._may_matter(seen):
            self._wonder(seen)
            return False
        self._seen[seen.table] = seen
        self._learn_misfit(seen)
        if self._is_another(seen, before):
            self._silent.add(seen.table)
            return False
        if seen.table in self._silent and self.fitting(seen):
            self._silent.remove(seen.table)
        changed = self._learn_lock_table(seen)
        for table in [table for table in self._seen if table.schema == seen.table.schema]:
            changed = self._judge(table) or changed
        for source in list(self.sources.values()):
            if source.preset.lock_row is not None:
                self.sources[source.name] = replace(source, bracket_table=self.locks.bracket_table_of(source))
        return changed or renamed

    def _wonder(self, seen: Seen) -> None:
        """People should know of tables like a tool's that are not followed."""
        if seen.table.table in self._usual and self._discovery.allows(seen.table):
            found = doubt(self._presets, seen.table, seen.shape)
            self._doubts += [found] if found is not None else []

    def new_doubts(self) -> list[Doubt]:
        """What was seen since the last time that people should look at."""
        found, self._doubts = self._doubts, []
        return found

    def remember(self, table: TableName, oid: int | None) -> None:
        """The table of a source had this OID when it was last seen."""
        if oid is not None:
            self._seen[table] = Seen(table, Shape(()), oid)

    def oid(self, table: TableName) -> int | None:
        """The OID of a table that was seen."""
        seen = self._seen.get(table)
        return seen.oid if seen is not None else None

    def dropped(self, table: TableName) -> None:
        """A table is gone; it stands beside no other any more. Of a source's own it stays known which one it was."""
        if self.at(table) is None:
            self._seen.pop(table, None)

    def _renamed(self, seen: Seen) -> bool:
        """Whether it is the table of a source under another name or in another schema, which keeps its source."""
        was = next((one for one in self._seen.values() if one.oid is not None and one.oid == seen.oid), seen)
        known, source = was.table, self.at(was.table)
        if known == seen.table or source is None or source.origin == "config":
            return False
        if seen.table in source.former and None in {seen.lsn, was.lsn}:
            return False  # which of both names is the later one is not known
        del self._seen[known]
        taken = self.at(seen.table)
        if taken is not None and taken.name != source.name:
            return False
        self.sources[source.name] = replace(source, table=seen.table, former=(source.former | {known}) - {seen.table})
        return True

    def _part_from_former(self, seen: Seen) -> None:
        """A table that is made under the former name of another is not that one."""
        source = self.at(seen.table)
        if source is None or seen.table not in source.former or None in {seen.lsn, seen.oid}:
            return
        if self.oid(source.table) not in {None, seen.oid}:
            self.sources[source.name] = replace(source, former=source.former - {seen.table})

    def _is_part(self, seen: Seen) -> bool:
        parent = parse_table(seen.shape.parent) if seen.shape.parent is not None else None
        return parent is not None and self.at(parent) is not None

    def _add_part(self, seen: Seen) -> bool:
        source = self.at(parse_table(seen.shape.parent or "") or seen.table)
        if source is None or source.holds(seen.table):
            return False
        self.sources[source.name] = replace(source, parts=source.parts | {seen.table})
        return True

    def _may_matter(self, seen: Seen) -> bool:
        """Whether it can be a history or lock table, or tells others apart."""
        if seen.table.table in self._companions or any(source.table == seen.table for source in self.histories):
            return True
        of_presets = self._candidates.of(seen.shape)
        return bool(self.locks.fitting(seen)) or any(
            rule.fits(seen.table, seen.shape, frozenset(rule.beside)) for _, rule in of_presets
        )

    def _is_another(self, seen: Seen, before: Seen | None) -> bool:
        """Whether another table has the name of a history table that was dropped, and is none."""
        made_again = before is not None and seen.oid is not None and before.oid not in {None, seen.oid}
        source = self.at(seen.table)
        return made_again and source is not None and source.origin == "discovered" and not self.fitting(seen)

    def _learn_lock_table(self, seen: Seen) -> bool:
        fitting = self.locks.fitting(seen)
        return bool(fitting) and self._discovery.allows(seen.table) and self.locks.learn(seen.table, fitting)

    def _judge(self, table: TableName) -> bool:
        """Say whose history table this is; True if it was not that before."""
        known = self._source_at(table)
        if known is not None and known.origin == "config":
            return self._know_better(known, self.fitting(self._seen[table]))
        if not self._discovery.allows(table):
            return False
        fitting = self.fitting(self._seen[table])
        before = self.ambiguous.pop(table, None)
        if len(fitting) > 1:
            self.ambiguous[table] = fitting
            self._doubts += [Doubt(table, fits=fitting)] if fitting != before else []
        if len(fitting) != 1 or (known is not None and known.preset_name == fitting[0]):
            return False
        preset = self._presets[fitting[0]]
        if known is not None:
            # It grew, or what stands beside it tells another tool: the same source under another preset.
            self.sources[known.name] = replace(known, preset=preset, preset_name=fitting[0])
            return True
        name = source_name(table, self.sources)
        self.sources[name] = Source(
            name, preset, table, grace=self._grace, preset_name=fitting[0], database=self._database
        )
        return True

    def _know_better(self, source: Source, fitting: tuple[str, ...]) -> bool:
        """A configured table may be a known tool's whose rows are not one migration each."""
        stem = fitting[0] if len(fitting) == 1 else None
        if stem is None or source.preset_name == stem or self._presets[stem].model.has_row_each:
            return False
        self.sources[source.name] = as_known(source, stem, self._presets[stem], self._database)
        return True

    def fitting(self, seen: Seen) -> tuple[str, ...]:
        """The presets that fit a table best: one, none, or several that nothing tells apart."""
        beside = {one.table for one in self._seen if one.schema == seen.table.schema}
        found = [
            (self._presets[stem].rank, stem)
            for stem, rule in self._candidates.of(seen.shape)
            if rule.fits(seen.table, seen.shape, beside)
        ]
        return tuple(stem for rank, stem in found if rank == max(rank for rank, _ in found))

    # -- housekeeping

    def housekeeping_owner(self, event: DdlEvent) -> str | None:
        """The source whose own objects, and nothing else, a statement made, changed or dropped."""
        return self._housekeeping.owner(event)

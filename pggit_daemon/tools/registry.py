"""Which tables are history tables, and which lock tables stand beside them.

In: what is stored, configured, found in the catalog, or seen being created in the stream. Out: the sources,
and the tables that must be streamed for them. Pure; owned by the database's worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.objects import ObjectEvent, ObjectOp
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.preset import Bracket, Preset
from pggit_daemon.tools.source import DEFAULT_GRACE, Source

_BELONGS_TO_TABLE = {"table constraint", "index", "sequence", "trigger", "type", "rule", "policy"}


class Registry:
    """The sources of one database. It only grows: a dropped table may come again."""

    def __init__(
        self, presets: Mapping[str, Preset], sources: Iterable[Source] = (), grace: timedelta = DEFAULT_GRACE
    ) -> None:
        self._presets = presets
        self._grace = grace
        self.sources: dict[str, Source] = {source.name: source for source in sources}
        self.brackets: set[TableName] = {
            source.bracket_table for source in self.sources.values() if source.bracket_table is not None
        }

    @property
    def tables(self) -> tuple[TableName, ...]:
        """What must be streamed."""
        tables = {table for source in self.sources.values() for table in source.tables} | self.brackets
        return tuple(sorted(tables, key=str))

    def at(self, table: TableName) -> Source | None:
        """The source whose history table this is."""
        return next((source for source in self.histories if source.table == table), None)

    @property
    def presets(self) -> Mapping[str, Preset]:
        """How tools keep their history, by the preset's name."""
        return self._presets

    @property
    def histories(self) -> tuple[Source, ...]:
        """The sources that are tables of their own; not the SQL API."""
        return tuple(source for source in self.sources.values() if source.origin != "api")

    def learn(self, table: TableName, columns: Iterable[str]) -> bool:
        """Look at a table: True if it is a history or lock table that was not known, and must be streamed now."""
        names = frozenset(columns)
        if table in self.tables:
            return False
        for stem, preset in self._presets.items():
            if preset.bracket is not None and names.issuperset(preset.bracket.columns):
                self.brackets.add(table)
                self._attach_brackets()
                return True
            if preset.knows(names):
                name = self._name(table)
                self.sources[name] = Source(name, preset, table, grace=self._grace, preset_name=stem)
                self._attach_brackets()
                return True
        return False

    def _name(self, table: TableName) -> str:
        """`schema.table`, or with quotes where another source has that name: dots may be part of either."""
        if str(table) not in self.sources:
            return str(table)
        return ".".join('"' + part.replace('"', '""') + '"' for part in (table.schema, table.table))

    def bracket_rules(self, table: TableName) -> Bracket | None:
        """What opens and closes the bracket of this lock table; None if it is no lock table."""
        if table not in self.brackets:
            return None
        return next((preset.bracket for preset in self._presets.values() if preset.bracket is not None), None)

    def keeper(self, event: DdlEvent) -> str | None:
        """The source whose own tables, and nothing else, a statement made, changed or dropped."""
        owners = {self._owner(item) for item in event.objects if item.key is not None and item.direct}
        beside = {self._owner(item) for item in event.objects if item.key is not None and not item.direct}
        owners |= beside - {None}
        if len(owners) != 1:
            return None
        return owners.pop()

    def _owner(self, item: ObjectEvent) -> str | None:
        if item.key is None:
            return None
        own = table_of(item)
        needed = {own} if own is not None else set()
        if item.blob is not None and item.key.type in _BELONGS_TO_TABLE:
            depends = (parse_table(name.removeprefix("table ")) for name in item.blob.depends if name[:6] == "table ")
            needed = {table for table in depends if table is not None}
        for source in self.sources.values():
            if needed & set(source.tables):
                return source.name
        return str(next(iter(needed & self.brackets))) if needed & self.brackets else None

    def _attach_brackets(self) -> None:
        """Lock tables and history tables come in either order: give each source its own once both are there.

        The only one in a schema may turn out to be another's when the one with the fitting name comes.
        """
        for source in list(self.sources.values()):
            if source.preset.bracket is not None:
                self.sources[source.name] = replace(source, bracket_table=self._bracket_beside(source.table))

    def _bracket_beside(self, table: TableName) -> TableName | None:
        """The lock table beside a history table: of its name with `lock` behind, or the only one in its schema."""
        near = {bracket for bracket in self.brackets if bracket.schema == table.schema}
        named = {bracket for bracket in near if bracket.table.lower() == f"{table.table}lock".lower()}
        fitting = named or near
        return next(iter(fitting)) if len(fitting) == 1 else None


def table_of(item: ObjectEvent) -> TableName | None:
    """The table an event is about, by its real name; None for other kinds of object."""
    if item.key is None or item.key.type != "table":
        return None
    return parse_table(item.key.identity)


def parse_table(identity: str) -> TableName | None:
    """The real names in `schema.table` as the server quotes them; None if it is not of two parts."""
    parts = split_identity(identity)
    return TableName(parts[0], parts[1]) if len(parts) == 2 else None  # noqa: PLR2004  # schema and table


def split_identity(identity: str) -> tuple[str, ...]:
    """The parts of a dotted identity, unquoted: `a."b.c"` is ("a", "b.c")."""
    parts, part, quoted, position = [], "", False, 0
    while position < len(identity):
        char = identity[position]
        if char == '"' and quoted and identity[position + 1 : position + 2] == '"':
            part += '"'
            position += 1
        elif char == '"':
            quoted = not quoted
        elif char == "." and not quoted:
            parts.append(part)
            part = ""
        else:
            part += char
        position += 1
    return (*parts, part)


def created_tables(event: DdlEvent) -> Iterable[tuple[TableName, tuple[str, ...]]]:
    """The tables that a statement made or changed, with their columns."""
    for item in event.objects:
        table = table_of(item)
        if item.op is ObjectOp.SET and table is not None and item.columns is not None:
            yield table, item.columns

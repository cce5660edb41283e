"""Whose own objects a statement is about: history tables, lock tables, companions, their sequences, types and schemas.

In: a statement, the sources, and the presets (a tool may make its schema before its history table). Out: the name of
the source, or of the one that is to come. Pure; called by the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.objects import ObjectEvent
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.identity import owner_of, parse_table, split_identity, table_it_is_on, table_of
from pggit_daemon.tools.names import Names
from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.source import Source

_BELONGS_TO_TABLE = {"table constraint", "index", "sequence", "trigger", "type", "rule", "policy"}


class Housekeeping:
    """Looks at one statement at a time. `sources` and `brackets` are the registry's own, as they are then."""

    def __init__(
        self, presets: Mapping[str, Preset], sources: Mapping[str, Source], brackets: Container[TableName]
    ) -> None:
        self._sources = sources
        self._brackets = brackets
        self._to_come = _ToCome(presets.values())

    def owner(self, event: DdlEvent) -> str | None:
        """The source whose own objects, and nothing else, a statement made, changed or dropped."""
        own = {table_of(item) for item in event.objects} - {None}
        sequences = self._sequences(event) if any(map(_is_sequence, event.objects)) else set()
        owners: set[str | None] = set()
        beside: set[str | None] = set()
        for item in event.objects:
            if item.key is None:
                continue
            found = self._of_item(item)
            if found is None and own and _is_sequence(item) and item.key.identity in sequences:
                continue  # of a table in the same statement
            (owners if item.direct else beside).add(found)
        owners |= beside - {None}
        return owners.pop() if len(owners) == 1 else None

    def _sequences(self, event: DdlEvent) -> set[str]:
        """Those that the tools' own tables of the statement need."""
        return {
            name.removeprefix("~sequence ")
            for item in event.objects
            if table_of(item) is not None and self._of_item(item) is not None and item.blob is not None
            for name in item.blob.depends
            if name.startswith("~sequence ")
        }

    def _of_item(self, item: ObjectEvent) -> str | None:
        if item.key is None:
            return None
        table = table_of(item) or owner_of(item) or table_it_is_on(item)
        needed = {table} if table is not None else set()
        if item.blob is not None and item.key.type in _BELONGS_TO_TABLE:
            depends = (parse_table(name.removeprefix("table ")) for name in item.blob.depends if name[:6] == "table ")
            needed |= {one for one in depends if one is not None}
        for one in sorted(needed, key=str) if len(needed) > 1 else needed:
            found = self._of_table(one)
            if found is not None:
                return found
        if item.key.type == "type":
            parts = split_identity(item.key.identity)
            return self._of_type(*parts) if len(parts) == 2 else None  # noqa: PLR2004  # schema and type
        if item.key.type == "schema":
            return self._to_come.source_of_schema(split_identity(item.key.identity)[0])
        return None

    def _of_table(self, table: TableName) -> str | None:
        for source in self._sources.values():
            if source.holds(table) or table == source.bracket_table:
                return source.name
        for source in self._sources.values():
            if table.schema == source.table.schema and _fits(table.table, source.preset.own.tables, source.table):
                return source.name
        if table in self._brackets:
            return str(table)
        return self._to_come.source_of(table.schema, table.table, lambda own: own.tables)

    def _of_type(self, schema: str, name: str) -> str | None:
        for source in self._sources.values():
            if schema == source.table.schema and _fits(name, source.preset.own.types, source.table):
                return source.name
        return self._to_come.source_of(schema, name, lambda own: own.types)


@dataclass(frozen=True, slots=True)
class _Own:
    """What one preset's tool makes before its history table, which is then called `table`."""

    table: str
    first: Names
    schemas: Names
    tables: Names
    types: Names


class _ToCome:
    """Finds the source whose history table is still to be made. Most names are nobody's: one look tells them."""

    def __init__(self, presets: Iterable[Preset]) -> None:
        named = [(preset.table.name, preset.own) for preset in presets if preset.table.name is not None]
        self._own = [
            _Own(name, Names(own.first), Names(own.schemas), Names(own.tables), Names(own.types)) for name, own in named
        ]
        self._first = Names(pattern for _, own in named for pattern in own.first)
        self._schemas = Names(pattern for _, own in named for pattern in own.schemas)

    def source_of(self, schema: str, name: str, of: Callable[[_Own], Names]) -> str | None:
        """Whose table or type this is."""
        if name not in self._first and schema not in self._schemas:
            return None
        found = (own for own in self._own if name in own.first or (schema in own.schemas and name in of(own)))
        return next((f"{schema}.{own.table}" for own in found), None)

    def source_of_schema(self, schema: str) -> str | None:
        """Whose schema this is."""
        if schema not in self._schemas:
            return None
        return next((f"{schema}.{own.table}" for own in self._own if schema in own.schemas), None)


def _is_sequence(item: ObjectEvent) -> bool:
    return item.key is not None and item.key.type == "sequence"


def _fits(name: str, patterns: Iterable[str], table: TableName) -> bool:
    return any(fnmatchcase(name, pattern.replace("{table}", table.table)) for pattern in patterns)

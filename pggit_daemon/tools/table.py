"""Which tables a preset means: names, columns with types, key, and what stands beside.

In: a `Shape` and the tables of its schema. Out: what it lacks, in words; nothing where it fits. Pure; called by the
registry and by `pggit-daemon tools explain`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from pggit_daemon.model.shape import Column, Shape, TableKind
from pggit_daemon.model.transaction import TableName


class TableRule(BaseModel):
    """A table of a tool, by its looks.

    `columns` must be there, `optional` may be; others only with `more`. A type is the server's name of it without
    length, several are separated by `|`, `*` is any. `key`: the primary key; None: not looked at. `names` and
    `schemas` are shell patterns. `beside` must stand in the same schema, `without` must not. `distinctive`: columns
    that nobody else's tables have, by which the capture knows the table whatever it is called.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    names: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    columns: Mapping[str, str]
    optional: Mapping[str, str] = {}
    more: bool = False
    key: tuple[str, ...] | None = None
    not_null: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    distinctive: tuple[str, ...] = ()

    def fits(self, table: TableName, shape: Shape, beside: Collection[str] = ()) -> bool:
        """Whether a table of this name and shape, with these others in its schema, is one."""
        return next(self.misses(table, shape, beside), None) is None

    def misses(self, table: TableName, shape: Shape, beside: Collection[str] = ()) -> Iterator[str]:
        """What a table lacks to be one, in words. The quick questions come first."""
        yield from self._of_columns(shape)
        yield from self._of_keys(shape)
        if self.names and not any(fnmatchcase(table.table, pattern) for pattern in self.names):
            yield f"its name is not {' or '.join(self.names)}"
        if self.schemas and not any(fnmatchcase(table.schema, pattern) for pattern in self.schemas):
            yield f"its schema is not {' or '.join(self.schemas)}"
        yield from (f"there is no table {name} beside it" for name in self.beside if name not in beside)
        yield from (f"the table {name} stands beside it" for name in self.without if name in beside)

    def _of_columns(self, shape: Shape) -> Iterator[str]:
        found = {column.name: column for column in shape.columns}
        yield from (f"it has no column {name}" for name in self.columns if name not in found)
        if not self.more:
            known = self.columns.keys() | self.optional.keys()
            yield from (f"column {name} is not the tool's" for name in found if name not in known)
        for name, types in {**self.optional, **self.columns}.items():
            if name in found and not _is_of(found[name], types):
                yield f"column {name} is {found[name].type}, not {types.replace('|', ' or ')}"
        for name in self.not_null:
            if name in found and found[name].type is not None and not found[name].not_null:
                yield f"column {name} may be null"

    def _of_keys(self, shape: Shape) -> Iterator[str]:
        if self.key is not None and shape.key is not None and set(self.key) != set(shape.key):
            wanted = f"({', '.join(self.key)})" if self.key else "none"
            yield f"its primary key is ({', '.join(shape.key)}), not {wanted}"
        if shape.copied:
            yield "it is a copy: made by CREATE TABLE AS, with all its rows at once"
        if shape.kind in {TableKind.PARTITION, TableKind.CHILD}:
            yield f"it is a {shape.kind.value} of {shape.parent}"


def _is_of(column: Column, types: str) -> bool:
    # The name alone is known of tables that an earlier version recorded.
    return column.type is None or any(fnmatchcase(column.type, one) for one in types.split("|"))

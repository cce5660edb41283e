"""Which tables may be looked at for history tables that nobody configured. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pggit_daemon.model.transaction import TableName


@dataclass(frozen=True, slots=True)
class Discovery:
    """Shell patterns of `schema.table`; `include` empty: every table. What is excluded is never looked at."""

    on: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def allows(self, table: TableName) -> bool:
        """Whether this table may become a source by its looks."""
        if not self.on or _any(self.exclude, table):
            return False
        return not self.include or _any(self.include, table)


def _any(patterns: Iterable[str], table: TableName) -> bool:
    """A pattern without a dot is about the schema."""
    return any(fnmatchcase(str(table) if "." in one else table.schema, one) for one in patterns)

"""A source: one history table that is followed.

In: a table found by its columns, or named in the configuration. Out: a `Source`, keyed by name and not by
OID, so that a table which is dropped and made again goes on. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.preset import Preset

DEFAULT_GRACE = timedelta(seconds=30)

FLYWAY_KEY_BASE = 0x466C79776179
"""The bytes `Flyway` before the hash of the table's name: the base of Flyway's advisory keys."""


@dataclass(frozen=True, slots=True)
class Source:
    """`grace`: how long DDL waits for its row, in the stream's own time."""

    name: str
    preset: Preset
    table: TableName
    bracket_table: TableName | None = None
    grace: timedelta = DEFAULT_GRACE
    preset_name: str = "custom"
    origin: str = "discovered"

    @property
    def tool(self) -> str:
        return self.preset.tool

    @property
    def advisory_key(self) -> tuple[int, int] | None:
        """(classid, objid) as pg_locks shows the tool's lock for this table; None where it takes none."""
        return flyway_key(self.table) if self.preset.advisory_lock == "flyway" else None

    @property
    def tables(self) -> tuple[TableName, ...]:
        """What must be streamed for it."""
        return (self.table,) if self.bracket_table is None else (self.table, self.bracket_table)


def flyway_key(table: TableName) -> tuple[int, int]:
    """Flyway's advisory key for a table: the base plus Java's hashCode of the quoted name, a signed 64-bit sum."""
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (table.schema, table.table))
    key = (FLYWAY_KEY_BASE + _java_hash(quoted)) & 0xFFFFFFFFFFFFFFFF
    return key >> 32, key & 0xFFFFFFFF


def _java_hash(text: str) -> int:
    """String.hashCode over UTF-16 code units, as a signed 32-bit integer."""
    encoded = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for unit in zip(encoded[::2], encoded[1::2], strict=True):
        value = (31 * value + (unit[0] << 8 | unit[1])) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value

"""The advisory lock of a tool, as pg_locks shows it.

In: what a preset says of the key (a number, or how it is made of names), and the names. Out: classid, objid and
objsubid. Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

from pggit_daemon.model.transaction import TableName

Hash = Literal["crc32", "java"]


class LockKey(NamedTuple):
    """The three numbers of an advisory lock; objsubid 1 is a key of 64 bits, 2 one of twice 32."""

    classid: int
    objid: int
    objsubid: int


class KeyFormula(BaseModel):
    """A key that is the same everywhere (`number`), or `hash` of `of` times `times` plus `plus`, cut to `bits`.

    In `of`, {database}, {schema} and {table} stand for the names, {quoted_schema} and {quoted_table} for them in double
    quotes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int | None = None
    hash: Hash | None = None
    of: str = ""
    times: int = 1
    plus: int = 0
    bits: Literal[32, 64] = 64

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.number is None) == (self.hash is None) or (self.hash is not None and not self.of):
            raise ValueError("key: allowed: either number, or hash with of")
        return self

    @property
    def is_fixed(self) -> bool:
        """Whether the key is the same for every table and database."""
        return self.number is not None

    def of_table(self, database: str, table: TableName) -> LockKey:
        """The key for the history table of this name."""
        value = self.number if self.hash is None else self._hashed(self.hash, database, table)
        key = (value or 0) & 0xFFFFFFFFFFFFFFFF
        return LockKey(key >> 32, key & 0xFFFFFFFF, 1)

    def classes(self) -> tuple[int, ...] | None:
        """The upper halves that the key may have whatever the names are; None where it may be any."""
        if self.hash is None:
            return (self.of_table("", TableName("", "")).classid,)
        if self.bits == 32:  # noqa: PLR2004  # as the field allows
            return (0,)
        if self.times != 1:
            return None
        lowest, highest = (
            (self.plus - (1 << 31), self.plus + (1 << 31) - 1)
            if self.hash == "java"
            else (
                self.plus,
                self.plus + (1 << 32) - 1,
            )
        )
        return tuple(range((lowest >> 32) & 0xFFFFFFFF, ((highest >> 32) & 0xFFFFFFFF) + 1))

    def _hashed(self, by: Hash, database: str, table: TableName) -> int:
        names: Mapping[str, str] = {
            "database": database,
            "schema": table.schema,
            "table": table.table,
            "quoted_schema": _quoted(table.schema),
            "quoted_table": _quoted(table.table),
        }
        value = _HASHES[by](self.of.format_map(names)) * self.times + self.plus
        return value & ((1 << self.bits) - 1)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def java_hash(text: str) -> int:
    """String.hashCode of Java over UTF-16 code units, as a signed 32-bit integer."""
    encoded = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for high, low in zip(encoded[::2], encoded[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def _crc32(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


_HASHES: Mapping[Hash, Callable[[str], int]] = {"java": java_hash, "crc32": _crc32}

"""What there is in the database, as values that the generator picks from.

In: the rows of `live.sql`. Out: a `Live`, read by `choose.py`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

QUERY = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
TORN = Path(__file__).with_name("torn.sql").read_text(encoding="utf-8")

GROUPS: Mapping[str, tuple[str, ...]] = {
    "schema": ("own schema", "public"),
    "own_schema": ("own schema",),
    "table": ("plain", "plain", "partitioned", "partition"),
    "relation": ("plain", "partitioned", "partition", "view", "view", "matview"),
    "stored": ("plain", "partitioned", "partition", "matview"),
    "constraint": ("key", "foreign key", "check"),
    "any_index": ("index", "unique index"),
    "unique_index": ("unique index",),
    "routine": ("function", "trigger function", "procedure"),
    "type": ("enum", "domain", "composite", "range"),
    "domain_check": ("domain check",),
    "trigger_function": ("trigger function",),
    "member_type": ("member type",),
}
"""What a word of the grammar may stand for, other than the kind of this name; twice is twice as likely."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object; all names quoted. `of` is what it hangs on, `parts` its columns with their types, or labels."""

    kind: str
    schema: str | None
    name: str
    ident: str
    of: str | None = None
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """All of them, by kind."""

    kinds: Mapping[str, tuple[Thing, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, rows: Iterable[tuple[Any, ...]]) -> Live:
        kinds: dict[str, list[Thing]] = {}
        for kind, schema, name, ident, of, parts in rows:
            thing = Thing(kind, schema, name, ident, of, tuple((part[0], part[1]) for part in parts))
            kinds.setdefault(kind, []).append(thing)
        return cls({kind: tuple(things) for kind, things in kinds.items()})

    def of(self, word: str) -> tuple[Thing, ...]:
        return tuple(thing for kind in GROUPS.get(word, (word,)) for thing in self.kinds.get(kind, ()))

    def named(self, ident: str | None) -> Thing | None:
        """The relation or type of this name."""
        return next((t for things in self.kinds.values() for t in things if t.ident == ident), None)

    @property
    def size(self) -> int:
        return sum(map(len, self.kinds.values()))

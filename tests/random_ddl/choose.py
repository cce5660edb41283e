"""Filling a template: each word in braces becomes something that is there, or a new name.

In: a template of the grammar, what there is (`Live`), a source of choices. Out: a statement, or `Unfillable` where
nothing fits. Called by `grammar/`. Pure.

`{table}` is some table by its qualified name, `{table.col}` one of its columns; the same word is the same table within
a statement, `{table2}` is another choice. `{new}` is a new name, `{q}` one with a schema. `<<a|b|c>>` is one of several
texts, and `<<|x>>` is x or nothing.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from tests.random_ddl.expressions import Expressions, Unfillable
from tests.random_ddl.live import Live, Thing

NAMES = ("a", "b", "c", "t1", "t2", '"T x"', '"Ü"', '"q""x"')
COLUMNS = ("id", "a", "b", "c", '"Col d"', "e")
SCHEMAS = ("s1", '"S 2"', "s3")
ROLES = ("random_a", '"Random B"')
LABELS = ("'red'", "'green'", "'it''s'", "'Blue'")

__all__ = ["Choice", "Unfillable"]

_NEW = {"q": NAMES, "new": NAMES, "newcol": COLUMNS, "newschema": SCHEMAS, "newlabel": LABELS}
_WORDS = {
    "role": ROLES,
    "grantee": (*ROLES, "PUBLIC"),
    "num": ("1", "2", "3", "5", "10", "100"),
    "comment": ("NULL", "'it''s so'", "'a comment'"),
}
_CHOICE = re.compile(r"<<([^<>]*)>>")
_WORD = re.compile(r"\{([a-z_]+)(\d?)(?:\.([a-z]+)(\d?))?\}")


@dataclass(slots=True)
class Choice:
    """One statement's choices; `bound` remembers what a word stands for."""

    rng: random.Random
    live: Live
    queries: tuple[str, ...]
    bound: dict[str, Thing] = field(default_factory=dict)
    columns: dict[str, tuple[str, str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def fill(self, template: str) -> str:
        while (found := _CHOICE.search(template)) is not None:
            template = template[: found.start()] + self.rng.choice(found[1].split("|")) + template[found.end() :]
        return _WORD.sub(self._word, template)

    def one(self, word: str, number: str = "") -> Thing:
        key = word + number
        if key not in self.bound:
            things = [t for t in self.live.of(word) if t not in self.bound.values()] or self.live.of(word)
            if not things:
                raise Unfillable(word)
            self.bound[key] = self.rng.choice(things)
        return self.bound[key]

    def _word(self, found: re.Match[str]) -> str:
        word, number, part, place = found[1], found[2], found[3], found[4] or ""
        if part is None and word in _NEW:
            return self.names.setdefault(word + number, self._new(word))
        if part is None and (text := self._free(word)) is not None:
            return text
        thing = self.one(word, number)
        return thing.ident if part is None else self._part(thing, word + number, part, place)

    def _new(self, word: str) -> str:
        if word != "q":
            return self.rng.choice(_NEW[word])
        schemas = self.live.of("schema")
        if not schemas:
            raise Unfillable(word)
        return f"{self.rng.choice(schemas).ident}.{self.rng.choice(NAMES)}"

    def _free(self, word: str) -> str | None:
        """What is no object that is there."""
        expressions = Expressions(self.rng, self.live)
        if word in _WORDS:
            return self.rng.choice(_WORDS[word])
        if word == "query":
            return Choice(self.rng, self.live, self.queries).fill(self.rng.choice(self.queries))
        if word == "columns":
            return expressions.column_definitions(COLUMNS)
        made = {"columntype": expressions.column_type, "args": expressions.arguments, "call": expressions.any_call}
        if word in {"using", "rowcall"}:
            one, other = self.one("relation"), self.one("relation", "2" if word == "using" else "")
            return self.names.setdefault(
                word, expressions.common(one, other) if word == "using" else expressions.row_function(one)
            )
        return made[word]() if word in made else None

    def _part(self, thing: Thing, key: str, part: str, place: str) -> str:  # noqa: PLR0911  # a list of words
        expressions = Expressions(self.rng, self.live)
        match part:
            case "name":
                return thing.name
            case "schema" if thing.schema is not None:
                return thing.schema
            case "of" if thing.of is not None:
                return thing.of
            case "cond":
                return expressions.condition(thing)
            case "expr":
                return expressions.of_columns(thing)
            case "some" | "ints" if thing.parts:
                parts = [p for p in thing.parts if part == "some" or "int" in p[1]] or list(thing.parts)
                return ", ".join(p[0] for p in self.rng.sample(parts, min(len(parts), self.rng.randint(1, 2))))
            case "all" if thing.parts:
                return ", ".join(p[0] for p in thing.parts)
            case "col" | "type" | "value" | "int" if thing.parts:
                name, kind = self._column(thing, key + place, ints=part == "int")
                return {"type": kind, "value": expressions.value(kind)}.get(part, name)
        raise Unfillable(part)

    def _column(self, thing: Thing, key: str, *, ints: bool) -> tuple[str, str]:
        if key not in self.columns:
            parts = [p for p in thing.parts if not ints or "int" in p[1]]
            if not parts:
                raise Unfillable(key)
            self.columns[key] = self.rng.choice(parts)
        return self.columns[key]

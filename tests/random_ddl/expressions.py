"""Expressions, queries and column lists that make sense for what there is.

In: what there is (`Live`) and a source of choices. Out: pieces of SQL. Called by `choose.py`. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.random_ddl.live import Live, Thing

PLAIN_TYPES = ("integer", "integer", "integer", "bigint", "text", "text", "varchar(20)", "numeric(10,2)", "boolean",
               "date", "timestamptz", "jsonb", "integer[]", 'text COLLATE "C"')  # fmt: skip
_VALUES = (("int", "7"), ("numeric", "1.5"), ("bool", "true"), ("date", "'2020-02-03'::date"), ("timestamp", "now()"),
           ("json", "'{\"a\": 1}'"), ("text", "'x'"), ("char", "'it''s'"))  # fmt: skip


class Unfillable(Exception):
    """The template needs something that is not there."""


def same(one: str, other: str) -> bool:
    """Whether two spellings of a type, with or without its schema, may be the same."""
    return one.rsplit(".", 1)[-1] == other.rsplit(".", 1)[-1]


@dataclass(frozen=True, slots=True)
class Expressions:
    rng: random.Random
    live: Live

    def column_type(self) -> str:
        """A type for a column or an argument: mostly a plain one."""
        own = [*self.live.of("type"), *self.live.of("member_type")]
        if own and self.rng.random() < 0.35:
            return self.rng.choice(own).ident + self.rng.choice(("", "", "", "[]"))
        rows = self.live.of("relation")
        if rows and self.rng.random() < 0.04:
            return self.rng.choice(rows).ident
        return self.rng.choice(PLAIN_TYPES)

    def column_definitions(self, names: Sequence[str]) -> str:
        """The inside of CREATE TABLE, without constraints of the table's own."""
        chosen = self.rng.sample(names, self.rng.randint(1, 4))
        return ", ".join(self._definition(name, first=place == 0) for place, name in enumerate(chosen))

    def _definition(self, name: str, *, first: bool) -> str:  # noqa: PLR0911  # a list of forms
        if first and self.rng.random() < 0.5:
            return f"{name} integer {self.rng.choice(('PRIMARY KEY', 'UNIQUE', 'NOT NULL'))}"
        kind = self.column_type()
        extra = self.rng.random()
        if extra < 0.1:
            return f"{name} {kind} DEFAULT {self.value(kind)}"
        if extra < 0.18:
            return f"{name} integer CHECK ({name} > 0)"
        if extra < 0.22:
            return f"{name} integer GENERATED {self.rng.choice(('ALWAYS', 'BY DEFAULT'))} AS IDENTITY"
        if extra < 0.26:
            return f"{name} {self.rng.choice(('serial', 'bigserial'))}"
        if extra < 0.32:
            return f"{name} {kind} NOT NULL"
        keys = [t for t in self.live.of("key") if len(t.parts) == 1]
        if extra < 0.42 and keys:
            key = self.rng.choice(keys)
            return f"{name} {key.parts[0][1]} REFERENCES {key.of} ({key.parts[0][0]})"
        return f"{name} {kind}"

    def value(self, kind: str) -> str:
        """A constant, or a call, of this type; NULL where nothing else is known."""
        calls = [f for f in self.live.of("function") if f.of is not None and same(f.of, kind) and len(f.parts) < 2]
        if calls and self.rng.random() < 0.5:
            return self.call(self.rng.choice(calls), None)
        if kind.endswith("[]"):
            return "'{}'"
        for enum in self.live.of("enum"):
            if same(enum.ident, kind) and enum.parts:
                return f"{self.rng.choice(enum.parts)[0]}::{enum.ident}"
        for domain in self.live.of("domain"):
            if same(domain.ident, kind):
                return self.value(domain.parts[0][1]) if domain.parts[0][1] != kind else "NULL"
        if "int" in kind and "." not in kind and (sequences := self.live.of("sequence")) and self.rng.random() < 0.3:
            name = self.rng.choice(sequences).ident.replace("'", "''")
            return f"nextval('{name}')"
        return next((value for word, value in _VALUES if word in kind), "NULL")

    def call(self, function: Thing, argument: str | None) -> str:
        given = [argument] if argument is not None else [f"NULL::{kind}" for _, kind in function.parts]
        return f"{function.ident.split('(', 1)[0]}({', '.join(given)})"

    def of_columns(self, thing: Thing, alias: str = "") -> str:
        """An expression over its columns, such as an index can have."""
        if not thing.parts:
            return "1"
        column, kind = self.rng.choice(thing.parts)
        column = alias + column
        fitting = [f for f in self.live.of("function") if len(f.parts) == 1 and same(f.parts[0][1], kind)]
        if fitting and self.rng.random() < 0.5:
            return self.call(self.rng.choice(fitting), column)
        if "int" in kind:
            return f"({column} % 7)"
        return f"lower({column})" if kind in {"text", "character varying(20)"} else column

    def condition(self, thing: Thing, alias: str = "") -> str:
        """Something that is true or false of a row."""
        if not thing.parts:
            return "true"
        column, kind = self.rng.choice(thing.parts)
        column = alias + column
        tests = [f for f in self.live.of("function") if f.of == "boolean" and len(f.parts) == 1]
        fitting = [f for f in tests if same(f.parts[0][1], kind)]
        if fitting and self.rng.random() < 0.4:
            return self.call(self.rng.choice(fitting), column)
        if kind == "boolean":
            return column
        if "int" in kind and "[]" not in kind and "interval" not in kind:
            return f"{column} {self.rng.choice(('>', '<>', '<'))} {self.value('plain int')}"
        value = self.value(kind)
        return f"{column} IS NOT NULL" if value in {"NULL", "now()"} or "json" in kind else f"{column} <> {value}"

    def any_call(self) -> str:
        """A call of some function, with NULLs."""
        functions = self.live.of("function")
        if not functions:
            raise Unfillable("function")
        return self.call(self.rng.choice(functions), None)

    def row_function(self, relation: Thing) -> str:
        """The name of a function that takes its rows."""
        functions = [f for f in self.live.of("function") if len(f.parts) == 1 and same(f.parts[0][1], relation.ident)]
        if not functions:
            raise Unfillable("function")
        return self.rng.choice(functions).ident.split("(", 1)[0]

    def common(self, one: Thing, other: Thing) -> str:
        """Columns of the same name and type."""
        names = [p[0] for p in one.parts if any(p[0] == q[0] and same(p[1], q[1]) for q in other.parts)]
        if not names:
            raise Unfillable("common columns")
        return ", ".join(self.rng.sample(names, self.rng.randint(1, len(names))))

    def arguments(self) -> str:
        """The arguments of a new function."""
        count = self.rng.choice((0, 0, 1, 1, 1, 2))
        names = self.rng.sample(("x", "y", '"The z"', ""), count)
        kinds = [k for k in ("integer", "text") for _ in range(2)]
        rows = self.live.of("relation")
        out = []
        for name in names:
            kind = self.rng.choice(kinds) if self.rng.random() < 0.4 else self.column_type().split(" COLLATE")[0]
            if rows and self.rng.random() < 0.25:
                kind = self.rng.choice(rows).ident
            default = f" DEFAULT {self.value(kind)}" if name == names[-1] and self.rng.random() < 0.25 else ""
            out.append(f"{name} {kind}{default}".strip())
        return ", ".join(out)

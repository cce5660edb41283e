"""The statements, as templates by family; `choose.py` says what the words in them mean.

A line is one template; `n*` before it makes it n times as likely. ` ;; ` joins statements that stand in one transaction.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from tests.random_ddl.choose import Choice, Unfillable
from tests.random_ddl.grammar import extensions, objects, privileges, queries, relations, renames, tables, types
from tests.random_ddl.live import Live

TRIES = 12


def _lines(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        count, star, template = line.partition("* ")
        found += [template] * int(count) if star and count.isdigit() else [line]
    return tuple(found)


FAMILIES: Mapping[str, tuple[str, ...]] = {
    name: _lines(text)
    for module in (tables, relations, objects, types, privileges, renames, extensions)
    for name, text in module.FAMILIES.items()
}


SELECTS = _lines(queries.QUERIES)

WEIGHTS: Mapping[str, int] = {
    "create table": 5, "views": 5, "indexes": 3, "constraints": 4, "columns": 4, "functions": 4, "renames": 4,
    "partitions": 3, "types": 3, "domains": 2, "triggers": 3, "inheritance": 3, "extensions": 2, "swaps": 2,
    "rules and policies": 2, "schemas": 2, "sequences": 2, "grants": 2, "owners": 2, "statistics": 2,
}  # fmt: skip
"""How often a family comes, where it is not once."""


def statements(family: str, rng: random.Random, live: Live) -> tuple[str, ...]:
    """What to run, in one transaction; nothing where the family has nothing to work with."""
    for _ in range(TRIES):
        template = rng.choice(FAMILIES[family])
        try:
            return tuple(Choice(rng, live, SELECTS).fill(template).split(" ;; "))
        except Unfillable:
            continue
    return ()

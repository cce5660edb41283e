"""The order of an export, for any set of objects and any needs among them: what `restore_order` promises.

The objects are made up: a key, a definition in the form of its kind, and keys of others, some of them behind a "~"
(needed only by a part that can wait). A model in Python knows which of them need each other.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

DEFINITIONS = {
    "view": '-- Columns: {{"a": "integer"}}\nCREATE VIEW {} AS\n SELECT 1 AS a;\n',
    "materialized view": "CREATE MATERIALIZED VIEW {} AS\n SELECT 1 AS a\nWITH NO DATA;\n",
    "table": "CREATE TABLE {} (\n    a integer DEFAULT 1 NOT NULL\n);\n",
    "foreign table": "CREATE FOREIGN TABLE {} (\n    a integer\n)\nSERVER s;\n",
    "domain": "CREATE DOMAIN {} AS integer\n    CONSTRAINT c CHECK ((VALUE > 0));\n",
    "type": "CREATE TYPE {} AS RANGE (\n    subtype = integer\n);\n",
    "procedure": "CREATE OR REPLACE PROCEDURE {}\n LANGUAGE sql\nBEGIN ATOMIC\n SELECT 1;\nEND;\n",
    "function": "CREATE OR REPLACE FUNCTION {}\n RETURNS integer\n LANGUAGE plpgsql\nAS $function$$function$;\n",
    "index": "CREATE INDEX {};\n",
    "schema": "CREATE SCHEMA {};\n",
}
DESCRIPTIONS = """
    SELECT ARRAY(
        SELECT (0, 0, j ->> 'type', 'public', j ->> 'identity', j ->> 'definition', NULL,
                ARRAY(SELECT jsonb_array_elements_text(j -> 'depends')), NULL)::pggit_daemon.description
          FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY a (j, place)
         ORDER BY pggit_daemon.kind_rank(j ->> 'type'), (j ->> 'identity') COLLATE "C", j ->> 'type')
"""
ORDER = f"""
    WITH given AS MATERIALIZED (SELECT x AS sorted FROM ({DESCRIPTIONS}) d (x))
    SELECT array_agg(ARRAY[u.type || ' ' || u.identity, o.form] ORDER BY o.place), (array_agg(r.stuck::text))[1]
      FROM given
      CROSS JOIN LATERAL pggit_daemon.restore_order(given.sorted) r
      CROSS JOIN LATERAL unnest(r.placed, r.forms) WITH ORDINALITY o (item, form, place)
      JOIN LATERAL (SELECT (given.sorted[o.item]).type, (given.sorted[o.item]).identity) u ON true
"""
WAYS = ({"whole"}, {"first", "rest"}, {"stub", "completion"}, {"stub", "first completion", "rest"})


@dataclass(frozen=True)
class Thing:
    """An object that was made up: what it needs is given by the keys of others, with True where that can wait."""

    type: str
    number: int
    needs: tuple[tuple[str, bool], ...] = ()

    @property
    def identity(self) -> str:
        return f"public.n{self.number:04}" + ("()" if self.type in ("function", "procedure") else "")

    @property
    def key(self) -> str:
        return f"{self.type} {self.identity}"

    def described(self) -> dict[str, Any]:
        """Give what a description holds."""
        depends = [("~" if waits else "") + key for key, waits in self.needs]
        definition = DEFINITIONS[self.type].format(self.identity)
        return {"type": self.type, "identity": self.identity, "definition": definition, "depends": depends}


@st.composite
def things(draw: st.DrawFn) -> list[Thing]:
    kinds = draw(st.lists(st.sampled_from(sorted(DEFINITIONS)), min_size=1, max_size=9))
    bare = [Thing(kind, number) for number, kind in enumerate(kinds)]
    keys = st.sampled_from([thing.key for thing in bare])
    return [
        Thing(thing.type, thing.number, tuple(draw(st.dictionaries(keys, st.booleans(), max_size=3)).items()))
        for thing in bare
    ]


@pytest.fixture(scope="module")
def conn(cluster: Databases, installed_template: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster.dsn(installed_template)) as conn:
        yield conn
        conn.rollback()


@settings(max_examples=150, deadline=None)
@given(made_up=things())
def test_what_is_needed_comes_first(conn: psycopg.Connection[Any], made_up: list[Thing]) -> None:
    """Every object comes exactly once, whole or in its forms; what it needs is there before it, as far as it goes."""
    order, stuck = order_of(conn, made_up)
    ways: dict[str, list[str]] = {thing.key: [] for thing in made_up}
    for key, form in order:
        ways[key].append(form)
    assert all(set(forms) in WAYS and len(forms) == len(set(forms)) for forms in ways.values())
    assert all(forms == sorted(forms, key=("stub first completion rest whole").index) for forms in ways.values())

    place = {(key, form): number for number, (key, form) in enumerate(order)}
    together = mutual(made_up)
    for thing in made_up:
        for key, waits in thing.needs:
            if key == thing.key:
                continue
            if (thing.key, key) in together:
                if stuck:
                    continue
                needed = usable(ways[key], as_stub=thing.type in {"function", "procedure"} and not waits)
            else:
                needed = ways[key][-1]
            needing = ways[thing.key][-1] if waits else usable(ways[thing.key], as_stub=False)
            assert place[key, needed] < place[thing.key, needing], (thing.key, key, order)


@settings(max_examples=60, deadline=None)
@given(made_up=things(), seed=st.randoms(use_true_random=False))
def test_the_script_does_not_depend_on_the_order_of_the_input(
    conn: psycopg.Connection[Any], made_up: list[Thing], seed: random.Random
) -> None:
    """The same set gives the same script; without loops it opens nothing and warns of nothing."""
    script = script_of(conn, made_up)
    shuffled = list(made_up)
    seed.shuffle(shuffled)
    assert script_of(conn, shuffled) == script
    if not mutual(made_up):
        assert "others need it" not in script
        assert "WARNING" not in script
    openable = {"view", "table", "foreign table", "domain", "procedure"}
    hard = [Thing(t.type, t.number, tuple((key, waits) for key, waits in t.needs if not waits)) for t in made_up]
    if not mutual(hard) and all(thing.type in openable for thing in made_up):
        assert "WARNING" not in script  # whatever can wait is opened


def test_without_loops_nothing_moves_but_what_is_needed(conn: psycopg.Connection[Any]) -> None:
    """By kind, then by name; what a function needs comes right before it."""
    made_up = [
        Thing("view", 1),
        Thing("table", 2),
        Thing("view", 3, (("table public.n0005", True),)),
        Thing("table", 5),
    ]
    made_up += [Thing("function", 4, (("view public.n0003", False),)), Thing("schema", 6)]
    order, _ = order_of(conn, made_up)
    assert [key.split(".n")[1][:4] for key, _ in order] == ["0006", "0005", "0003", "0004", "0001", "0002"]
    assert {form for _, form in order} == {"whole"}


@pytest.mark.parametrize(("size", "step", "loops"), [(10_000, 1, 1), (2_000, 500, 500)])
def test_large_sets_in_loops(conn: psycopg.Connection[Any], size: int, step: int, loops: int) -> None:
    """A ring of 10,000 views; 500 rings of four: one view of each is opened."""
    made_up = [Thing("view", i, ((f"view public.n{(i + step) % size:04}", True),)) for i in range(size)]
    order, stuck = order_of(conn, made_up)
    assert not stuck
    assert sum(form == "first" for _, form in order) == loops
    assert len(order) == size + loops


def order_of(conn: psycopg.Connection[Any], made_up: list[Thing]) -> tuple[list[tuple[str, str]], bool]:
    """Ask the server: keys with their forms, and whether a loop is left."""
    row = conn.execute(ORDER, [json.dumps([thing.described() for thing in made_up])]).fetchone()
    assert row is not None
    return [(key, form) for key, form in row[0]], row[1] != "{}"


def script_of(conn: psycopg.Connection[Any], made_up: list[Thing]) -> str:
    described = json.dumps([thing.described() for thing in made_up])
    row = conn.execute(f"SELECT pggit_daemon.export_descriptions(({DESCRIPTIONS}))", [described]).fetchone()
    assert row is not None
    return str(row[0])


def usable(forms: list[str], *, as_stub: bool) -> str:
    """The form with which an object can be used within its cycle; as_stub: its mere name is enough."""
    return forms[0] if as_stub or forms[0] != "stub" else forms[1]


def mutual(made_up: list[Thing]) -> set[tuple[str, str]]:
    """All pairs of keys that need each other, over however many others."""
    known = {thing.key for thing in made_up}
    reach = {thing.key: {key for key, _ in thing.needs if key in known} for thing in made_up}
    for middle, beyond in reach.items():
        for there in reach.values():
            if middle in there:
                there.update(beyond)
    return {(a, b) for a in reach for b in reach[a] if a != b and a in reach[b]}

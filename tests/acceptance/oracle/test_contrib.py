"""The contrib modules run as plain SQL, statement by statement: thousands of objects of the rarer kinds."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import ReservedName, UndefinedFunction, UndefinedObject, UndefinedTable

from tests.acceptance.oracle.amount import EVERY_STATEMENTS, MOMENTS, moments_of
from tests.acceptance.oracle.conftest import Watch
from tests.acceptance.oracle.statements import statements
from tests.acceptance.oracle.watched import Watched
from tests.integration.describe_oracle import Oracle
from tests.integration.test_describe_contrib import modules

# pg_dump asks for the members of an operator family ordered by number alone: of these modules, in which operators of
# one number stand for several types, it does not repeat itself after a restore of its own dump.
UNORDERED = ("isn",)
# A module that builds on another does not find it: each is in a schema of its own (or in `public`, where it is called
# pg_…).
REFUSED = (UndefinedObject, UndefinedFunction, UndefinedTable, ReservedName)


@pytest.mark.long
def test_contrib_statement_by_statement(watch: Watch) -> None:
    """After every fiftieth statement the tree is the catalog; exports of ten moments and the end are what was there."""
    with watch("contrib") as watched:
        steps = [step for name, script in modules() if name not in UNORDERED for step in _steps(script, watched)]
        _run(watched, steps, moments_of(len(steps), MOMENTS, EVERY_STATEMENTS))
        assert watched.figures.unrepeated == 0


@pytest.mark.parametrize("name", UNORDERED)
def test_a_module_that_pg_dump_does_not_repeat(watch: Watch, name: str) -> None:
    """Its tree is the catalog all the same."""
    with watch(name) as watched:
        _run(watched, _steps(dict(modules())[name], watched), frozenset())


@pytest.mark.parametrize("name", UNORDERED)
def test_pg_dump_does_not_repeat_it(oracle: Oracle, name: str) -> None:
    """Where this fails, the module belongs with the others."""
    with oracle.side("template0") as original, oracle.side("template0") as copy:
        original.run(dict(modules())[name])
        copy.restore(original.dump())
        assert original.dump() != copy.dump()


def _steps(script: str, watched: Watched) -> list[str]:
    return statements(script, watched.side.dsn)


def _run(watched: Watched, steps: list[str], moments: frozenset[int]) -> None:
    """Run statement by statement; what is refused leaves nothing."""
    with psycopg.connect(watched.side.dsn, autocommit=True) as conn:
        for number, statement in enumerate(steps, start=1):
            watched.figures.statements += 1
            try:
                conn.execute(statement.encode())
            except REFUSED:
                watched.figures.refused += 1
            if number in moments:
                watched.moment(f"statement {number}: {statement}")
            elif number % EVERY_STATEMENTS == 0 or number == len(steps):
                watched.compare(f"statement {number}: {statement}")
    watched.finish()

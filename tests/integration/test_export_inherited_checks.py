"""CHECK constraints of one name on parents, children and grandchildren, valid or NOT VALID, made in every order.

The server merges them, and refuses some orders: whatever it accepted, the export restores.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.integration.describe_oracle import Oracle, assert_same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

TREES = {
    "inherited": "CREATE TABLE {p} (a int); CREATE TABLE {c} () INHERITS ({p}); CREATE TABLE {g} () INHERITS ({c});",
    "two parents": "CREATE TABLE {p} (a int); CREATE TABLE {c} (a int); CREATE TABLE {g} () INHERITS ({p}, {c});",
    "partitions": "CREATE TABLE {p} (a int) PARTITION BY LIST (a);"
    " CREATE TABLE {c} PARTITION OF {p} FOR VALUES IN (1, 2) PARTITION BY LIST (a);"
    " CREATE TABLE {g} PARTITION OF {c} FOR VALUES IN (1);",
}
STEPS = tuple(
    f"ALTER TABLE {{{table}}} ADD CONSTRAINT k CHECK (a > 0){valid}"
    for table in ("p", "c", "g")
    for valid in ("", " NOT VALID")
)


def scripts(tree: str, schema: str) -> list[str]:
    """The tables, and up to three of the constraints, in every order; names that sort either way."""
    found = []
    orders = [order for size in (1, 2, 3) for order in itertools.permutations(STEPS, size)]
    for number, order in enumerate(orders):
        for names in ("pcg", "zba"):
            tables = {role: f"{schema}.{name}{number}" for role, name in zip("pcg", names, strict=True)}
            found.append(
                "; ".join([TREES[tree].format(**tables).rstrip(";"), *(one.format(**tables) for one in order)])
            )
    return found


@pytest.fixture(scope="module")
def oracle(cluster: Databases, installed_template: str) -> Iterator[Oracle]:
    with Oracle(cluster, installed_template) as oracle:
        yield oracle


@pytest.mark.parametrize("tree", TREES)
def test_every_order_that_the_server_accepts_restores(oracle: Oracle, tree: str) -> None:
    accepted = 0
    with oracle.side() as original, oracle.side() as copy:
        with psycopg.connect(original.dsn) as conn:
            conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE")  # the export is of the catalog
            conn.execute("CREATE SCHEMA app")
            for script in scripts(tree, "app"):
                try:
                    with conn.transaction():
                        conn.execute(script.encode())
                    accepted += 1
                except (
                    psycopg.errors.InvalidObjectDefinition,
                    psycopg.errors.ObjectNotInPrerequisiteState,
                    psycopg.errors.DuplicateObject,
                ):
                    pass
            conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS")
        assert accepted > 30
        copy.restore(original.export())
        if tree != "partitions":
            # A partition's own CHECK becomes its parent's when it is attached, also from pg_dump's script.
            assert_same(original.dump(), copy.dump())
            assert_same(original.snapshot(), copy.snapshot())


def test_a_child_that_was_valid_before_its_parent_was_not(oracle: Oracle) -> None:
    script = """
        CREATE TABLE p (a int); CREATE TABLE c () INHERITS (p);
        ALTER TABLE c ADD CONSTRAINT k CHECK (a > 0); ALTER TABLE p ADD CONSTRAINT k CHECK (a > 0) NOT VALID;
    """
    with oracle.pair(script) as (original, copy):
        assert_same(original.dump(), copy.dump())
        assert_same(original.snapshot(), copy.snapshot())

"""Changes reach every object they touch: after each statement, the events so far add up to the catalog.

A script of reach_scripts/ for each family of statements, one statement a line; see reach_support.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.reach_support import Reach, captured, statements, unreached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases
    from tests.integration.capture_support import Captured

SCRIPTS = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "reach_scripts").glob("*.sql"))}

# What the server allows outside of transactions only, or not to be used before the commit.
ALONE = re.compile("CONCURRENTLY|ADD VALUE|^BEGIN|^COMMIT|^SAVEPOINT|^ROLLBACK|^RELEASE|^CALL|^DISCARD|^!")
# Another session must see what IMPORT FOREIGN SCHEMA reads.
WITHIN = sorted(SCRIPTS.keys() - {"foreign"})


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


@pytest.fixture(scope="module")
def shared(cluster: Databases, installed_template: str) -> Iterator[Captured]:
    """Give a session whose functions are compiled already, for tests that roll everything back."""
    cluster.create_database("reach_shared", installed_template)
    yield from captured(cluster.dsn("reach_shared"))
    cluster.drop_database("reach_shared")


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_statement_reaches_all_that_it_changes(db: Captured, script: str) -> None:
    assert unreached(db, SCRIPTS[script]) == {}


@pytest.mark.parametrize("script", WITHIN)
def test_in_one_transaction_too(shared: Captured, script: str) -> None:
    """Promise: it does not matter what else the transaction wrote, nor what of it was rolled back."""
    reach = Reach(shared)
    with shared.conn.transaction(force_rollback=True):
        for said in statements(SCRIPTS[script]):
            statement = said.replace("INDEX CONCURRENTLY", "INDEX")
            if not ALONE.search(statement):
                for part in ("SAVEPOINT s", statement, "ROLLBACK TO SAVEPOINT s", statement, "RELEASE SAVEPOINT s"):
                    shared.conn.execute(part.encode())
        assert reach.differs() == []

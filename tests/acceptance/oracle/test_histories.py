"""Real migration histories, run by their own tools: what the daemon recorded is the catalog, and restores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from sandbox.histories import run
from tests.acceptance.oracle.amount import EVERY_MIGRATIONS, MOMENTS, moments_of
from tests.acceptance.oracle.conftest import Watch
from tests.acceptance.oracle.statements import statements

History = Callable[[str, frozenset[int]], Iterator[str]]


@pytest.mark.long
@pytest.mark.parametrize(
    ("history", "migrations"),
    [(run.django, 96), (run.ckan, 109), (run.unleash, 374)],
    ids=["django", "ckan", "unleash"],
)
def test_a_history_run_by_its_own_tool(watch: Watch, history: History, migrations: int) -> None:
    """The tree is compared after every few migrations, pg_dump at ten moments and at the end."""
    with watch(history.__name__) as watched:
        moments = moments_of(migrations, MOMENTS)
        looks = moments.union(range(EVERY_MIGRATIONS, migrations + 1, EVERY_MIGRATIONS))
        for number, name in enumerate(history(watched.side.dsn, looks), start=1):
            watched.figures.migrations += 1
            if number in moments:
                watched.moment(name)
            elif number in looks:
                watched.compare(name)
        watched.finish()
        assert watched.figures.migrations == migrations
        # Of a CHECK of Unleash's, PostgreSQL does not repeat the casts.
        assert (watched.figures.unrepeated > 0) == (history is run.unleash)


def test_a_history_of_plain_sql(watch: Watch) -> None:
    """Plain SQL of procrastinate, statement by statement: triggers, functions that replace each other, enums."""
    with watch("procrastinate") as watched, psycopg.connect(watched.side.dsn, autocommit=True) as conn:
        migrations = run.procrastinate()
        moments = moments_of(len(migrations), MOMENTS)
        for number, (name, script) in enumerate(migrations, start=1):
            for statement in statements(script, watched.side.dsn):
                conn.execute(statement.encode())
                watched.figures.statements += 1
            watched.figures.migrations += 1
            (watched.moment if number in moments else watched.compare)(name)
        watched.finish()
        assert watched.figures.unrepeated == 0

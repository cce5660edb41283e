"""Every kind of object, and what can be done to it: one test for each cell of the table in `docs/kinds.md`.

The scripts of `kinds/` run statement by statement with the event triggers on. After each statement the outbox says
what became of the object, and all that it ever said adds up to the catalog. At the end of a script, the export of
its database restores into an empty one, and pg_dump says the same of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.describe_oracle import Side, assert_same
from tests.integration.kind_run import drop_subscriptions, restored_copy, roles, run_kinds, whole_dump
from tests.integration.kind_table import PAGE, VERBS, Kind, page_with, read_scripts, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.databases import Databases
    from tests.integration.kind_run import KindRun

KINDS = read_scripts()
SCRIPTS = {name: [kind for kind in KINDS if kind.script == name] for name in dict.fromkeys(k.script for k in KINDS)}
CELLS = [
    pytest.param(kind, verb, id=f"{kind.name.replace(' ', '-')}-{verb}")
    for kind in KINDS
    for verb in VERBS
    if kind.cell(verb)
]


@pytest.fixture(scope="module")
def outcome(cluster: Databases, installed_template: str) -> Iterator[Callable[[str], KindRun]]:
    """What came of a script, by its name; it is run when it is first asked for."""
    runs: dict[str, KindRun] = {}
    databases: list[str] = []

    def of(script: str) -> KindRun:
        if script not in runs:
            name = f"kinds_{len(databases)}"
            cluster.create_database(name, installed_template)
            databases.append(name)
            runs[script] = run_kinds(cluster.dsn(name), SCRIPTS[script])
        return runs[script]

    with roles(cluster):
        yield of
        for name in databases:
            drop_subscriptions(cluster.dsn(name))
            cluster.drop_database(name)


@pytest.mark.parametrize(("kind", "verb"), CELLS)
def test_the_outbox_says_what_became_of_it(outcome: Callable[[str], KindRun], kind: Kind, verb: str) -> None:
    """The object stands in the outbox under its key, and all events together are the catalog."""
    assert outcome(kind.script).of(kind, verb) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_export_restores_into_an_empty_database(
    outcome: Callable[[str], KindRun], cluster: Databases, script: str
) -> None:
    """An empty one has no schema of ours; pg_dump and our own snapshot cannot tell the copy from the original."""
    run = outcome(script)
    assert run.preparing(SCRIPTS[script]) == []
    copy = cluster.dsn("kinds_copy")
    try:
        restored_copy(cluster, run.dsn, "kinds_copy")
        assert_same(whole_dump(run.dsn), whole_dump(copy))
        assert_same(Side(run.dsn).snapshot(), Side(copy).snapshot())
        assert_same(Side(run.dsn).export(), Side(copy).export())
    finally:
        drop_subscriptions(copy)
        cluster.drop_database("kinds_copy")


def test_each_cell_is_a_test_or_has_a_reason() -> None:
    """Nothing is both, nothing is neither, and no kind comes twice."""
    assert [(k.name, v) for k in KINDS for v in VERBS if bool(k.cell(v)) == (v in k.missing)] == []
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_the_documentation_shows_the_cells_that_are_tested() -> None:
    """`python -m tests.integration.kind_table` writes it."""
    page = PAGE.read_text()
    assert page == page_with(table(KINDS), page)

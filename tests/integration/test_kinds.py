"""Every kind of object, and what can be done to it: one test for each cell of the table in `docs/kinds.md`.

The scripts of `kinds/` run statement by statement with the event triggers on. After each statement the outbox says
what became of the object, and all that it ever said adds up to the catalog. At the end of a script, the export of
its database restores into an empty one, and pg_dump says the same of both.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.describe_oracle import Side, difference
from tests.integration.kind_run import Complaints, drop_subscriptions, restored_copy, roles, run_kinds, whole_dump
from tests.integration.kind_table import PAGE, VERBS, Kind, page_with, read_scripts, table
from tests.once import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.databases import Databases

KINDS = read_scripts()
SCRIPTS = {name: [kind for kind in KINDS if kind.script == name] for name in dict.fromkeys(k.script for k in KINDS)}
CELLS = [
    pytest.param(kind, verb, id=f"{kind.name.replace(' ', '-')}-{verb}")
    for kind in KINDS
    for verb in VERBS
    if kind.cell(verb)
]


@dataclass(frozen=True)
class Outcome:
    """What came of a script: what its steps broke, and how the restored export differs from the original."""

    said: Complaints
    differs: list[str]


@pytest.fixture(scope="module")
def outcome(
    cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Outcome]:
    """What came of a script, by its name; it is run when it is first asked for, by one worker for all."""
    read: dict[str, Outcome] = {}

    def of(script: str) -> Outcome:
        if script not in read:
            steps = [step for kind in SCRIPTS[script] for step in kind.steps]

            def make() -> dict[str, list[Any]]:
                with roles(cluster), _database(cluster, installed_template) as dsn:
                    said = run_kinds(dsn, SCRIPTS[script]).of_step
                    return {"said": [said[id(step)] for step in steps], "differs": _differences(cluster, dsn)}

            made = once(tmp_path_factory, f"kinds_{script}", make)
            said = {id(step): lines for step, lines in zip(steps, made["said"], strict=True)}
            read[script] = Outcome(Complaints(said), made["differs"])
        return read[script]

    return of


@contextmanager
def _database(cluster: Databases, template: str) -> Iterator[str]:
    cluster.create_database("kinds", template)
    dsn = cluster.dsn("kinds")
    try:
        yield dsn
    finally:
        drop_subscriptions(dsn)
        cluster.drop_database("kinds")


def _differences(cluster: Databases, original: str) -> list[str]:
    """Where pg_dump, our snapshot or our export tell the restored copy from the original."""
    copy = cluster.dsn("kinds_copy")
    try:
        restored_copy(cluster, original, "kinds_copy")
        pairs = [(whole_dump(original), whole_dump(copy))]
        pairs += [(getattr(Side(original), what)(), getattr(Side(copy), what)()) for what in ("snapshot", "export")]
        return [line for left, right in pairs for line in difference(left, right)]
    except AssertionError as exc:  # it does not restore at all
        return [str(exc)]
    finally:
        drop_subscriptions(copy)
        cluster.drop_database("kinds_copy")


@pytest.mark.parametrize(("kind", "verb"), CELLS)
def test_the_outbox_says_what_became_of_it(outcome: Callable[[str], Outcome], kind: Kind, verb: str) -> None:
    """The object stands in the outbox under its key, and all events together are the catalog."""
    assert outcome(kind.script).said.of(kind, verb) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_export_restores_into_an_empty_database(outcome: Callable[[str], Outcome], script: str) -> None:
    """An empty one has no schema of ours; pg_dump and our own snapshot cannot tell the copy from the original."""
    assert outcome(script).said.preparing(SCRIPTS[script]) == []
    assert outcome(script).differs == []


def test_each_cell_is_a_test_or_has_a_reason() -> None:
    """Nothing is both, nothing is neither, and no kind comes twice."""
    assert [(k.name, v) for k in KINDS for v in VERBS if bool(k.cell(v)) == (v in k.missing)] == []
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_the_documentation_shows_the_cells_that_are_tested() -> None:
    """`python -m tests.integration.kind_table` writes it."""
    page = PAGE.read_text()
    assert page == page_with(table(KINDS), page)

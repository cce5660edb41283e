"""Few presets are asked about a table, and never one too few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.shape import Shape
from pggit_daemon.tools.candidates import Candidates
from pggit_daemon.tools.names import Names
from tests.unit.build import PRESETS

RULES = {stem: preset.table for stem, preset in PRESETS.items()}
NAMES = sorted({name for rule in RULES.values() for name in (*rule.columns, *rule.optional)})
CANDIDATES = Candidates(RULES)


@given(st.sets(st.sampled_from([*NAMES, "price", "note"])))
def test_exactly_the_rules_whose_columns_are_there_are_candidates(names: set[str]) -> None:
    found = [stem for stem, _ in CANDIDATES.of(Shape.of(names))]
    assert found == [stem for stem, rule in RULES.items() if names >= set(rule.columns)]


@pytest.mark.parametrize("stem", RULES)
def test_a_tools_own_table_is_one_of_few(stem: str) -> None:
    found = [found for found, _ in CANDIDATES.of(Shape.of(RULES[stem].columns))]
    assert stem in found
    assert len(found) <= len(RULES) / 3


def test_nobody_is_asked_about_a_table_that_is_no_tools() -> None:
    assert CANDIDATES.of(Shape.of(["id", "customer_id", "price", "created_at"])) == []


def test_several_patterns_are_one_look() -> None:
    names = Names(["_yoyo_*", "yoyo_lock", "a.b"])
    assert [name for name in ("_yoyo_log", "yoyo_lock", "yoyo_locks", "a.b", "axb", "") if name in names] == [
        "_yoyo_log",
        "yoyo_lock",
        "a.b",
    ]
    assert "anything" not in Names([])

"""Which plans go to the store as values: those of one commit or one row, in an order that means the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pggit_daemon.store.usual import COMMIT, MOST, MOST_CHANGES, PARAMETERS, PROGRESS, ROW, usual

Plan = list[tuple[str, dict[str, Any]]]
MADE: Plan = [("insert_commit", {"hash": "c", "changed": 1, "metadata": {"a": [1]}})]
SEEN: Plan = [("record_migration", {"source": "s", "made": True, "migration_id": 7})]
SETTLED: Plan = [("settle_conflicts", {"type": []})]
LINKED: Plan = [("link_row", {})]
HANDLED: Plan = [("handled_events", {"ids": [1]})]
KNOWN: Plan = [("remember", {})]
END: Plan = [("advance", {"slot": "s"})]


def parameters(plan: Plan) -> list[bytes | None] | None:
    return usual(plan, json.dumps)


@pytest.mark.parametrize(
    ("plan", "is_usual"),
    [
        (MADE + END, True),
        (SEEN + END, True),
        (MADE + SEEN + END, True),
        (MADE + SETTLED + SEEN + KNOWN + END, True),
        (MADE + HANDLED + SEEN + END, True),
        (MADE + LINKED + END, True),
        (SEEN + LINKED + END, True),
        (MADE + LINKED + SEEN + END, False),
        (LINKED + SEEN + END, False),
        (SEEN + MADE + END, False),
        (KNOWN + MADE + END, False),
        (MADE + MADE + END, False),
        (MADE + SEEN + SEEN + END, False),
        (KNOWN + END, False),
        (END, False),
        (MADE + SEEN, False),
        (MADE + END + END, False),
        ([], False),
        (MADE + KNOWN * (MOST - 2) + END, True),
        (MADE + KNOWN * (MOST - 1) + END, False),
        ([("insert_commit", {"hash": "c", "changed": MOST_CHANGES + 1}), *END], False),
    ],
)
def test_only_what_keeps_its_order_is_usual(plan: Plan, *, is_usual: bool) -> None:
    """Promise: nothing of a migration is written before what the plan has before it."""
    assert (parameters(plan) is not None) is is_usual


def test_each_value_stands_at_its_parameter() -> None:
    found = parameters(MADE + SETTLED + SEEN + END)
    assert found is not None
    assert len(found) == PARAMETERS
    names = [*((name, "commit") for name in COMMIT), *((name, "row") for name in ROW), *((n, "end") for n in PROGRESS)]
    said = {name: value for name, value in zip(names, found, strict=False) if value is not None}
    assert said == {
        ("hash", "commit"): b"c",
        ("changed", "commit"): b"1",
        ("metadata", "commit"): b'{"a": [1]}',
        ("source", "row"): b"s",
        ("made", "row"): b"t",
        ("migration_id", "row"): b"7",
        ("slot", "end"): b"s",
    }
    assert found[-1] == b'[["settle_conflicts", {"type": []}]]'


def test_a_text_with_nul_is_no_parameter() -> None:
    """It would be cut there on its way."""
    with pytest.raises(ValueError, match="NUL"):
        parameters([("insert_commit", {"hash": "c", "changed": 1, "author": "a\0b"}), *END])

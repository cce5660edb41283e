"""A row of a history table is stored in one statement or in parts: both write the same columns, in the same way."""

from __future__ import annotations

import re

import pytest

from pggit_daemon.sql import repeatable

TEXTS = {file.name: file.text for file in repeatable()}
PARTS = TEXTS["store/20_migrations.sql"]
WHOLE = TEXTS["store/23_recorded.sql"]


def upsert(text: str, table: str) -> tuple[list[str], list[str]]:
    """The columns that are inserted, and what is set where the row is there."""
    found = re.search(
        rf"INSERT INTO {re.escape(table)} \(([^)]*)\)(.*?)(?:RETURNING|\),\n    \w+ AS \(|;|\)\n    SELECT m)",
        text,
        re.DOTALL,
    )
    assert found is not None, table
    columns = [column.strip() for column in found[1].split(",")]
    _, _, update = found[2].partition("DO UPDATE SET")
    return columns, [" ".join(one.split()) for one in update.split(",\n")] if update else []


def test_a_migration_is_the_same_upsert() -> None:
    """The same columns, and all that is set where the row is there."""
    assert upsert(PARTS, "pggit.external_migrations") == upsert(WHOLE, "pggit.external_migrations")


@pytest.mark.parametrize("table", ["external_migrations"])
def test_each_column_is_renewed_but_the_key(table: str) -> None:
    columns, renewed = upsert(WHOLE, f"pggit.{table}")
    key = ["migration_id", "tool_name", "source"]
    assert sorted(one.partition(" = ")[0] for one in renewed) == sorted(set(columns) - set(key))


@pytest.mark.parametrize(
    ("table", "extra"), [("link", {"objects"}), ("source_row", set()), ("history_event", {"note"})]
)
def test_the_other_parts_write_the_same_columns(table: str, extra: set[str]) -> None:
    """`extra`: what a row that comes as a rule has none of."""
    parts, whole = (upsert(text, f"pggit_daemon.{table}") for text in (PARTS, WHOLE))
    assert set(parts[0]) - set(whole[0]) == extra
    assert set(whole[0]) <= set(parts[0])
    assert sorted(parts[1]) == sorted(whole[1])

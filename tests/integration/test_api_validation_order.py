"""out_of_order of tools whose own order is the number itself: the order of the commits tells what ran after what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from tests.unit.build import PRESETS

NUMBERED = sorted(
    name for name, preset in PRESETS.items() if (preset.migration.sequence,) == tuple(preset.migration.version)
)

Row = tuple[int, int | None, str]
"""A number, the commit, and by what it is linked."""


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database, autocommit=True) as connection:
        connection.execute("ALTER TABLE pggit.external_migrations DISABLE TRIGGER USER")
        yield connection


def late(conn: psycopg.Connection[Any], preset: str, rows: Sequence[Row]) -> list[tuple[int, str]]:
    tool = PRESETS[preset].tool
    with conn.transaction(force_rollback=True):
        for known in sorted({commit for _, commit, _ in rows if commit is not None}):
            conn.execute(
                "INSERT INTO pggit.commits (id, hash, branch_id, kind) OVERRIDING SYSTEM VALUE"
                " VALUES (%s, %s, 1, 'migration')",
                [known, f"h{known}"],
            )
        for number, commit, evidence in rows:
            conn.execute(
                """
                INSERT INTO pggit.external_migrations
                    (tool_name, source, migration_id, version, sequence, status, success, pggit_commit_id, evidence)
                VALUES (%s, 's', %s, %s, %s, 'applied', true, %s, %s)
                """,
                [tool, number, str(number), number, commit, evidence],
            )
        return conn.execute(
            "SELECT migration_id, message FROM pggit.validate_migrations('s') WHERE status = 'out_of_order' ORDER BY 1"
        ).fetchall()


def test_these_are_the_tools_it_is_about() -> None:
    assert {"dbmate", "ecto", "phinx", "pgmigrate", "postgrator", "rails", "refinery", "sqlx"} <= set(NUMBERED)


def test_a_number_that_ran_after_a_higher_one_is_late(conn: psycopg.Connection[Any]) -> None:
    first, second, third = 20260101000001, 20260103000001, 20260102000001
    rows = [(first, 1001, "transaction"), (second, 1002, "transaction"), (third, 1003, "none")]
    expected = [(third, f"Migration was applied after {second}")]
    assert {preset: late(conn, preset, rows) for preset in NUMBERED} == dict.fromkeys(NUMBERED, expected)


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 1001, "transaction"), (2, 1002, "transaction"), (3, 1002, "none")],
        [(3, 1001, "baseline"), (1, 1001, "baseline"), (2, 1001, "baseline"), (4, 1002, "transaction")],
        [(2, 1001, "transaction"), (1, 1005, "baseline"), (3, 1005, "baseline")],
        [(2, 1001, "transaction"), (1, 1001, "transaction")],
        [(3, 1001, "transaction"), (1, None, ""), (2, 1002, "manual")],
    ],
    ids=["in order", "were there before", "a source that was known late", "came together", "nobody knows when"],
)
def test_what_nothing_shows_to_be_late_is_not(conn: psycopg.Connection[Any], rows: list[Row]) -> None:
    assert late(conn, "dbmate", rows) == []


def test_an_old_number_that_comes_after_what_was_there_before_is_late(conn: psycopg.Connection[Any]) -> None:
    rows = [(1, 1001, "baseline"), (3, 1001, "baseline"), (2, 1002, "transaction")]
    assert late(conn, "rails", rows) == [(2, "Migration was applied after 3")]

"""The examples of docs/sql-api.md run, and the document names every reading function."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.integration.api_support import followed, history_table, migrate, synced

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[2] / "docs" / "sql-api.md"
WRITING = ("begin_", "end_", "link_", "integrate_", "remove_", "INSERT INTO")


def examples() -> Iterator[str]:
    """Give every SQL block that needs no writing side."""
    for block in re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL):
        if not any(word in block for word in WRITING):
            yield block


def test_every_example_runs(installed_database: str, tmp_path: Path) -> None:
    """In the order of the document, on a small history; what should show something does."""
    with followed(installed_database, tmp_path) as (conn, _daemon):
        history_table(conn)
        migrate(conn, 1, "CREATE TABLE users (id int PRIMARY KEY)")
        with psycopg.connect(installed_database, autocommit=True, application_name="psql") as hand:
            hand.execute("ALTER TABLE users ADD COLUMN name text")
        synced(conn)
        ran = 0
        for example in examples():
            cursor = conn.execute(example.encode())
            if "validate_migrations" in example:
                assert cursor.fetchall() == []
            elif cursor.description is not None:
                assert cursor.fetchall(), example
            ran += 1
        assert ran >= 12
        conn.execute("REVOKE pggit_reader FROM CURRENT_USER")


def test_the_document_knows_all_of_the_contract(installed_database: str) -> None:
    text = DOCUMENT.read_text("utf-8")
    with psycopg.connect(installed_database) as conn:
        names = conn.execute("SELECT DISTINCT name FROM pggit_daemon.contract()").fetchall()
    assert [name for (name,) in names if name not in text] == []

"""The examples of docs/sql-api.md run, and each function has its section."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.integration.api_support import followed, history_table, migrate, synced

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[2] / "docs" / "sql-api.md"


def examples() -> Iterator[list[str]]:
    """Give the statements of every SQL block, one by one: each is a transaction, as in psql."""
    for block in re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL):
        yield block.removesuffix("\n").removesuffix(";").split(";\n")


def test_every_example_runs(installed_database: str, tmp_path: Path) -> None:
    """In the order of the document, on a small history; what should show something does."""
    with followed(installed_database, tmp_path) as (tool, _daemon):
        history_table(tool)
        migrate(tool, 1, "CREATE TABLE users (id int PRIMARY KEY)")
        # What the tool's session does otherwise is taken for the tool's, too: the examples have one of their own.
        with psycopg.connect(installed_database, autocommit=True, application_name="psql") as hand:
            hand.execute("ALTER TABLE users ADD COLUMN name text")
            for statements in examples():
                synced(tool)
                for statement in statements:
                    cursor = hand.execute(statement.encode())
                    if statement.startswith("SELECT * FROM pggit.validate_migrations"):
                        assert cursor.fetchall() == []
                    elif cursor.description is not None:
                        assert cursor.fetchall(), statement
        synced(tool)
        left_behind(tool)
        tool.execute("REVOKE pggit_reader FROM CURRENT_USER")


def left_behind(conn: psycopg.Connection[Any]) -> None:
    """What the writing examples recorded is what the document says of them."""
    assert conn.execute(
        "SELECT migration_id, status, evidence, error_message, rollback_of FROM pggit.external_migrations"
        " WHERE tool_name = 'custom' ORDER BY 1"
    ).fetchall() == [
        (-42, "rollback", "transaction", None, 42),
        (42, "rolled_back", "session", None, None),
        (43, "failed", "session", "the check of totals failed", None),
        (44, "applied", "manual", None, None),
    ]
    assert conn.execute(
        "SELECT deployment_name, deployment_status, commit_message FROM pggit.deployment_commits ORDER BY commit_id"
    ).fetchall() == [
        (
            "release 7",
            "ended",
            "deployment release 7: CREATE TABLE public.invoices; CREATE INDEX public.invoices_newest",
        ),
        ("release 8", "ended", "deployment release 8: COMMENT public.invoices"),
    ]
    assert conn.execute("SELECT message, tags FROM pggit.deployments ORDER BY started_at").fetchall() == [
        ("all went well", ["release"]),
        ("texts only", ["release", "texts"]),
    ]
    assert conn.execute("SELECT tool_name, schema_name FROM pggit_daemon.integration").fetchall() == [
        ("flyway", "public")
    ]


def test_the_document_knows_all_of_the_contract(installed_database: str) -> None:
    text = DOCUMENT.read_text("utf-8")
    with psycopg.connect(installed_database) as conn:
        names = conn.execute("SELECT DISTINCT name FROM pggit_daemon.contract()").fetchall()
    assert [name for (name,) in names if f"\n## {name}\n" not in text] == []

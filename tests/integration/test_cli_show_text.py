"""`show` has the text of a statement where the capture kept it, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sandbox.daemon import Daemon
from tests.integration.test_cli_commands import run

if TYPE_CHECKING:
    from pathlib import Path


def test_show_prints_the_text_of_a_statement(installed_database: str, tmp_path: Path) -> None:
    """A statement that came alone and holds no literal is printed as it was typed; one with a literal is not."""
    with Daemon(installed_database, tmp_path) as daemon, psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE shop (\n    id int)")
        conn.execute("ALTER TABLE shop ADD COLUMN word text DEFAULT 'a secret'")
        daemon.wait_caught_up()
        first, second = run("show", "@2", dsn=installed_database), run("show", "@3", dsn=installed_database)
    assert "\n    CREATE TABLE shop (\n        id int);\n" in first.out
    assert "ADD COLUMN" not in second.out

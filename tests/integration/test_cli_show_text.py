"""`show` has the text of a statement where the capture kept it, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sandbox.daemon import Daemon
from tests.integration.cli_support import run

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


def test_a_statement_that_drops_beside_what_it_changes_is_one(installed_database: str, tmp_path: Path) -> None:
    """A column with its index goes, a table is rewritten, both: several events, one statement, its text once."""
    alone = (
        "ALTER TABLE people DROP COLUMN email",
        "ALTER TABLE people ALTER COLUMN id TYPE bigint",
        "ALTER TABLE people DROP COLUMN name, ALTER COLUMN age TYPE bigint",
    )
    with Daemon(installed_database, tmp_path) as daemon, psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE people (id int, email text, name text UNIQUE, age int)")
        conn.execute("CREATE INDEX ON people (email)")
        for statement in alone:
            conn.execute(statement.encode())
        conn.execute("DO $$ BEGIN ALTER TABLE people DROP COLUMN age; ALTER TABLE people ADD one int; END $$")
        daemon.wait_caught_up()
        made = run("log", "--json", "-n", "4", dsn=installed_database).json["commits"][::-1]
        (twice,) = made[3:]
        for commit, statement in zip(made, alone, strict=False):
            assert commit["message"] == "out of band: ALTER TABLE public.people"
            assert (commit["metadata"]["statements"], commit["metadata"]["texts"]) == (1, [statement])
        assert (twice["message"], twice["metadata"]["statements"]) == ("out of band: ALTER TABLE public.people", 2)

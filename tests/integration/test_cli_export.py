"""`export` of a real tree, to stdout and to a file."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest

from tests.integration.cli_support import add_version, run


@pytest.fixture
def exported(installed_database: str) -> str:
    """Give a database with one commit of one table."""
    with psycopg.connect(installed_database) as conn:
        conn.execute("INSERT INTO pggit.commits (hash, branch_id, kind) VALUES (repeat('ab', 32), 1, 'baseline')")
        add_version(conn, "public.users", 1, "CREATE TABLE public.users (id integer);\n", begin=1, end=None)
    return installed_database


def test_export_to_stdout_file_and_json(exported: str, tmp_path: Path) -> None:
    """The same script each way; a file is replaced whole and keeps its mode."""
    printed = run("export", "@1", dsn=exported)
    assert (printed.code, printed.err) == (0, "")
    assert "CREATE TABLE public.users (id integer);" in printed.out
    target = tmp_path / "schema.sql"
    target.write_text("old")
    target.chmod(0o640)
    assert run("export", "abababa", "-o", str(target), dsn=exported).out == ""
    assert target.read_text() == printed.out
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [file.name for file in tmp_path.iterdir()] == ["schema.sql"]
    assert run("export", "head", "--json", dsn=exported).json["sql"] == printed.out


def test_export_to_a_place_that_is_not_there(exported: str, tmp_path: Path) -> None:
    """A sentence, exit 1, and nothing left behind."""
    refused = run("export", "head", "-o", str(tmp_path / "none" / "schema.sql"), dsn=exported)
    assert refused.code == 1
    assert "could not be written: No such file or directory" in refused.err


def test_export_of_a_migration_of_the_baseline_says_whose_schema_it_is(exported: str) -> None:
    """The script is the same; a note beside it says that it is not as of that migration."""
    with psycopg.connect(exported) as conn:
        conn.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, pggit_commit_id, evidence)"
            " VALUES (7, 'flyway', 'app.history', 1, 'baseline')"
        )
    printed = run("export", "flyway:7", dsn=exported)
    said = "flyway:7 in app.history was there before the history began: this is the schema of the baseline, commit 1"
    assert (printed.code, printed.err) == (0, f"note: {said} abababababab\n")
    assert printed.out == run("export", "@1", dsn=exported).out
    assert run("export", "flyway:7", "--json", dsn=exported).json["note"] == f"{said} abababababab"

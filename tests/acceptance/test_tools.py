"""The wrappers of the real tools: what the other acceptance tests take for granted."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.flyway import NO_LOCK, Flyway
from sandbox.jars import FLYWAY_VERSIONS, ToolFailed, ToolMissing, jars, jdbc
from sandbox.jvm import SOCKETS, run_java
from sandbox.liquibase import Liquibase

if TYPE_CHECKING:
    from pathlib import Path


RESIDENT = pytest.mark.parametrize("resident", [True, False], ids=["resident", "process"])


@RESIDENT
@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
def test_flyway_takes_its_plugin_settings(database: str, tmp_path: Path, version: str, *, resident: bool) -> None:
    """With lock=false the row is written by the transaction that ran the DDL: the setting has arrived."""
    (tmp_path / "V1__first.sql").write_text("CREATE TABLE first AS SELECT pg_current_xact_id()::xid AS xid;")
    Flyway(database, tmp_path, version=version, resident=resident).migrate(**NO_LOCK).check()
    with psycopg.connect(database) as conn:
        same = "SELECT history.xmin = first.xid FROM flyway_schema_history AS history, first"
        assert conn.execute(same).fetchall() == [(True,)]


@RESIDENT
@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
def test_flyway_migrates_and_reports_a_failure(database: str, tmp_path: Path, version: str, *, resident: bool) -> None:
    """Success and failure come back as exit codes; the history table is where it was asked to be."""
    (tmp_path / "V1__first.sql").write_text("CREATE TABLE app.first (id int PRIMARY KEY);")
    flyway = Flyway(database, tmp_path, schema="app", table="history", version=version, resident=resident)
    flyway.migrate().check()
    (tmp_path / "V2__broken.sql").write_text("CREATE TABLE app.first (id int);")
    broken = flyway.migrate()
    assert broken.exit_code == 1
    assert "already exists" in broken.output
    assert _sessions(database) == 0
    with pytest.raises(ToolFailed, match="already exists"):
        broken.check()
    with psycopg.connect(database) as conn:
        rows = conn.execute("SELECT version, success FROM app.history ORDER BY installed_rank").fetchall()
    assert rows == [(None, True), ("1", True)]


@RESIDENT
def test_liquibase_updates_and_rolls_back(database: str, tmp_path: Path, *, resident: bool) -> None:
    changelog = tmp_path / "changelog.sql"
    changelog.write_text(
        "--liquibase formatted sql\n"
        "--changeset anna:1\nCREATE TABLE one (id int);\n--rollback DROP TABLE one;\n"
        "--changeset anna:2\nCREATE TABLE two (id int);\n--rollback DROP TABLE two;\n"
    )
    liquibase = Liquibase(database, changelog, resident=resident)
    liquibase.update().check()
    liquibase.tag("both").check()
    liquibase.rollback_count(1).check()
    assert _sessions(database) == 0
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT id, filename FROM databasechangelog").fetchall() == [("1", "changelog.sql")]
        assert conn.execute("SELECT to_regclass('one'), to_regclass('two')").fetchone() == ("one", None)


def test_a_run_leaves_nothing_to_the_next_in_the_same_jvm(database: str, tmp_path: Path) -> None:
    """Connections left open are closed; static fields, properties of the system and streams are as in a new process."""
    source = tmp_path / "Leaves.java"
    source.write_text(
        "public class Leaves { static int runs; public static int run(String[] words) throws Exception {"
        ' Class.forName("org.postgresql.Driver");'
        " java.sql.DriverManager.getConnection(words[0], words[1], words[2]);"
        ' System.out.print(++runs + " " + System.setProperty("left", "behind") + " " + words[3].length());'
        ' System.out.print(" " + org.flywaydb.core.api.MigrationVersion.class.hashCode());'
        ' System.out.print(" " + ProcessHandle.current().pid()); return 7; } }'
    )
    libraries = jars("flyway", FLYWAY_VERSIONS[0])
    subprocess.run(["javac", "-cp", f"{libraries}/*", "-d", tmp_path, source], check=True)
    said = []
    for word in ("first", "zweite Größe"):
        run = run_java([tmp_path, libraries], "Leaves", *jdbc(database, socketFactory=SOCKETS), word, resident=True)
        assert run.exit_code == 7
        runs, left, length, flyway, process = run.output.split()
        assert (runs, left, int(length)) == ("1", "null", len(word))
        said.append((flyway, process))
        assert _sessions(database) == 0
    (first, process), (second, same_process) = said
    assert process == same_process
    assert first != second, "Flyway's classes stayed loaded"


def _sessions(dsn: str) -> int:
    """Sessions of Java in the database, once those whose connections were closed have had time to go."""
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ 'JDBC'"
    deadline = time.monotonic() + 30
    with psycopg.connect(dsn, autocommit=True) as conn:
        while (left := conn.execute(query).rowcount) and time.monotonic() < deadline:
            time.sleep(0.02)
    return left


def test_a_missing_java_is_said_clearly(monkeypatch: pytest.MonkeyPatch, database: str, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="apt-get install"):
        Flyway(database, tmp_path).migrate()


def test_a_broken_download_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A version that does not exist leaves nothing that a later run would take for complete."""
    monkeypatch.setattr("sandbox.jars.CACHE", tmp_path)
    with pytest.raises(ToolMissing, match=r"0\.0\.1"):
        jars("flyway", "0.0.1")
    assert list(tmp_path.iterdir()) == []

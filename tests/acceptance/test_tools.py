"""The wrappers of the real tools: what the other acceptance tests take for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.flyway import NO_LOCK, Flyway
from sandbox.jars import FLYWAY_VERSIONS, ToolFailed, ToolMissing, jars
from sandbox.liquibase import Liquibase

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
def test_flyway_takes_its_plugin_settings(database: str, tmp_path: Path, version: str) -> None:
    """With lock=false the row is written by the transaction that ran the DDL: the setting has arrived."""
    (tmp_path / "V1__first.sql").write_text("CREATE TABLE first AS SELECT pg_current_xact_id()::xid AS xid;")
    Flyway(database, tmp_path, version=version).migrate(**NO_LOCK).check()
    with psycopg.connect(database) as conn:
        same = "SELECT history.xmin = first.xid FROM flyway_schema_history AS history, first"
        assert conn.execute(same).fetchall() == [(True,)]


@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
def test_flyway_migrates_and_reports_a_failure(database: str, tmp_path: Path, version: str) -> None:
    """Success and failure come back as exit codes; the history table is where it was asked to be."""
    (tmp_path / "V1__first.sql").write_text("CREATE TABLE app.first (id int PRIMARY KEY);")
    flyway = Flyway(database, tmp_path, schema="app", table="history", version=version)
    flyway.migrate().check()
    (tmp_path / "V2__broken.sql").write_text("CREATE TABLE app.first (id int);")
    broken = flyway.migrate()
    assert broken.exit_code == 1
    assert "already exists" in broken.output
    with pytest.raises(ToolFailed, match="already exists"):
        broken.check()
    with psycopg.connect(database) as conn:
        rows = conn.execute("SELECT version, success FROM app.history ORDER BY installed_rank").fetchall()
    assert rows == [(None, True), ("1", True)]


def test_liquibase_updates_and_rolls_back(database: str, tmp_path: Path) -> None:
    changelog = tmp_path / "changelog.sql"
    changelog.write_text(
        "--liquibase formatted sql\n"
        "--changeset anna:1\nCREATE TABLE one (id int);\n--rollback DROP TABLE one;\n"
        "--changeset anna:2\nCREATE TABLE two (id int);\n--rollback DROP TABLE two;\n"
    )
    liquibase = Liquibase(database, changelog)
    liquibase.update().check()
    liquibase.tag("both").check()
    liquibase.rollback_count(1).check()
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT id, filename FROM databasechangelog").fetchall() == [("1", "changelog.sql")]
        assert conn.execute("SELECT to_regclass('one'), to_regclass('two')").fetchone() == ("one", None)


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

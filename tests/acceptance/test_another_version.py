"""init of a newer version ran while the daemon was at work: it says so once, waits, and loses nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.sql import schema_version
from tests.acceptance.harness import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEWER = "INSERT INTO pggit_daemon.schema_step (number, name, sha256) VALUES (9999, 'steps/9999_newer.sql', '')"
NOT_NEWER = "DELETE FROM pggit_daemon.schema_step WHERE number = 9999"
RENEWED = "UPDATE pggit_daemon.repeatable SET sha256 = 'of a newer version'"
SAYS_OTHERWISE = """
ALTER FUNCTION pggit_daemon.store(jsonb, boolean) RENAME TO store_of_this_version;
CREATE FUNCTION pggit_daemon.store(plan jsonb, carefully boolean DEFAULT false) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit_daemon.store_of_this_version(plan, carefully);
    RETURN '"a word that an older daemon does not know"';
END $$;
"""
AS_BEFORE = """
DROP FUNCTION pggit_daemon.store(jsonb, boolean);
ALTER FUNCTION pggit_daemon.store_of_this_version(jsonb, boolean) RENAME TO store;
"""


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database, autocommit=True) as connection:
        yield connection


def said(daemon: Daemon, *names: str) -> list[dict[str, Any]]:
    return [event for event in daemon.events() if event.get("event") in names]


@pytest.mark.parametrize("upgrade", [NEWER, RENEWED], ids=["a step", "functions"])
def test_it_says_once_that_the_schema_was_upgraded(
    conn: psycopg.Connection[Any], installed_database: str, tmp_path: Path, upgrade: str
) -> None:
    """In its log and its health; and goes on by itself where the schema fits again."""
    [(digest,)] = conn.execute("SELECT sha256 FROM pggit_daemon.repeatable").fetchall()
    with Daemon(installed_database, tmp_path) as daemon:
        conn.execute("CREATE TABLE before (id int)")
        daemon.wait_caught_up()
        conn.execute(SAYS_OTHERWISE)
        conn.execute(upgrade.encode())
        conn.execute("CREATE TABLE meanwhile (id int)")
        daemon.wait_for(lambda: bool(said(daemon, "database_failed", "database_broken")), "complaining")
        [complaint] = said(daemon, "database_failed", "database_broken")
        version = f"to version 9999 by init, and this daemon is of version {schema_version()}"
        assert (version if upgrade == NEWER else "renewed by init of another version") in complaint["error"]
        assert "restart the daemon" in complaint["hint"]
        assert complaint["retry_seconds"] > 4
        status, body = daemon.page("/readyz")
        assert status == 503
        assert complaint["error"] in [one["detail"] for one in json.loads(body)["databases"].values()]
        conn.execute(AS_BEFORE)
        conn.execute(NOT_NEWER)
        conn.execute("UPDATE pggit_daemon.repeatable SET sha256 = %s", [digest])
        daemon.wait_ready()
        conn.execute("CREATE TABLE afterwards (id int)")
        daemon.wait_caught_up()
        assert said(daemon, "database_broken") == []
    made = conn.execute("SELECT object_name FROM pggit.commit_changes WHERE object_type = 'table' ORDER BY commit_id")
    assert made.fetchall() == [("public.before",), ("public.meanwhile",), ("public.afterwards",)]


def test_what_still_works_goes_on_with_a_warning(
    conn: psycopg.Connection[Any], installed_database: str, tmp_path: Path
) -> None:
    """Between init and the restart nothing stops; but whoever forgets the restart is told."""
    config = tmp_path / "c.toml"
    config.write_text(f'[[database]]\nname = "app"\ndsn = "{installed_database}"\nmetrics_interval_seconds = 1\n')
    with Daemon(installed_database, tmp_path, ["--config", str(config)]) as daemon:
        conn.execute(NEWER)
        daemon.wait_for(lambda: bool(said(daemon, "schema_upgraded")), "warning")
        conn.execute("CREATE TABLE meanwhile (id int)")
        daemon.wait_caught_up()
        assert said(daemon, "database_failed", "database_broken") == []
        assert len(said(daemon, "schema_upgraded")) == 1
        conn.execute(NOT_NEWER)


def test_a_daemon_that_is_newer_than_the_schema_asks_for_init(
    conn: psycopg.Connection[Any], installed_database: str, tmp_path: Path
) -> None:
    """The package was upgraded and restarted first: it waits for init, and begins when that has run."""
    [(number, name, digest)] = conn.execute(
        "DELETE FROM pggit_daemon.schema_step WHERE number = (SELECT max(number) FROM pggit_daemon.schema_step)"
        " RETURNING number, name, sha256"
    ).fetchall()
    daemon = Daemon(installed_database, tmp_path)
    daemon.start()
    try:
        daemon.wait_for(lambda: bool(said(daemon, "database_failed")), "complaining")
        [complaint] = said(daemon, "database_failed")
        assert f"and this daemon needs version {schema_version()}" in complaint["error"]
        assert "pggit-daemon init" in complaint["hint"]
        conn.execute("INSERT INTO pggit_daemon.schema_step VALUES (%s, %s, %s)", [number, name, digest])
        daemon.wait_ready()
        assert daemon.stop() == 0
    finally:
        daemon.kill()

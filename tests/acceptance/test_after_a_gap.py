"""After a lost slot: objects that were made anew meanwhile, just as they had been, are still the same objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from tests.acceptance.harness import Daemon, pggit

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
    SELECT v.identity, v.to_commit IS NULL FROM pggit_daemon.object_version AS v
    WHERE v.type = 'table' ORDER BY v.identity
"""


def test_what_was_made_anew_unseen_is_known_by_its_new_id(installed_database: str, tmp_path: Path) -> None:
    """Promise: the new id is stored with the gap, so that a later rename is of the recorded object."""
    with psycopg.connect(installed_database, autocommit=True) as conn, Daemon(installed_database, tmp_path) as daemon:
        conn.execute("CREATE TABLE t (id int)")
        daemon.wait_caught_up()
        daemon.stop()
        conn.execute("SELECT pg_drop_replication_slot('pggit_daemon')")
        conn.execute("DROP TABLE t; CREATE TABLE t (id int)")
        daemon.start()
        daemon.wait_ready()
        recorded = "SELECT objid FROM pggit_daemon.object_version WHERE identity = 'public.t'"
        assert conn.execute(recorded).fetchall() == conn.execute("SELECT 't'::regclass::oid").fetchall()
        conn.execute("ALTER TABLE t RENAME TO u")
        daemon.wait_caught_up()
        assert conn.execute(TABLES).fetchall() == [("public.t", False), ("public.u", True)]
        assert pggit("verify", "--dsn", installed_database).returncode == 0

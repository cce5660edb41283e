"""Transactions that run DDL beside each other, followed by the daemon: the tree is the catalog's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sandbox.recorded import commits
from tests.integration.test_verify import follow, is_true, wait

if TYPE_CHECKING:
    from pathlib import Path


def test_the_later_commit_stands_for_both(installed_database: str, tmp_path: Path) -> None:
    """A table is made in a schema that another session renames meanwhile. Nothing is left to the comparison."""
    with (
        psycopg.connect(installed_database, autocommit=True) as conn,
        psycopg.connect(installed_database) as beside,
    ):
        conn.execute("CREATE SCHEMA s; CREATE TABLE s.first (a int)")
        with follow(installed_database, tmp_path, watch=3600):
            wait(lambda: commits(installed_database))
            beside.execute("CREATE TABLE s.t (a int)")
            conn.execute("ALTER SCHEMA s RENAME TO r")
            wait(lambda: len(commits(installed_database)) == 2)
            beside.commit()
            wait(lambda: len(commits(installed_database)) == 3)
            assert is_true(conn)
            recorded = conn.execute(
                "SELECT identity FROM pggit_daemon.object_version WHERE type = 'table' AND to_commit IS NULL ORDER BY 1"
            ).fetchall()
            assert recorded == [("r.first",), ("r.t",)]
        assert [commit.kind for commit in commits(installed_database)][1:] == ["out_of_band", "out_of_band"]

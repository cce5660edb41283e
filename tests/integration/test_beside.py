"""Transactions that run DDL beside each other, followed by the daemon: the tree is the catalog's.

What is made in the renamed schema is an index, as newer minor releases make the renaming of a schema wait for whoever
makes a table in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sandbox.recorded import commits
from tests.integration.test_verify import follow, is_true, wait

if TYPE_CHECKING:
    from pathlib import Path


def test_the_later_commit_stands_for_both(installed_database: str, tmp_path: Path) -> None:
    """An index is made in a schema that another session renames meanwhile. Nothing is left to the comparison."""
    with (
        psycopg.connect(installed_database, autocommit=True) as conn,
        psycopg.connect(installed_database) as beside,
    ):
        conn.execute("CREATE SCHEMA s; CREATE TABLE s.first (a int)")
        with follow(installed_database, tmp_path, watch=3600):
            wait(lambda: commits(installed_database))
            beside.execute("CREATE INDEX i ON s.first (a)")
            conn.execute("ALTER SCHEMA s RENAME TO r")
            wait(lambda: len(commits(installed_database)) == 2)
            beside.commit()
            wait(lambda: len(commits(installed_database)) == 3)
            assert is_true(conn)
            recorded = conn.execute(
                "SELECT identity FROM pggit_daemon.object_version"
                " WHERE type IN ('table', 'index') AND to_commit IS NULL ORDER BY 1"
            ).fetchall()
            assert recorded == [("r.first",), ("r.i",)]
        assert [commit.kind for commit in commits(installed_database)][1:] == ["out_of_band", "out_of_band"]


def test_in_a_backlog_the_earlier_of_both_is_no_later_statement(installed_database: str, tmp_path: Path) -> None:
    """Both come in one piece, so nothing of the first is stored yet when the second one reads its objects again."""
    with (
        psycopg.connect(installed_database, autocommit=True) as conn,
        psycopg.connect(installed_database) as first,
        psycopg.connect(installed_database) as second,
        follow(installed_database, tmp_path, watch=3600) as daemon,
    ):
        conn.execute("CREATE SCHEMA s; CREATE TABLE s.first (a int)")
        daemon.wait_caught_up()
        assert daemon.stop() == 0
        first.execute("CREATE INDEX i ON s.first (a)")
        second.execute("ALTER SCHEMA s RENAME TO r")
        first.commit()
        second.commit()
        daemon.start()
        daemon.wait_ready()
        daemon.wait_caught_up()
        assert is_true(conn)


def test_what_a_later_statement_changes_is_not_dated_back(installed_database: str, tmp_path: Path) -> None:
    """The daemon was away: what it reads again has changed since, by a statement that has a commit of its own."""
    with (
        psycopg.connect(installed_database, autocommit=True) as conn,
        psycopg.connect(installed_database) as beside,
        follow(installed_database, tmp_path, watch=3600) as daemon,
    ):
        conn.execute("CREATE SCHEMA s; CREATE TABLE s.first (a int)")
        daemon.wait_caught_up()
        assert daemon.stop() == 0
        beside.execute("CREATE INDEX i ON s.first (a)")
        conn.execute("ALTER SCHEMA s RENAME TO r")
        beside.commit()
        conn.execute("ALTER INDEX r.i SET (fillfactor = 50)")
        daemon.start()
        daemon.wait_ready()
        daemon.wait_caught_up()
        assert is_true(conn)
        columns = conn.execute(
            "SELECT c.message, b.definition LIKE '%fillfactor%' FROM pggit_daemon.object_version AS v"
            " JOIN pggit.commits AS c ON c.id = v.from_commit JOIN pggit_daemon.blob AS b ON b.sha256 = v.blob"
            " WHERE v.type = 'index' ORDER BY v.id"
        ).fetchall()
        assert columns == [("out of band: CREATE INDEX s.i", False), ("out of band: ALTER INDEX r.i", True)]


def test_what_others_have_locked_does_not_stop_the_stream(installed_database: str, tmp_path: Path) -> None:
    """An object that the capture left over stays locked: the commit is made without it, and it follows later."""
    with (
        psycopg.connect(installed_database, autocommit=True) as conn,
        psycopg.connect(installed_database) as other,
        follow(installed_database, tmp_path) as daemon,
    ):
        conn.execute("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; CREATE ROLE beside_owner")
        daemon.wait_caught_up()
        other.execute("LOCK TABLE t")
        conn.execute("ALTER VIEW v OWNER TO beside_owner")
        daemon.wait_caught_up()
        assert not is_true(conn)
        other.rollback()
        wait(lambda: is_true(conn))
        conn.execute("DROP OWNED BY beside_owner; DROP ROLE beside_owner")

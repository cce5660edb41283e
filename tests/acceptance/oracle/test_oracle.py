"""The oracle itself can fail: it sees a tree that is wrong, an export that is wrong, and a record that was mended."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from tests.acceptance.oracle.conftest import Watch

Failed = pytest.fail.Exception


def test_it_sees_what_the_record_lacks(watch: Watch) -> None:
    """DDL while the event trigger is off; and what `verify` then records counts as mended."""
    with watch("gap") as watched:
        with psycopg.connect(watched.side.dsn, autocommit=True) as conn:
            conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE")
            conn.execute("CREATE TABLE unseen (n integer)")
            conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS")
        with pytest.raises(Failed, match=r"table public\.unseen\n.*\n.*\n.*\n-\(nothing\)\n\+CREATE TABLE"):
            watched.compare("it")
        watched.silent("CREATE TABLE")
        watched.compare("verify")
        watched._silent = 0
        with pytest.raises(AssertionError, match="snapshot"):
            watched.finish()
    assert watched.figures.differences == 1


def test_it_sees_an_export_that_is_not_what_was_there(watch: Watch) -> None:
    """Another word in one line of pg_dump is a difference; that PostgreSQL does not repeat it is no excuse."""
    with watch("export") as watched:
        with psycopg.connect(watched.side.dsn, autocommit=True) as conn:
            conn.execute("CREATE TABLE t (a integer)")
        watched.moment("it")
        [moment] = watched._moments
        watched._moments = [replace(moment, dump=moment.dump.replace("    a integer", "    b integer"))]
        with pytest.raises(Failed, match=r"-    b integer\n\+    a integer"):
            watched.finish()
    assert watched.figures.differences == 1
    assert watched.figures.unrepeated == 0


def test_it_knows_what_postgresql_does_not_repeat(watch: Watch) -> None:
    """The casts in a CHECK on varchar columns change by pg_dump and restore; the export gives the same."""
    with watch("casts") as watched:
        with psycopg.connect(watched.side.dsn, autocommit=True) as conn:
            conn.execute("CREATE TABLE t (mode varchar(9) CHECK (mode IN ('open', 'closed')))")
        watched.moment("it")
        watched.finish()
    assert (watched.figures.dumps, watched.figures.unrepeated, watched.figures.differences) == (1, 1, 0)

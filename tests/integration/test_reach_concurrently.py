"""What works in several transactions of its own: indexes built, dropped and rebuilt beside others, partitions detached.

A statement that fails or is cancelled halfway tells nothing, but it leaves something behind.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.integration.reach_support import Reach, captured, run, unreached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.capture_support import Captured


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


def test_indexes_that_could_not_be_built(db: Captured) -> None:
    """Promise: an invalid index is no object, whatever is done to it; once it is valid, one comparison finds it."""
    script = """
        CREATE TABLE t (a int, b int)
        INSERT INTO t VALUES (1, 1), (1, 2)
        CREATE INDEX CONCURRENTLY plain ON t (b)
        !CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)
        DROP INDEX i
        !CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)
        COMMENT ON INDEX i IS 'invalid'
        ALTER INDEX i RENAME TO ii
        ALTER TABLE t RENAME COLUMN a TO aa
        !ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX ii
        DROP INDEX CONCURRENTLY ii
        !CREATE UNIQUE INDEX CONCURRENTLY i ON t (aa)
        !REINDEX INDEX CONCURRENTLY i
        DROP INDEX IF EXISTS i_ccnew
        ALTER TABLE t ADD COLUMN c int
        UPDATE t SET aa = b
    """
    assert unreached(db, script) == {}
    reach = Reach(db)
    run(db.conn, "REINDEX INDEX i")
    assert reach.differs() == ["index public.i"]
    reach.follow_catalog()
    run(db.conn, "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i")
    assert reach.differs() == []


def test_an_index_under_another_id(db: Captured) -> None:
    """Promise: REINDEX CONCURRENTLY changes nothing that a user sees, and what drops or alters the index is reached."""
    script = """
        CREATE TABLE t (a int PRIMARY KEY, b int, c int)
        CREATE INDEX ib ON t (b)
        CREATE INDEX ic ON t (c)
        CREATE INDEX id ON t (c, b)
    """
    assert unreached(db, script) == {}
    reach = Reach(db)
    run(db.conn, "REINDEX TABLE CONCURRENTLY t")
    assert reach.differs() == ["index public.ib", "index public.ic", "index public.id"]  # their ids alone
    for statement in (
        "COMMENT ON INDEX ib IS 'x'",
        "ALTER INDEX ib RENAME TO ibb",
        "DROP INDEX ic",
        "ALTER TABLE t ALTER b TYPE bigint",
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE u DROP COLUMN c",
        "DROP INDEX CONCURRENTLY ibb",
    ):
        run(db.conn, statement)
        assert set(reach.differs()) <= {"index public.id", "index public.ic"}
    assert reach.differs() == []


def test_partitions_and_their_indexes(db: Captured) -> None:
    script = """
        CREATE TABLE p (a int, b int) PARTITION BY RANGE (a)
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2)
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (2) TO (3) PARTITION BY LIST (b)
        CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN (1)
        CREATE INDEX pi ON ONLY p (a)
        CREATE INDEX CONCURRENTLY p1i ON p1 (a)
        CREATE INDEX p2i ON ONLY p2 (a)
        CREATE INDEX CONCURRENTLY p2ai ON p2a (a)
        ALTER INDEX pi ATTACH PARTITION p1i
        ALTER INDEX p2i ATTACH PARTITION p2ai
        ALTER INDEX pi ATTACH PARTITION p2i
        ALTER TABLE ONLY p ADD CONSTRAINT u UNIQUE (a, b)
        ALTER TABLE p1 ADD CONSTRAINT u1 UNIQUE (a, b)
        ALTER TABLE p2 ADD CONSTRAINT u2 UNIQUE (a, b)
        ALTER INDEX u ATTACH PARTITION u1
        ALTER INDEX u ATTACH PARTITION u2
        ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY
        ALTER TABLE p DETACH PARTITION p2 CONCURRENTLY
        DROP TABLE p
    """
    assert unreached(db, script) == {}


def _cancelled(db: Captured, statement: str, blocker: str) -> None:
    """Start a statement that another transaction holds up, and cancel it while it waits."""
    with psycopg.connect(db.dsn) as other:
        other.execute(blocker.encode())
        timer = threading.Timer(0.5, db.conn.cancel)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            db.conn.execute(statement.encode())
        timer.join()


def test_a_detach_that_was_cancelled_is_finished(db: Captured) -> None:
    """Promise: what it left, a constraint on the partition, is found by comparing; FINALIZE tells all it does."""
    script = """
        CREATE TABLE p (a int PRIMARY KEY, b int CHECK (b > 0)) PARTITION BY RANGE (a)
        CREATE INDEX ON p (b)
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2)
    """
    assert unreached(db, script) == {}
    reach = Reach(db)
    _cancelled(db, "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY", "BEGIN; SELECT FROM p")
    assert db.conn.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'p1'::regclass").fetchone() == (
        True,
    )
    assert reach.differs() == ["table constraint p1_a_check on public.p1"]
    run(db.conn, "ALTER TABLE p ADD COLUMN c int")
    run(db.conn, "ALTER TABLE p DETACH PARTITION p1 FINALIZE")
    assert reach.differs() == []
    run(db.conn, "DROP TABLE p")
    run(db.conn, "ALTER TABLE p1 ADD COLUMN d int")
    assert reach.differs() == []


def test_a_drop_that_was_cancelled_leaves_an_index_that_is_none(db: Captured) -> None:
    """Promise: the comparison finds that the index is no longer valid; dropping what is left of it changes nothing."""
    run(db.conn, "CREATE TABLE t (a int)")
    run(db.conn, "CREATE INDEX i ON t (a)")
    reach = Reach(db)
    _cancelled(db, "DROP INDEX CONCURRENTLY i", "BEGIN; SELECT FROM t")
    assert reach.differs() == ["index public.i"]
    reach.follow_catalog()
    run(db.conn, "DROP INDEX i")
    assert reach.differs() == []
    run(db.conn, "CREATE INDEX i ON t (a)")
    assert reach.differs() == []

"""Tablespaces: what lies in one, and all that is moved with one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.reach_support import captured, run, unreached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.capture_support import Captured

SCRIPT = """
    CREATE TABLE t (a int PRIMARY KEY, b text)
    CREATE INDEX i ON t (b)
    CREATE MATERIALIZED VIEW m AS SELECT a FROM t
    CREATE TABLE p (a int) PARTITION BY LIST (a) TABLESPACE reach_space
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)
    ALTER TABLE t SET TABLESPACE reach_space
    ALTER INDEX i SET TABLESPACE reach_space
    ALTER INDEX t_pkey SET TABLESPACE reach_space
    ALTER TABLE t SET TABLESPACE pg_default
    ALTER TABLE p SET TABLESPACE pg_default
    ALTER TABLE t ADD UNIQUE (b) USING INDEX TABLESPACE reach_space
    ALTER TABLE t ALTER b TYPE varchar
    ALTER TABLE ALL IN TABLESPACE pg_default OWNED BY CURRENT_USER SET TABLESPACE reach_space
    ALTER INDEX ALL IN TABLESPACE reach_space SET TABLESPACE pg_default NOWAIT
    ALTER MATERIALIZED VIEW ALL IN TABLESPACE pg_default OWNED BY CURRENT_USER SET TABLESPACE reach_space
    ALTER TABLE ALL IN TABLESPACE reach_space SET TABLESPACE pg_default
    DROP TABLE p
    DROP MATERIALIZED VIEW m
    DROP TABLE t
"""


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


def test_what_is_moved_is_told(db: Captured) -> None:
    run(db.conn, "SET allow_in_place_tablespaces = on")
    run(db.conn, "CREATE TABLESPACE reach_space LOCATION ''")
    try:
        assert unreached(db, SCRIPT) == {}
    finally:
        run(db.conn, "DROP TABLE IF EXISTS t, p CASCADE")
        run(db.conn, "DROP TABLESPACE reach_space")

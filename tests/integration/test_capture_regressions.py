"""What random DDL found: each a short run after which the events did not add up to the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pggit_daemon.reconcile.concurrent_ddl import ConcurrentDdl
from tests.random_ddl.driver import Action, Driver, Kind, prepare_roles

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def driver(installed_database: str) -> Iterator[Driver]:
    driver = Driver(installed_database)
    prepare_roles(driver.observer)
    yield driver
    driver.close()


RUNS = {
    "a language that is an extension's member and the server's own is granted": """
        GRANT USAGE ON LANGUAGE plpgsql TO random_a
        REVOKE USAGE ON LANGUAGE plpgsql FROM random_a
        GRANT USAGE ON LANGUAGE plpgsql TO random_a
        DROP OWNED BY random_a
    """,
    "a role loses its grants on a language of the server's own and on a sequence": """
        CREATE SEQUENCE s
        GRANT USAGE ON LANGUAGE sql TO random_a
        GRANT USAGE ON SEQUENCE s TO random_a
        DROP OWNED BY random_a
    """,
    "an attribute of the type of a typed table is renamed": """
        CREATE TYPE pair AS (a int, b text)
        CREATE TABLE t OF pair
        CREATE INDEX ti ON t (a)
        ALTER TABLE t ADD CHECK (a > 0)
        CREATE VIEW v AS SELECT a FROM t
        ALTER TYPE pair RENAME ATTRIBUTE a TO c CASCADE
    """,
    "a cascade takes a column from a table whose columns a view lists": """
        CREATE DOMAIN d AS int
        CREATE TABLE t (a int, b d)
        CREATE VIEW v AS SELECT p FROM t AS x(p)
        DROP DOMAIN d CASCADE
    """,
    "a shell type becomes the row type of a table": """
        CREATE TYPE a
        CREATE TABLE a (x int)
    """,
    "an extension gives away what it took in this transaction": """
        CREATE EXTENSION citext
        CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'
        ALTER EXTENSION citext ADD FUNCTION f(); ALTER EXTENSION citext DROP FUNCTION f()
    """,
    "an extension takes in a table with what hangs on it, and gives it away": """
        CREATE EXTENSION citext
        CREATE TABLE t (a serial PRIMARY KEY, b int CHECK (b > 0))
        CREATE INDEX ON t (b)
        CREATE VIEW v AS SELECT * FROM t
        ALTER EXTENSION citext ADD TABLE t
        ALTER EXTENSION citext DROP TABLE t
        ALTER EXTENSION citext DROP FUNCTION regexp_match(citext, citext)
    """,
    "the indexes of a table and its partitions are made anew concurrently, and dropped": """
        CREATE TABLE t (a int) PARTITION BY RANGE (a)
        CREATE TABLE t1 PARTITION OF t DEFAULT
        CREATE INDEX ti ON t (a)
        CREATE INDEX t1i ON t1 (a)
        REINDEX INDEX CONCURRENTLY ti
        REINDEX INDEX CONCURRENTLY t1i
        ALTER INDEX t1i RENAME TO t1j
        DROP INDEX ti, t1j
    """,
    "a replaced view has a column more, and another view lists its columns": """
        CREATE VIEW v AS SELECT 1 AS a
        CREATE VIEW w AS SELECT p FROM v AS x(p)
        CREATE OR REPLACE VIEW v AS SELECT 1 AS a, 2 AS b
    """,
    "a function, a policy and a rule's condition list the columns of a table that gets another and loses it": """
        CREATE DOMAIN d AS int
        CREATE TABLE t (a int)
        CREATE TABLE u (a int)
        CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT p FROM t AS x(p); END
        CREATE POLICY p ON u USING (EXISTS (SELECT FROM t AS x(p)))
        CREATE RULE r AS ON INSERT TO u WHERE EXISTS (SELECT FROM t AS x(p)) DO ALSO NOTHING
        ALTER TABLE t ADD b d
        DROP DOMAIN d CASCADE
    """,
    "a column's type is changed, which makes its constraint anew, and the table is dropped": """
        CREATE TABLE t (a int UNIQUE)
        BEGIN; ALTER TABLE t ALTER a TYPE text; DROP TABLE t; COMMIT
    """,
    "a column's type is changed, which makes its constraint anew, and the constraint is renamed": """
        CREATE TABLE t (a int UNIQUE)
        BEGIN; ALTER TABLE t ALTER a TYPE text; ALTER TABLE t RENAME CONSTRAINT t_a_key TO k; COMMIT
    """,
}


@pytest.mark.parametrize("name", RUNS)
def test_the_events_add_up_to_the_catalog(driver: Driver, name: str) -> None:
    wrong = {}
    for statement in filter(None, (line.strip() for line in RUNS[name].splitlines())):
        driver.act(Action(0, Kind.RUN, statement))
        assert not driver.log[-1].failed, statement
        if differences := driver.differences():
            wrong[statement] = list(map(str, differences))
            break
    assert wrong == {}


BESIDE = {  # "B?": a server that locks what a new object depends on refuses it here, as the wait for the lock ends
    "a schema is renamed while an index is made in it": """
        A CREATE SCHEMA s
        A CREATE TABLE s.t (a int)
        A BEGIN
        A CREATE INDEX i ON s.t (a)
        B ALTER SCHEMA s RENAME TO r
        A COMMIT
    """,
    "a table is made of a type that is being renamed": """
        A CREATE SCHEMA s
        A CREATE TYPE e AS ENUM ('x')
        A BEGIN
        A ALTER TYPE e RENAME TO f
        B CREATE TABLE s.t (a e)
        A COMMIT
    """,
    "a schema is renamed while a table in it is dropped": """
        A CREATE SCHEMA s
        A CREATE TABLE s.t (a int)
        B BEGIN
        B DROP TABLE s.t
        A BEGIN
        A ALTER SCHEMA s RENAME TO r
        B COMMIT
        A COMMIT
    """,
    "a type is dropped while a function of it is made": """
        A CREATE TYPE e AS ENUM ('x')
        A BEGIN
        A CREATE FUNCTION f(x e) RETURNS int LANGUAGE sql AS 'SELECT 1'
        B? DROP TYPE e
        A COMMIT
    """,
}


@pytest.mark.parametrize("name", BESIDE)
def test_transactions_beside_each_other_add_up_too(driver: Driver, name: str) -> None:
    """A capture sees what its own transaction sees: the later commit reads the objects of both again."""
    for line in filter(None, (line.strip() for line in BESIDE[name].splitlines())):
        who, statement = line.split(" ", 1)
        session = "AB".index(who[0])
        known = {"BEGIN": Kind.BEGIN, "COMMIT": Kind.COMMIT}
        driver.act(Action(session, known.get(statement, Kind.RUN), "" if statement in known else statement))
        assert who.endswith("?") or not driver.log[-1].failed, line
    assert list(map(str, driver.differences())) == []


def test_without_reading_again_they_would_not(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConcurrentDdl, "outdated", lambda *_: frozenset())
    with pytest.raises(AssertionError, match=r"r\.i"):
        test_transactions_beside_each_other_add_up_too(driver, "a schema is renamed while an index is made in it")

"""Kinds of sessions and transactions: whoever runs the statement, however its transaction ends, all of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.reach_support import Reach, captured, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.capture_support import Captured

OBJECTS = (
    "CREATE TABLE public.t (a int PRIMARY KEY, b text, c int CHECK (c > 0))",
    "CREATE INDEX ib ON public.t (b)",
    "CREATE VIEW public.v AS SELECT a, b FROM public.t",
    "CREATE VIEW public.w AS SELECT x.p FROM public.t x(p, q)",
    "CREATE FUNCTION public.f(public.t) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TABLE public.p (a int) PARTITION BY LIST (a)",
    "CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES IN (1)",
)
CHANGES = (
    "ALTER TABLE public.t RENAME TO u",
    "ALTER TABLE public.u RENAME COLUMN b TO bb",
    "ALTER TABLE public.u ALTER c TYPE bigint, ADD COLUMN d int REFERENCES public.u",
    "GRANT SELECT ON public.u, public.v TO reach_a",
    "ALTER TABLE public.p ADD COLUMN z int CHECK (z > 0)",
    "ALTER TABLE public.p DETACH PARTITION public.p1",
    "DROP VIEW public.v",
    "DROP TABLE public.p1",
)


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


@pytest.fixture
def reach(db: Captured) -> Reach:
    for statement in OBJECTS:
        run(db.conn, statement)
    return Reach(db)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_isolation(db: Captured, reach: Reach, level: str) -> None:
    run(db.conn, f"BEGIN ISOLATION LEVEL {level}")
    for statement in CHANGES:
        run(db.conn, statement)
    run(db.conn, "COMMIT")
    assert reach.differs() == []


@pytest.mark.parametrize(("end", "kept"), [("COMMIT PREPARED 'reach'", True), ("ROLLBACK PREPARED 'reach'", False)])
def test_prepared_transactions(db: Captured, reach: Reach, end: str, kept: bool) -> None:  # noqa: FBT001  # pytest's
    """Promise: what was prepared counts once it is committed, from whatever session, and not at all otherwise."""
    run(db.conn, "BEGIN")
    for statement in CHANGES:
        run(db.conn, statement)
    run(db.conn, "PREPARE TRANSACTION 'reach'")
    assert db.events() == []
    run(db.conn, "CREATE TABLE meanwhile (a int)")
    with psycopg.connect(db.dsn, autocommit=True) as other:
        other.execute(end.encode())
    rows = db.conn.execute("SELECT to_regclass('u') IS NOT NULL").fetchone()
    assert rows == (kept,)
    db.seen = 0  # the events of the prepared transaction have lower numbers than those after it
    assert reach.differs() == []


@pytest.mark.parametrize(
    "settings",
    [
        ("SET session_replication_role = replica",),
        ("SET statement_timeout = '5s'", "SET lock_timeout = '1s'", "SET idle_in_transaction_session_timeout = '5s'"),
        ("SET search_path = pg_catalog",),
        ("SET search_path = ''",),
        ("SET quote_all_identifiers = on", "SET DateStyle = 'German'", "SET client_encoding = 'LATIN1'"),
        ("SET standard_conforming_strings = off", "SET backslash_quote = off", "SET escape_string_warning = on"),
        ("SET transform_null_equals = on", "SET array_nulls = off", "SET join_collapse_limit = 1"),
        ("SET enable_indexscan = off", "SET enable_bitmapscan = off", "SET plan_cache_mode = force_custom_plan"),
        ("SET default_transaction_deferrable = on", "SET default_transaction_isolation = 'serializable'"),
        ("SET check_function_bodies = off", "SET row_security = off", "SET default_tablespace = ''"),
    ],
    ids=lambda settings: settings[0][4:],
)
def test_settings(db: Captured, reach: Reach, settings: tuple[str, ...]) -> None:
    """Promise: no setting of the user's session changes what is told."""
    with psycopg.connect(db.dsn, autocommit=True) as user:
        for setting in settings:
            user.execute(setting.encode())
        for statement in CHANGES:
            user.execute(statement.encode())
    assert reach.differs() == []


def test_a_role_without_any_right_on_our_schemas(db: Captured) -> None:
    run(db.conn, "CREATE SCHEMA own AUTHORIZATION reach_a")
    run(db.conn, "ALTER ROLE reach_a LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC")
    reach = Reach(db)
    with psycopg.connect(make_conninfo(db.dsn, user="reach_a"), autocommit=True) as user:
        user.execute("SET search_path = own")
        for statement in (*OBJECTS, *CHANGES):
            user.execute(statement.replace("public.", "own.").encode())
            assert reach.differs() == []
        user.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reach_b")
        user.execute("GRANT SELECT (a) ON u TO reach_c WITH GRANT OPTION")
        user.execute("DROP TABLE p")
    assert reach.differs() == []


def test_several_sessions_at_once(db: Captured) -> None:
    """Promise: transactions with DDL that lie across each other are each told whole, in the order of their commits."""
    run(db.conn, "CREATE TABLE base (a int PRIMARY KEY)")
    reach = Reach(db)
    with psycopg.connect(db.dsn) as one, psycopg.connect(db.dsn) as two:
        for n in range(3):
            one.execute(f"CREATE TABLE one{n} (a int, b int UNIQUE)".encode())
            two.execute(f"CREATE TABLE two{n} (a int) PARTITION BY LIST (a)".encode())
            one.execute(f"CREATE VIEW onev{n} AS SELECT a FROM one{n}".encode())
            two.execute(f"CREATE TABLE two{n}p PARTITION OF two{n} FOR VALUES IN (1)".encode())
            one.execute(f"ALTER TABLE one{n} RENAME TO one{n}r".encode())
            two.execute(f"ALTER TABLE two{n} ADD COLUMN c int CHECK (c > 0)".encode())
            one.execute(f"GRANT SELECT ON one{n}r TO reach_a".encode())
            two.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reach_b /* {n} */".encode())
            if n == 1:
                two.rollback()
            two.commit()
            one.commit()
            assert reach.differs() == []


def test_a_row_of_the_catalog_that_another_transaction_holds(db: Captured, reach: Reach) -> None:
    """Promise: the capture reads past it, without waiting and without leaving anything to the daemon."""
    with psycopg.connect(db.dsn) as other:
        other.execute("UPDATE pg_class SET relpages = relpages WHERE relname IN ('v', 'ib', 'p1')")
        other.execute("SELECT FROM pg_proc WHERE proname = 'f' FOR UPDATE")
        run(db.conn, "ALTER TABLE t RENAME COLUMN b TO bb")
        run(db.conn, "COMMENT ON TABLE t IS 'x'")
        assert reach.differs() == []

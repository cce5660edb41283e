"""uninstall says what it leaves, and the statements that it gives take that away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pggit_daemon.errors import InstallError
from pggit_daemon.install import install, uninstall
from sandbox.cluster import Cluster

Connection = psycopg.Connection[Any]

ROLES = "SELECT array_agg(rolname::text ORDER BY 1) FROM pg_roles WHERE rolname LIKE 'pggit%'"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A server of its own, as roles are the whole server's."""
    with Cluster.start() as cluster:
        yield cluster


@pytest.fixture
def conn(server: Cluster) -> Iterator[Connection]:
    server.create_database("app")
    with psycopg.connect(server.dsn("app"), autocommit=True) as connection:
        yield connection
    server.drop_database("app")


def test_a_role_with_members_stays_and_the_hint_drops_it(conn: Connection) -> None:
    """Whom init made a member needs nothing; whom somebody else did is named."""
    conn.execute("CREATE ROLE ann; CREATE ROLE bob")
    install(conn, migrators=("ann",))
    conn.execute("GRANT pggit_migrator TO bob; GRANT pggit_reader TO bob")
    report = uninstall(conn)
    assert [one.what for one in report.stays] == [
        "role pggit_migrator, as ann, bob are members",
        "role pggit_reader, as bob is a member",
    ]
    for one in report.stays:
        conn.execute(one.hint.encode())
    assert conn.execute(ROLES).fetchone() == (None,)
    conn.execute("DROP ROLE ann; DROP ROLE bob")


def test_the_daemons_role_stays_while_it_may_read_tables(conn: Connection) -> None:
    """As where init said GRANT SELECT on each history table."""
    conn.execute("CREATE TABLE history (id int)")
    install(conn, daemon_role="pggit_daemon")
    conn.execute("GRANT SELECT ON history TO pggit_daemon")
    [left] = uninstall(conn).stays
    assert left.what == "role pggit_daemon, as it owns something, or has rights, in this database"
    conn.execute(left.hint.encode())
    assert conn.execute(ROLES).fetchone() == (None,)


def test_a_role_that_was_there_keeps_what_init_gave_it(conn: Connection) -> None:
    conn.execute("CREATE ROLE worker LOGIN")
    install(conn, daemon_role="worker", read_all_data=True)
    [left] = uninstall(conn).stays
    assert left.what == "REPLICATION, pg_read_all_data, pg_read_all_stats of role worker, which was there before init"
    conn.execute(left.hint.encode())
    assert conn.execute("SELECT rolreplication FROM pg_roles WHERE rolname = 'worker'").fetchone() == (False,)
    conn.execute("DROP ROLE worker")


def test_a_table_keeps_the_identity_that_integrate_gave_it(conn: Connection) -> None:
    conn.execute('CREATE TABLE "My History" (version int NOT NULL)')
    install(conn)
    conn.execute("SELECT pggit.integrate('\"My History\"')")
    [left] = uninstall(conn).stays
    assert left.what == 'REPLICA IDENTITY FULL of public."My History", which integrate gives to tables without a key'
    conn.execute(left.hint.encode())
    assert conn.execute("SELECT relreplident::text FROM pg_class WHERE relname = 'My History'").fetchone() == ("d",)


def test_roles_that_another_database_needs_are_one_line(conn: Connection, server: Cluster) -> None:
    server.create_database("other")
    try:
        with psycopg.connect(server.dsn("other"), autocommit=True) as other:
            install(other)
            install(conn)
            [left] = uninstall(conn).stays
            assert left.what == "roles pggit_api, pggit_capture, pggit_migrator, pggit_reader, needed in other"
            assert "pggit-daemon uninstall in other" in left.hint
            assert uninstall(other).stays == ()
    finally:
        server.drop_database("other")


def test_the_last_of_two_databases_of_one_owner_drops_all_roles(conn: Connection, server: Cluster) -> None:
    """The owner was made a migrator by the first init already; ann is needed where init was told of her."""
    conn.execute("CREATE ROLE owner_of_two; CREATE ROLE ann; ALTER DATABASE app OWNER TO owner_of_two")
    server.create_database("other")
    try:
        with psycopg.connect(server.dsn("other"), autocommit=True) as other:
            other.execute("ALTER DATABASE other OWNER TO owner_of_two")
            install(conn, migrators=("ann",))
            install(other, migrators=("ann",))
            assert "needed in other" in uninstall(conn).stays[0].what
            assert uninstall(other).stays == ()
            assert conn.execute(ROLES).fetchone() == (None,)
    finally:
        server.drop_database("other")
        conn.execute("ALTER DATABASE app OWNER TO postgres")
        conn.execute("DROP ROLE owner_of_two; DROP ROLE ann")


def test_what_rests_on_ours_is_named_once(conn: Connection) -> None:
    """Neither the row types of a view nor the columns of a table are objects to their owner."""
    install(conn)
    conn.execute("CREATE VIEW report AS SELECT count(*) FROM pggit.commits")
    conn.execute("CREATE TABLE child (own int DEFAULT 7 CHECK (own > 0)) INHERITS (pggit.deployments)")
    with pytest.raises(InstallError) as caught:
        uninstall(conn)
    assert caught.value.message.rpartition(": ")[2] == "table public.child, view public.report"
    conn.execute("DROP VIEW report; DROP TABLE child")
    uninstall(conn)

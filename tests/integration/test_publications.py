"""The publications of pgoutput's stream: what is in them, and that no statement of anybody fails because of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install, uninstall

Connection = psycopg.Connection[Any]

DAEMON, OWNER = "publishing_daemon", "publishing_owner"
SHAPES = [["installed_rank", "version"], ["version_num"]]
MEMBERS = """
    SELECT p.pubname, r.prrelid::regclass::text
      FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
     WHERE r.prrelid::regclass::text !~ '^pggit' ORDER BY 1, 2
"""
HISTORY = """
    CREATE DOMAIN rank AS int;
    CREATE TABLE h (installed_rank rank PRIMARY KEY, version text NOT NULL CONSTRAINT h_version UNIQUE, note text);
    INSERT INTO h VALUES (1, 'a'), (2, 'b');
"""
BOTH = [("pggit_daemon", "h"), ("pggit_daemon_keyed", "h")]
INSERTS_ONLY = BOTH[:1]


@pytest.fixture
def conn(installed_database: str) -> Iterator[Connection]:
    """A superuser's connection; the tables belong to a role that may only work in schema public."""
    with psycopg.connect(installed_database, autocommit=True) as connection:
        for role in (DAEMON, OWNER):
            connection.execute(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN".encode())
        connection.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}".encode())
        install(connection, daemon_role=DAEMON)
        publish(connection)
        yield connection
        for role in (DAEMON, OWNER):
            connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def publish(conn: Connection, *tables: str) -> tuple[bool, list[str]]:
    """What the daemon calls, as its role."""
    with psycopg.connect(make_conninfo(conn.info.dsn, user=DAEMON), autocommit=True) as daemon:
        row = daemon.execute(
            "SELECT made, busy FROM pggit_daemon.publish(%s, %s, %s)",
            [["public"] * len(tables), list(tables), json.dumps(SHAPES)],
        ).fetchone()
    assert row is not None
    return row


def owner(conn: Connection) -> Connection:
    return psycopg.connect(make_conninfo(conn.info.dsn, user=OWNER), autocommit=True)


def members(conn: Connection) -> list[tuple[str, str]]:
    return conn.execute(MEMBERS).fetchall()


def test_a_history_table_is_published_with_its_first_row(conn: Connection) -> None:
    """Whether it gets its key at once or later; a copy of one is none, and other tables stay out."""
    with owner(conn) as tool, tool.transaction():
        tool.execute("CREATE TABLE h (installed_rank int, version text)")
        assert members(tool) == INSERTS_ONLY
        tool.execute("ALTER TABLE h ADD PRIMARY KEY (installed_rank)")
        assert members(tool) == BOTH
        tool.execute("CREATE TABLE copy AS SELECT * FROM h; CREATE TABLE other (version text PRIMARY KEY)")
    assert members(conn) == BOTH
    assert publish(conn, "other", "not_there_yet") == (False, [])
    assert members(conn) == [BOTH[0], ("pggit_daemon", "other"), BOTH[1], ("pggit_daemon_keyed", "other")]
    with owner(conn) as tool:
        tool.execute("CREATE TABLE not_there_yet ()")
    assert ("pggit_daemon", "not_there_yet") in members(conn)


TAKE_IDENTITY = {
    "the key goes": "ALTER TABLE h DROP CONSTRAINT h_pkey",
    "its column goes": "ALTER TABLE h DROP COLUMN installed_rank",
    "its type goes": "DROP DOMAIN rank CASCADE",
    "nothing": "ALTER TABLE h REPLICA IDENTITY NOTHING",
    "deferrable": "ALTER TABLE h DROP CONSTRAINT h_pkey, ADD PRIMARY KEY (installed_rank) DEFERRABLE",
    "a constraint's index": "ALTER TABLE h REPLICA IDENTITY USING INDEX h_version;"
    " ALTER TABLE h DROP CONSTRAINT h_version",
    "an index": "CREATE UNIQUE INDEX u ON h (version); ALTER TABLE h REPLICA IDENTITY USING INDEX u; DROP INDEX u",
    "in a block": "DO $do$ BEGIN EXECUTE 'ALTER TABLE h DROP CONSTRAINT h_pkey'; END $do$",
    "in a function": "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE h DROP CONSTRAINT h_pkey';"
    " SELECT f()",
    "unlogged": "ALTER TABLE h SET UNLOGGED",
    "unlogged by a function": "CREATE FUNCTION f() RETURNS void LANGUAGE sql"
    " AS 'ALTER TABLE h SET UNLOGGED'; SELECT f()",
    "unlogged by an odd name": 'ALTER TABLE h RENAME TO "h""1"; ALTER TABLE "h""1" SET UNLOGGED;'
    ' ALTER TABLE "h""1" RENAME TO h',
    "unlogged by a loop": "DO $do$ DECLARE t text; BEGIN"
    " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    " LOOP EXECUTE format('ALTER TABLE %I SET unlogged', t); END LOOP; END $do$",
    "renamed first": "ALTER TABLE h RENAME TO g; ALTER TABLE g DROP CONSTRAINT h_pkey; ALTER TABLE g RENAME TO h",
    "under a savepoint": "SAVEPOINT s; ALTER TABLE h DROP CONSTRAINT h_pkey; ROLLBACK TO s;"
    " ALTER TABLE h REPLICA IDENTITY NOTHING",
}


@pytest.mark.parametrize("statements", TAKE_IDENTITY.values(), ids=TAKE_IDENTITY)
def test_no_update_or_delete_fails(conn: Connection, statements: str) -> None:
    """Right after the statement that takes the replica identity away, and after its commit."""
    with owner(conn) as tool:
        tool.execute(HISTORY)
        assert members(conn) == BOTH
        with tool.transaction():
            tool.execute(statements.encode())
            tool.execute("UPDATE h SET note = version")
            tool.execute("DELETE FROM h WHERE version = 'a'")
        tool.execute("UPDATE h SET note = version; DELETE FROM h")
    assert ("pggit_daemon_keyed", "h") not in members(conn)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_transaction_that_does_not_see_what_was_published_since(conn: Connection, isolation: str) -> None:
    with owner(conn) as tool, owner(conn) as other:
        other.execute(f"BEGIN ISOLATION LEVEL {isolation}; SELECT 1".encode())
        tool.execute(HISTORY)
        assert members(conn) == BOTH
        other.execute("ALTER TABLE h DROP CONSTRAINT h_pkey; COMMIT")
        tool.execute("UPDATE h SET note = version; DELETE FROM h")
    assert members(conn) == INSERTS_ONLY


def test_many_history_tables_cost_other_statements_next_to_nothing(conn: Connection) -> None:
    """A table with its primary key is told by its index; the full question is asked of none of them."""
    with owner(conn) as tool:
        tool.execute(HISTORY)
        tool.execute("CREATE TABLE second (version_num text PRIMARY KEY)")
    with conn.transaction():
        conn.execute("SET LOCAL track_functions = 'all'; CREATE TABLE other (a int)")
        calls = conn.execute(
            "SELECT pg_stat_get_xact_function_calls(to_regprocedure('pggit_daemon.' || f)::oid)"
            " FROM unnest(ARRAY['has_identity(oid)', 'is_guarded()', 'unkeyed_tables()']) AS f"
        ).fetchall()
    assert calls == [(None,), (1,), (1,)]


def test_an_index_that_is_dropped_concurrently_is_no_identity_of_ours(conn: Connection) -> None:
    """It is taken away in a transaction of its own, before anything could be done about it."""
    with owner(conn) as tool:
        tool.execute(HISTORY)
        tool.execute("CREATE UNIQUE INDEX u ON h (version); ALTER TABLE h REPLICA IDENTITY USING INDEX u")
        assert members(conn) == INSERTS_ONLY
        tool.execute("UPDATE h SET note = version")
        tool.execute("DROP INDEX CONCURRENTLY u")
        tool.execute("DELETE FROM h")


def test_parts_of_a_table(conn: Connection) -> None:
    """Of a partitioned table the whole brings the inserts, and each part that has an identity its changes."""
    with owner(conn) as tool:
        tool.execute("CREATE TABLE whole (installed_rank int, version text, PRIMARY KEY (installed_rank))"
                     " PARTITION BY RANGE (installed_rank);"
                     " CREATE TABLE part PARTITION OF whole FOR VALUES FROM (1) TO (10);"
                     " INSERT INTO whole VALUES (1), (2)")  # fmt: skip
        assert ("pggit_daemon_keyed", "part") in members(conn)
        tool.execute("ALTER TABLE part REPLICA IDENTITY NOTHING")
        tool.execute("UPDATE whole SET version = 'x'")
        tool.execute("ALTER TABLE part REPLICA IDENTITY DEFAULT")
        assert ("pggit_daemon_keyed", "part") in members(conn)
        tool.execute("ALTER TABLE whole DROP CONSTRAINT whole_pkey")
        tool.execute("DELETE FROM whole WHERE installed_rank = 1")
        tool.execute("ALTER TABLE whole DETACH PARTITION part; DELETE FROM part")
        tool.execute("CREATE TABLE joins (installed_rank int NOT NULL, version text); INSERT INTO joins VALUES (20)")
        tool.execute("ALTER TABLE whole ATTACH PARTITION joins FOR VALUES FROM (10) TO (30)")
        tool.execute("UPDATE whole SET version = 'y'; DELETE FROM whole")


def test_while_others_hold_the_publications(conn: Connection) -> None:
    """A transaction that makes a history table holds them until it ends: others neither wait nor fail because of it."""
    with owner(conn) as tool, owner(conn) as other:
        tool.execute(HISTORY)
        with other.transaction():
            other.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
            told: list[str] = []
            tool.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
            tool.execute("ALTER TABLE h DROP CONSTRAINT h_pkey")
            tool.execute("UPDATE h SET note = version; DELETE FROM h")
            assert [text.partition(" and gave it ")[2][:21] for text in told] == ["REPLICA IDENTITY FULL"]
            # A second one is taken in by the daemon, as soon as it can be.
            tool.execute("CREATE TABLE second (version_num text PRIMARY KEY)")
        assert publish(conn, "second") == (False, [])
    assert ("pggit_daemon_keyed", "second") in members(conn)


def test_unlogged_while_others_hold_the_publications_for_a_moment(conn: Connection) -> None:
    with owner(conn) as tool, owner(conn) as other:
        tool.execute(HISTORY)
        other.execute("BEGIN; CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
        ending = threading.Timer(0.1, other.commit)
        ending.start()
        tool.execute("ALTER TABLE h SET UNLOGGED; UPDATE h SET note = version")
        ending.join()


def test_where_nothing_looks_after_the_table(conn: Connection) -> None:
    """An event trigger that somebody disabled stays so, and no table publishes changes from the next look on."""
    with owner(conn) as tool:
        tool.execute(HISTORY)
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_publish DISABLE")
        publish(conn, "h")
        assert members(conn) == INSERTS_ONLY
        tool.execute("ALTER TABLE h DROP CONSTRAINT h_pkey; UPDATE h SET note = version")
        broken = conn.execute("SELECT part, problem FROM pggit_daemon.capture_state()").fetchall()
        assert broken == [("event trigger pggit_daemon_publish", "is disabled")]
        install(conn)
        assert conn.execute("SELECT count(*) FROM pggit_daemon.capture_state()").fetchone() == (0,)
        tool.execute("ALTER TABLE h ADD PRIMARY KEY (installed_rank)")
        assert members(conn) == BOTH


def test_an_event_trigger_of_somebody_that_allows_no_publications(conn: Connection) -> None:
    """It makes our statements fail, not the user's."""
    conn.execute(
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE 'no publications'; END $f$"
    )
    with owner(conn) as tool:
        tool.execute(HISTORY)
        conn.execute(
            "CREATE EVENT TRIGGER no ON ddl_command_end WHEN TAG IN ('ALTER PUBLICATION') EXECUTE FUNCTION no()"
        )
        tool.execute("CREATE TABLE second (version_num text PRIMARY KEY); UPDATE second SET version_num = '1'")
        tool.execute("ALTER TABLE h DROP CONSTRAINT h_pkey; UPDATE h SET note = version; DELETE FROM h")
    conn.execute("DROP EVENT TRIGGER no")


def test_a_table_that_is_locked_is_published_later(conn: Connection) -> None:
    with owner(conn) as tool:
        tool.execute("CREATE TABLE own (a int PRIMARY KEY)")
        with tool.transaction():
            tool.execute("LOCK TABLE own")
            assert publish(conn, "own") == (False, ["public.own"])
        assert publish(conn, "own") == (False, [])
    assert ("pggit_daemon_keyed", "own") in members(conn)


def test_they_are_no_objects_of_the_user(conn: Connection) -> None:
    """Nothing of them is recorded, and uninstall takes them away."""
    with owner(conn) as tool:
        tool.execute(HISTORY)
    seen = conn.execute(
        "SELECT o ->> 'identity' FROM pggit_daemon.ddl_event, jsonb_array_elements(objects::jsonb) AS o"
        " WHERE command_tag ~ 'PUBLICATION' OR o ->> 'identity' ~ 'pggit_daemon'"
    ).fetchall()
    assert seen == []
    assert conn.execute("SELECT count(*) FROM pggit_daemon.snapshot() WHERE type = 'publication'").fetchone() == (0,)
    assert publish(conn, "h") == (False, [])
    uninstall(conn)
    left = conn.execute(
        "SELECT pubname FROM pg_publication UNION ALL SELECT evtname FROM pg_event_trigger UNION ALL"
        " SELECT prrelid::regclass::text FROM pg_publication_rel"
    ).fetchall()
    assert left == []
    install(conn, daemon_role=DAEMON)


def test_a_publication_that_somebody_changed(conn: Connection) -> None:
    """What would publish more than it may is set right; one that is dropped is made again, and that is told."""
    with owner(conn) as tool:
        tool.execute("CREATE TABLE h (installed_rank int, version text); INSERT INTO h VALUES (1)")
        conn.execute("ALTER PUBLICATION pggit_daemon SET (publish = 'insert, update, delete, truncate')")
        assert publish(conn, "h") == (False, [])
        tool.execute("UPDATE h SET version = 'x'")
        conn.execute("DROP PUBLICATION pggit_daemon")
        assert publish(conn, "h") == (True, [])
    assert members(conn) == INSERTS_ONLY

"""The private server itself: what every other test stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sandbox.cluster import Cluster

if TYPE_CHECKING:
    from sandbox.databases import Databases


def test_database_is_empty_and_decodes_with_wal2json(database: str) -> None:
    """A row that is committed comes out of a wal2json slot; nothing is there before."""
    with psycopg.connect(database, autocommit=True) as conn:
        assert conn.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        conn.execute("SELECT pg_create_logical_replication_slot('sandbox_test', 'wal2json')")
        conn.execute("CREATE TABLE t (n int)")
        conn.execute("INSERT INTO t VALUES (7)")
        changes = conn.execute(
            "SELECT data FROM pg_logical_slot_get_changes('sandbox_test', NULL, NULL, 'format-version', '2')"
        ).fetchall()
    assert any('"value":7' in data for (data,) in changes)


def test_drop_database_ends_a_running_stream(cluster: Databases) -> None:
    """A test that leaves its stream open does not keep its database alive."""
    cluster.create_database("streamed")
    stream = psycopg.connect(cluster.dsn("streamed") + " replication=database", autocommit=True)
    try:
        stream.execute("CREATE_REPLICATION_SLOT left_open LOGICAL wal2json")
        stream.execute("START_REPLICATION SLOT left_open LOGICAL 0/0")
        cluster.drop_database("streamed")
    finally:
        stream.close()
    with psycopg.connect(cluster.dsn()) as conn:
        assert conn.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'left_open'").fetchone() is None


def test_committed_rows_survive_a_crash_and_nothing_is_left_behind() -> None:
    """kill() is a crash the server recovers from; the folder goes with the cluster."""
    with Cluster.start(durable=True) as own:
        with psycopg.connect(own.dsn(), autocommit=True) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 1 AS n")
        own.kill()
        own.start_again()
        with psycopg.connect(own.dsn()) as conn:
            assert conn.execute("SELECT n FROM kept").fetchone() == (1,)
        folder = own.folder
        assert folder.exists()
    assert not folder.exists()

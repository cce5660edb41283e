"""The gauges that come from SQL, read from a real database."""

from __future__ import annotations

import time

import psycopg
import pytest

from pggit_daemon.errors import ConnectError
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.metrics_poll import poll

MIGRATIONS = """
INSERT INTO pggit.commits (hash, branch_id, kind, occurred_at, committed_at)
VALUES ('h', 1, 'baseline', '2026-01-01 00:00+00', '2026-03-01 00:00');
ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE;
DROP EVENT TRIGGER pggit_daemon_rewrite;
INSERT INTO pggit.external_migrations (migration_id, tool_name, source, status, success, pggit_commit_id, applied_at)
SELECT id, tool, source, status, status <> 'failed', CASE WHEN linked THEN 1 END, '2026-01-01 00:00+00'
FROM (VALUES (1, 'flyway', 's1', 'applied', true),
             (2, 'flyway', 's1', 'failed', false),
             (3, 'flyway', 's1', 'removed', true),
             (6, 'flyway', 's1', 'applied', true),
             (-1, 'flyway', 's1', 'applied', true),
             (1, 'liquibase', 's2', 'applied', false),
             (20240101, 'dbmate', 's3', 'applied', true),
             (20240301, 'dbmate', 's3', 'applied', true)) AS m (id, tool, source, status, linked);
INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description, status)
VALUES ('out_of_band', 'table', 'a', 'x', 'unresolved'), ('out_of_band', 'table', 'b', 'x', 'unresolved'),
       ('checksum_changed', 'migration', 's1 6', 'x', 'unresolved'),
       ('checksum_changed', 'migration', 's1 1', 'x', 'resolved');
"""


async def test_poll_reads_everything_in_one_round(installed_database: str) -> None:
    """Counts by source and status, gaps only among small integers, the slot's bytes, open conflicts."""
    metrics = Metrics()
    async with await psycopg.AsyncConnection.connect(installed_database, autocommit=True) as conn:
        await conn.execute(MIGRATIONS)
        slot = "poll_test"
        await conn.execute("SELECT pg_create_logical_replication_slot(%s, 'wal2json')", (slot,))
        try:
            await conn.execute(
                "INSERT INTO pggit_daemon.progress (slot_name, commit_lsn, end_lsn, context)"
                " VALUES (%s, '0/1', '0/1', '{}')",
                (slot,),
            )
            await poll(conn, metrics, "app")
        finally:
            await conn.execute("SELECT pg_drop_replication_slot(%s)", (slot,))

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"pggit_{name}", {"database": "app", **labels})

    assert value("migrations", source="s1", status="applied") == 3
    assert value("migrations", source="s1", status="failed") == 1
    assert value("validation_issues", source="s1", status="gap") == 1
    assert value("validation_issues", source="s1", status="failed") == 1
    assert value("validation_issues", source="s1", status="missing") == 1
    assert value("validation_issues", source="s1", status="unlinked") is None
    assert value("validation_issues", source="s2", status="unlinked") == 1
    assert value("validation_issues", source="s3", status="gap") is None
    assert value("last_migration_timestamp_seconds", source="s1") == 1767225600
    assert value("recorded_commits", kind="baseline") == 1
    assert value("last_commit_timestamp_seconds", kind="baseline") == 1772323200
    assert value("last_commit_timestamp_seconds", kind="gap") is None
    assert value("event_trigger_enabled", trigger="pggit_daemon_drop") == 1
    assert value("event_trigger_enabled", trigger="pggit_daemon_rewrite") == 0
    assert value("event_trigger_enabled", trigger="pggit_daemon_ddl") == 0
    assert abs((value("last_poll_timestamp_seconds") or 0) - time.time()) < 60
    assert value("conflicts_open", type="out_of_band") == 2
    assert value("conflicts_open", type="checksum_changed") == 1
    assert value("validation_issues", source="s1", status="checksum_changed") == 1
    assert (value("replication_lag_bytes") or 0) > 0
    assert (value("slot_retained_bytes") or 0) > 0
    assert value("slot_safe_wal_bytes") is None
    assert value("poll_success") == 1


async def test_poll_of_an_empty_history(installed_database: str) -> None:
    """Before the baseline nothing is there and nothing fails."""
    metrics = Metrics()
    async with await psycopg.AsyncConnection.connect(installed_database, autocommit=True) as conn:
        await poll(conn, metrics, "app")
    assert metrics.registry.get_sample_value("pggit_poll_success", {"database": "app"}) == 1
    assert metrics.registry.get_sample_value("pggit_slot_retained_bytes", {"database": "app"}) is None


async def test_poll_that_fails_says_so(database: str) -> None:
    """Where our tables are missing, the metric and the error tell."""
    metrics = Metrics()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as conn:
        with pytest.raises(ConnectError, match="app: the metrics could not be read"):
            await poll(conn, metrics, "app")
    assert metrics.registry.get_sample_value("pggit_poll_success", {"database": "app"}) == 0


async def test_poll_grows_no_faster_than_the_history(installed_database: str) -> None:
    """Ten times the migrations take some ten times as long; what grew with the square would take a hundred times."""
    metrics = Metrics()
    took: list[float] = []
    async with await psycopg.AsyncConnection.connect(installed_database, autocommit=True) as conn:
        for first, last in ((1, 1_000), (1_001, 10_000)):
            await conn.execute(
                "INSERT INTO pggit.external_migrations (migration_id, tool_name, source)"
                " SELECT n * 2, 'flyway', 's' FROM generate_series(%s::bigint, %s::bigint) AS n",
                [first, last],
            )
            times = []
            for _ in range(3):
                await poll(conn, metrics, "app")
                times.append(metrics.registry.get_sample_value("pggit_poll_duration_seconds", {"database": "app"}) or 0)
            took.append(min(times))
    assert took[1] < 40 * took[0]
    gaps = metrics.registry.get_sample_value(
        "pggit_validation_issues", {"database": "app", "source": "s", "status": "gap"}
    )
    assert gaps == 9_999

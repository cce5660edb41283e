"""The gauges that come from SQL.

In: a connection to the database, in autocommit, that nothing else uses meanwhile. Out: gauges set; labels whose
rows are gone disappear. One round trip. Called by the supervisor every `metrics_interval_seconds`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from pggit_daemon.errors import ConnectError
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Gauge

    from pggit_daemon.db.server import SlotLook
    from pggit_daemon.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Installed:
    """What the same look shows of the installation: what of the capture is broken, the version of the schema."""

    broken: tuple[str, ...] = ()
    version: int | None = None


async def poll(conn: psycopg.AsyncConnection[Any], metrics: Metrics, database_label: str) -> Installed:
    """Read once, and return how the installation is.

    ConnectError when the database does not answer; the gauges then show nothing.
    """
    began = time.monotonic()
    try:
        cursor = await conn.execute(load_queries("metrics")["poll"], {"kinds": [kind.value for kind in CommitKind]})
        row = await cursor.fetchone()
    except psycopg.Error as exc:
        metrics.unread(database_label)
        raise ConnectError(f"{database_label}: the metrics could not be read: {exc}") from exc
    if row is not None:
        show(row[0], metrics, database_label)
    metrics.poll_duration_seconds.labels(database_label).set(time.monotonic() - began)
    metrics.last_poll_timestamp_seconds.labels(database_label).set(time.time())
    metrics.poll_success.labels(database_label).set(1)
    return Installed(tuple(row[0]["broken"]), row[0]["version"]) if row is not None else Installed()


def show_slot(slot: SlotLook | None, metrics: Metrics, database: str) -> None:
    """Set the slot's gauges alone: the others are as they were read last, for nothing was written in the database."""
    if slot is None:
        return
    _show_bytes(metrics, database, slot.lag_bytes, slot.retained_bytes, slot.safe_wal_bytes)
    metrics.last_poll_timestamp_seconds.labels(database).set(time.time())


def show(document: dict[str, Any], metrics: Metrics, database: str) -> None:
    """Set the gauges from what the query returned."""
    slot = document["slot"] or {}
    _show_bytes(metrics, database, slot.get("lag_bytes"), slot.get("retained_bytes"), slot.get("safe_wal_bytes"))
    labelled: Iterable[tuple[Gauge, str]] = (
        (metrics.recorded_commits, "commits"),
        (metrics.last_commit_timestamp_seconds, "last_commit"),
        (metrics.event_trigger_enabled, "event_triggers"),
        (metrics.migrations, "migrations"),
        (metrics.last_migration_timestamp_seconds, "last_migration"),
        (metrics.validation_issues, "issues"),
        (metrics.conflicts_open, "conflicts"),
    )
    for gauge, key in labelled:
        metrics.replace(gauge, database, {tuple(labels): value for *labels, value in document[key]})


def _show_bytes(metrics: Metrics, database: str, lag: int | None, retained: int | None, safe: int | None) -> None:
    for gauge, value in (
        (metrics.replication_lag_bytes, lag),
        (metrics.slot_retained_bytes, retained),
        (metrics.slot_safe_wal_bytes, safe),
    ):
        metrics.replace(gauge, database, {} if value is None else {(): value})

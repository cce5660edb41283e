"""Every metric, defined once.

In: nothing; the core increments the counters, `metrics_poll.py` sets the gauges that come from SQL, and those that come
from `Health` are set at each scrape. Out: Prometheus's text format. Labels are bounded: databases and sources come
from the configuration and from discovery, all others from closed sets; never an xid, an LSN or an object's name.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from pggit_daemon import __version__
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.telemetry.health import RUNNING, Health, State

if TYPE_CHECKING:
    from collections.abc import Mapping

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)  # seconds


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:  # noqa: PLR0915  # a line each
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that says only when the process began
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # CPU, memory and file descriptors of this process
        self._shown: dict[tuple[Gauge, str], set[tuple[str, ...]]] = {}
        self._of_databases: list[Gauge | Counter | Histogram] = []

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            made = Gauge(name, text, ("database", *labels), registry=registry)
            self._of_databases.append(made)
            return made

        def counter(name: str, text: str, *labels: str) -> Counter:
            made = Counter(name, text, ("database", *labels), registry=registry)
            self._of_databases.append(made)
            return made

        # The stream: from Health, at each scrape.
        self.up = gauge("pggit_up", "1 while the database's changes are being read, otherwise 0.")
        self.stream_state = gauge("pggit_stream_state", "1 for the state the stream is in, 0 for the others.", "state")
        self.replication_lag_seconds = gauge(
            "pggit_replication_lag_seconds", "Age of the newest moment up to which every transaction is stored."
        )
        # The slot: from SQL.
        self.replication_lag_bytes = gauge(
            "pggit_replication_lag_bytes", "WAL written by the server and not yet acknowledged by the daemon."
        )
        self.slot_retained_bytes = gauge("pggit_slot_retained_bytes", "WAL that the slot keeps on the server's disk.")
        self.slot_safe_wal_bytes = gauge(
            "pggit_slot_safe_wal_bytes",
            "WAL that may still be written before the slot is lost; absent without max_slot_wal_keep_size.",
        )
        # What was read.
        self.stream_frames = counter("pggit_stream_frames_total", "Messages of the server read from the stream.")
        self.stream_reads = counter(
            "pggit_stream_reads_total", "Times the daemon woke up to read some; fewer where many come."
        )
        self.transactions = counter("pggit_transactions_total", "Transactions handled that carried anything for us.")
        self.pending_commits = gauge("pggit_pending_commits", "Commits that a migration tool may still claim.")
        self.ddl_events = counter("pggit_ddl_events_total", "DDL statements captured by the event triggers.")
        self.capture_failures = counter(
            "pggit_capture_failures_total", "DDL statements of which the capture failed; the statements went on."
        )
        self.quarantined_transactions = counter(
            "pggit_quarantined_transactions_total", "Transactions that could not be recorded and were put aside."
        )
        self.quarantined_records = counter(
            "pggit_quarantined_records_total", "Records of the stream that could not be read and were put aside."
        )
        self.forged_messages = counter(
            "pggit_forged_messages_total", "Logical messages under our prefix that our functions did not make; ignored."
        )
        # What came of it.
        self.commits = counter(
            "pggit_commits_total", "Commits by what they turned out to be; one that was corrected counts twice.", "kind"
        )
        self.corrections = counter(
            "pggit_corrections_total",
            "Commits that a late history row claimed, by what was said of them before.",
            "was",
        )
        self.links = counter("pggit_links_total", "Migrations linked to a commit.", "evidence")
        self.link_latency_seconds = Histogram(
            "pggit_link_latency_seconds",
            "Time from the commit of a migration's row to its stored link.",
            ("database",),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._of_databases.append(self.link_latency_seconds)
        self.out_of_band_changes = counter("pggit_out_of_band_changes_total", "Commits of DDL that no migration ran.")
        # What is recorded, also before this process: from SQL.
        self.recorded_commits = gauge("pggit_recorded_commits", "Commits of the history.", "kind")
        self.last_commit_timestamp_seconds = gauge(
            "pggit_last_commit_timestamp_seconds", "When the newest commit of the kind was recorded.", "kind"
        )
        self.event_trigger_enabled = gauge(
            "pggit_event_trigger_enabled", "1 if the event trigger is there and always fires, otherwise 0.", "trigger"
        )
        # The state of the migrations: from SQL.
        self.migrations = gauge("pggit_migrations", "Migrations recorded.", "source", "status")
        self.last_migration_timestamp_seconds = gauge(
            "pggit_last_migration_timestamp_seconds", "When the source's newest migration was applied.", "source"
        )
        self.validation_issues = gauge(
            "pggit_validation_issues",
            "Findings that nobody has acknowledged, as validate_migrations reports them.",
            "source",
            "status",
        )
        self.conflicts_open = gauge("pggit_conflicts_open", "Conflicts that nobody has resolved.", "type")
        # The recorded tree, compared with the catalog.
        self.verifications = counter(
            "pggit_verifications_total", "Comparisons of the whole catalog with the recorded tree.", "result"
        )
        self.verification_differences = counter(
            "pggit_verification_differences_total", "Objects that were not as recorded when compared."
        )
        self.verification_duration_seconds = gauge(
            "pggit_verification_duration_seconds", "Time that the last comparison of the whole catalog took."
        )
        self.last_verification_timestamp_seconds = gauge(
            "pggit_last_verification_timestamp_seconds", "When the last comparison of the whole catalog began."
        )
        self.source_readable = gauge(
            "pggit_source_readable", "1 if the source's table could be read when last compared, otherwise 0.", "source"
        )
        # The daemon itself.
        self.job_failures = counter(
            "pggit_job_failures_total", "Failures of what is done beside the stream; each is tried again.", "job"
        )
        self.restarts = counter("pggit_restarts_total", "Restarts of the database's task.", "reason")
        self.poll_success = gauge("pggit_poll_success", "1 if the last reading of the SQL metrics went well.")
        self.last_poll_timestamp_seconds = gauge(
            "pggit_last_poll_timestamp_seconds", "When the SQL metrics were last read."
        )
        self.poll_duration_seconds = gauge("pggit_poll_duration_seconds", "Time that the last reading took.")
        self.reload_successful = Gauge(
            "pggit_config_last_reload_successful",
            "1 if the configuration as it was read last is in force, 0 if it was refused.",
            registry=registry,
        )
        self.reload_success_timestamp_seconds = Gauge(
            "pggit_config_last_reload_success_timestamp_seconds",
            "When the configuration that is in force was read.",
            registry=registry,
        )
        build = Gauge("pggit_build_info", "1, with the versions as labels.", ("version", "python"), registry=registry)
        build.labels(__version__, platform.python_version()).set(1)

    def database(self, name: str) -> None:
        """Show the database's counters from the start, as 0: rate() misses an increment from nothing to 1."""
        for plain in (
            self.stream_frames,
            self.stream_reads,
            self.transactions,
            self.ddl_events,
            self.capture_failures,
            self.quarantined_records,
            self.quarantined_transactions,
            self.forged_messages,
            self.out_of_band_changes,
            self.verification_differences,
        ):
            plain.labels(name)
        for result in ("same", "different", "unreadable"):
            self.verifications.labels(name, result)
        for kind in CommitKind:
            self.commits.labels(name, kind)
        for was in (CommitKind.OUT_OF_BAND, CommitKind.TOOL):
            self.corrections.labels(name, was)
        for evidence in Evidence:
            self.links.labels(name, evidence)
        for job in ("history_tables", "verification", "sessions", "outbox", "looks"):
            self.job_failures.labels(name, job)
        self.link_latency_seconds.labels(name)
        self.pending_commits.labels(name)

    def forget(self, name: str) -> None:
        """Show nothing of a database any more: the configuration has dropped it."""
        for metric in self._of_databases:
            metric.remove_by_labels({"database": name})
        self._shown = {key: shown for key, shown in self._shown.items() if key[1] != name}

    def unread(self, name: str) -> None:
        """Show no gauge that comes from SQL: what was read last is not so any more, for all we know."""
        for gauge, database in list(self._shown):
            if database == name and gauge not in {self.stream_state, self.replication_lag_seconds}:
                self.replace(gauge, name, {})
        self.poll_success.labels(name).set(0)

    def reloaded(self, *, successful: bool, now: float) -> None:
        """Say how the last reading of the configuration went; `now` in Unix seconds."""
        self.reload_successful.set(successful)
        if successful:
            self.reload_success_timestamp_seconds.set(now)

    def replace(self, gauge: Gauge, database: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Set a gauge for all label values of a database; those that are no longer there disappear."""
        key = (gauge, database)
        for gone in self._shown.get(key, set()) - set(values):
            gauge.remove(database, *gone)
        for labels, value in values.items():
            gauge.labels(database, *labels).set(value)
        self._shown[key] = set(values)

    def exposition(self, health: Health) -> bytes:
        """Return the text for one scrape."""
        for database in health.databases():
            name, state = database.name, database.state
            self.up.labels(name).set(state in RUNNING)
            self.replace(self.stream_state, name, {(s.value,): s is state for s in State})
            lag = database.lag_seconds()
            self.replace(self.replication_lag_seconds, name, {} if lag is None else {(): lag})
        return generate_latest(self.registry)

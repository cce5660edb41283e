"""The metrics' names, their documentation, and labels that come and go."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import Health, State
from pggit_daemon.telemetry.metrics_poll import show

DOCS = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
EMPTY: dict[str, object] = {"slot": None} | {
    key: []
    for key in ("commits", "last_commit", "event_triggers", "migrations", "last_migration", "issues", "conflicts")
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def everything(metrics: Metrics) -> Health:
    """Give every metric a value."""
    health = Health()
    health.database("a").enter(State.STREAMING)
    health.database("a").synced()
    metrics.database("a")
    slot = {"lag_bytes": 1, "retained_bytes": 2, "safe_wal_bytes": 3}
    document = {
        "slot": slot,
        "commits": [["migration", 2]],
        "last_commit": [["migration", 1.5]],
        "event_triggers": [["pggit_daemon_ddl", 1]],
        "migrations": [["s", "applied", 2]],
        "last_migration": [["s", 1.5]],
        "issues": [["s", "gap", 1]],
        "conflicts": [["out_of_band", 1]],
    }
    show(document, metrics, "a")
    metrics.commits.labels("a", "migration").inc()
    metrics.links.labels("a", "lock").inc()
    metrics.link_latency_seconds.labels("a").observe(0.003)
    metrics.restarts.labels("a", "connection").inc()
    metrics.verification_duration_seconds.labels("a").set(1.5)
    metrics.last_verification_timestamp_seconds.labels("a").set(1.5)
    metrics.source_readable.labels("a", "s").set(1)
    metrics.reloaded(successful=True, now=1.5)
    metrics.poll_success.labels("a").set(1)
    metrics.poll_duration_seconds.labels("a").set(0.01)
    metrics.last_poll_timestamp_seconds.labels("a").set(1.5)
    return health


def test_every_metric_is_documented_and_nothing_else_is(metrics: Metrics) -> None:
    """docs/metrics.md has a row per metric, with its type and labels."""
    health = everything(metrics)
    documented = {
        row[1]: (row[2], tuple(row[3].split(", ")))
        for row in re.finditer(r"^\| `(pggit_\w+)` \| (\w+) \| ([\w, ]+) \|", DOCS, re.MULTILINE)
    }
    real = {}
    metrics.exposition(health)
    for family in metrics.registry.collect():
        if family.name.startswith("process_"):
            names = {sample.name for sample in family.samples}
            assert all(f"`{name}`" in DOCS for name in names)
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = tuple(label for label in family.samples[0].labels if label != "le") or ("none",)
        real[name] = (family.type, labels)
    assert documented == real


def test_promtool_accepts_the_page(metrics: Metrics) -> None:
    """Prometheus' own linter finds nothing; without promtool this fails."""
    page = metrics.exposition(everything(metrics))
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_documented_states_are_the_real_ones() -> None:
    """The closed sets in the documentation are those of the code."""
    row = next(line for line in DOCS.splitlines() if line.startswith("| `pggit_stream_state`"))
    assert re.findall(r"`(\w+)`", row)[1:] == [state.value for state in State]


def test_documented_kinds_and_evidence_are_the_real_ones() -> None:
    """As above, for commits and links."""
    for metric, members in (("pggit_commits_total", CommitKind), ("pggit_links_total", Evidence)):
        row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{metric}`"))
        assert re.findall(r"`(\w+)`", row)[1:] == [member.value for member in members]


def test_labels_disappear_with_their_rows(metrics: Metrics) -> None:
    """A status that no migration has any more is gone, not stuck at its last value; other databases stay."""
    document = EMPTY | {"migrations": [["s", "applied", 2], ["s", "failed", 1]], "slot": {"safe_wal_bytes": 5}}
    show(document, metrics, "a")
    show(document, metrics, "b")
    show(EMPTY | {"migrations": [["s", "applied", 3]]}, metrics, "a")
    value = metrics.registry.get_sample_value
    assert value("pggit_migrations", {"database": "a", "source": "s", "status": "applied"}) == 3
    assert value("pggit_migrations", {"database": "a", "source": "s", "status": "failed"}) is None
    assert value("pggit_migrations", {"database": "b", "source": "s", "status": "failed"}) == 1
    assert value("pggit_slot_safe_wal_bytes", {"database": "a"}) is None
    assert value("pggit_slot_safe_wal_bytes", {"database": "b"}) == 5


def test_what_was_read_vanishes_when_nothing_can_be_read(metrics: Metrics) -> None:
    """While the server is down no gauge from SQL shows its last value as if it were today's."""
    everything(metrics)
    metrics.unread("a")
    page = metrics.exposition(Health()).decode()
    told = {line.partition("{")[0] for line in page.splitlines() if 'database="a"' in line}
    from_sql = {row[1] for row in re.finditer(r"^\| `(pggit_\w+)` .*\(SQL\) \|$", DOCS, re.MULTILINE)}
    assert len(from_sql) >= 7
    assert told & from_sql == set()
    assert metrics.registry.get_sample_value("pggit_poll_success", {"database": "a"}) == 0


def test_a_database_that_is_dropped_leaves_no_series(metrics: Metrics) -> None:
    """Neither `pggit_up` nor anything else; the others stay."""
    health = everything(metrics)
    metrics.database("b")
    health.database("b")
    metrics.exposition(health)
    health.forget("a")
    metrics.forget("a")
    page = metrics.exposition(health).decode()
    assert 'database="a"' not in page
    assert 'pggit_up{database="b"} 0.0' in page


def test_the_last_reload_is_a_metric(metrics: Metrics) -> None:
    """A file that was refused shows, and since when the one in force is."""
    metrics.reloaded(successful=True, now=10.0)
    metrics.reloaded(successful=False, now=20.0)
    value = metrics.registry.get_sample_value
    assert value("pggit_config_last_reload_successful") == 0
    assert value("pggit_config_last_reload_success_timestamp_seconds") == 10


def test_counters_begin_at_zero(metrics: Metrics) -> None:
    """rate() sees the first increment only if the series was there before it."""
    metrics.database("a")
    assert metrics.registry.get_sample_value("pggit_ddl_events_total", {"database": "a"}) == 0
    assert metrics.registry.get_sample_value("pggit_link_latency_seconds_count", {"database": "a"}) == 0

"""What was stored, handled and compared, as metrics, health and log.

In: stored prefixes, handled batches, comparisons. Out: counters, states, one log line a commit. Called by `pipeline.py`
through callables, so that the way of the data knows nothing of it.
"""

from __future__ import annotations

import time

import structlog

from pggit_daemon.db.history_rows import TableState
from pggit_daemon.decode.assembler import Batch
from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.decision import Attribution, CommitKind, Link
from pggit_daemon.model.transaction import Message
from pggit_daemon.reconcile.history_reading import Noted
from pggit_daemon.reconcile.outcome import Outcome
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import DatabaseHealth, State
from pggit_daemon.versioning.plan import Commit, Step

log = structlog.get_logger(__name__)

LOGGED = 20
"""Differences of one comparison that get a line in the log; the commit has all of them."""

REFUSED = "the server refused to store it, see store_refused"
REFUSED_HINT = "it is tried again once it is otherwise, or the daemon starts anew, and otherwise once in 1 to 24 hours"

FORGED_PAUSE = 60.0
"""Seconds between lines about messages that are none of ours."""

CLOSE = 2.0
"""Seconds behind the server that still count as caught up."""


class Observer:
    """Counts for one database."""

    def __init__(self, database: str, metrics: Metrics, health: DatabaseHealth) -> None:
        self._database = database
        self._metrics = metrics
        self._health = health
        self._log = log.bind(database=database)
        self._forged = 0  # since the last line about them
        self._forged_due = 0.0

    def handled(self, batch: Batch, waiting: int) -> None:
        """A batch went through; `waiting` commits are pending."""
        self._health.beat()
        self._metrics.stream_frames.labels(self._database).inc(batch.frames)
        self._metrics.stream_reads.labels(self._database).inc(batch.lots)
        self._metrics.pending_commits.labels(self._database).set(waiting)
        quiet = not batch.transactions and not batch.empties
        if quiet:
            self._health.synced()
        elif batch.stream_time is not None:
            self._health.synced(batch.stream_time.timestamp())
        behind = self._health.lag_seconds()
        if self._health.state is State.CATCHING_UP and (quiet or (behind is not None and behind < CLOSE)):
            self._health.enter(State.STREAMING)
            self._log.info("caught_up")

    def stored(self, changesets: tuple[Changeset, ...], steps: tuple[Step, ...]) -> None:
        """A prefix of the stream is stored."""
        name = self._database
        self._metrics.transactions.labels(name).inc(len(changesets))
        for changeset in changesets:
            self._metrics.ddl_events.labels(name).inc(len(changeset.events))
            for event in changeset.events:
                if event.kind == "capture_failed":
                    self._metrics.capture_failures.labels(name).inc()
                    self._log.error("capture_failed", command=event.tag, failure=event.failure)
        for step in steps:
            self._step(step)

    def verified(self, outcome: Outcome) -> None:
        """Everything was compared with the catalog."""
        name = self._database
        differs = outcome.differences or outcome.refused
        result = "different" if differs else "unreadable" if outcome.unreadable else "same"
        self._metrics.verifications.labels(name, result).inc()
        self._metrics.verification_differences.labels(name).inc(len(outcome.differences))
        self._metrics.verification_duration_seconds.labels(name).set(outcome.seconds)
        self._metrics.last_verification_timestamp_seconds.labels(name).set(outcome.counters.at.timestamp())
        for kind, some in (("tree_differs", outcome.differences), ("object_unreadable", outcome.unreadable)):
            for one in some[:LOGGED]:
                self._log.warning(kind, difference=one.says)
        for one in outcome.refused[:LOGGED]:
            self._log.warning("object_not_recorded", difference=one.says, reason=REFUSED, hint=REFUSED_HINT)
        self._log.info(
            "verified",
            cause=outcome.cause.value,
            objects=outcome.objects,
            differences=len(outcome.differences) + len(outcome.refused),
            unreadable=len(outcome.unreadable),
            seconds=round(outcome.seconds, 3),
        )

    def noted(self, noted: Noted) -> None:
        """A source's table could be read, or could not: reported when that changes."""
        readable = noted.state is TableState.READ
        self._metrics.source_readable.labels(self._database, noted.source).set(readable)
        if noted.misses:
            misses = list(noted.misses)
            self._log.error("source_does_not_fit_its_table", source=noted.source, misses=misses, hint=noted.hint)
        match noted.state:
            case TableState.READ:
                self._log.info("source_readable", source=noted.source)
            case TableState.MISSING:
                self._log.warning("source_waiting", source=noted.source, reason=f"waiting for its table: {noted.why}")
            case _:
                self._log.warning("source_unreadable", source=noted.source, reason=noted.why, hint=noted.hint)

    def job_failed(self, job: str) -> None:
        """Something beside the stream failed and is tried again; its own log line says why."""
        self._metrics.job_failures.labels(self._database, job).inc()

    def forged(self, message: Message) -> None:
        """Somebody sent a message under our prefix that our functions did not make. Many of them make few lines."""
        self._metrics.forged_messages.labels(self._database).inc()
        self._forged += 1
        if time.monotonic() >= self._forged_due:
            self._log.warning(
                "message_forged", lsn=str(message.lsn), length=len(message.content), messages=self._forged
            )
            self._forged, self._forged_due = 0, time.monotonic() + FORGED_PAUSE

    def _step(self, step: Step) -> None:
        name = self._database
        for unreadable in step.unreadable:
            self._metrics.quarantined_records.labels(name).inc()
            self._log.error("record_quarantined", lsn=str(unreadable.lsn), reason=unreadable.reason)
        for link in step.links:
            self._link(link, step)
        if step.commit is not None:
            self._commit(step.commit)
        for attribution in step.attributions:
            self._attributed(attribution)

    def _attributed(self, attribution: Attribution) -> None:
        """It became known whose a commit is that was stored before."""
        name = self._database
        if attribution.kind is CommitKind.PENDING:
            return
        self._metrics.commits.labels(name, attribution.kind.value).inc()
        if attribution.kind is CommitKind.OUT_OF_BAND:
            self._metrics.out_of_band_changes.labels(name).inc()
        if attribution.corrects is not None:
            self._metrics.corrections.labels(name, attribution.corrects.value).inc()
        self._log.info(
            "commit_attributed",
            commit=attribution.commit[:12],
            kind=attribution.kind.value,
            message=attribution.message,
            was=attribution.corrects,
        )

    def _commit(self, commit: Commit) -> None:
        if commit.kind is not CommitKind.PENDING:
            self._metrics.commits.labels(self._database, commit.kind.value).inc()
        if commit.kind is CommitKind.OUT_OF_BAND:
            self._metrics.out_of_band_changes.labels(self._database).inc()
        self._log.info(
            "commit_stored",
            commit=commit.hash[:12],
            kind=commit.kind.value,
            message=commit.message,
            author=commit.author,
            objects=len(commit.changes),
            lsn=str(commit.lsn),
        )

    def _link(self, link: Link, step: Step) -> None:
        migration = link.row.principal.migration
        if migration is None or migration.status == "started" or link.waiting:
            return
        if link.evidence is None:
            row = link.row.principal.row_key
            self._log.warning("migration_unlinked", source=link.row.source, row=row, why=link.note)
            return
        self._metrics.links.labels(self._database, link.evidence.value).inc()
        delay = time.time() - (link.time or step.time).timestamp()
        self._metrics.link_latency_seconds.labels(self._database).observe(max(0.0, delay))

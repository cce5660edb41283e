"""What a comparison of everything came to, and the commit that makes the record true.

In: what differs for certain, and the recorded schema. Out: an `Outcome`, a step with a `snapshot` commit, the row that
is remembered of it. Pure but for the clock of `Limits`, which tests give; called by `verification.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pggit_daemon.db.catalog import ChangeCounters
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.model.differences import Difference
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectId, ObjectKey, ObjectOp
from pggit_daemon.versioning.plan import Commit, Step, make_commit
from pggit_daemon.versioning.record import Record

FIRST_REFUSED = 3600.0
"""Seconds for which an object is left out once it was refused, and each time twice as long as the time before: each
refusal makes the stream begin again."""

LONGEST_REFUSED = 86400.0
"""The longest of these. What made the server refuse (a constraint of somebody's, an encoding) may be mended by then."""

NAMED = 3
"""Objects that the message of a snapshot names."""


class Cause(StrEnum):
    """Why everything is compared."""

    FIRST = "first"
    TIMER = "timer"
    ASKED = "asked"
    WATCH = "watch"
    NAMES = "names"
    CAPTURE_FAILED = "capture_failed"
    CONCURRENT_DDL = "concurrent_ddl"
    UPGRADE = "upgrade"
    QUARANTINE = "quarantine"  # a transaction was skipped

    @property
    def explains(self) -> bool:
        """Whether it says why something differs: then the difference is no conflict."""
        return self in {Cause.CAPTURE_FAILED, Cause.CONCURRENT_DDL, Cause.UPGRADE, Cause.QUARANTINE}


def why_everything(before: ChangeCounters | None, now: ChangeCounters) -> Cause | None:
    """Why everything must be compared, if it must; `before` may be an earlier process's."""
    if before is None or before.horizon_is_beyond(now):
        return Cause.FIRST
    if before.writer != now.writer:
        return Cause.UPGRADE
    if before.names != now.names:
        return Cause.NAMES
    return Cause.ASKED if now.asked else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a comparison of everything came to. `seconds` of comparing, without the waiting between.

    What differs was committed before `position`. `refused` differs, too, and the server refused to store that.
    """

    cause: Cause
    counters: ChangeCounters
    objects: int
    differences: tuple[Difference, ...]
    unreadable: tuple[Difference, ...]
    seconds: float
    position: LSN
    refused: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """What an object was that was refused, for how many seconds it is left out, and until when."""

    digest: bytes | None
    key: ObjectKey | None
    seconds: float
    until: float


@dataclass(slots=True)
class Limits:
    """What snapshots must do without, as the server refused to store them.

    Of what differs only `most` objects become a commit at a time, half as many after each refusal, until the one is
    found that is at fault: it is left out while it differs in the same way, and tried again once in a while, alone.
    Once a comparison of everything finds nothing else that differs, as many as there are may be tried together again.
    """

    most: int | None = None
    clock: Callable[[], float] = time.monotonic
    _left_out: dict[ObjectId, _LeftOut] = field(default_factory=dict)

    def refused(self, commit: Commit) -> None:
        """A snapshot with these changes was refused."""
        if len(commit.changes) == 1:
            (change,) = commit.changes
            before = self._left_out.get(change.oid)
            again = before is not None and (before.digest, before.key) == (change.digest, change.key)
            seconds = min(2 * before.seconds, LONGEST_REFUSED) if before is not None and again else FIRST_REFUSED
            self._left_out[change.oid] = _LeftOut(change.digest, change.key, seconds, self.clock() + seconds)
        self.most = max(1, len(commit.changes) // 2)

    def compared(self, differing: Iterable[ObjectId], *, only: Iterable[ObjectId] | None = None) -> None:
        """Forget what was found to be as recorded: of `only` these, or of everything."""
        still = set(differing)
        fine = (self._left_out.keys() if only is None else self._left_out.keys() & set(only)) - still
        for oid in fine:
            del self._left_out[oid]
        if only is None and still <= self._left_out.keys():
            self.most = None

    def within(self, differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
        """Those that may be tried together."""
        again = [one for one in differences if self._was_refused(one)]
        if not again:
            return differences[: self.most]
        others = tuple(one for one in differences if one not in again)
        return others[: self.most] or differences[:1]

    def without(self, differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
        """Those that may be tried at all."""
        now = self.clock()
        return tuple(one for one in differences if not self._was_refused(one) or self._left_out[one.oid].until <= now)

    def _was_refused(self, one: Difference) -> bool:
        left = self._left_out.get(one.oid)
        return left is not None and (left.digest, left.key) == (one.digest, one.now)


def snapshot_step(outcome: Outcome, record: Record, head: str | None) -> Step:
    """The commit of what was found; none where objects only have other ids in the catalog now. `record` moves on.

    When it is found depends on us, not on the WAL: so what the WAL says stays, and no later hash covers this commit.
    """
    events = [one.event() for one in outcome.differences]
    applied = record.find(sorted(events, key=lambda event: event.op is not ObjectOp.DROP))
    changes = applied.changes
    commit = None
    if changes:
        named = [
            f"{key.type} {key.identity}" for change in changes if (key := change.key or change.old_key) is not None
        ]
        more = f", and {len(named) - NAMED} more" if len(named) > NAMED else ""
        commit = make_commit(
            kind=CommitKind.SNAPSHOT,
            tree_hash=record.recorded.tree.hash,
            parent=head,
            message=f"snapshot: not as the events said: {', '.join(named[:NAMED])}{more}",
            author="pggit-daemon",
            time=outcome.counters.at,
            lsn=outcome.position,
            xid=None,
            metadata={"evidence": "snapshot", "found_by": outcome.cause.value, "compared": outcome.objects},
            changes=changes,
            chained=False,
        )
    return Step(
        commit,
        (),
        (),
        (),
        outcome.counters.at,
        None,
        outcome.position,
        moved=record.recorded.take_moved(),
        told=applied.told,
        unexplained=not outcome.cause.explains,
    )


def remembered(outcome: Outcome, commit: Commit | None) -> dict[str, Any]:
    """What is remembered of a comparison of everything."""
    return {
        "began_at": outcome.counters.at,
        "objects": outcome.objects,
        "differing": len(outcome.differences) + len(outcome.refused),
        "unreadable": len(outcome.unreadable),
        "seconds": outcome.seconds,
        "commit": commit.hash if commit is not None else None,
        "writer": outcome.counters.writer,
        "horizon": str(outcome.counters.horizon),
        "names": outcome.counters.names,
    }

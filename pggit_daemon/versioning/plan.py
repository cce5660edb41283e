"""Segments into commits with hashes, ready to be stored.

In: the segments of a changeset, the recorded schema, the hash of the newest commit; then what attribution says of them.
Out: `Step`s: commits, and what goes with them. Pure but for the schema that moves; called by `pipeline.py`.

A commit's hash covers its content alone: tree, parent, author, time, position in the source, summary of its statements;
and of these only what the WAL says (`record.py`). So the same transactions give the same hash, however often, when and
by whomever they are read, and whosever they turn out to be. What one reading finds besides (snapshots, statements that
the WAL alone does not show to change anything) is a commit, too, and no parent that later hashes cover.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pggit_daemon.model.changeset import Changeset, Evidence, RecordedSegment, Segment
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.decision import Attribution, CommitKind, Fact, Link, LinkedCommit
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectEvent, ObjectId, ObjectKey
from pggit_daemon.model.transaction import Unreadable
from pggit_daemon.versioning.message import author, metadata, of_ours, statements, summary
from pggit_daemon.versioning.record import Record, Told
from pggit_daemon.versioning.schema import ObjectChange


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it will stand in `pggit.commits`, with the objects it changes.

    `summary` is what its statements did, `message` what is shown: whose they are may be part of that. `parent` is the
    commit before, `chained` whether later hashes cover this one. `recorded_tree`: of the schema as recorded, where that
    is not as the WAL says.
    """

    hash: str
    parent: str | None
    tree_hash: str
    kind: CommitKind
    message: str
    author: str
    time: datetime
    lsn: LSN
    xid: int | None
    metadata: dict[str, Any]
    changes: tuple[ObjectChange, ...]
    summary: str = ""
    chained: bool = True
    recorded_tree: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What is written together: a commit or none, rows with their links, what could not be read, handled events.

    `moved` are objects that are what they were, under another id of the catalog's. `unexplained`: no recorded statement
    explains the commit's changes, so they are a conflict. `part_of`: the migration that the commit is a part of, while
    its row is to come. `attributions` are of commits that were stored before. `told`: what the WAL says otherwise than
    is recorded.
    """

    commit: Commit | None
    links: tuple[Link, ...]
    unreadable: tuple[Unreadable, ...]
    events: tuple[int, ...]
    time: datetime
    xid: int | None
    lsn: LSN
    part_of: Link | None = None
    moved: tuple[tuple[ObjectKey, ObjectId], ...] = ()
    requests: tuple[int, ...] = ()
    unexplained: bool = False
    attributions: tuple[Attribution, ...] = ()
    facts: tuple[Fact, ...] = ()
    told: tuple[Told, ...] = ()


def plan(segment: Segment, record: Record, head: str | None, chain: str | None) -> Step:
    """Plan one segment over the commit `head`; `record` moves on. `chain` is the newest commit that hashes cover."""
    whole = of_ours(segment.events, record.logged)
    changeset = segment.changeset
    place = f"{changeset.commit_lsn} {segment.ordinal}"
    applied = record.apply(tuple(objects_of(segment.events)), segment.reread, place)
    changes, logged, known = applied.changes, record.logged.tree, record.recorded.tree
    commit = None
    if changes or applied.is_logged:
        commit = make_commit(
            kind=CommitKind.PENDING,
            tree_hash=logged.hash if applied.is_logged else known.hash,
            parent=chain if applied.is_logged else head,
            message=summary(whole),
            author=author(segment),
            time=changeset.commit_time,
            lsn=changeset.commit_lsn,
            ordinal=segment.ordinal,
            xid=changeset.xid,
            metadata=metadata(segment, whole) | ({} if applied.is_logged else {"only_recorded": True}),
            changes=changes,
            chained=applied.is_logged,
        )
        if logged is not known or head != chain:
            other = known.hash if known.hash != commit.tree_hash else None
            commit = replace(commit, parent=head, recorded_tree=other)
    part = None
    if segment.part_of is not None and commit is not None:
        part = Link(segment.part_of, Evidence.SESSION, commits=(LinkedCommit(commit.hash, part=True),), recorded=True)
    return Step(
        commit=commit,
        links=(),
        unreadable=(),
        events=tuple(event.event_id for event in segment.events),
        time=changeset.commit_time,
        xid=changeset.xid,
        lsn=changeset.commit_lsn,
        part_of=part,
        moved=record.recorded.take_moved(),
        told=applied.told,
    )


def recorded(segment: Segment, step: Step) -> RecordedSegment:
    """What attribution needs to know of a planned segment."""
    changes = step.commit.changes if step.commit is not None else ()
    # What has one name before and after may have had another id in between.
    keys = {key: key for change in changes if (key := change.key or change.old_key) is not None}
    keys |= {change.old_key: change.key for change in changes if change.old_key is not None and change.key is not None}
    by_oid = {change.oid: key for change in changes if (key := change.key or change.old_key) is not None}
    return RecordedSegment(
        segment,
        step.commit.hash if step.commit is not None else None,
        step.commit.summary if step.commit is not None else summary(statements(segment.events)),
        tuple(tuple(dict.fromkeys(_changed(objects, by_oid, keys))) for objects in _objects_by_event(segment)),
    )


def _objects_by_event(segment: Segment) -> list[tuple[ObjectEvent, ...]]:
    """What each statement names; what was read besides, and none names, is the last one's."""
    found = [event.objects for event in segment.events]
    if segment.reread:
        named = {item.oid for objects in found for item in objects}
        found[-1] = (*found[-1], *(item for item in segment.reread if item.oid not in named))
    return found


def closing(changeset: Changeset) -> Step:
    """What goes with the end of a transaction: its rows will be added."""
    return Step(
        commit=None,
        links=(),
        unreadable=tuple(item for item in changeset.items if isinstance(item, Unreadable)),
        events=(),
        time=changeset.commit_time,
        xid=changeset.xid,
        lsn=changeset.commit_lsn,
        requests=changeset.requests,
    )


def objects_of(events: Iterable[DdlEvent]) -> Iterable[ObjectEvent]:
    """What the statements made of objects, in their order."""
    return (item for event in events for item in event.objects)


def make_commit(
    *,
    kind: CommitKind,
    tree_hash: str,
    parent: str | None,
    message: str,
    author: str,
    time: datetime,
    lsn: LSN,
    xid: int | None,
    metadata: dict[str, Any],
    changes: tuple[ObjectChange, ...],
    ordinal: int = 0,
    chained: bool = True,
) -> Commit:
    """A commit with its hash. Its first message is its summary; another one may be shown later."""
    said = [tree_hash, parent, author, time.astimezone(UTC).isoformat(), str(lsn), ordinal, message]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()
    return Commit(digest, parent, tree_hash, kind, message, author, time, lsn, xid, metadata, changes, message, chained)


def _changed(
    objects: Iterable[ObjectEvent], by_oid: dict[ObjectId, ObjectKey], keys: dict[ObjectKey, ObjectKey]
) -> Iterator[ObjectKey]:
    """Those of the commit's objects that a statement touched."""
    for item in objects:
        key = by_oid.get(item.oid)
        if key is None and item.key is not None:
            key = keys.get(item.key)
        if key is not None:
            yield key

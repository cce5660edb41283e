"""Segments into commits with hashes, ready to be stored.

In: the segments of a changeset, the recorded schema, the hash of the newest commit; then what attribution says of them.
Out: `Step`s: commits, and what goes with them. Pure but for the schema that moves; called by `pipeline.py`.

A commit's hash covers its content alone: tree, parent, author, time, position in the source, summary of its statements.
The same transactions over the same parent give the same hash, however often and by whomever they are read, and whosever
they turn out to be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pggit_daemon.model.changeset import Changeset, Evidence, RecordedSegment, Segment
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.decision import Attribution, CommitKind, Fact, Link, LinkedCommit
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectEvent, ObjectId, ObjectKey
from pggit_daemon.model.transaction import Unreadable
from pggit_daemon.versioning.message import author, metadata, of_ours, statements, summary
from pggit_daemon.versioning.schema import ObjectChange, Schema


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it will stand in `pggit.commits`, with the objects it changes.

    `summary` is what its statements did, `message` what is shown: whose they are may be part of that.
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


@dataclass(frozen=True, slots=True)
class Step:
    """What is written together: a commit or none, rows with their links, what could not be read, handled events.

    `moved` are objects that are what they were, under another id of the catalog's. `unexplained`: no recorded statement
    explains the commit's changes, so they are a conflict. `part_of`: the migration that the commit is a part of, while
    its row is to come. `attributions` are of commits that were stored before.
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


def plan(segment: Segment, schema: Schema, head: str | None) -> Step:
    """Plan one segment over the commit `head`; `schema` moves on."""
    whole = of_ours(segment.events, schema)
    changes = schema.apply(objects_of(segment.events))
    changeset = segment.changeset
    commit = None
    if changes:
        commit = make_commit(
            kind=CommitKind.PENDING,
            tree_hash=schema.tree.hash,
            parent=head,
            message=summary(whole),
            author=author(segment),
            time=changeset.commit_time,
            lsn=changeset.commit_lsn,
            ordinal=segment.ordinal,
            xid=changeset.xid,
            metadata=metadata(segment, whole),
            changes=changes,
        )
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
        moved=schema.take_moved(),
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
        tuple(tuple(dict.fromkeys(_changed(event, by_oid, keys))) for event in segment.events),
    )


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
) -> Commit:
    """A commit with its hash. Its first message is its summary; another one may be shown later."""
    said = [tree_hash, parent, author, time.astimezone(UTC).isoformat(), str(lsn), ordinal, message]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()
    return Commit(digest, parent, tree_hash, kind, message, author, time, lsn, xid, metadata, changes, message)


def _changed(
    event: DdlEvent, by_oid: dict[ObjectId, ObjectKey], keys: dict[ObjectKey, ObjectKey]
) -> Iterator[ObjectKey]:
    """Those of the commit's objects that a statement touched."""
    for item in event.objects:
        key = by_oid.get(item.oid)
        if key is None and item.key is not None:
            key = keys.get(item.key)
        if key is not None:
            yield key

"""Decisions into commits with hashes, ready to be stored.

In: a decision, the recorded schema, the hash of the newest commit. Out: a `Step`: the commit, if there is one, and
what goes with it. Pure but for the schema that moves; called by `pipeline.py`.

A commit's hash covers its tree, parent, author, time, message, kind and source LSN: the same transactions
over the same parent give the same hash, however often and by whomever they are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.decision import CommitKind, Decision, Link
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectEvent, ObjectId, ObjectKey
from pggit_daemon.model.transaction import Unreadable
from pggit_daemon.versioning.message import author, message, metadata
from pggit_daemon.versioning.schema import ObjectChange, Schema


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it will stand in `pggit.commits`, with the objects it changes."""

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


@dataclass(frozen=True, slots=True)
class Step:
    """What one decision writes: a commit or none, rows with their links, what could not be read, handled events.

    `moved` are objects that are what they were, under another id of the catalog's. `unexplained`: nobody told of
    the commit's changes, so they are a conflict.
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


def plan(decision: Decision, schema: Schema, head: str | None) -> Step:
    """Plan one decision over the commit `head`; `schema` moves on."""
    changes = schema.apply(objects_of(decision.events))
    unit = decision.unit
    commit = None
    if decision.kind is not None and (changes or decision.links):
        commit = make_commit(
            kind=decision.kind,
            tree_hash=schema.tree.hash,
            parent=head,
            message=message(decision),
            author=author(decision),
            time=unit.commit_time,
            lsn=unit.commit_lsn,
            xid=unit.xid,
            metadata=metadata(decision),
            changes=changes,
        )
    part = Link(decision.part_of, decision.evidence) if decision.part_of is not None and commit is not None else None
    return Step(
        commit=commit,
        links=decision.links,
        unreadable=decision.unreadable,
        events=tuple(event.event_id for event in decision.events),
        time=unit.commit_time,
        xid=unit.xid,
        lsn=unit.commit_lsn,
        part_of=part,
        moved=schema.take_moved(),
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
) -> Commit:
    """A commit with its hash."""
    said = [tree_hash, parent, author, time.astimezone(UTC).isoformat(), message, kind.value, str(lsn)]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()
    return Commit(digest, parent, tree_hash, kind, message, author, time, lsn, xid, metadata, changes)

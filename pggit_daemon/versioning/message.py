"""The summary, author and metadata of a commit.

In: a segment. Out: its summary and author, which are in its hash, and its metadata; all taken from the stream alone, so
that the same transactions give the same commit. Whose it is, `attribute/attribution.py` says. Pure; called by
`versioning/plan.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pggit_daemon.model.changeset import Segment
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.objects import ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.versioning.schema import Schema

NAMED_OBJECTS = 3

MOST_TEXTS = 20
"""Statements whose text a commit keeps, at most 8 kB each."""

BESIDE = frozenset({"sequence", "index", "table constraint"})
"""What a statement makes beside the table that it names; left out of a summary where there is more to say."""


_EARLIER = frozenset({"drop", "rewrite"})
"""Kinds of events that a statement may have before its last, which is `ddl`."""


def author(segment: Segment) -> str:
    """The database user who ran the statements."""
    return segment.events[0].session.profile.user


def metadata(segment: Segment, whole: Sequence[DdlEvent]) -> dict[str, Any]:
    """Who, from where, which commands, and their text where the capture kept it as harmless.

    `whole` are its statements as `of_ours` gives them.
    """
    changeset, events = segment.changeset, segment.events
    session = events[0].session
    found: dict[str, Any] = {
        "xid": changeset.xid,
        "lsn": str(changeset.commit_lsn),
        "statements": len(whole),
        "session": {
            "user": session.profile.user,
            "role": session.role,
            "application_name": session.profile.application_name,
            "client_addr": session.profile.client_addr,
            "pid": session.key.pid,
            "backend_start": session.key.started,
        },
        "commands": sorted({event.tag for event in whole}),
        "first_lsn": str(events[0].lsn),
        "last_lsn": str(events[-1].lsn),
    }
    if changeset.deployment is not None:
        found["deployment"] = changeset.deployment.key
    holders = sorted({f"{lock.holder.pid}" for event in events for lock in event.locks})
    if holders:
        found["lock_holders"] = holders
    rewritten = rewrites(events)
    if rewritten:
        found["rewrites"] = rewritten
    texts = [event.statement for event in whole if event.statement is not None]
    if texts:
        found["texts"] = texts[:MOST_TEXTS]
    return found


def statements(events: Iterable[DdlEvent]) -> tuple[DdlEvent, ...]:
    """One event for each statement. Its drops and its rewrites come as events right before the one with what it made.

    What was dropped comes alone only where the statement made nothing, as DROP TABLE does, and such a command never
    makes anything.
    """
    whole: list[DdlEvent] = []
    for event in events:
        objects = event.objects
        while event.kind == "ddl" and whole and _begins(whole[-1], event):
            objects = (*whole.pop().objects, *objects)
        whole.append(event if objects is event.objects else replace(event, objects=objects))
    return tuple(whole)


def _begins(before: DdlEvent, event: DdlEvent) -> bool:
    same = (before.tag, before.statement) == (event.tag, event.statement)
    return before.kind in _EARLIER and same


def rewrites(events: Iterable[DdlEvent]) -> list[str]:
    """The tables that the statements rewrote, by the names that they have now."""
    items = [item for event in events for item in event.objects]
    rewritten = {item.oid for item in items if item.op is ObjectOp.REWRITE}
    if not rewritten:
        return []
    last = {item.oid: item.key.identity for item in items if item.op is ObjectOp.SET and item.key is not None}
    return sorted(name for oid, name in last.items() if oid in rewritten)


def of_ours(events: Iterable[DdlEvent], schema: Schema) -> tuple[DdlEvent, ...]:
    """Each statement, with what it dropped or rewrote under its recorded name; `schema` is as it was before them.

    The server names what is gone as the session quotes names, and also names what was never an object of ours, such as
    the operators that the script of an extension drops. A statement that names nothing else is left out, unless all of
    them are.
    """
    events = statements(events)
    return tuple(_renamed(events, schema)) or events


def _renamed(events: Iterable[DdlEvent], schema: Schema) -> Iterator[DdlEvent]:
    made: dict[ObjectId, ObjectKey] = {}
    for event in events:
        known: list[ObjectEvent] = []
        for item in event.objects:
            if item.op is ObjectOp.SET and item.key is not None:
                made[item.oid] = item.key
            key = made.get(item.oid) or schema.name_of(item)
            if key is not None or item.op is not ObjectOp.DROP:
                known.append(item if key in {None, item.key} else replace(item, key=key))
        if any(item.direct for item in known) or not any(item.direct for item in event.objects):
            same = len(known) == len(event.objects) and all(map(operator.is_, known, event.objects))
            yield event if same else replace(event, objects=tuple(known))


def summary(events: Iterable[DdlEvent]) -> str:
    """The commands with the objects they name, the first few of them."""
    named: list[str] = []
    for event in events:
        direct = [item.key for item in event.objects if item.direct and item.key is not None]
        chief = [key for key in direct if key.type not in BESIDE] or direct
        identities = list(dict.fromkeys(key.identity for key in chief))
        named.append(f"{event.tag} {', '.join(identities[:NAMED_OBJECTS])}".strip())
    distinct = list(dict.fromkeys(named))
    more = len(distinct) - NAMED_OBJECTS
    return "; ".join(distinct[:NAMED_OBJECTS]) + (f"; and {more} more" if more > 0 else "")

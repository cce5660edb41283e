"""The attribution of a commit: its kind, its message and the metadata that names its migrations.

In: a segment with the rows that took it (its takers). Out: an `Attribution`. Nothing of it is in the commit's hash, so
that it may change later. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pggit_daemon.attribute.segment import OpenSegment, Taker
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent
from pggit_daemon.model.decision import Attribution, CommitKind
from pggit_daemon.model.meaning import Meaning

LONGEST_NAME = 300
"""Characters of a migration's version and name in the message; its row keeps all of them."""

NAMED = 3
"""Migrations of one commit that its message names."""

_NEGATIVE = re.compile(r"-\d+")
_DECIDED = {CommitKind.OUT_OF_BAND, CommitKind.TOOL}
_LINKED = {CommitKind.MIGRATION, CommitKind.ROLLBACK}


def attribution(segment: OpenSegment) -> Attribution | None:
    """The attribution of the segment's commit as of now; None where the segment has no commit."""
    if segment.commit is None:
        return None
    kind = _kind(segment)
    corrects = segment.kind if segment.kind in _DECIDED and kind in _LINKED else None
    segment.kind = kind
    return Attribution(segment.commit, kind, _message(segment, kind), _metadata(segment), corrects)


def taker_of(event: HistoryRowEvent, evidence: Evidence, *, part: bool) -> Taker:
    """What a commit's message and metadata say of a migration that took it."""
    migration = event.principal.migration
    return Taker(
        source=event.source,
        tool=event.principal.tool,
        label=_label(event),
        kind=_kind_of(event),
        evidence=evidence,
        migration_id=migration.migration_id if migration is not None else None,
        version=migration.version if migration is not None else None,
        part=part,
    )


def late_attribution(commit: str, takers: Sequence[Taker]) -> Attribution:
    """The attribution of a commit that was recorded as out of band before its source was known."""
    kind = takers[-1].kind
    return Attribution(commit, kind, _taken(takers, kind), _taken_metadata(takers), CommitKind.OUT_OF_BAND)


def _kind(segment: OpenSegment) -> CommitKind:
    if segment.takers:
        return segment.takers[-1].kind
    if segment.is_open:
        return CommitKind.PENDING
    if segment.tool is not None:
        return CommitKind.TOOL
    # Taken by a row that decoding could not show, so that nobody knows yet what it was.
    return CommitKind.PENDING if segment.taken else CommitKind.OUT_OF_BAND


def _kind_of(event: HistoryRowEvent) -> CommitKind:
    match event.principal.meaning:
        case Meaning.ROLLED_BACK | Meaning.UNDO_FAILED:
            return CommitKind.ROLLBACK
        case Meaning.SCHEMA:
            return CommitKind.TOOL
        case _:
            return CommitKind.MIGRATION


def _message(segment: OpenSegment, kind: CommitKind) -> str:
    if segment.takers:
        return _taken(segment.takers, kind)
    if kind is CommitKind.PENDING:
        return f"pending: {segment.summary}"
    if kind is CommitKind.TOOL:
        what = "no history row followed in" if segment.orphan else "housekeeping of"
        return f"{what} {segment.tool}: {segment.summary}"
    if segment.deployment is not None:
        return f"deployment {_short(segment.deployment)}: {segment.summary}"
    return f"out of band: {segment.summary}"


def _metadata(segment: OpenSegment) -> dict[str, Any]:
    if segment.takers:
        return _taken_metadata(segment.takers)
    if segment.is_open:
        return {"claimed_by": sorted({*segment.claims, *segment.callback_of})}
    if segment.tool is not None:
        return {"source": segment.tool, **({"orphan": True} if segment.orphan else {})}
    return {}


def _taken(takers: Sequence[Taker], kind: CommitKind) -> str:
    labels = [taker.label + (" (part)" if taker.part else "") for taker in takers]
    more = f"; and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    prefix = "roll back " if kind is CommitKind.ROLLBACK else ""
    return f"{takers[-1].tool}: {prefix}{'; '.join(labels[:NAMED])}{more}"


def _taken_metadata(takers: Sequence[Taker]) -> dict[str, Any]:
    last = takers[-1]
    found: dict[str, Any] = {
        "source": last.source,
        "tool": last.tool,
        "evidence": last.evidence.value,
        "migration_id": last.migration_id,
        "version": last.version,
        "part": last.part,
    }
    if len(takers) > 1:
        found["migrations"] = [taker.migration_id for taker in takers]
    return found


def _label(event: HistoryRowEvent) -> str:
    migration = event.principal.migration
    if migration is None:
        return ""
    version = migration.way if migration.way is not None else migration.version or ""
    name = migration.name if migration.name and not _holds(version, migration.name) else ""
    if _kind_of(event) is CommitKind.ROLLBACK and _NEGATIVE.fullmatch(version):
        # A rollback is recorded under the negative id of what it rolls back, and often named after it.
        version = version.removeprefix("-")
        name = "" if _holds(name, version) else name
    return _short(f"{version} {name}".strip()) + ("" if migration.success else " (failed)")


def _holds(text: str, part: str) -> bool:
    """Whether a text has another in it as a word of its own: some versions hold the name, as Django's `app name`."""
    at = text.find(part)
    while at >= 0:
        end = at + len(part)
        if not text[max(at - 1, 0) : at].isalnum() and not text[end : end + 1].isalnum():
            return True
        at = text.find(part, at + 1)
    return False


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"

"""What a commit says about itself.

In: a decision. Out: its message, its author, its metadata; all taken from the stream alone, so that the same
transactions give the same commit. Pure; called by `versioning/plan.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pggit_daemon.model.changeset import HistoryRowEvent
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.decision import CommitKind, Decision
from pggit_daemon.model.objects import ObjectOp

NAMED_OBJECTS = 3
LONGEST_NAME = 300
"""Characters of a migration's version and name in the message; its row keeps all of them."""

MOST_TEXTS = 20
"""Statements whose text a commit keeps, at most 8 kB each."""

BESIDE = frozenset({"sequence", "index", "table constraint"})
"""What a statement makes beside the table that it names; left out of a message where there is more to say."""


def message(decision: Decision) -> str:
    """One line: which migration, or what was done."""
    row = migration_row(decision)
    if row is not None:
        return _migration(row, decision)
    done = summary(decision.events)
    if decision.kind is CommitKind.TOOL:
        what = "left without a row in" if decision.orphan else "housekeeping of"
        return f"{what} {decision.source}: {done}"
    if decision.unit.deployment is not None:
        return f"deployment {_short(decision.unit.deployment.name)}: {done}"
    return f"out of band: {done}"


def author(decision: Decision) -> str:
    """The database user who ran the statements; for a row without any, whom the tool names."""
    if decision.events:
        return decision.events[0].session.profile.user
    row = migration_row(decision)
    migration = row.principal.migration if row is not None else None
    return (migration.applied_by if migration is not None else None) or "unknown"


def metadata(decision: Decision) -> dict[str, Any]:
    """Who, from where, by what evidence; the commands, and their text where the capture kept it as harmless."""
    found: dict[str, Any] = {
        "xid": decision.unit.xid,
        "lsn": str(decision.unit.commit_lsn),
        "statements": len(decision.events),
    }
    if decision.unit.deployment is not None:
        found["deployment"] = decision.unit.deployment.key
    found |= _ran(decision.events)
    row = migration_row(decision)
    if row is not None:
        found["source"] = row.source
        found["tool"] = row.principal.tool
        if row.principal.migration is not None:
            found["migration_id"] = row.principal.migration.migration_id
            found["version"] = row.principal.migration.version
        found["part"] = decision.part_of is not None
    elif decision.source is not None:
        found["source"] = decision.source
    if decision.orphan:
        found["orphan"] = True
    for link in decision.links:
        if link.evidence is not None:
            found["evidence"] = link.evidence.value
    return found


def _ran(events: tuple[DdlEvent, ...]) -> dict[str, Any]:
    """Whose statements, which and where."""
    if not events:
        return {}
    session = events[0].session
    found: dict[str, Any] = {
        "session": {
            "user": session.profile.user,
            "role": session.role,
            "application_name": session.profile.application_name,
            "client_addr": session.profile.client_addr,
            "pid": session.key.pid,
            "backend_start": session.key.started,
        },
        "commands": sorted({event.tag for event in events}),
        "first_lsn": str(events[0].lsn),
        "last_lsn": str(events[-1].lsn),
    }
    texts = [event.statement for event in events if event.statement is not None]
    if texts:
        found["texts"] = texts[:MOST_TEXTS]
    holders = sorted({f"{lock.holder.pid}" for event in events for lock in event.locks})
    if holders:
        found["lock_holders"] = holders
    rewritten = rewrites(events)
    if rewritten:
        found["rewrites"] = rewritten
    return found


def migration_row(decision: Decision) -> HistoryRowEvent | None:
    """The history row that the commit stands for."""
    if decision.part_of is not None:
        return decision.part_of
    return next((link.row for link in decision.links), None)


def rewrites(events: Iterable[DdlEvent]) -> list[str]:
    """The tables that the statements rewrote, by the names that they have now."""
    items = [item for event in events for item in event.objects]
    rewritten = {item.oid for item in items if item.op is ObjectOp.REWRITE}
    last = {item.oid: item.key.identity for item in items if item.op is ObjectOp.SET and item.key is not None}
    return sorted(name for oid, name in last.items() if oid in rewritten)


def summary(events: Iterable[DdlEvent]) -> str:
    """The commands with the objects they name, the first few of them."""
    named: list[str] = []
    for event in events:
        direct = [item.key for item in event.objects if item.direct and item.key is not None]
        chief = [key for key in direct if key.type not in BESIDE] or direct
        named.append(f"{event.tag} {', '.join(key.identity for key in chief[:NAMED_OBJECTS])}".strip())
    distinct = list(dict.fromkeys(named))
    more = len(distinct) - NAMED_OBJECTS
    return "; ".join(distinct[:NAMED_OBJECTS]) + (f"; and {more} more" if more > 0 else "")


def _migration(row: HistoryRowEvent, decision: Decision) -> str:
    migration = row.principal.migration
    name = "" if migration is None else " ".join(filter(None, (_version(row), migration.name)))
    name = _short(name)
    prefix = "roll back " if decision.kind is CommitKind.ROLLBACK else ""
    suffix = "" if migration is None or migration.success else " (failed)"
    return f"{row.principal.tool}: {prefix}{name}{' (part)' if decision.part_of is not None else ''}{suffix}"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def _version(row: HistoryRowEvent) -> str | None:
    migration = row.principal.migration
    if migration is None or (migration.way is None and migration.version == migration.name):
        return None
    return migration.way or migration.version

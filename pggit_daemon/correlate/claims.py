"""Which sources may claim a transaction's DDL, from what its session shows.

In: the DDL's session and the locks it saw, the brackets that are open, who is known to be whose partner.
Out: a claim per source, each of which a row may take up, or time and events refute. Pure.

A claim is possible, not proven. Three things rule a session out: the tool's preset says it is never one of
its clients; it is known to be another source's; the source's own session of this run is known and is another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from pggit_daemon.correlate.memory import Group, Memory
from pggit_daemon.correlate.unit import Evidence
from pggit_daemon.ddl import HeldLock, Session
from pggit_daemon.lsn import LSN
from pggit_daemon.records import TableName
from pggit_daemon.sources.preset import Claims, SessionHints
from pggit_daemon.sources.source import Source


@dataclass(frozen=True, slots=True)
class Claim:
    """A source's possible right to a transaction's DDL. `certain`: the session is known to be the tool's."""

    source: str
    evidence: Evidence
    group: Group
    certain: bool


def claims_on(
    session: Session,
    locks: Iterable[HeldLock],
    first_event: LSN,
    *,
    sources: Mapping[str, Source],
    brackets: Mapping[TableName, LSN],
    memory: Memory,
) -> dict[str, Claim]:
    """Every source that may claim DDL of this session, whose first event stands at `first_event`."""
    held = tuple(locks)
    owner = memory.owner_of(session.key)
    found = {}
    for source in sources.values():
        if (owner is not None and owner != source.name) or ruled_out(session, source.preset.session):
            continue
        claim = _claim(source, session, held, first_event, brackets)
        if claim is None:
            continue
        partner = memory.partner(source.name, claim.group)
        if partner == session.key or owner == source.name:
            found[source.name] = replace(claim, certain=True)
        elif partner is None:
            found[source.name] = claim
    return found


def _claim(
    source: Source, session: Session, locks: tuple[HeldLock, ...], first_event: LSN, brackets: Mapping[TableName, LSN]
) -> Claim | None:
    match source.preset.claims:
        case Claims.LOCK:
            for lock in locks:
                if (lock.classid, lock.objid) != source.advisory_key:
                    continue
                own = lock.holder == session.key
                if own or (lock.profile == session.profile and lock.holder.pid != session.key.pid):
                    return Claim(source.name, Evidence.LOCK, lock.holder, certain=own)
        case Claims.BRACKET:
            opened = brackets.get(source.bracket_table) if source.bracket_table is not None else None
            if opened is not None and opened < first_event:
                return Claim(source.name, Evidence.BRACKET, opened, certain=False)
        case Claims.WINDOW:
            return Claim(source.name, Evidence.WINDOW, None, certain=False)
        case Claims.NONE:
            pass
    return None


def ruled_out(session: Session, hints: SessionHints) -> bool:
    """Whether the preset or the configuration says that such a session is never the tool's."""
    name = session.profile.application_name
    return (
        any(fnmatchcase(name, pattern) for pattern in hints.never)
        or (hints.user is not None and hints.user != session.profile.user)
        or (hints.application_name is not None and not fnmatchcase(name, hints.application_name))
    )

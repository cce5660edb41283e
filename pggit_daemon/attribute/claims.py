"""Which sources may claim a transaction's DDL, from what its session shows.

In: the DDL's session and the locks it saw, the brackets that are open, who is known to be whose partner.
Out: a claim per source, each of which a row may take up, or time and events refute. Pure.

A claim is possible, not proven. Three things rule a session out: the tool's preset says it is never one of
its clients; it is known to be another source's; the source's own session of this run is known and is another.
Where several locks were held, the session's search_path decides: the tool that takes such a lock puts the schema
of its history table first on the connection that migrates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pggit_daemon.attribute.state import Group, Memory
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Claims
from pggit_daemon.model.session import HeldLock, Session
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import Source


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
    search_path: str | None = None,
) -> dict[str, Claim]:
    """Every source that may claim DDL of this session, whose first event stands at `first_event`."""
    held = tuple(locks)
    owner = memory.owner_of(session.key)
    found = {}
    for source in sources.values():
        if (owner is not None and owner != source.name) or source.preset.session.rule_out(session):
            continue
        claim = _claim(source, session, held, first_event, brackets)
        if claim is None:
            continue
        partner = memory.partner(source.name, claim.group)
        if partner == session.key or owner == source.name:
            found[source.name] = replace(claim, certain=True)
        elif partner is None:
            found[source.name] = claim
    return _by_path(found, sources, search_path)


def _by_path(found: dict[str, Claim], sources: Mapping[str, Source], search_path: str | None) -> dict[str, Claim]:
    """Of several uncertain claims by locks only the one whose table lies in the session's first schema."""
    open_claims = {name for name, claim in found.items() if claim.evidence is Evidence.LOCK and not claim.certain}
    first = first_schema(search_path or "")
    fitting = {name for name in open_claims if sources[name].table.schema == first}
    if len(fitting) != 1:
        return found
    return {name: claim for name, claim in found.items() if name not in open_claims - fitting}


def first_schema(search_path: str) -> str | None:
    """The first entry of a search_path as the server understands it; None if there is none."""
    text = search_path.strip()
    if text.startswith('"'):
        name, closing, _ = text[1:].replace('""', "\0").partition('"')
        return name.replace("\0", '"') if closing else None
    return text.partition(",")[0].strip().lower() or None


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

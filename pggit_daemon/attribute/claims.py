"""Which sources may claim a transaction's DDL, from what its session shows.

In: the DDL's session and the locks it saw, and what is known by then (`known.py`). Out: a claim per source, each of
which a row may take up, or time and events refute. Pure.

A claim is possible, not proven. Three things rule a session out: the tool's preset says it is never one of its
clients; it is known to be another source's; the source's own session of this run is known and is another. Where
several locks were held, the session's search_path decides: a tool that takes such a lock puts the schema of its history
table first on the connection that migrates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import HeldLock, Session, SessionKey
from pggit_daemon.tools.source import Source

Group = SessionKey | LSN | None
"""What one run of a tool is known by: the lock's holder, the bracket's opening, nothing for a window."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A source's possible right to a transaction's DDL.

    `certain`: the session is known to be the tool's. `weak`: it looks otherwise than the tool's, as a script may make
    it; only the order of positions may prove it. `reads`: all that speaks for the session is that it used the tool's
    tables, as people may. `since`: the tool had begun then what it runs children for.
    """

    source: str
    evidence: Evidence
    group: Group
    certain: bool = False
    weak: bool = False
    reads: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a transaction shows of who ran it: `first` is where its first statement stands.

    `alone`: it is a statement that runs in no transaction with others, or that tools run in none. `used`: the sources
    whose history table its session has itself read or written lately, `wrote` those to which it has written.
    """

    session: Session
    locks: tuple[HeldLock, ...]
    first: LSN
    commit: LSN
    time: datetime
    search_path: str | None = None
    alone: bool = False
    used: frozenset[str] = frozenset()
    wrote: frozenset[str] = frozenset()
    siblings: tuple[SessionKey, ...] | None = None


def by_search_path(found: dict[str, Claim], sources: Mapping[str, Source], seen: Seen) -> dict[str, Claim]:
    """Of several uncertain claims by locks only the one whose table lies in the session's first schema."""
    open_claims = {
        name
        for name, claim in found.items()
        if claim.evidence in {Evidence.LOCK, Evidence.BRACKET} and not claim.certain
    }
    first = first_schema(seen.search_path or "")
    fitting = {name for name in open_claims if sources[name].table.schema == first}
    if len(fitting) != 1 or len({found[name].evidence for name in open_claims}) > 1:
        return found
    return {name: claim for name, claim in found.items() if name not in open_claims - fitting}


def first_schema(search_path: str) -> str | None:
    """The first entry of a search_path as the server understands it; None if there is none."""
    text = search_path.strip()
    if text.startswith('"'):
        name, closing, _ = text[1:].replace('""', "\0").partition('"')
        return name.replace("\0", '"') if closing else None
    return text.partition(",")[0].strip().lower() or None


def as_certain(claim: Claim) -> Claim:
    return replace(claim, certain=True, weak=False, reads=False)


def locks_of(locks: Iterable[HeldLock], keys: Collection[tuple[int, int]]) -> list[HeldLock]:
    """Those of the locks that have one of these keys."""
    return [lock for lock in locks if (lock.classid, lock.objid) in keys]

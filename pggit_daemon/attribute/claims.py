"""Which sources may claim a transaction's DDL, from what its session shows.

In: the DDL's session and the locks it saw, and what is known by then (`known.py`). Out: a claim per source, each of
which a row may take up, or time and events refute. Pure.

A claim is possible, not proven. Three things rule a session out: the tool's preset says it is never one of its
clients; it is known to be another source's; the source's own session of this run is known and is another. Where
several locks were held, the session's search_path decides (`search_path.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import HeldLock, Session, SessionKey

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


def as_certain(claim: Claim) -> Claim:
    return replace(claim, certain=True, weak=False, reads=False)


def locks_of(locks: Iterable[HeldLock], keys: Collection[tuple[int, int]]) -> list[HeldLock]:
    """Those of the locks that have one of these keys."""
    return [lock for lock in locks if (lock.classid, lock.objid) in keys]

"""What correlation remembers beyond the transaction in hand.

In: brackets as they open and close, the sessions of tools as they are learnt, rows that were written ahead
of their own transaction, transactions whose row never came. Out: JSON, stored with the progress, from which
a restarted daemon decides alike. Pure; owned by the correlator.

The queue holds transactions behind the stored ones, and what was learnt from them is learnt again after a restart.
So everything here bears the commit that taught it, and only what is not newer than the last stored one is dumped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName

Group = SessionKey | LSN | None
"""What one run of a tool is known by: the lock's holder, the bracket's opening, nothing for a window."""

Brackets = dict[TableName, LSN]
"""The lock tables whose row is held, each with the commit that took it."""

KEEPERS_KEPT = 8
ORPHANS_KEPT = 32


@dataclass(frozen=True, slots=True)
class Partner:
    """A run of a tool and the session that runs its DDL, known since the transaction `since`."""

    group: Group
    session: SessionKey
    since: LSN


@dataclass(slots=True)
class Orphan:
    """A transaction whose grace ended before its row came. A row of the source that comes with DDL closes the case."""

    commit: LSN
    first: LSN
    session: SessionKey
    closed: LSN | None = None


@dataclass(slots=True)
class Memory:
    """What is known of the tools' sessions, and what was handled out of its turn.

    `partners`: by source, its runs, the newest last.
    `keepers`: sessions that made or dropped a source's own tables, and since when; the newest last.
    `written`: rows stored with the commit of an earlier transaction, whose own is still to come.
    """

    partners: dict[str, list[Partner]] = field(default_factory=dict)
    keepers: dict[SessionKey, tuple[str, LSN]] = field(default_factory=dict)
    written: set[LSN] = field(default_factory=set)
    orphans: dict[str, list[Orphan]] = field(default_factory=dict)

    def learn(self, source: str, group: Group, session: SessionKey, since: LSN) -> None:
        if group is not None and self.partner(source, group) != session:
            self.partners.setdefault(source, []).append(Partner(group, session, since))

    def keeps(self, source: str, session: SessionKey, since: LSN) -> None:
        known, earlier = self.keepers.pop(session, (None, since))
        self.keepers[session] = (source, earlier if known == source else since)

    def keeper(self, session: SessionKey) -> str | None:
        """The source whose own tables this session has made or dropped."""
        return self.keepers.get(session, (None,))[0]

    def partner(self, source: str, group: Group) -> SessionKey | None:
        """The session known to run this run's DDL."""
        runs = self.partners.get(source, ())
        return next((known.session for known in reversed(runs) if known.group == group), None)

    def owner_of(self, session: SessionKey) -> str | None:
        """The source whose session this is known to be."""
        running = (name for name, runs in self.partners.items() for known in runs if known.session == session)
        return next(running, None) or self.keeper(session)

    def sessions_of(self, source: str) -> frozenset[SessionKey]:
        """Every session known to be the tool's: lock holders, those that run its DDL, those that keep its tables."""
        partners = self.partners.get(source, ())
        holders = {partner.group for partner in partners if isinstance(partner.group, SessionKey)}
        keepers = {session for session in self.keepers if self.keeper(session) == source}
        return frozenset(holders | keepers | {partner.session for partner in partners})

    def orphaned(self, source: str, orphan: Orphan) -> None:
        self.orphans.setdefault(source, []).append(orphan)

    def close(self, source: str, row: LSN, commit: LSN) -> None:
        """A row of the source was dealt with: what waited before it is waited for no longer."""
        for orphan in self.orphans.get(source, ()):
            if orphan.closed is None and orphan.first < row:
                orphan.closed = commit

    def late(self, source: str, row: LSN) -> list[Orphan]:
        """The transactions a row may belong to that came after their grace.

        If any was still open when the row was written, it is one of those.
        """
        earlier = [orphan for orphan in self.orphans.get(source, ()) if orphan.closed is None and orphan.first < row]
        return [orphan for orphan in earlier if orphan.commit > row] or earlier

    def dump(self, brackets: Brackets, last: LSN) -> str:
        """As JSON, with the brackets as they stood after the last settled transaction; forgets what is out of use."""
        self._forget(last)
        return json.dumps(
            {
                "brackets": [[table.schema, table.table, str(lsn)] for table, lsn in brackets.items()],
                "partners": {
                    name: [[_dumped(known.group), _dumped(known.session)] for known in runs if known.since <= last]
                    for name, runs in self.partners.items()
                },
                "keepers": [[_dumped(who), name] for who, (name, since) in self.keepers.items() if since <= last],
                "written": [str(lsn) for lsn in sorted(self.written)],
                "orphans": {
                    name: [
                        [str(orphan.commit), str(orphan.first), _dumped(orphan.session)]
                        for orphan in orphans
                        if orphan.commit <= last
                    ]
                    for name, orphans in self.orphans.items()
                },
            }
        )

    def _forget(self, last: LSN) -> None:
        for name, runs in self.partners.items():
            settled = [known for known in runs if known.since <= last]
            self.partners[name] = settled[-1:] + [known for known in runs if known.since > last]
        old = [who for who, (_, since) in self.keepers.items() if since <= last]
        for who in old[:-KEEPERS_KEPT]:
            del self.keepers[who]
        for name, orphans in self.orphans.items():
            left = [orphan for orphan in orphans if orphan.closed is None or orphan.closed > last]
            self.orphans[name] = left[-ORPHANS_KEPT:]

    @classmethod
    def load(cls, text: str) -> tuple[Memory, Brackets]:
        """The memory and the open brackets; both empty from `{}`."""
        stored: Mapping[str, Any] = json.loads(text)
        memory = cls(
            partners={
                name: [Partner(_group(group), _session(who), ZERO) for group, who in runs]
                for name, runs in stored.get("partners", {}).items()
            },
            keepers={_session(who): (name, ZERO) for who, name in stored.get("keepers", ())},
            written={LSN.parse(lsn) for lsn in stored.get("written", ())},
            orphans={
                name: [Orphan(LSN.parse(commit), LSN.parse(first), _session(who)) for commit, first, who in orphans]
                for name, orphans in stored.get("orphans", {}).items()
            },
        )
        brackets = {TableName(schema, table): LSN.parse(lsn) for schema, table, lsn in stored.get("brackets", ())}
        return memory, brackets


def _dumped(group: Group) -> str | list[str | int] | None:
    if isinstance(group, SessionKey):
        return [group.pid, group.started]
    return str(group) if isinstance(group, LSN) else None


def _session(value: list[Any]) -> SessionKey:
    return SessionKey(int(value[0]), str(value[1]))


def _group(value: str | list[Any] | None) -> Group:
    if isinstance(value, list):
        return _session(value)
    return LSN.parse(value) if value is not None else None

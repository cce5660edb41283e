"""What correlation remembers beyond the transaction in hand.

In: brackets as they open and close, the sessions of tools as they are learnt, rows that were written ahead
of their own transaction, transactions whose row never came. Out: JSON, stored with the progress, from which
a restarted daemon decides alike. Pure; owned by the correlator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pggit_daemon.ddl import SessionKey
from pggit_daemon.lsn import LSN
from pggit_daemon.records import TableName

Group = SessionKey | LSN | None
"""What one run of a tool is known by: the lock's holder, the bracket's opening, nothing for a window."""

Brackets = dict[TableName, LSN]
"""The lock tables whose row is held, each with the commit that took it."""

KEEPERS_KEPT = 8


@dataclass(slots=True)
class Memory:
    """What is known of the tools' sessions, and what was handled out of its turn.

    `partners`: by source, the run (lock holder or bracket) and the session that runs its DDL.
    `keepers`: sessions that made or dropped a source's own tables, the newest last.
    `written`: rows stored with the commit of an earlier transaction, whose own is still to come.
    `orphans`: by source, transactions whose grace ended before a row came, by commit LSN with their session.
    """

    partners: dict[str, tuple[Group, SessionKey]] = field(default_factory=dict)
    keepers: dict[SessionKey, str] = field(default_factory=dict)
    written: set[LSN] = field(default_factory=set)
    orphans: dict[str, dict[LSN, SessionKey]] = field(default_factory=dict)

    def learn(self, source: str, group: Group, session: SessionKey) -> None:
        if group is not None:
            self.partners[source] = (group, session)

    def keeps(self, source: str, session: SessionKey) -> None:
        self.keepers.pop(session, None)
        self.keepers[session] = source
        while len(self.keepers) > KEEPERS_KEPT:
            del self.keepers[next(iter(self.keepers))]

    def partner(self, source: str, group: Group) -> SessionKey | None:
        """The session known to run this run's DDL."""
        known = self.partners.get(source)
        return known[1] if known is not None and known[0] == group else None

    def owner_of(self, session: SessionKey) -> str | None:
        """The source whose session this is known to be."""
        running = next((name for name, (_, known) in self.partners.items() if known == session), None)
        return running or self.keepers.get(session)

    def orphaned(self, source: str, commit: LSN, session: SessionKey) -> None:
        self.orphans.setdefault(source, {})[commit] = session

    def late_for(self, source: str, row: LSN) -> LSN | None:
        """The transaction a row belongs to that came after its grace: the newest of one session's, else None."""
        earlier = {lsn: session for lsn, session in self.orphans.get(source, {}).items() if lsn < row}
        return max(earlier) if len(set(earlier.values())) == 1 else None

    def dump(self, brackets: Brackets) -> str:
        """As JSON, with the brackets as they stood after the last settled transaction."""
        return json.dumps(
            {
                "brackets": [[table.schema, table.table, str(lsn)] for table, lsn in brackets.items()],
                "partners": {name: [_dumped(group), _dumped(who)] for name, (group, who) in self.partners.items()},
                "keepers": [[_dumped(who), name] for who, name in self.keepers.items()],
                "written": [str(lsn) for lsn in sorted(self.written)],
                "orphans": {
                    name: [[str(lsn), _dumped(who)] for lsn, who in commits.items()]
                    for name, commits in self.orphans.items()
                },
            }
        )

    @classmethod
    def load(cls, text: str) -> tuple[Memory, Brackets]:
        """The memory and the open brackets; both empty from `{}`."""
        stored: Mapping[str, Any] = json.loads(text)
        memory = cls(
            partners={
                name: (_group(group), _session(who)) for name, (group, who) in stored.get("partners", {}).items()
            },
            keepers={_session(who): name for who, name in stored.get("keepers", ())},
            written={LSN.parse(lsn) for lsn in stored.get("written", ())},
            orphans={
                name: {LSN.parse(lsn): _session(who) for lsn, who in commits}
                for name, commits in stored.get("orphans", {}).items()
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

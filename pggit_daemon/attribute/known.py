"""What the proofs may ask: open brackets, the tools' sessions, who may write a history table.

In: what the stream showed so far, and the catalog's word on roles. Out: values for `proofs/`. Mutable, private to
`attribute/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pggit_daemon.attribute.claims import Seen
from pggit_daemon.attribute.presence import Sightings
from pggit_daemon.attribute.sessions import KnownSessions
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import TableName

Writers = Mapping[str, frozenset[str] | None]
"""By source, the roles that own its table, are members of its owner, or hold INSERT by a grant; None: not known."""


@dataclass(slots=True)
class Bracket:
    """A lock table whose row is held, since the transaction `opened`.

    `abandoned`: whoever held it is gone. `wrote`: when the newest row came that stands in it.
    """

    opened: LSN
    at: datetime | None
    abandoned: bool = False
    wrote: datetime | None = None


@dataclass(slots=True)
class Known:
    brackets: dict[TableName, Bracket] = field(default_factory=dict)
    sessions: KnownSessions = field(default_factory=KnownSessions)
    writers: Writers = field(default_factory=dict)
    sightings: Sightings = field(default_factory=Sightings)

    def may_write(self, source: str, seen: Seen) -> bool:
        """Whether the session's roles have a right of their own on the history table; a superuser has no more."""
        writers = self.writers.get(source)
        return writers is None or bool(writers & {seen.session.role, seen.session.profile.user})

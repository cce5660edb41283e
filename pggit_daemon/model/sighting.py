"""What looks at sessions showed of them: who was at work when. All times are the server's.

In: nothing; values made by `reconcile/looks.py`. Out: read by `attribute/presence.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pggit_daemon.model.session import SessionKey


@dataclass(frozen=True, slots=True)
class Activity:
    """A backend as pg_stat_activity shows it: when its newest statement began, when it became active or idle, and when
    the transaction began that it has open. `writes`: whether that statement may have committed a row of one of the
    history tables that were asked about, by its text.

    `state` is None where that is not to be seen: it is not tracked, or our role may not see it.
    """

    state: str | None = None
    query_start: datetime | None = None
    state_change: datetime | None = None
    xact_start: datetime | None = None
    writes: bool = True

    @property
    def is_running(self) -> bool:
        """Whether a statement is under way."""
        return self.state in {"active", "fastpath function call"}


@dataclass(frozen=True, slots=True)
class Sighting:
    """One session, looked at between two moments. `activity` is None where it had ended."""

    began: datetime
    ended: datetime
    activity: Activity | None


@dataclass(frozen=True, slots=True)
class Look:
    """Some sessions, looked at once; None of those that had ended.

    `others` are all others of `users` in the database, with user and application_name. `moments`: the newest that was
    asked about when it began, of each session; what became known meanwhile may be of later.
    """

    began: datetime
    ended: datetime
    found: Mapping[SessionKey, Activity | None]
    others: Mapping[SessionKey, tuple[tuple[str, str], Activity]] = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    moments: Mapping[SessionKey, datetime] = field(default_factory=dict)

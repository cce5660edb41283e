"""Whether a session was at work in the moment in which a history row was committed, as its writer must have been.

In: what looks at the session showed, and when the row and the session's own DDL were committed; all by the server's
clock. Out: present, absent, unknown, or not known yet. Pure; asked by the proofs.

PostgreSQL tells of a backend when its newest statement began, and since when it idles. The row's commit lies within the
statement that committed it, so a session that had been idle since before the row, or had ended, certainly did not
write it. One that ran a statement just then which can write a row did; a look comes no nearer to a proof. Where the
session has gone on or has ended meanwhile, the look came too late: then it counts only if its DDL was committed shortly
before the row, it went on shortly after it or was gone by then, and nobody else of its look may have been at work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from pggit_daemon.attribute.sessions import are_together, began_after
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.sighting import Activity, Look, Sighting

NEAR = timedelta(seconds=0.25)
"""The longest pause around a row in which a session still counts as at work.

Tools write their row, and go on or end, within some milliseconds of their DDL, and a look comes 5 to 10 ms later, on a
loaded machine up to 250 ms. People need longer between two statements.
"""

LONGEST = timedelta(seconds=1)
"""The longest statement that may have written a row: what runs longer says nothing of a moment."""

TOGETHER = timedelta(seconds=1)
"""How far apart the connections begin that one program opens at once."""

LOOK_FOR = timedelta(seconds=5)
"""How long after DDL, and after a row, its session is looked at: as long as the gaps of the tools' windows."""

KEPT = 256
"""Sightings of one session that differ."""

REMEMBERED = timedelta(minutes=1)
"""How long a session that ended may be a rival still: longer than rows wait."""


class Presence(Enum):
    PRESENT = auto()  # ran a statement just then that can write a row
    NEAR = auto()  # was at work around that moment, and may have written it
    ABSENT = auto()  # certainly did not
    UNKNOWN = auto()
    NOT_SEEN = auto()  # no look since the row has told it: a later one may


def presence(seen: Iterable[Sighting], row: datetime, ran: datetime) -> Presence:
    """Where the session was when the row was committed; `ran`: when its last DDL before that was.

    `seen` is in the order of the looks.
    """
    spanning = None
    for one in seen:
        now, after = one.activity, one.began >= row
        told: Presence | None = None
        if now is None:
            told = Presence.ABSENT if one.ended < row else _so_near(ran, spanning, one.ended)
        elif now.query_start is None or now.state_change is None:
            told = Presence.UNKNOWN if after else None
        elif now.query_start > row:
            told = _went_on(now, now.query_start, row, ran, spanning)
        elif now.is_running:
            told = Presence.ABSENT if after and not now.writes else None
            spanning = now.query_start if after else None
        elif now.state_change >= row:
            told = _ran_then(now, now.query_start, now.state_change)
        else:
            told = Presence.ABSENT if after else None
        if told is not None:
            return told
    return Presence.NOT_SEEN


def _went_on(now: Activity, began: datetime, row: datetime, ran: datetime, spanning: datetime | None) -> Presence:
    """A newer statement hides which one it ran then. A transaction that was open over the row did not commit it."""
    if now.xact_start is not None and now.xact_start <= row:
        return Presence.ABSENT
    return _so_near(ran, spanning, min(began, now.xact_start or began))


def _ran_then(now: Activity, began: datetime, ended: datetime) -> Presence:
    """It ran a statement just then. One after which its transaction is still open has committed nothing."""
    if now.state != "idle" or not now.writes:
        return Presence.ABSENT
    return Presence.PRESENT if ended - began <= LONGEST else Presence.UNKNOWN


def _so_near(ran: datetime, spanning: datetime | None, again: datetime) -> Presence:
    """At work again after the row, or gone then; `spanning`: since when it ran a statement meanwhile."""
    if spanning is not None:
        return Presence.PRESENT if again - spanning <= LONGEST else Presence.UNKNOWN
    return Presence.NEAR if again - ran <= NEAR else Presence.UNKNOWN


@dataclass(slots=True)
class Sightings:
    """What looks have shown of the sessions that are asked about, and of others that look so. `now`: when the last one
    ended.

    Nothing of it outlives the process: who starts again has not seen anything.
    """

    now: datetime | None = None
    _seen: dict[SessionKey, deque[Sighting]] = field(default_factory=dict)
    _looks: dict[SessionKey, tuple[str, str]] = field(default_factory=dict)

    def add(self, look: Look) -> None:
        """Take in a look. Of others of its users that it does not show any more it shows that they have ended."""
        self.now = look.ended
        found = dict(look.found)
        for session, (looks, activity) in look.others.items():
            self._looks[session] = looks
            found[session] = activity
        for session, (user, _) in self._looks.items():
            if user in look.users and session not in found and not self.has_gone(session):
                found[session] = None
        for session, activity_ in found.items():
            seen = self._seen.setdefault(session, deque(maxlen=KEPT))
            if seen and seen[-1].activity == activity_ and activity_ is not None:
                seen.pop()  # the later look says as much of every row
            seen.append(Sighting(look.began, look.ended, activity_))

    def of(self, session: SessionKey, row: datetime, ran: datetime) -> Presence:
        """Where the session was when a row was committed; `ran`: when its last DDL before that was."""
        found = presence(self._seen.get(session, ()), row, ran)
        is_over = self.now is not None and self.now > row + LOOK_FOR
        return Presence.UNKNOWN if found is Presence.NOT_SEEN and is_over else found

    def has_rival(self, session: SessionKey, looks: tuple[str, str], row: datetime, where: Presence) -> bool:
        """Whether another session of this user and application_name may have committed the row as well as this one.

        One that began with it is the same program's, so whichever of them wrote the row, the DDL is that program's.
        """
        for other, its in self._looks.items():
            is_another = (
                other != session and its == looks and not are_together(other.started, session.started, TOGETHER)
            )
            if is_another and not began_after(other, row):
                found = presence(self._seen.get(other, ()), row, row)
                if found is Presence.PRESENT or (where is Presence.NEAR and found is not Presence.ABSENT):
                    return True
        return False

    def has_gone(self, session: SessionKey) -> bool:
        seen = self._seen.get(session)
        return seen is not None and seen[-1].activity is None

    def was_seen_since(self, session: SessionKey, moment: datetime) -> bool:
        """Whether a look that began then or later showed it."""
        seen = self._seen.get(session)
        return seen is not None and seen[-1].began >= moment

    def keep(self, sessions: Collection[SessionKey]) -> None:
        """Forget all others, but who looks so while any is asked about, and who did and ended lately.

        Where nobody is, also when the last look was: the clock may be set back meanwhile.
        """
        wanted = set(sessions)
        self.now = self.now if wanted else None
        for session in [one for one in self._looks if not wanted or self._ended_long_ago(one)]:
            del self._looks[session]
        for session in self._seen.keys() - wanted - self._looks.keys():
            del self._seen[session]

    def _ended_long_ago(self, session: SessionKey) -> bool:
        return self.has_gone(session) and self.now is not None and self.now - self._seen[session][-1].ended > REMEMBERED

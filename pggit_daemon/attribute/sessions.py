"""Which sessions are known to be a tool's, and for how long.

In: rows that were matched with proof, locks as they were seen, statements on a tool's own tables. Out: whose a session
is at this moment. Mutable, private to `attribute/`; everything in it is bounded.

A session is a tool's only while its lock, bracket or run lasts: a service that migrates on its own connections goes
on with other work on them. A session is known by its backend, whatever it calls itself later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pggit_daemon.attribute.claims import Group
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Profile, SessionKey

MEMORY = timedelta(seconds=30)
"""How long after a tool's session was last seen at work another connection of the tool is known by it."""

HOLDERS_KEPT = 4
MARKS_KEPT = 32
HOUSEKEEPERS_KEPT = 8
STRANGERS_KEPT = 64
LOOKS_KEPT = 8
OWN_KEPT = 16
UNLOCKED_KEPT = 4
SHORTEST_KEPT = 16

OWN_FOR = timedelta(minutes=10)
"""How long a session that has written a source's rows is taken for the tool's."""

READ_FOR = timedelta(seconds=30)
"""How long one that has read its history table is, or has run DDL since then with pauses no longer than that."""

FOREIGN = timedelta(minutes=10)
"""How long after others ran DDL a look that they have tells nothing of the tool's sessions."""

Look = tuple[str, str]
"""User and application_name."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a tool, and the session that runs its DDL."""

    group: Group
    session: SessionKey
    seen: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """Who held a tool's lock: `first` is the newest transaction's first statement that saw it."""

    first: LSN
    seen: datetime


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What a session ran that used the history table while the tool's lock was not held: its last statement."""

    application: str
    last: LSN
    seen: datetime


@dataclass(frozen=True, slots=True)
class Housekeeper:
    """A session that made, changed or (`dropped`) dropped a source's own tables."""

    source: str
    seen: datetime
    dropped: bool


@dataclass(frozen=True, slots=True)
class Own:
    """A session that used a source's history table: when it last did, or ran DDL soon after; when it last wrote."""

    seen: datetime
    wrote: datetime | None = None

    def is_at_work(self, now: datetime) -> bool:
        return now - self.seen <= READ_FOR or self.has_written(now)

    def has_written(self, now: datetime) -> bool:
        return self.wrote is not None and now - self.wrote <= OWN_FOR


@dataclass(slots=True)
class Foreign:
    """Sessions of one look that ran DDL which is not the tool's: when one did last, and how long each lasted at least.

    The shortest are remembered; none: it is not known how short they were.
    """

    seen: datetime
    lasted: dict[SessionKey, timedelta] = field(default_factory=dict)

    def add(self, session: SessionKey, now: datetime) -> None:
        self.seen = max(self.seen, now)
        self.lasted[session] = max(lasted(session, now), self.lasted.get(session, timedelta(0)))
        if len(self.lasted) > SHORTEST_KEPT:
            del self.lasted[max(self.lasted, key=lambda one: self.lasted[one])]


def lasted(session: SessionKey, until: datetime) -> timedelta:
    """How long the session had lasted then; nothing where its start is not known."""
    try:
        return until - datetime.fromisoformat(session.started)
    except (ValueError, TypeError):
        return timedelta(0)


def began_after(session: SessionKey, moment: datetime) -> bool:
    """Whether the session began later; not where its start is not known."""
    return lasted(session, moment) < timedelta(0)


def are_together(one: str, other: str, within: timedelta) -> bool:
    """Whether two sessions began about the same time, or one when the other thing happened."""
    try:
        apart = datetime.fromisoformat(one) - datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False
    return abs(apart) <= within


@dataclass(slots=True)
class ToolSessions:
    """What is known of one source.

    `own`: sessions that used its history table themselves, or wrote a row together with DDL.
    `marks`: where its own session wrote its newest rows. `strangers`: sessions that are not its own in this run.
    `foreign`: looks under which others ran DDL. `looks`: how the sessions looked that ran its
    migrations. `shares`: whether its rows share a transaction with their DDL, as the first one that had any did; None:
    there was none. `named`: its rows name the session that wrote them. `unlocked`: sessions that ran DDL
    without its lock since its last row.
    """

    run: Run | None = None
    own: OrderedDict[SessionKey, Own] = field(default_factory=OrderedDict)
    holders: OrderedDict[SessionKey, Holder] = field(default_factory=OrderedDict)
    marks: deque[LSN] = field(default_factory=lambda: deque(maxlen=MARKS_KEPT))
    strangers: OrderedDict[SessionKey, Group] = field(default_factory=OrderedDict)
    foreign: OrderedDict[Look, Foreign] = field(default_factory=OrderedDict)
    looks: OrderedDict[Look, None] = field(default_factory=OrderedDict)
    unlocked: OrderedDict[SessionKey, Unlocked] = field(default_factory=OrderedDict)
    shares: bool | None = None
    named: bool = False

    def works(self, session: SessionKey, now: datetime, *, wrote: bool) -> None:
        """The session used the source's history table, or wrote to it."""
        before = self.own.pop(session, None)
        self.own[session] = Own(now, now if wrote else before.wrote if before is not None else None)
        while len(self.own) > OWN_KEPT:
            self.own.popitem(last=False)

    def is_own(self, session: SessionKey, now: datetime) -> bool:
        """Whether it has used the history table lately."""
        return session in self.own and self.own[session].is_at_work(now)

    def has_written(self, session: SessionKey, now: datetime) -> bool:
        """Whether it has written to it lately, as hands that look at it do not."""
        return session in self.own and self.own[session].has_written(now)

    def see_unlocked(self, session: SessionKey, what: Unlocked) -> None:
        self.unlocked.pop(session, None)
        self.unlocked[session] = what
        while len(self.unlocked) > UNLOCKED_KEPT:
            self.unlocked.popitem(last=False)

    def see_foreign(self, session: SessionKey, who: Profile, now: datetime) -> None:
        """Somebody of this look ran DDL that is not the tool's."""
        look = (who.user, who.application_name)
        others = self.foreign.pop(look, None)
        if others is None or now - others.seen > FOREIGN:
            others = Foreign(now)
        others.add(session, now)
        self.foreign[look] = others
        while len(self.foreign) > LOOKS_KEPT:
            self.foreign.popitem(last=False)

    def is_foreign(
        self, who: Profile, now: datetime, within: timedelta | None = None, *, but: SessionKey | None = None
    ) -> bool:
        """Whether others of this look ran DDL lately, in sessions that may have lasted no longer than `within`."""
        others = self.foreign.get((who.user, who.application_name))
        if others is None or now - others.seen > FOREIGN or others.lasted.keys() == {but}:
            return False
        return within is None or not others.lasted or min(others.lasted.values()) <= within

    def hold(self, holder: SessionKey, first: LSN, now: datetime) -> None:
        """A statement saw the lock in these hands."""
        known = self.holders.pop(holder, None)
        self.holders[holder] = Holder(max(first, known.first) if known is not None else first, now)
        while len(self.holders) > HOLDERS_KEPT:
            self.holders.popitem(last=False)

    def held_later(self, holder: Group, first: LSN) -> bool:
        """Whether a later transaction saw the lock in other hands: this one was open over the end of a run."""
        return any(other != holder and held.first > first for other, held in self.holders.items())

    def mark(self, lsn: LSN) -> None:
        """The source's own session wrote something here."""
        if not self.marks or lsn > self.marks[-1]:
            self.marks.append(lsn)

    def wrote_within(self, begin: LSN, end: LSN) -> bool:
        """Whether the source's session wrote in a transaction of its own between these places."""
        marks = tuple(self.marks)
        at = bisect_right(marks, begin)
        return at < len(marks) and marks[at] < end

    def ran(self, looks: Iterable[Look], *, shared: bool) -> bool:
        """A row has its DDL, which sessions of these looks ran. Whether that is news."""
        before = (tuple(self.looks), self.shares)
        self.shares = shared if self.shares is None else self.shares
        self.looks.update((look, None) for look in looks if look not in self.looks)
        while len(self.looks) > LOOKS_KEPT:
            self.looks.popitem(last=False)
        return before != (tuple(self.looks), self.shares)

    def estrange(self, session: SessionKey, group: Group) -> None:
        self.strangers[session] = group
        while len(self.strangers) > STRANGERS_KEPT:
            self.strangers.popitem(last=False)

    def is_stranger(self, session: SessionKey, group: Group) -> bool:
        return session in self.strangers and self.strangers[session] == group


@dataclass(slots=True)
class KnownSessions:
    """All sources' sessions."""

    tools: dict[str, ToolSessions] = field(default_factory=dict)
    housekeepers: OrderedDict[SessionKey, Housekeeper] = field(default_factory=OrderedDict)

    def of(self, source: str) -> ToolSessions:
        return self.tools.setdefault(source, ToolSessions())

    def partner(self, source: str, group: Group) -> SessionKey | None:
        """The session known to run this run's DDL."""
        run = self.tools[source].run if source in self.tools else None
        return run.session if run is not None and group is not None and run.group == group else None

    def learn(self, source: str, group: Group, session: SessionKey, now: datetime) -> None:
        if group is not None:
            self.of(source).run = Run(group, session, now)

    def owners(self, session: SessionKey, now: datetime) -> frozenset[str]:
        """The sources whose own the session has shown to be, lately."""
        return frozenset(name for name, tool in self.tools.items() if tool.is_own(session, now))

    def keep_house(self, source: str, session: SessionKey, now: datetime, *, dropped: bool) -> None:
        self.housekeepers.pop(session, None)
        self.housekeepers[session] = Housekeeper(source, now, dropped)
        while len(self.housekeepers) > HOUSEKEEPERS_KEPT:
            self.housekeepers.popitem(last=False)

    def housekeepers_of(self, source: str) -> list[SessionKey]:
        return [session for session, known in self.housekeepers.items() if known.source == source]

    def at_work(self, source: str, now: datetime) -> frozenset[SessionKey]:
        """The sessions known to be the tool's, and lately seen at work: its lock holders, runners, housekeepers."""
        tool = self.tools.get(source, ToolSessions())
        lately = {holder for holder, held in tool.holders.items() if now - held.seen <= MEMORY}
        if tool.run is not None and now - tool.run.seen <= MEMORY:
            lately |= {tool.run.session} | ({tool.run.group} if isinstance(tool.run.group, SessionKey) else set())
        kept = {
            who for who, known in self.housekeepers.items() if known.source == source and now - known.seen <= MEMORY
        }
        return frozenset(lately | kept)

"""Leads transactions through reader, recording and attribution as the pipeline does, and says what was decided."""

from __future__ import annotations

from datetime import datetime, timedelta

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.interpret.transaction import NewTables, Reader
from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.decision import Attribution, Link, Outcome
from pggit_daemon.model.held import Held
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.sighting import Activity, Look
from pggit_daemon.model.transaction import TableName, Transaction
from pggit_daemon.tools.preset import Preset, packaged
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source
from pggit_daemon.versioning.plan import Step, closing, plan, recorded
from pggit_daemon.versioning.recording import Recording
from pggit_daemon.versioning.segments import segments
from tests.unit.build.stored import Stored
from tests.unit.build.wal import START, Wal

PRESETS: dict[str, Preset] = dict(packaged())
SOON = timedelta(milliseconds=5)
LOOKS = timedelta(milliseconds=50)


class Follower:
    """Leads transactions through reader, recording and attribution, like the pipeline.

    `live`: each transaction is stored by itself. `restart` loses all but the stored. `insert_only`: of
    these tables only inserts are streamed. `wal` shows what sessions do, to looks that come so `late` after a
    transaction; without it nothing is to be seen of them.
    """

    def __init__(
        self,
        *sources: Source,
        presets: dict[str, Preset] | None = None,
        live: bool = True,
        insert_only: frozenset[TableName] = frozenset(),
        wal: Wal | None = None,
        late: timedelta = SOON,
    ) -> None:
        self.insert_only = insert_only
        self.registry = Registry(presets if presets is not None else PRESETS, sources)
        self.stored = Stored()
        self.reported: list[Link] = []
        self.steps: list[Step] = []
        self.attributions: list[Attribution] = []
        self.changesets: list[Changeset] = []
        self.seen: list[Transaction] = []
        self.live = live
        self.wal, self.late = wal, late
        self.clock = START
        self._load()

    def _load(self) -> None:
        self.ledgers = {
            name: Ledger.load(
                name,
                source.preset,
                self.stored.rows.get(name, {}),
                self.stored.ids.get(name, {}).items(),
                statuses=self.stored.statuses.get(name, {}),
                begun=self.stored.begun.get(name, {}),
            )
            for name, source in self.registry.sources.items()
        }
        self.correlator = Correlator(self.registry.sources, self.stored.facts.values(), insert_only=self.insert_only)
        brackets = self.correlator.open_brackets
        self.reader = Reader(self.registry, self.ledgers, brackets=brackets, insert_only=self.insert_only)
        self.recording = Recording()

    def restart(self, *, having_seen: bool = False) -> None:
        """Go on from what is stored; `having_seen`: also from what looks at sessions showed, which is not stored."""
        self.store()
        known = self.correlator._state.known
        self._load()
        if having_seen:
            self.correlator._state.known.sightings = known.sightings

    def feed(self, *transactions: Transaction) -> Follower:
        for transaction in transactions:
            self.seen.append(transaction)
            self._handle(transaction)
        self.store()
        return self

    def _handle(self, transaction: Transaction) -> None:
        arrived = max(self.clock, transaction.commit_time + self.late)
        self._look_until(arrived)
        self.clock = arrived
        self.correlator.tick(transaction.commit_time)
        changeset = self.reader.read(transaction)
        if isinstance(changeset, NewTables):
            self.restart()
            self._handle(transaction)
            return
        if changeset.items:
            self.record(changeset)
        if self.live:
            self.store()
        self._look_at(at_once=True)

    def _look_until(self, moment: datetime) -> None:
        """Look again and again, as the daemon does while somebody is asked about."""
        while self.clock + LOOKS <= moment and self.wal is not None and self.correlator.to_look_at().sessions:
            self.clock += LOOKS
            self._look_at(at_once=False)

    def _look_at(self, *, at_once: bool) -> None:
        wanted = self.correlator.to_look_at()
        if wanted.sessions and (wanted.at_once or not at_once):
            found: dict[SessionKey, Activity | None] = {one: Activity() for one in wanted.sessions}
            others = {}
            if self.wal is not None:
                found = {one: self.wal.seen(one, self.clock) for one in wanted.sessions}
                others = self.wal.others(wanted.users, self.clock)
            others = {one: shown for one, shown in others.items() if one not in found}
            self.correlator.looked_at(Look(self.clock, self.clock, found, others, wanted.users, wanted.moments))
            self.store()

    def record(self, changeset: Changeset) -> None:
        before, steps, done = self.stored.head, [], []
        for segment in segments(changeset):
            step = plan(segment, self.stored.record, self.stored.head, self.stored.chain)
            if step.commit is not None:
                self.stored.head = step.commit.hash
                self.stored.chain = step.commit.hash if step.commit.chained else self.stored.chain
            steps.append(step)
            done.append(recorded(segment, step))
        self.correlator.feed(changeset, done, before)
        self.changesets.append(changeset)
        self.recording.add([*steps, closing(changeset)], self._news())
        self.stored.commit = changeset.commit_lsn

    def _news(self) -> Outcome:
        outcome = self.correlator.take()
        self.reported += outcome.links
        self.attributions += outcome.attributions
        return outcome

    def store(self) -> None:
        outcome = self._news()
        if outcome:
            self.recording.add([Step(None, (), (), (), START, None, self.stored.commit)], outcome)
        self.stored.take(self.recording.steps)
        self.steps += [step for step in self.recording.steps if step.events or step.links or step.unreadable]
        self.recording = Recording()

    def tick(self, now: datetime) -> None:
        self.correlator.tick(now)
        self.store()

    def gone(self, *sessions: SessionKey) -> None:
        """These sessions ended; those that are not named are all that are watched."""
        watched = self.correlator.watched()
        ended = [one for one in watched if not sessions or one.session in sessions]
        self.correlator.gone(ended, up_to=self.correlator.newest)
        self.store()

    def look(self, *ended: SessionKey) -> None:
        """Look at the sessions that are watched: these have ended, the others have not, and hold their locks."""
        watched = self.correlator.watched()
        gone = {one for one in watched if one.session in ended}
        self.correlator.gone(gone, up_to=self.correlator.newest, alive=watched - gone)
        self.store()

    def held(self, wal: Wal) -> list[Held]:
        """What the tables of one row held after the newest transaction that was fed."""
        found = []
        for source in self.registry.sources.values():
            states = [one for one in wal.numbers.get(source.table, ()) if one[0] <= self.correlator.newest]
            found += [Held(source.name, xid, row, LSN(self.correlator.newest.value + 1)) for _, row, xid in states[-1:]]
        return found

    def glance(self, wal: Wal) -> None:
        """Read them, which tells something whatever comes later."""
        self.correlator.hold(self.held(wal))

    def compare(self, wal: Wal) -> None:
        """Compare them, and nothing more has come: then it is known what undecodable rows were."""
        rows = {one.source: one.row for one in self.held(wal)}
        for source in self.correlator.undecoded() & rows.keys():
            states = (*self.correlator.left(source), rows[source])
            compared = [tuple(self.ledgers[source].compare(self.correlator.newest, [row])) for row in states]
            self.correlator.resolve(source, *compared)
        self.store()

    def finish(self, wal: Wal) -> Follower:
        """Let an hour pass, and all sessions end; whatever was pending is decided then."""
        self.compare(wal)
        self._look_until(max(self.clock, wal.now) + timedelta(minutes=1))
        self.tick(wal.now + timedelta(hours=1))
        self.gone()
        self.tick(wal.now + timedelta(hours=2))
        self.compare(wal)
        return self

    # -- what was decided, in short

    @property
    def kinds(self) -> list[str]:
        """Of each commit, in commit order."""
        return [commit.kind for commit in self.stored.commits.values()]

    @property
    def messages(self) -> list[str]:
        return [commit.message for commit in self.stored.commits.values()]

    @property
    def taken(self) -> dict[int, str | None]:
        """By event: the key of the row that has it, or its commit's kind; None where it changed nothing."""
        identities = {
            event.event_id: {f"{item.key.type} {item.key.identity}" for item in event.objects if item.key is not None}
            for changeset in self.changesets
            for event in changeset.events
        }
        found: dict[int, str | None] = dict.fromkeys(identities)
        for commit in self.stored.commits.values():
            found.update(dict.fromkeys(commit.events, commit.kind))
        for link in (*self.reported, *(step.part_of for step in self.steps if step.part_of is not None)):
            for one in link.commits if link.evidence is not None else ():
                name = one.commit or self.stored._named({"at": str(one.at)})
                commit = self.stored.commits[name or ""]
                objects = None if one.objects is None else {f"{key.type} {key.identity}" for key in one.objects}
                for event in commit.events if one.made else ():
                    if objects is None or objects & identities[event]:
                        label = f"{link.row.source} {link.row.principal.row_key}"
                        assert commit.kind in {"migration", "rollback", "tool"}, commit
                        assert found[event] in {commit.kind, label}, "an event was given to two rows"
                        found[event] = label
        return found

    @property
    def links(self) -> dict[str, str | None]:
        """By row key: the evidence of its link."""
        return {
            f"{link.row.source} {link.row.principal.row_key} {link.row.lsn}": link.evidence and link.evidence.value
            for link in self.reported
        }

    def link(self, key: str) -> Link:
        """The last link reported of a row."""
        return next(
            link for link in reversed(self.reported) if f"{link.row.source} {link.row.principal.row_key}" == key
        )

    @property
    def result(self) -> tuple[object, ...]:
        """All that must not depend on how the log was read."""
        commits = {name: (one.kind, one.message, one.events) for name, one in self.stored.commits.items()}
        return commits, self.stored.links, self.stored.linked, self.links, self.stored.rows

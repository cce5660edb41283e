"""Hashes cover what the WAL says, whatever was read from the catalog besides, and wherever the reading was cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.changeset import Changeset, Segment
from pggit_daemon.model.ddl_event import DdlEvent, parse_object
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.model.session import Profile, Session, SessionKey
from pggit_daemon.store.statements import statements
from pggit_daemon.versioning.plan import Commit, plan
from pggit_daemon.versioning.record import Record, Told
from pggit_daemon.versioning.tree import Leaf, Tree

START = datetime(2026, 1, 1, tzinfo=UTC)
WHO = Session(SessionKey.of(1, START), Profile("u", "a", None), "u")

Events = Sequence[ObjectEvent]


def key_of(name: str) -> ObjectKey:
    return ObjectKey("view", "s", f"s.{name}")


def made(oid: int, name: str, definition: str = "x") -> ObjectEvent:
    blob = Blob(definition, None, ())
    return ObjectEvent(ObjectOp.SET, ObjectId(1259, oid), direct=True, key=key_of(name), blob=blob)


def dropped(oid: int, name: str) -> ObjectEvent:
    return ObjectEvent(ObjectOp.DROP, ObjectId(1259, oid), direct=True, key=key_of(name), blob=None)


def deferred(oid: int, digest: str | None = None) -> ObjectEvent:
    oid_ = ObjectId(1259, oid)
    return ObjectEvent(ObjectOp.DEFERRED, oid_, direct=True, key=None, blob=None, digest=digest)


@dataclass
class Reading:
    """One way of reading a WAL: what is in memory, and what is stored of it."""

    record: Record = field(default_factory=Record)
    head: str | None = None
    chain: str | None = None
    commits: list[Commit] = field(default_factory=list)
    leaves: dict[ObjectKey, Leaf] = field(default_factory=dict)
    apart: dict[ObjectKey, Leaf | None] = field(default_factory=dict)

    def read(self, place: int, said: Events, reread: Events = ()) -> Commit | None:
        event = DdlEvent(place, LSN(place), "ddl", "ALTER VIEW", None, WHO, (), tuple(said), None)
        changeset = Changeset(place, LSN(place), LSN(place + 1), START, ())
        step = plan(Segment(changeset, 0, (event,), reread=tuple(reread)), self.record, self.head, self.chain)
        self._told(step.told)
        for key, oid in step.moved:
            self.leaves[key] = Leaf(oid, self.leaves[key].blob)
        if step.commit is not None:
            self.commits.append(step.commit)
            self.head = step.commit.hash
            self.chain = step.commit.hash if step.commit.chained else self.chain
            for change in step.commit.changes:
                if change.old_key is not None:
                    self.leaves.pop(change.old_key, None)
            for change in step.commit.changes:
                if change.key is not None and change.digest is not None:
                    self.leaves[change.key] = Leaf(change.oid, change.digest)
        return step.commit

    def find(self, found: Events) -> None:
        """As a comparison does, with the head that it leaves."""
        applied = self.record.find(found)
        self._told(applied.told)
        self.leaves = {key: leaf for key in self.record.recorded.keys.values() if (leaf := self.recorded(key))}
        self.record.recorded.take_moved()
        self.head = f"snapshot over {self.head}"

    def restart(self) -> None:
        before = self.record
        self.record = Record.load(self.leaves, self.apart)
        for now, then in ((self.record.recorded, before.recorded), (self.record.logged, before.logged)):
            assert now.tree.hash == then.tree.hash
            assert now.keys == then.keys
        assert self.record.apart == before.apart

    def recorded(self, key: ObjectKey) -> Leaf | None:
        return self.record.recorded.tree.get(key)

    def _told(self, told: Iterable[Told]) -> None:
        for one in told:
            if one.apart:
                self.apart[one.key] = one.leaf
            else:
                del self.apart[one.key]

    @property
    def hashes(self) -> list[tuple[str, str]]:
        return [(commit.hash, commit.tree_hash) for commit in self.commits if commit.chained]


OIDS = st.integers(min_value=1, max_value=5)
NAMES = st.sampled_from("abcd")
TOLD = st.one_of(
    st.builds(made, OIDS, NAMES, st.sampled_from("xy")),
    st.builds(dropped, OIDS, NAMES),
)
SAID = st.one_of(TOLD, st.builds(deferred, OIDS, st.sampled_from([None, None, "d1", "d2"])))
READ_AGAIN = st.lists(TOLD, max_size=4)


@st.composite
def readings(draw: st.DrawFn) -> tuple[list[Events], list[tuple[Events, Events, bool]]]:
    """A WAL, and for each of its statements what a reading of it does: reads again, then finds; then starts anew."""
    wal: list[Events] = [*draw(st.lists(st.lists(SAID, min_size=1, max_size=4), min_size=1, max_size=8))]
    did: list[tuple[Events, Events, bool]] = [(draw(READ_AGAIN), draw(READ_AGAIN), draw(st.booleans())) for _ in wal]
    return wal, did


@given(readings())
def test_the_same_wal_has_the_same_hashes_whatever_is_read_besides_and_in_whatever_pieces(
    read: tuple[list[Events], list[tuple[Events, Events, bool]]],
) -> None:
    """Promise: what is read again or found by comparing changes no hash of what the WAL brings, nor does a restart."""
    wal, did = read
    plain, other = Reading(), Reading()
    for place, (said, (reread, found, restarts)) in enumerate(zip(wal, did, strict=True), start=1):
        plain.read(place, said)
        other.read(place, said, reread)
        if found:
            other.find(found)
        if restarts:
            other.restart()
    assert plain.hashes == other.hashes
    assert len({digest for digest, _ in plain.hashes}) == len(plain.hashes)


@given(st.lists(st.lists(TOLD, min_size=1, max_size=4), min_size=1, max_size=8))
def test_where_everything_is_in_the_wal_both_are_one(wal: list[Events]) -> None:
    reading = Reading()
    for place, said in enumerate(wal, start=1):
        reading.read(place, said)
    assert reading.record.logged is reading.record.recorded
    assert all(commit.chained and commit.recorded_tree is None for commit in reading.commits)
    assert reading.apart == {}


def test_a_deferred_definition_is_a_marker_until_a_statement_tells_it() -> None:
    """The record has what was read; the hash of the recorded schema says so. Both meet again at the next statement."""
    reading, other = Reading(), Reading()
    for one, read in ((reading, [made(1, "a", "new")]), (other, [])):
        one.read(1, [made(1, "a", "old"), made(2, "b")])
        one.read(2, [deferred(1)], read)
    there = reading.recorded(key_of("a"))
    assert there != other.recorded(key_of("a"))
    commit, without = reading.commits[-1], other.commits[-1]
    assert commit.hash == without.hash
    assert (len(commit.changes), len(without.changes)) == (1, 0)
    assert commit.recorded_tree == Tree().changed(reading.leaves).hash
    assert commit.recorded_tree != commit.tree_hash
    for one in (reading, other):
        one.read(3, [made(1, "a", "newer")])
        assert one.commits[-1].tree_hash == Tree().changed(one.leaves).hash
        assert one.record.apart == {}
    assert reading.hashes == other.hashes


def test_two_statements_that_left_the_same_definition_out_are_two_commits() -> None:
    """What they did may be seen or not by whoever reads it; that they ran is in the WAL."""
    reading = Reading()
    for place in (1, 2):
        reading.read(place, [deferred(1)])
    assert len({digest for digest, _ in reading.hashes}) == 2


def test_a_definition_too_large_for_its_event_is_known_by_its_digest() -> None:
    """Made again as it was, it is no change; and what was read of it is recorded."""
    reading = Reading()
    reading.read(1, [deferred(1, "d1")], [made(1, "a")])
    assert reading.read(2, [deferred(1, "d1")], [made(1, "a")]) is None
    changed = reading.read(3, [deferred(1, "d2")], [made(1, "a", "y")])
    assert changed is not None
    assert changed.chained
    item = {"op": "deferred", "direct": True, "classid": 1259, "objid": 1, "why": "too_large", "sha256": "d1"}
    assert parse_object(item) == deferred(1, "d1")


def test_a_drop_takes_the_marker_away() -> None:
    reading = Reading()
    reading.read(1, [made(2, "b")])
    before = reading.commits[-1].tree_hash
    reading.read(2, [deferred(1)])
    gone = reading.read(3, [dropped(1, "a")])
    assert gone is not None
    assert (gone.tree_hash, gone.summary, reading.record.apart) == (before, "ALTER VIEW s.a", {})


def test_a_summary_does_not_depend_on_what_was_read() -> None:
    """What is deferred is named as the WAL last called it, not by what was read of it."""
    summaries = []
    for read in ([made(1, "c")], []):
        reading = Reading()
        reading.read(1, [made(1, "a")])
        reading.read(2, [deferred(1)], read)
        reading.read(3, [deferred(1), made(2, "b")], read)
        summaries.append([commit.summary for commit in reading.commits])
    assert summaries == [["ALTER VIEW s.a", "ALTER VIEW s.a", "ALTER VIEW s.b"]] * 2


def test_what_the_wal_alone_does_not_show_to_change_anything_is_a_commit_and_no_parent() -> None:
    """Comparing found another definition, and a statement brought the former one back."""
    reading = Reading()
    first = reading.read(1, [made(1, "a")])
    reading.find([made(1, "a", "silently")])
    undone = reading.read(2, [made(1, "a")])
    later = reading.read(3, [made(2, "b")])
    assert first is not None
    assert undone is not None
    assert later is not None
    assert [commit.chained for commit in reading.commits] == [True, False, True]
    assert ["only_recorded" in commit.metadata for commit in reading.commits] == [False, True, False]
    assert [commit.parent for commit in reading.commits] == [None, f"snapshot over {first.hash}", undone.hash]
    plain = Reading()
    for place, said in enumerate(([made(1, "a")], [made(1, "a")], [made(2, "b")]), start=1):
        plain.read(place, said)
    assert plain.hashes == reading.hashes


def test_what_is_told_apart_is_stored_with_the_step_and_loaded_as_it_was() -> None:
    record = Record()
    changeset = Changeset(1, LSN(1), LSN(2), START, ())
    event = DdlEvent(1, LSN(1), "ddl", "ALTER VIEW", None, WHO, (), (deferred(7),), None)
    step = plan(Segment(changeset, 0, (event,), reread=(made(7, "a"),)), record, None, None)
    names: list[list[Any]] = dict(statements(step))["put_logged"]["names"]
    assert sorted(name[:6] for name in names) == [
        ["unread", None, "1259/7", True, 1259, 7],
        ["view", "s", "s.a", True, None, None],
    ]


def test_a_beginning_makes_both_one_again() -> None:
    """After a gap in the WAL everything was read as of one moment, and the WAL is followed from there."""
    reading = Reading()
    reading.read(1, [made(1, "a"), deferred(2)], [made(2, "b")])
    applied = reading.record.begin([made(1, "a"), made(2, "b")])
    assert reading.record.logged is reading.record.recorded
    assert {one.key for one in applied.told} == reading.apart.keys()
    assert not any(one.apart for one in applied.told)

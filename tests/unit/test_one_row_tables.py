"""History tables with one number in one row and no key: tern's, Sequel's integers. The plugin shows no UPDATE of them.

Migrations follow each other before the table is compared. Whoever reads the row learns which transaction had left it
so, which the capture does beside each statement of anybody; so most steps are told apart, and the others are nobody's.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import TableName
from tests.examples import examples
from tests.unit.build import Follower, Tx, Who, element
from tests.unit.tool_scene import HAND, OTHER, TOOL, Scene

TERN = TableName("public", "schema_version")
SEQUEL = TableName("public", "schema_info")


@dataclass
class Numbered:
    """A tool that goes up and down. `mine`: by statement the migration, negative where it is taken back."""

    scene: Scene = field(default_factory=lambda: Scene("tern", TERN))
    mine: dict[int, int] = field(default_factory=dict)
    hands: set[int] = field(default_factory=set)
    at: int = 0
    begun: bool = False

    def first(self) -> None:
        self.begun = True
        tx = self.scene.wal.begin(TOOL)
        tx.insert(self.scene.table, version=0)
        tx.commit()

    def step(self, to: int, *, ddl: bool = True, apart: bool = False, session: Who = TOOL) -> None:
        """One migration up or down; `apart`: its DDL runs in a transaction of its own, under the tool's lock."""
        if not self.begun:
            self.first()
        scene, number = self.scene, max(to, self.at)
        scene.lock(session)
        tx = scene.wal.begin(session)
        if ddl:
            self._ddl(tx, number if to > self.at else -number)
        if apart:
            tx.commit()
            tx = scene.wal.begin(session)
        tx.undecodable(scene.table, {"version": str(to)})
        tx.commit()
        scene.unlock()
        self.at = to

    def _ddl(self, tx: Tx, migration: int | None) -> None:
        event = tx.ddl("CREATE TABLE", element(f"public.t{self.scene.wal._event + 1}", columns=("id",)))
        if migration is None:
            self.hands.add(event)
        else:
            self.mine[event] = migration

    def hand(self, session: Who = HAND) -> None:
        tx = self.scene.wal.begin(session)
        self._ddl(tx, None)
        tx.commit()

    def follower(self) -> Follower:
        return Follower(self.scene.source)

    def read(self) -> dict[int, int]:
        """What is linked when all of it is read at once, and the table compared then."""
        return self.linked(self.follower().feed(*self.scene.wal.transactions).finish(self.scene.wal))

    def linked(self, done: Follower) -> dict[int, int]:
        last = {link.row.lsn: link for link in done.reported}
        found: dict[int, int] = {}
        for link in last.values():
            migration = link.row.principal.migration
            for one in link.commits if migration is not None and link.evidence is not None else ():
                for event in done.stored.commits[one.commit or ""].events if one.made else ():
                    assert migration is not None
                    found[event] = migration.migration_id
        wrong = {event: to for event, to in found.items() if self.mine.get(event) != to}
        assert not wrong, "no link is wrong"
        return found


@pytest.fixture
def tool() -> Numbered:
    return Numbered()


def test_up_and_down_and_up_again_at_once(tool: Numbered) -> None:
    """Three to four, back, to two, and up again: the differences add up to one step."""
    for to in (1, 2, 3, 4, 3, 2, 3, 4, 5):
        tool.step(to)
    assert tool.read() == tool.mine


def test_ddl_apart_from_its_row(tool: Numbered) -> None:
    for to in (1, 2, 1, 2, 3):
        tool.step(to, apart=to == 2)
    assert tool.read() == tool.mine


def test_a_hand_tells_what_the_tool_left(tool: Numbered) -> None:
    """What changed data alone has seen nothing; anybody's statement behind it has."""
    tool.step(1)
    tool.step(2)
    tool.hand()
    tool.step(1, ddl=False)
    tool.hand()
    tool.step(2, ddl=False)
    tool.hand(OTHER)
    tool.step(3)
    assert tool.read() == tool.mine


def test_sequels_integers(tool: Numbered) -> None:
    tool.scene = Scene("sequel-integers", SEQUEL)
    for to in (1, 2, 3, 2, 1, 2):
        tool.step(to)
        tool.hand()
    assert tool.read() == tool.mine


def test_a_jump_in_one_step_is_not_several(tool: Numbered) -> None:
    """The tool makes one step with each row: this one was set by hand, and what its transaction ran is not known."""
    tool.step(1)
    tool.step(4)
    tool.step(5)
    assert sorted(tool.read().values()) == [1, 5]


def test_forth_and_back_without_ddl_is_not_told_apart(tool: Numbered) -> None:
    """One difference, and one row with DDL: but that made five, and both were taken back without a statement."""
    for to in (1, 2, 3, 4):
        tool.step(to)
    tool.step(5)
    tool.step(4, ddl=False)
    tool.step(3, ddl=False)
    known = tool.read()
    assert [event for event, number in tool.mine.items() if event not in known and number != 5] == []


def test_without_what_was_held_order_alone_tells_nothing(tool: Numbered) -> None:
    """Of an outbox that an earlier version wrote: as many rows as differences, or nothing."""
    for to in (1, 2, 3, 2, 1, 2):
        tool.scene.wal.numbers.clear()
        tool.step(to)
    assert tool.read() == {}


def test_as_many_rows_as_steps_are_paired_in_order(tool: Numbered) -> None:
    """Nobody needs to have seen what lies between."""
    for to in (1, 2, 3):
        tool.scene.wal.numbers.clear()
        tool.step(to, ddl=to != 2)
    assert tool.read() == tool.mine


def test_a_reading_in_between_tells_something_whatever_came_meanwhile(tool: Numbered) -> None:
    for to in (1, 2, 3):
        tool.step(to)
    for to in (2, 1, 2):
        tool.step(to, ddl=to == 2)
    tool.step(3)
    wal = tool.scene.wal
    done = tool.follower()
    for transaction in wal.transactions:
        done.feed(transaction)
        done.glance(wal)
    assert tool.linked(done.finish(wal)) == tool.mine


def test_what_is_known_outlives_a_restart(tool: Numbered) -> None:
    for to in (1, 2, 3, 2, 3, 4):
        tool.step(to)
        tool.hand()
    done = tool.follower()
    for transaction in tool.scene.wal.transactions:
        done.feed(transaction)
        done.restart()
    assert tool.linked(done.finish(tool.scene.wal)) == tool.mine


def test_a_number_is_another_transactions_that_was_read_before_it_committed(tool: Numbered) -> None:
    """The number of a transaction comes again after four billion; what was seen before it committed is not its."""
    wal = tool.scene.wal
    tool.first()
    late = wal.begin(TOOL)
    wal.numbers[TERN] = [(LSN(1), {"version": "9"}, late.xid)]
    tool.hand()
    wal.numbers.clear()
    late.undecodable(TERN, {"version": "1"})
    late.commit()
    done = tool.follower().feed(*wal.transactions)
    assert done.correlator.left("own") == ()
    done.finish(wal)
    [link] = [link for link in done.reported if link.row.principal.migration is not None]
    assert link.row.principal.migration is not None
    assert link.row.principal.migration.version == "1"


def test_a_writer_nobody_knows_tells_nothing(tool: Numbered) -> None:
    """The row was written in a subtransaction: its number is no transaction's."""
    wal = tool.scene.wal
    for to in (1, 2, 1, 2):
        tool.step(to)
        wal.numbers[TERN] = [(lsn, row, xid + 100_000) for lsn, row, xid in wal.numbers[TERN]]
    assert tool.read() == {}


def test_behind_a_change_that_the_stream_shows_the_table_is_not_compared_for_what_was_before(tool: Numbered) -> None:
    """Somebody emptied the table and set the number: the ledger has gone on."""
    tool.step(1)
    tool.step(2)
    tx = tool.scene.wal.begin(OTHER)
    tx.insert(TERN, version=7)
    done = tool.follower().feed(*tool.scene.wal.transactions)
    done.feed(tx.commit())
    tool.at = 7
    tool.step(8)
    done.feed(tool.scene.wal.transactions[-1])
    assert tool.linked(done.finish(tool.scene.wal)) == {max(tool.mine): 8}


_WALK = st.lists(
    st.tuples(
        st.sampled_from(["up", "up", "down", "hand", "other", "glance", "compare"]), st.booleans(), st.booleans()
    ),
    max_size=25,
)


@examples(300)
@given(_WALK, st.booleans())
def test_any_way_up_and_down_no_link_is_wrong(walk: list[tuple[str, bool, bool]], restarts: bool) -> None:  # noqa: FBT001
    """And where each migration ran DDL, all are linked but the last row of a way back and forth, which nobody saw."""
    tool = Numbered()
    tool.first()
    wal = tool.scene.wal
    done, fed = tool.follower(), 0
    for what, ddl, apart in walk:
        if what == "up" or (what == "down" and tool.at):
            tool.step(tool.at + (1 if what == "up" else -1), ddl=ddl, apart=apart)
        elif what in {"hand", "other"}:
            tool.hand(HAND if what == "hand" else OTHER)
        else:
            done.feed(*wal.transactions[fed:])
            fed = len(wal.transactions)
            done.glance(wal) if what == "glance" else done.compare(wal)
            if restarts:
                done.restart()
    done.feed(*wal.transactions[fed:])
    found = tool.linked(done.finish(wal))
    if all(ddl for what, ddl, _ in walk if what in {"up", "down"}):
        assert found == tool.mine, "each step was seen by the next"
    assert "pending" not in done.kinds
    assert not any(kind in {"claim", "row"} for kind, _ in done.stored.facts)


@pytest.mark.parametrize("plan", list(itertools.product((True, False), repeat=4)))
def test_what_stands_between_known_states_is_linked(plan: tuple[bool, ...]) -> None:
    """Up, down, up, up, some of it without DDL: each that is next to something seen on both sides is linked."""
    tool = Numbered()
    tool.step(1)
    for to, ddl in zip((2, 1, 2, 3), plan, strict=True):
        tool.step(to, ddl=ddl)
        tool.hand()
    assert tool.read() == tool.mine

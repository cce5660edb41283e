"""Two tools and two hands at once, in every order: no link is wrong, and what the log proves is linked.

The tools are any two, of every model and proof, also two of one shape; each migration has its row in the transaction of
its DDL, after it, or runs no DDL. One hand is another user's, one is of the tools' own user, without a name, from the
same address; sometimes they read a tool's history table first, also as the first of the tool's look that do. They need
longer for a statement than `NEAR`, as people do. The server lets sessions take turns at every step; hypothesis says
whose turn it is, and how late the daemon looks at who is at work.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from pggit_daemon.model.transaction import RowChange
from tests.examples import examples
from tests.unit.build import SOON, Follower, Wal, who
from tests.unit.tools_at_work import CONFIGURED, KITS, Run, Script, Truth, by_hand, kit_of, linked

SCHEMAS = ("one", "two")
LONG_AGO = "2026-02-20T00:00:00+00:00"


class Scene:
    """A log that tools and hands wrote at once."""

    def __init__(self) -> None:
        self.wal, self.truth = Wal(), Truth()
        self.tools: list[Run] = []
        self.late = SOON

    def follower(self) -> Follower:
        return Follower(*(tool.source for tool in self.tools), wal=self.wal, late=self.late)

    def add(self, name: str, *, integrated: bool = False) -> Run:
        schema = SCHEMAS[len(self.tools)]
        run = Run(self.wal, self.truth, name, schema, 10_000 * (len(self.tools) + 1), integrated)
        self.tools.append(run)
        return run

    def hands(self, mine: Sequence[float], others: Sequence[float], reads: Sequence[Sequence[int]]) -> list[Script]:
        """`reads`: of each hand, which tool's history table it reads before each statement; 0 is none."""
        same, other = who(900, "", "app", LONG_AGO), who(901, "", "dba", LONG_AGO)
        programs = sorted({tool.kit.child_program for tool in self.tools if tool.kit.child})
        # Where a tool is known by nothing but its program, people who use that are known to be there.
        early = [by_hand(self.wal, self.truth, who(910 + n, name, "app"), [0]) for n, name in enumerate(programs)]
        for script in early:
            for _ in script:
                pass
        known = (None, *(tool.table for tool in self.tools))
        tables = [[known[number] for number in chosen] for chosen in reads]
        return [
            by_hand(self.wal, self.truth, same, list(mine), tables[0]),
            by_hand(self.wal, self.truth, other, list(others), tables[1]),
        ]

    def __repr__(self) -> str:
        lines = []
        for tx in self.wal.transactions:
            lines.append((tx.commit_lsn, f"{tx.commit_time:%M:%S.%f} {tx.xid} COMMIT"))
            for change in tx.changes:
                if not isinstance(change, RowChange):
                    lines.append((getattr(change, "lsn", tx.commit_lsn), f"{tx.xid} {change}"))
                    continue
                row = change.new
                what = f"{change.op.value} {change.table} {dict(row)}"
                if "command_tag" in row:
                    number = int(str(row["id"]))
                    locks = [lock["pid"] for lock in json.loads(str(row["locks"] or "[]"))]
                    what = f"DDL {number} by {row['pid']} locks {locks} used {row['used_histories']}"
                    what += f" is {self.truth.owner[number]} proven {self.truth.proven.get(number)}"
                lines.append((change.lsn, f"{tx.xid} {what}"))
        return "\n".join([str([tool.name for tool in self.tools]), *(f"{lsn} {what}" for lsn, what in sorted(lines))])


@st.composite
def scenes(draw: st.DrawFn, *, integrated: bool = False) -> Scene:
    scene = Scene()
    names = st.sampled_from([*KITS, *(() if integrated else CONFIGURED[:1])])
    first = draw(names)
    chosen = [first, first if draw(st.booleans()) else draw(names)]
    lasts = st.sampled_from([0, 0, 0, 0.3, 2, 5])
    scripts: list[Script] = []
    for name in chosen:
        tool = scene.add(name, integrated=integrated and not kit_of(name).child)
        migration = st.tuples(st.sampled_from(tool.kit.modes), st.integers(1, 3), lasts)
        scripts.append(tool.play(draw(st.lists(st.lists(migration, min_size=1, max_size=3), min_size=1, max_size=2))))
    scene.late = timedelta(seconds=draw(st.sampled_from([0.005, 0.005, 0.05, 0.3, 2])))
    pauses = st.lists(st.sampled_from([0.3, 0.5, 4]), max_size=3)
    reads = st.lists(st.integers(0, len(scene.tools)), max_size=3) if draw(st.booleans()) else st.just([])
    scripts += scene.hands(draw(pauses), draw(pauses), [draw(reads), draw(reads)])
    turns = itertools.chain(draw(st.lists(st.integers(0, 7), max_size=150)), itertools.count())
    while scripts:
        turn = next(turns) % len(scripts)
        if next(scripts[turn], scene) is scene:
            del scripts[turn]
    return scene


def check(scene: Scene, done: Follower) -> None:
    found = linked(done)
    wrong = {number: to for number, to in found.items() if not _same(scene.truth.owner[number], to)}
    assert not wrong, wrong
    missing = [number for number, proven in scene.truth.proven.items() if proven and number not in found]
    assert not missing, "what is proven is linked"
    assert "pending" not in done.kinds, "everything is decided in the end"
    assert not any(kind in {"claim", "row"} for kind, _ in done.stored.facts), "nothing is remembered for ever"


def _same(owner: tuple[str, str] | None, to: tuple[str, str]) -> bool:
    """Liquibase's own name of a changeset says no more than its source here."""
    return owner is not None and owner[0] == to[0] and owner[1] in {"", to[1]}


@examples(400)
@given(scenes())
def test_two_tools_beside_two_hands_no_link_is_wrong(scene: Scene) -> None:
    note(scene)
    check(scene, scene.follower().feed(*scene.wal.transactions).finish(scene.wal))


@examples(150)
@given(scenes(integrated=True))
def test_integrated_tools_beside_hands_every_link_is_exact(scene: Scene) -> None:
    note(scene)
    check(scene, scene.follower().feed(*scene.wal.transactions).finish(scene.wal))


@examples(150)
@given(scenes(), st.sets(st.integers(0, 40), max_size=4) | st.just(set(range(500))))
def test_a_cut_at_any_point_decides_nothing_else(scene: Scene, cuts: set[int]) -> None:
    """All that attribution knows is stored, but for what looks at sessions showed: who has not seen links less."""
    note(scene)
    whole, cut, unseeing = scene.follower(), scene.follower(), scene.follower()
    for number, transaction in enumerate(scene.wal.transactions):
        for follower in (whole, cut, unseeing):
            follower.feed(transaction)
        if number in cuts:
            cut.restart(having_seen=True)
            unseeing.restart()
            assert cut.result == whole.result
    assert cut.finish(scene.wal).result == whole.finish(scene.wal).result
    check(scene, unseeing.finish(scene.wal))


@pytest.mark.parametrize("name", [*KITS, *CONFIGURED])
def test_alone_every_link_is_right(name: str) -> None:
    """Without hands nothing stays unlinked, whatever the mode."""
    scene = Scene()
    tool = scene.add(name)
    plan = [[(mode, 2, 0.0) for mode in tool.kit.modes], [(mode, 1, 0.3) for mode in reversed(tool.kit.modes)]]
    for _ in tool.play(plan):
        pass
    done = scene.follower().feed(*scene.wal.transactions).finish(scene.wal)
    check(scene, done)
    assert set(linked(done)) == set(scene.truth.owner)

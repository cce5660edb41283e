"""Whatever the order in which well-behaved sessions take turns: no link is wrong, nothing is lost or told twice.

Each session is a script that stops after every step; hypothesis says whose turn it is. The scripts know whose each
statement is, and the decisions are held against that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hypothesis import event, given
from hypothesis import strategies as st

from pggit_daemon.model.transaction import RowChange, TableName
from pggit_daemon.tools.proof_rules import TransactionProof
from pggit_daemon.tools.source import Source
from tests.examples import examples
from tests.unit.build import (
    JDBC,
    Flyway,
    Follower,
    Liquibase,
    Wal,
    element,
    fine_time,
    flyway_source,
    liquibase_row,
    liquibase_source,
    who,
)

SCHEMAS = ("one", "two")
Script = Iterator[None]


@dataclass(slots=True)
class Truth:
    """By event its row (None for one made by hand); by row its events."""

    owner: dict[int, str | None] = field(default_factory=dict)
    rows: dict[str, list[int]] = field(default_factory=dict)

    def note(self, happened: int, row: str) -> None:
        self.owner[happened] = row
        self.rows[row].append(happened)


class Scene:
    """A log that several sessions wrote at once."""

    def __init__(self, wal: Wal, truth: Truth, *, told_apart: bool) -> None:
        self.wal, self.truth, self.told_apart = wal, truth, told_apart

    def __repr__(self) -> str:
        """The log as one reads it: positions, transactions, what happened, and whose each statement is."""
        lines = []
        for transaction in self.wal.transactions:
            lines.append((transaction.commit_lsn, f"{transaction.xid} COMMIT"))
            for change in transaction.changes:
                assert isinstance(change, RowChange)
                row = change.new
                what = f"row of {change.table} {row.get('installed_rank', row.get('orderexecuted', row.get('locked')))}"
                if "command_tag" in row:
                    seen = [lock["pid"] for lock in json.loads(str(row["locks"] or "[]"))]
                    owner = self.truth.owner[int(str(row["id"]))]
                    what = f"DDL {row['id']} by {row['pid']} sees {seen} path {row['search_path']} is {owner}"
                lines.append((change.lsn, f"{transaction.xid} {what}"))
        return "\n" + "\n".join(f"{lsn} {what}" for lsn, what in sorted(lines))


@dataclass(slots=True)
class FlywayScript:
    """Runs of one Flyway after each other; each migration has so many statements."""

    wal: Wal
    truth: Truth
    schema: str
    path: bool
    pid: int

    def play(self, runs: list[tuple[str, list[int]]]) -> Script:
        rank = 0
        for number, (mode, plan) in enumerate(runs):
            run = Flyway(
                self.wal,
                who(self.pid + 10 * number),
                who(self.pid + 10 * number + 1),
                TableName(self.schema, "flyway_schema_history"),
                rank,
            )
            yield from {"default": self.default, "group": self.group, "single": self.single, "loose": self.loose}[mode](
                run, plan
            )
            rank = run.rank

    def row(self, run: Flyway) -> str:
        """The key of the row that the run will write next."""
        key = f'{run.table} ["{run.rank + 1}"]'
        self.truth.rows.setdefault(key, [])
        return key

    def statements(self, run: Flyway, tx: object, count: int) -> Script:
        for number in range(count):
            name = f"{self.schema}.t{run.rank + 1}_{number}"
            told = f'"{self.schema}", public' if self.path else None
            happened = tx.ddl("CREATE TABLE", element(name, columns=("id",)), path=told)  # type: ignore[attr-defined]
            self.truth.note(happened, self.row(run))
            yield

    def default(self, run: Flyway, plan: list[int]) -> Script:
        for count in plan:
            run.lock()
            yield
            script, history = self.wal.begin(run.b), self.wal.begin(run.a)
            yield from self.statements(run, script, count)
            self.row(run)
            run.insert(history)
            yield
            script.commit()
            yield
            history.commit()
            run.unlock()
            yield

    def group(self, run: Flyway, plan: list[int]) -> Script:
        run.lock()
        yield
        script, history = self.wal.begin(run.b), self.wal.begin(run.a)
        for count in plan:
            yield from self.statements(run, script, count)
            self.row(run)
            run.insert(history)
            yield
        script.commit()
        yield
        history.commit()
        run.unlock()
        yield

    def single(self, run: Flyway, plan: list[int]) -> Script:
        """On one connection, with the lock of the session."""
        for count in plan:
            run.lock()
            yield
            tx = self.wal.begin(run.a)
            yield from self.statements(run, tx, count)
            self.row(run)
            run.insert(tx)
            yield
            tx.commit()
            run.unlock()
            yield

    def loose(self, run: Flyway, plan: list[int]) -> Script:
        """Each statement by itself, then the row."""
        for count in plan:
            run.lock()
            yield
            for number in range(count):
                tx = self.wal.begin(run.b)
                name = f"{self.schema}.n{run.rank + 1}_{number}"
                path = f'"{self.schema}", public' if self.path else None
                happened = tx.ddl("CREATE TABLE", element(name, columns=("id",)), path=path)
                self.truth.note(happened, self.row(run))
                yield
                tx.commit()
                yield
            self.row(run)
            history = self.wal.begin(run.a)
            run.insert(history)
            yield
            history.commit()
            run.unlock()
            yield


def liquibase(run: Liquibase, truth: Truth, runs: list[list[int]], *, made: bool) -> Script:
    """Updates after each other; `made`: the first one makes its tables."""
    if made:
        run.make_tables()
    for plan in runs:
        run.open()
        yield
        for count in plan:
            key = f'{run.table} ["{run.order + 1}", "ann", "db/log.xml"]'
            truth.rows[key] = []
            tx = run.wal.begin(run.a)
            for part in range(count):
                truth.note(tx.create(f"{run.schema}.l{run.order + 1}_{part}"), key)
                yield
            tx.commit()
            yield
            history = run.wal.begin(run.a)
            run.order += 1
            history.insert(run.table, **liquibase_row(run.order, dateexecuted=fine_time(run.wal)))
            yield
            history.commit()
            yield
        run.close()
        yield


def by_hand(wal: Wal, truth: Truth, count: int, pid: int) -> Script:
    for number in range(count):
        tx = wal.begin(who(pid, "psql", "dba"))
        truth.owner[tx.create(f"hand.h{pid}_{number}")] = None
        yield
        tx.commit()
        yield


@st.composite
def scenes(draw: st.DrawFn, *, flyways: int = 2, liquibases: int = 1, hands: int = 2, sure: bool = False) -> Scene:
    """A scene.

    `sure`, or where the search_path is not told: every migration runs DDL, and in transactions, as otherwise a row may
    stand inside another tool's transaction by chance, and nothing tells that it is not its own.
    """
    wal, truth = Wal(), Truth()
    path = draw(st.booleans())
    sure = sure or not path
    counts = st.integers(1 if sure else 0, 3)
    scripts: list[Script] = []
    modes = st.sampled_from(["default", "group", "single"] if sure else ["default", "group", "single", "loose"])
    runs = st.lists(st.tuples(modes, st.lists(counts, min_size=1, max_size=3)), min_size=1, max_size=2)
    chosen = draw(st.integers(0, flyways))
    for number in range(chosen):
        script = FlywayScript(wal, truth, SCHEMAS[number], path, 100 * (number + 1))
        scripts.append(script.play(draw(runs)))
    others = draw(st.integers(0, liquibases))
    for _ in range(others):
        plans = draw(st.lists(st.lists(counts, min_size=1, max_size=3), min_size=1, max_size=2))
        scripts.append(liquibase(Liquibase(wal, who(500)), truth, plans, made=draw(st.booleans())))
    scripts += [by_hand(wal, truth, draw(st.integers(1, 3)), 900 + n) for n in range(draw(st.integers(0, hands)))]
    turns = draw(st.lists(st.integers(0, 7), max_size=120))
    while scripts:
        turn = (turns.pop() if turns else 0) % len(scripts)
        if next(scripts[turn], wal) is wal:
            del scripts[turn]
    told_apart = chosen + others <= 1 or (path and others == 0)
    return Scene(wal, truth, told_apart=told_apart)


def follower(*, live: bool = True) -> Follower:
    return Follower(*map(flyway_source, SCHEMAS), liquibase_source(), live=live)


def check(scene: Scene, done: Follower) -> int:
    """Hold what is recorded against the truth; how many rows stayed without their DDL."""
    taken, links = done.taken, done.links
    expected = {happened for transaction in scene.wal.transactions for happened in _events(transaction)}
    assert set(taken) == expected, "every statement is recorded"
    assert len(links) == len(scene.truth.rows), "every row is recorded"
    assert "pending" not in done.kinds, "everything is decided in the end"
    for happened, owner in scene.truth.owner.items():
        said = taken[happened]
        assert said in {owner, "tool", "out_of_band"}, f"event {happened} of {owner} was given to {said}"
        if owner is None:
            assert said == "out_of_band"
    order = [commit.lsn for commit in done.stored.commits.values()]
    assert order == sorted(order), "commits stand in commit order"
    assert not any(kind in {"claim", "row"} for kind, _ in done.stored.facts), "nothing is remembered for ever"
    return sum(any(taken[happened] != row for happened in events) for row, events in scene.truth.rows.items())


def _events(transaction: object) -> list[int]:
    return [int(change.new["id"]) for change in transaction.changes if change.table.schema == "pggit_daemon"]  # type: ignore[attr-defined]


@examples(300)
@given(scenes(liquibases=0))
def test_flyways_beside_hands_no_link_is_wrong(scene: Scene) -> None:
    done = follower().feed(*scene.wal.transactions)
    done.finish(scene.wal)
    missing = check(scene, done)
    event(f"unlinked rows: {missing}")
    assert missing == 0 or not scene.told_apart


@examples(300)
@given(scenes(flyways=0))
def test_liquibase_beside_hands_every_link_is_right(scene: Scene) -> None:
    done = follower().feed(*scene.wal.transactions)
    done.finish(scene.wal)
    assert check(scene, done) == 0


@examples(300)
@given(scenes(sure=True))
def test_tools_of_all_kinds_at_once_no_link_is_wrong(scene: Scene) -> None:
    done = follower().feed(*scene.wal.transactions)
    done.finish(scene.wal)
    missing = check(scene, done)
    event(f"unlinked rows: {missing}")
    assert missing == 0 or not scene.told_apart


@examples(150)
@given(scenes(), st.sets(st.integers(0, 30), max_size=3) | st.just(set(range(500))))
def test_a_restart_at_any_moment_changes_nothing(scene: Scene, restarts: set[int]) -> None:
    whole, broken = follower(), follower()
    for number, transaction in enumerate(scene.wal.transactions):
        whole.feed(transaction)
        broken.feed(transaction)
        if number in restarts:
            broken.restart()
            assert broken.result == whole.result
    whole.finish(scene.wal)
    broken.finish(scene.wal)
    assert broken.result == whole.result


@examples(300)
@given(scenes())
def test_neither_a_backlog_nor_whose_a_commit_is_shows_in_the_hashes(scene: Scene) -> None:
    """A backlog is recorded as it was live; and where nobody claims anything, the commits are the same ones."""
    live, backlog = follower(), follower(live=False)
    live.feed(*scene.wal.transactions).finish(scene.wal)
    backlog.feed(*scene.wal.transactions).finish(scene.wal)
    assert backlog.result == live.result
    # Nobody does where the sources claim by nothing but the transaction.
    alone = {"proof": (TransactionProof(by="transaction"),)}
    nobodys = Follower(*(replace(one, preset=one.preset.model_copy(update=alone)) for one in _all()))
    nobodys.feed(*scene.wal.transactions).finish(scene.wal)
    assert list(nobodys.stored.commits) == list(live.stored.commits)
    assert len(set(live.stored.commits)) == len(live.stored.commits)


def _all() -> list[Source]:
    return [*map(flyway_source, SCHEMAS), liquibase_source()]


def test_the_tools_look_alike() -> None:
    """The scenes are hard only while their sessions introduce themselves alike."""
    assert {who(100).profile, who(500).profile} == {who(1, JDBC).profile}

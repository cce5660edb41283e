"""Tools of which DDL and row, or row and lock, are different sessions' (Sqitch, yoyo, Rails), beside people's DDL."""

from __future__ import annotations

from typing import Any

import pytest

from pggit_daemon.model.decision import CommitKind
from pggit_daemon.model.transaction import RowOp, TableName
from tests.unit.build import Follower, Who, who
from tests.unit.tool_scene import HAND, OTHER, TOOL, Scene, wrong


def sqitch_row(number: int) -> dict[str, Any]:
    row = dict.fromkeys(
        ("note", "committer_name", "committer_email", "planned_at", "planner_name", "planner_email"), "x"
    )
    row |= {"event": "deploy", "change_id": f"h{number}", "change": f"m{number}", "project": "p"}
    return row | {"requires": [], "conflicts": [], "tags": [], "committed_at": f"2026-03-01 10:00:0{number}+00"}


@pytest.mark.parametrize("beside", [OTHER, HAND], ids=["another role", "its own role"])
def test_sqitch_runs_psql_that_has_ended_before_the_row(beside: Who) -> None:
    scene = Scene("sqitch", TableName("sqitch", "events"))
    scene.lock(TOOL)
    children = [who(200 + number, "psql", "app", f"2026-03-01T01:00:0{number}+00:00") for number in (1, 2, 3)]
    for number, child in enumerate(children, 1):
        scene.run(child, f"m{number}")
        scene.run(beside, None)
        scene.row(TOOL, **sqitch_row(number))
    scene.unlock()
    follower = scene.follow(*children)
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def yoyo() -> Scene:
    return Scene("yoyo", TableName("public", "_yoyo_log"), TableName("public", "yoyo_lock"))


def yoyo_row(number: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("username", "hostname", "comment"), "x")
    row |= {"id": f"r{number}", "migration_hash": f"h{number}", "migration_id": f"000{number}_m", "operation": "apply"}
    return row | {"created_at_utc": f"2026-03-01 10:00:0{number}"}


def yoyo_runs(scene: Scene, *, beside: bool) -> list[Who]:
    assert scene.bracket is not None
    lock = scene.wal.begin(TOOL)
    lock.insert(scene.bracket, locked=1, ctime="2026-03-01 10:00:00", pid=1)
    lock.commit()
    ran = [who(200 + number, "", "app", f"2026-03-01T01:00:0{number}+00:00") for number in (1, 2, 3)]
    for number, session in enumerate(ran, 1):
        scene.run(session, f"000{number}_m")
        if beside and number == 2:
            scene.run(HAND, None)
        scene.row(TOOL, **yoyo_row(number))
    unlock = scene.wal.begin(TOOL)
    unlock.row(scene.bracket, RowOp.DELETE, None, {"locked": 1})
    unlock.commit()
    return ran


def test_yoyo_runs_each_migration_on_a_session_that_has_ended_before_the_row() -> None:
    scene = yoyo()
    follower = scene.follow(*yoyo_runs(scene, beside=False))
    assert scene.linked(follower) == scene.mine


def test_yoyo_beside_a_hand_of_its_own_look_links_nothing_wrong() -> None:
    scene = yoyo()
    follower = scene.follow(*yoyo_runs(scene, beside=True))
    assert wrong(scene, follower) == {}
    assert "0001_m" in scene.linked(follower).values()


def test_rails_is_known_by_its_siblings_lock() -> None:
    scene = Scene("rails", TableName("public", "schema_migrations"))
    rails, sibling = who(100, "bin/rails", "app"), who(101, "bin/rails", "app")
    scene.lock(sibling)
    tx = scene.wal.begin(rails)
    scene.ddl(tx, "20260301000001")
    tx.insert(scene.table, version="20260301000001")
    tx.commit()
    scene.run(rails, "20260301000002", "CREATE INDEX CONCURRENTLY")
    scene.run(OTHER, None)
    scene.run(who(902, "psql", "app", "2026-03-01T02:00:00+00:00"), None)
    scene.row(rails, version="20260301000002")
    scene.unlock()
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine


@pytest.mark.parametrize(
    ("preset", "table", "holder", "hand"),
    [
        ("rails", "schema_migrations", who(101, "bin/rails", "app"), who(901, "bin/rails", "app")),
        ("sqitch", "events", who(101, "", "app"), who(901, "psql", "app")),
    ],
)
def test_a_hand_that_looks_like_the_tool_beside_its_lock_is_a_hand(
    preset: str, table: str, holder: Who, hand: Who
) -> None:
    """Of a sibling's lock nobody can say who ran under it: what no row followed is out of band, not the tool's."""
    scene = Scene(preset, TableName("public", table))
    scene.lock(holder)
    scene.run(hand, None)
    scene.unlock()
    scene.run(hand, None)
    follower = scene.follow(hand)
    assert {one.kind for one in follower.attributions} <= {CommitKind.PENDING, CommitKind.OUT_OF_BAND}


def rails(*versions: str) -> tuple[Scene, Who, Who]:
    """The program at work, its sibling with the lock, and a hand that looks exactly like them."""
    scene = Scene("rails", TableName("public", "schema_migrations"))
    tool, hand = who(100, "bin/rails", "app"), who(901, "bin/rails", "app")
    scene.lock(who(101, "bin/rails", "app"))
    for version in versions:
        tx = scene.wal.begin(tool)
        scene.ddl(tx, version)
        tx.insert(scene.table, version=version)
        tx.commit()
    return scene, tool, hand


def test_rails_row_of_data_alone_takes_no_hands_ddl_inside_its_siblings_lock() -> None:
    scene, tool, hand = rails()
    scene.look(tool)
    scene.run(hand, None)
    scene.row(tool, version="20260301000003")
    scene.unlock()
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert {one.kind for one in follower.attributions} <= {CommitKind.PENDING, CommitKind.OUT_OF_BAND}


def test_rails_session_is_known_by_the_row_that_it_wrote_with_ddl() -> None:
    """With disable_ddl_transaction! its next script runs statement by statement, a hand's in between."""
    scene, tool, hand = rails("20260301000001")
    scene.run(tool, "20260301000002")
    scene.run(hand, None)
    scene.run(tool, "20260301000002")
    scene.row(tool, version="20260301000002")
    scene.run(hand, None)
    scene.row(tool, version="20260301000003")
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


def test_rails_session_may_show_itself_after_its_ddl() -> None:
    scene, tool, hand = rails()
    scene.run(tool, "20260301000002")
    scene.run(hand, None)
    scene.row(tool, version="20260301000002")
    scene.look(tool)
    scene.run(tool, "20260301000003", "CREATE INDEX CONCURRENTLY")
    scene.row(tool, version="20260301000003")
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


def test_rails_index_outside_of_transactions_is_its_own_where_nobody_else_ran_any() -> None:
    """Its session looked at the table long ago: the server has forgotten that it was this one."""
    scene, tool, _ = rails()
    scene.run(tool, "20260301000002", "CREATE INDEX CONCURRENTLY")
    scene.row(tool, version="20260301000002")
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


@pytest.mark.parametrize("sign", ["alive", "later DDL"])
def test_sqitch_row_of_data_alone_takes_no_ddl_of_a_session_that_is_there_still(sign: str) -> None:
    """A hand's psql, begun inside the lock as Sqitch's own, and Sqitch's has ended before its row."""
    scene = Scene("sqitch", TableName("sqitch", "events"))
    hand, child = (who(pid, "psql", "app", f"2026-03-01T01:00:0{pid % 10}+00:00") for pid in (901, 202))
    scene.lock(TOOL)
    scene.run(hand, None)
    scene.run(child, "m1")
    scene.row(TOOL, **sqitch_row(1))
    follower = Follower(scene.source).feed(*scene.wal.transactions)
    assert scene.linked(follower) == {}, "nothing is known of either"
    if sign == "alive":
        follower.look(child.key)
    else:
        number = len(scene.wal.transactions)
        scene.run(hand, None)
        follower.feed(*scene.wal.transactions[number:])
        follower.look(child.key, hand.key)
    assert scene.linked(follower) == scene.mine
    scene.unlock()
    assert scene.linked(follower.finish(scene.wal)) == scene.mine


@pytest.mark.parametrize("reads", [True, False])
def test_a_hands_index_inside_rails_lock_is_not_its_if_the_hand_idled_at_the_row(reads: bool) -> None:  # noqa: FBT001
    """It looks exactly like Rails, and is the only one that runs DDL; Rails' migration only changes data."""
    scene, tool, hand = rails()
    scene.look(tool)
    if reads:
        scene.look(hand)
    scene.run(hand, None, "CREATE INDEX CONCURRENTLY")
    scene.wal.sleep(0.01)
    scene.row(tool, version="20260301000003")
    scene.unlock()
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert "did nothing when it was written: pid 901" in (follower.reported[-1].note or "")


@pytest.mark.parametrize("reads", [True, False])
def test_rails_statement_outside_of_its_rows_transaction_is_its_own_if_it_was_at_work_at_the_row(reads: bool) -> None:  # noqa: FBT001
    """One that could share it, as all did so far: `DROP INDEX`, the way back from `CONCURRENTLY`, in a new session."""
    scene, first, _ = rails("20260301000001")
    scene.unlock()
    scene.wal.leave(first)
    scene.wal.sleep(900)
    tool = who(200, "bin/rails", "app", "2026-03-01T00:15:00+00:00")
    scene.lock(who(201, "bin/rails", "app", "2026-03-01T00:15:00+00:00"))
    if reads:
        scene.look(tool)
    scene.run(tool, "20260301000002" if reads else None, "DROP INDEX")
    scene.row(tool, version="20260301000002")
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.3])
def test_a_hands_statement_inside_rails_lock_is_not_its_if_both_may_have_written_the_row(pause: float) -> None:
    """It looks exactly like Rails, has read its table, and goes on at once; Rails' migration only changes data."""
    scene, first, hand = rails("20260301000001")
    scene.unlock()
    scene.wal.leave(first)
    scene.wal.sleep(900)
    tool = who(200, "bin/rails", "app", "2026-03-01T00:15:00+00:00")
    scene.lock(who(201, "bin/rails", "app", "2026-03-01T00:15:00+00:00"))
    scene.look(tool)
    scene.look(hand)
    scene.run(hand, None, "DROP INDEX")
    scene.wal.sleep(pause)
    scene.row(tool, version="20260301000003")
    scene.look(hand)
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("mine", [True, False])
def test_who_is_alone_inside_knex_lock_row_is_not_it_if_it_idled_at_the_row(mine: bool, leaves: bool) -> None:  # noqa: FBT001
    """A hand that began with the tool runs DDL inside its lock; the row is of a migration of data, or of its own."""
    scene = Scene("knex", TableName("public", "knex_migrations"), TableName("public", "knex_migrations_lock"))
    assert scene.bracket is not None
    tx = scene.wal.begin(TOOL)
    tx.row(scene.bracket, RowOp.UPDATE, {"index": 1, "is_locked": 1})
    tx.commit()
    scene.wal.sleep(2)  # what it did to its tables is forgotten
    runner = TOOL if mine else HAND
    scene.run(runner, "1_m.js" if mine else None)
    if leaves and not mine:
        scene.wal.sleep(0.3)
        scene.wal.leave(HAND)
    scene.wal.sleep(0.1)
    scene.row(TOOL, id=1, name="1_m.js", batch=1, migration_time="2026-03-01 10:00:00+00")
    scene.wal.sleep(0.1)
    tx = scene.wal.begin(TOOL)
    tx.row(scene.bracket, RowOp.UPDATE, {"index": 1, "is_locked": 0})
    tx.commit()
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine
    assert mine or "did nothing when it was written: pid 900" in (follower.reported[-1].note or "")

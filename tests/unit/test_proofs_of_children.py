"""A program that a tool starts for each script (Sqitch, yoyo), and a tool of several connections (marv), beside people
who look the same: by when a session began, and by who else was there.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pggit_daemon.model.ddl_event import MOST_SIBLINGS
from pggit_daemon.model.transaction import RowOp, TableName
from tests.unit.build import Who, who
from tests.unit.build.follower import Follower
from tests.unit.test_proofs_of_sessions import sqitch_row, yoyo, yoyo_row
from tests.unit.tool_scene import TOOL, Scene, wrong


def sqitch() -> Scene:
    scene = Scene("sqitch", TableName("sqitch", "events"))
    scene.lock(TOOL)
    scene.wal.connected = []
    scene.wal.next_lsn()
    return scene


def connect(scene: Scene, pid: int, application: str = "psql") -> Who:
    """A session of the tool's user that begins now."""
    scene.wal.now += timedelta(milliseconds=5)
    session = who(pid, application, "app", scene.wal.now.isoformat())
    scene.wal.now += timedelta(milliseconds=5)
    assert scene.wal.connected is not None
    scene.wal.connected.append(session)
    return session


def leave(scene: Scene, session: Who) -> None:
    scene.wal.now += timedelta(milliseconds=5)
    assert scene.wal.connected is not None
    scene.wal.connected.remove(session)


def begin(scene: Scene) -> None:
    """The tool's session begins the transaction in which it will write the row."""
    scene.wal.now += timedelta(milliseconds=5)
    scene.wal.since[TOOL.key] = scene.wal.now


def test_a_child_is_known_beside_sessions_that_were_there_before() -> None:
    scene = sqitch()
    hand = connect(scene, 900)
    scene.run(hand, None)
    children = []
    for number in (1, 2, 3):
        scene.run(hand, None)
        scene.wal.now += timedelta(milliseconds=300)
        begin(scene)
        child = connect(scene, 200 + number)
        children.append(child)
        scene.run(child, f"m{number}")
        scene.run(hand, None)
        leave(scene, child)
        scene.row(TOOL, **sqitch_row(number))
    follower = scene.follow(*children)
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_who_came_meanwhile_is_not_told_from_a_child_that_ran_no_ddl() -> None:
    scene = sqitch()
    begin(scene)
    child, hand = connect(scene, 200), connect(scene, 900)
    scene.run(hand, None)
    leave(scene, hand)
    leave(scene, child)
    scene.row(TOOL, **sqitch_row(1))
    assert scene.linked(scene.follow(hand, child)) == {}


def test_nothing_is_linked_while_others_of_that_look_come_and_go_as_quickly() -> None:
    scene = sqitch()
    before = connect(scene, 900)
    scene.run(before, None)
    leave(scene, before)
    begin(scene)
    hand = connect(scene, 901)
    scene.run(hand, None)
    leave(scene, hand)
    scene.wal.now += timedelta(milliseconds=100)
    scene.row(TOOL, **sqitch_row(1))
    assert scene.linked(scene.follow(before, hand)) == {}, "its child came later, and ran no DDL"


def test_who_comes_between_two_changes_of_sqitch_is_no_child() -> None:
    scene = sqitch()
    hands = [connect(scene, 900)]
    for number in (1, 2):
        scene.run(hands[-1], None)
        leave(scene, hands[-1])
        scene.wal.now += timedelta(minutes=11)  # what was seen of the first hand is forgotten
        begin(scene)
        scene.row(TOOL, **sqitch_row(number))
        del scene.wal.since[TOOL.key]
        hands.append(connect(scene, 900 + number))
    assert scene.linked(scene.follow(*hands)) == {}


@pytest.mark.parametrize("is_there", [True, False], ids=["there still", "gone"])
def test_what_is_read_late_waits_until_it_is_seen_who_is_there(*, is_there: bool) -> None:
    """In a backlog the row's time is over before anybody can look."""
    scene = sqitch()
    begin(scene)
    session = connect(scene, 200)
    scene.run(session, None if is_there else "m1")
    scene.row(TOOL, **sqitch_row(1))
    follower = Follower(scene.source).feed(*scene.wal.transactions)
    follower.tick(scene.wal.now + timedelta(hours=1))
    assert scene.linked(follower) == {}
    follower.look(*([] if is_there else [session.key]))
    assert scene.linked(follower) == scene.mine
    assert follower.correlator.waiting == 0


def test_yoyo_is_known_beside_a_session_that_was_there_before_its_lock() -> None:
    scene = yoyo()
    scene.wal.connected = []
    assert scene.bracket is not None
    hand = connect(scene, 900, "")
    scene.run(hand, None)
    scene.wal.now += timedelta(seconds=1)
    scene.run(hand, None)
    lock = scene.wal.begin(TOOL)
    lock.insert(scene.bracket, locked=1, ctime="2026-03-01 10:00:00", pid=1)
    lock.commit()
    children = []
    for number in (1, 2):
        child = connect(scene, 200 + number, "")
        children.append(child)
        scene.run(child, f"000{number}_m")
        scene.run(hand, None)
        leave(scene, child)
        scene.row(TOOL, **yoyo_row(number))
    late = connect(scene, 901, "")
    scene.run(late, None)
    scene.row(TOOL, **yoyo_row(3))
    unlock = scene.wal.begin(TOOL)
    unlock.row(scene.bracket, RowOp.DELETE, None, {"locked": 1})
    unlock.commit()
    scene.run(late, None)
    follower = scene.follow(*children)
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def marv(scene: Scene, others: int = 0) -> tuple[Who, Who]:
    """It connects, and has its lock table: the sessions that write its rows and run its scripts."""
    locker, writer, runner = (connect(scene, pid, "") for pid in (100, 101, 102))
    for number in range(others):
        connect(scene, 900 + number, "")
    scene.wal.now += timedelta(milliseconds=5)
    scene.wal.since[locker.key] = scene.wal.now
    scene.wal.locks[1259, 4711] = locker
    scene.wal.locked[1259, 4711] = TableName("public", "migrations_lock")
    return writer, runner


def marv_row(number: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("comment", "checksum"), "c") | {"namespace": "default", "level": number}
    return row | {"timestamp": "2026-03-01 10:00:00"}


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "one more that looks so"])
def test_marv_is_known_by_its_three_connections(others: int) -> None:
    scene = Scene("marv", TableName("public", "migrations"))
    scene.wal.connected = []
    old = connect(scene, 899, "")
    writer, runner = marv(scene, others)
    late = connect(scene, 910, "")
    for number in (1, 2, 3):
        if number != 2:
            scene.run(runner, f"default {number}")
        for hand in (old, late):
            scene.run(hand, None)
        scene.row(writer, **marv_row(number))
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == ({} if others else scene.mine)


def test_nobody_is_of_marvs_company_where_not_all_of_its_look_are_named() -> None:
    """The capture names the youngest siblings; a hand among marv's own is one too many, whoever came after them."""
    scene = Scene("marv", TableName("public", "migrations"))
    scene.wal.connected = []
    writer, _runner = marv(scene, others=1)
    hand = scene.wal.connected[-1]
    for number in range(MOST_SIBLINGS - 1):
        connect(scene, 910 + number, "")
    scene.run(hand, None)
    scene.row(writer, **marv_row(1))
    assert scene.linked(scene.follow()) == {}


@pytest.mark.parametrize("use", ["reads before", "reads between", "writes"])
@pytest.mark.parametrize("came", ["before marv", "after its lock"])
def test_who_uses_the_history_table_beside_marv_is_not_its_runner(use: str, came: str) -> None:
    """Its runner never does, so a row of data alone takes nothing of a hand that did."""
    scene = Scene("marv", TableName("public", "migrations"))
    scene.wal.connected = []
    hand = connect(scene, 899, "")
    writer, _ = marv(scene)
    if came == "after its lock":
        leave(scene, hand)
        hand = connect(scene, 910, "")
    if use == "reads before":
        scene.look(hand)
    if use == "writes":
        scene.row(hand, **marv_row(2))
    scene.run(hand, None)
    if use == "reads between":
        scene.look(hand)
    scene.run(hand, None)
    scene.row(writer, **marv_row(3))
    assert scene.linked(scene.follow()) == {}

"""Whom a transaction will ask about, told before it is read: what a look that begins then must know."""

from __future__ import annotations

import pytest

from pggit_daemon.model.transaction import RowChange, Transaction
from tests.unit.build import Follower
from tests.unit.test_proofs_of_tools import django, django_row
from tests.unit.tool_scene import HAND, OTHER, TOOL, Scene


def last(scene: Scene) -> Transaction:
    return scene.wal.transactions[-1]


def test_who_had_read_the_table_and_ran_ddl_is_asked_about() -> None:
    """Promise: the same session, users and moment that are wanted once the transaction is taken in."""
    scene = django()
    scene.look(TOOL)
    scene.run(TOOL, "shop 0001")
    scene.run(OTHER, None)
    follower = Follower(scene.source)
    before = follower.correlator.foreseen(scene.wal.transactions)
    assert before.sessions == {TOOL.key}
    assert before.users == {"app"}
    assert before.tables == {"django_migrations"}
    assert before.at_once
    follower.feed(*scene.wal.transactions)
    after = follower.correlator.to_look_at()
    assert (after.sessions, after.users, after.tables) == (before.sessions, before.users, before.tables)
    assert after.moments == before.moments == {TOOL.key: scene.wal.transactions[0].commit_time}


def test_who_had_read_it_earlier_still_is() -> None:
    """Promise: the capture sees that only for a second, and what it said then is remembered."""
    scene = django()
    scene.look(TOOL)
    scene.run(TOOL, "shop 0001")
    scene.wal.sleep(5)
    scene.run(TOOL, "shop 0001")
    follower = Follower(scene.source, wal=scene.wal).feed(scene.wal.transactions[0])
    assert follower.correlator.foreseen([last(scene)]).sessions == {TOOL.key}
    assert not Follower(scene.source).correlator.foreseen([last(scene)]).sessions


def test_nobody_is_where_the_row_has_come_with_it() -> None:
    """Promise: what most tools do costs no look."""
    scene = django()
    scene.look(TOOL)
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "shop 0001")
    tx.insert(scene.table, **django_row(1, "0001"))
    tx.commit()
    assert not Follower(scene.source).correlator.foreseen([last(scene)]).sessions


def test_nor_is_who_has_written_rows() -> None:
    scene = django()
    scene.row(TOOL, **django_row(1, "0001"))
    scene.run(TOOL, "shop 0002")
    assert not Follower(scene.source).correlator.foreseen([last(scene)]).sessions, "the capture saw it"
    scene = django()
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    follower = Follower(scene.source, wal=scene.wal).feed(*scene.wal.transactions)
    scene.wal.sleep(3)
    scene.look(TOOL)
    scene.run(TOOL, "shop 0002")
    wanted = follower.correlator.foreseen([last(scene)])
    assert wanted.sessions <= {TOOL.key}
    follower.feed(last(scene))
    assert follower.correlator.to_look_at().sessions == wanted.sessions


@pytest.mark.parametrize("told", ["no JSON", "7", '"own"', '[["own"]]', "null"])
def test_what_is_not_ours_is_passed_over(told: str) -> None:
    """Promise: it raises nothing here; whoever reads the transaction puts it into quarantine."""
    scene = django()
    scene.look(HAND)
    scene.run(HAND, None)
    [row] = [change for change in last(scene).changes if isinstance(change, RowChange)]
    for broken in ({"used_histories": told}, {"pid": "own", "used_histories": '["own"]'}):
        change = RowChange(row.lsn, row.op, row.table, {**row.new, **broken}, row.identity)
        transaction = Transaction(
            last(scene).xid, last(scene).commit_lsn, last(scene).end_lsn, last(scene).commit_time, (change,)
        )
        assert not Follower(scene.source).correlator.foreseen([transaction]).sessions

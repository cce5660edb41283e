"""Tools that take their sessions from a pool (Sequelize): the row may be another session's than its DDL.

A run that failed leaves DDL of a session that had shown itself, too. The row of the next run is not its, as that
session had ended; a pool keeps a session that does nothing for longer than a migration needs to its row.
"""

from __future__ import annotations

import pytest

from pggit_daemon.model.transaction import TableName
from tests.unit.build import Follower, who
from tests.unit.tool_scene import Scene

FAILED, NEXT, ROWS = (who(pid, "", "app") for pid in (100, 101, 102))
NAME = "20260101000001-m1.js"


@pytest.fixture
def scene() -> Scene:
    return Scene("sequelize", TableName("public", "SequelizeMeta"))


def failing_run(scene: Scene) -> int:
    scene.look(FAILED)
    return scene.run(FAILED, None)


def next_run(scene: Scene) -> int:
    """Its row is written by another session of the pool."""
    scene.look(NEXT)
    event = scene.run(NEXT, NAME)
    scene.row(ROWS, name=NAME)
    return event


def read(scene: Scene, follower: Follower, *, gone_after: int) -> dict[int, str]:
    """So many transactions are read when it is seen that the failed run's session has ended."""
    follower.feed(*scene.wal.transactions[:gone_after])
    follower.look(FAILED.key)
    follower.feed(*scene.wal.transactions[gone_after:])
    return scene.linked(follower.finish(scene.wal))


@pytest.mark.parametrize("gone_after", [1, 2])
def test_what_a_failed_run_left_is_no_rival_of_the_next_runs_ddl(scene: Scene, gone_after: int) -> None:
    left, ran = failing_run(scene), next_run(scene)
    follower = Follower(scene.source)
    assert read(scene, follower, gone_after=gone_after) == {ran: NAME}
    assert left not in scene.mine


def test_that_it_ended_after_the_row_says_nothing(scene: Scene) -> None:
    """It may have written the row: nobody knows which of the two did."""
    failing_run(scene)
    next_run(scene)
    assert read(scene, Follower(scene.source), gone_after=3) == {}


def test_what_ran_longer_before_than_the_gap_is_no_rival_either(scene: Scene) -> None:
    failing_run(scene)
    scene.wal.sleep(11)
    ran = next_run(scene)
    assert read(scene, Follower(scene.source), gone_after=3) == {ran: NAME}


def test_one_that_had_ended_is_not_the_rows_for_having_read_the_table(scene: Scene) -> None:
    """The migration changed data alone; somebody of the tool's look had read the table, run DDL and left."""
    failing_run(scene)
    scene.row(ROWS, name=NAME)
    assert read(scene, Follower(scene.source), gone_after=1) == {}

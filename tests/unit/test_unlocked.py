"""Tools that their lock proves, and rows that came without it: what nothing proves is said of nobody, also not that a
migration ran no DDL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pggit_daemon.model.transaction import RowOp, TableName
from tests.unit.build import Follower, Who
from tests.unit.tool_scene import HAND, OTHER, TOOL, Scene
from tests.unit.tools_at_work import KITS

SCHEMA = "public"


def golang(scene: Scene, session: Who, number: int, *, done: bool) -> None:
    tx = scene.wal.begin(session)
    tx.row(scene.table, RowOp.TRUNCATE)
    tx.insert(scene.table, version=number, dirty=not done)
    tx.commit()


def prisma(scene: Scene, session: Who, number: int, *, done: bool) -> None:
    row: dict[str, Any] = dict.fromkeys(("finished_at", "logs", "rolled_back_at"))
    row |= {"id": f"u{number}", "checksum": "c", "migration_name": f"2026030100000{number}_m", "started_at": "2026"}
    row |= {"applied_steps_count": int(done), "finished_at": "2026-03-01 10:00:00" if done else None}
    if done:
        scene.row(session, RowOp.UPDATE, {"id": row["id"]}, **row)
    else:
        scene.row(session, **row)


def knex(scene: Scene, session: Who, number: int, *, done: bool) -> None:
    if done:
        name = f"000{number}_m.js"
        scene.row(session, id=number, name=name, batch=1, migration_time="2026-03-01 10:00:00+00")
    else:
        scene.look(session)


Write = Callable[..., None]
WRITES: dict[str, tuple[str, Write]] = {
    "golang-migrate": ("schema_migrations", golang),
    "prisma": ("_prisma_migrations", prisma),
    "knex": ("knex_migrations", knex),
}


def begun(name: str) -> tuple[Scene, Write]:
    table, write = WRITES[name]
    bracket = TableName(SCHEMA, f"{table}_lock") if name == "knex" else None
    return Scene(name, TableName(SCHEMA, table), bracket), write


def last_said(follower: Follower) -> tuple[str | None, str | None]:
    link = follower.reported[-1]
    return link.evidence, link.note


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("name", WRITES)
def test_ddl_of_a_session_that_used_the_table_without_the_lock_leaves_the_row_unlinked(
    name: str, *, restarted: bool
) -> None:
    scene, write = begun(name)
    write(scene, TOOL, 1, done=False)
    event = scene.run(TOOL, None)
    written = len(scene.wal.transactions)
    write(scene, TOOL, 1, done=True)
    follower = Follower(scene.source).feed(*scene.wal.transactions[:written])
    if restarted:
        follower.restart()
    follower.feed(*scene.wal.transactions[written:])
    assert last_said(follower) == (None, "DDL before it ran without the tool's lock: pid 100 ()")
    assert follower.taken == {event: "out_of_band"}
    assert not follower.correlator.waiting


@pytest.mark.parametrize("name", WRITES)
def test_what_stands_before_one_row_is_not_of_the_next(name: str) -> None:
    scene, write = begun(name)
    for number in (1, 2):
        write(scene, TOOL, number, done=False)
        if number == 1:
            scene.run(TOOL, None)
        write(scene, TOOL, number, done=True)
    assert last_said(Follower(scene.source).feed(*scene.wal.transactions))[0] == "none"


@pytest.mark.parametrize("hand", [HAND, OTHER], ids=["looks alike", "looks otherwise"])
def test_a_hand_that_never_used_the_table_says_nothing_of_a_migration_of_data(hand: Who) -> None:
    scene, write = begun("golang-migrate")
    scene.run(hand, None)
    scene.lock(TOOL)
    write(scene, TOOL, 1, done=False)
    scene.run(hand, None)
    write(scene, TOOL, 1, done=True)
    scene.unlock()
    assert last_said(Follower(scene.source).feed(*scene.wal.transactions))[0] == "none"


def test_a_hand_that_used_the_table_while_the_lock_is_held_says_nothing_either() -> None:
    scene, write = begun("golang-migrate")
    scene.lock(TOOL)
    write(scene, TOOL, 1, done=False)
    scene.look(HAND)
    scene.run(HAND, None)
    write(scene, TOOL, 1, done=True)
    scene.unlock()
    assert last_said(Follower(scene.source).feed(*scene.wal.transactions))[0] == "none"


def test_a_session_that_looked_at_a_table_which_the_tools_own_never_use_says_nothing() -> None:
    """Sqitch runs each script with psql, which knows nothing of its tables."""
    scene = Scene("sqitch", TableName("sqitch", "events"))
    scene.look(OTHER)
    scene.run(OTHER, None)
    tx = scene.wal.begin(TOOL)
    KITS["sqitch"].row(tx, scene.table, 1)
    tx.commit()
    assert last_said(Follower(scene.source).feed(*scene.wal.transactions))[0] == "none"


def test_with_its_lock_the_same_is_linked() -> None:
    scene, write = begun("golang-migrate")
    scene.lock(TOOL)
    write(scene, TOOL, 1, done=False)
    event = scene.run(TOOL, "1")
    write(scene, TOOL, 1, done=True)
    scene.unlock()
    follower = scene.follow()
    assert last_said(follower)[0] == "lock"
    assert scene.linked(follower) == {event: "1"}

"""Sessions that only look at a tool's history table, as people and monitoring do, beside the tool's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pggit_daemon.model.transaction import RowOp, TableName
from tests.unit.build import Follower, Who, who
from tests.unit.test_proofs_of_tools import django, django_row, goose, goose_row, goose_runs
from tests.unit.tool_scene import HAND, TOOL, Scene, wrong

GUI = who(905, "metabase", "analyst")
RENAMED = who(906, "metabase", "app")


def worked_before(scene: Scene) -> None:
    """One run, an hour ago."""
    scene.look(TOOL)
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    scene.wal.sleep(3600)


def takes_nothing_of(session: Who, seconds: int) -> None:
    """A session reads the table and runs DDL; so long after that comes a row, which is a migration's of data alone."""
    scene = django()
    worked_before(scene)
    scene.look(session)
    scene.run(session, None)
    scene.wal.sleep(seconds)
    scene.row(TOOL, **django_row(2, "0002"))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine
    assert follower.reported[-1].note, "and the finding says that its DDL stood before the row"


@pytest.mark.parametrize("session", [GUI, RENAMED], ids=["another role", "another program"])
@pytest.mark.parametrize("seconds", [0, 2, 15, 240])
def test_who_looks_otherwise_than_the_tools_sessions_is_none_for_reading_its_table(session: Who, seconds: int) -> None:
    takes_nothing_of(session, seconds)


@pytest.mark.parametrize("seconds", [6, 20, 240])
def test_what_a_reader_ran_longer_ago_than_the_gap_is_no_migrations(seconds: int) -> None:
    takes_nothing_of(HAND, seconds)


def test_having_read_the_table_is_forgotten() -> None:
    """Half a minute later, and DDL of the tool's own look counts for as little as anybody's."""
    scene = django()
    worked_before(scene)
    scene.look(HAND)
    scene.run(HAND, None)
    scene.wal.sleep(540)
    scene.run(HAND, None)
    scene.wal.sleep(2)
    scene.row(TOOL, **django_row(2, "0002"))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine
    assert "pid 900" in (follower.reported[-1].note or "")


@pytest.mark.parametrize("session", [GUI, HAND])
def test_where_rows_shared_their_ddls_transaction_a_readers_is_none(session: Who) -> None:
    scene = goose()
    goose_runs(scene, 1)
    goose_runs(scene, 2)
    scene.look(session)
    scene.run(session, None)
    scene.row(TOOL, **goose_row(3))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine
    assert follower.reported[-1].note


def test_goose_without_transactions_is_its_own_where_one_statement_cannot_run_in_one() -> None:
    scene = goose()
    goose_runs(scene, 1)
    scene.wal.sleep(3600)
    session = who(107, "", "app")
    scene.look(session)
    scene.run(session, "2")
    scene.run(session, "2", "CREATE INDEX CONCURRENTLY")
    scene.row(session, **goose_row(2))
    assert scene.linked(scene.follow()) == scene.mine


def test_django_may_write_the_row_after_ddl_though_the_last_one_shared_its_transaction() -> None:
    scene = django()
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "shop 0001")
    tx.insert(scene.table, **django_row(1, "0001"))
    tx.commit()
    scene.wal.sleep(3600)
    session = who(107, "", "app")
    scene.look(session)
    scene.run(session, "shop 0002")
    scene.row(session, **django_row(2, "0002"))
    assert scene.linked(scene.follow()) == scene.mine


def laravel() -> Scene:
    return Scene("laravel", TableName("public", "migrations"))


def laravel_row(number: int) -> dict[str, Any]:
    return {"id": number, "migration": f"m{number}", "batch": 1}


def test_who_wrote_to_the_table_is_the_tools_whatever_it_looks_like_now() -> None:
    """Deployed as another user for the first time: its second statement shows that it wrote the first row."""
    scene = laravel()
    scene.look(TOOL)
    scene.run(TOOL, "m1")
    scene.row(TOOL, **laravel_row(1))
    scene.wal.sleep(3600)
    deployer = who(107, "", "deployer")
    for number in (2, 3):
        scene.look(deployer)
        scene.run(deployer, f"m{number}")
        scene.row(deployer, **laravel_row(number))
    scene.wal.sleep(3600)
    scene.look(deployer)
    scene.run(deployer, "m4")
    scene.row(deployer, **laravel_row(4))
    assert scene.linked(scene.follow()) == scene.mine, "and its look is known from then on"


def test_a_reader_of_the_tools_look_makes_others_of_that_look_doubtful() -> None:
    """A hand of the tool's user reads the table and runs DDL while the tool works, and later another one does."""
    scene = laravel()
    for session, migration in ((HAND, None), (TOOL, "m1")):
        scene.look(session)
        scene.run(session, migration)
    scene.run(TOOL, "m1")
    scene.row(TOOL, **laravel_row(1))
    scene.run(TOOL, "m2")
    scene.row(TOOL, **laravel_row(2))
    scene.wal.sleep(60)
    late, tool = who(907, "", "app"), who(107, "", "ops")
    scene.look(late)
    scene.run(late, None)
    tx = scene.wal.begin(tool)
    tx.insert(scene.table, **laravel_row(3))
    began = scene.wal.now
    tx.commit()
    scene.wal.did(late, began, "idle", None)
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert "others of app" in (follower.reported[-1].note or "")
    assert set(scene.linked(follower).values()) == {"m1", "m2"}, "what wrote a row is known all the same"


def test_a_reader_inside_a_lock_row_is_not_the_tools_for_reading() -> None:
    """Knex's migration changes data alone; an old connection has read its tables and runs DDL meanwhile."""
    scene = Scene("knex", TableName("public", "knex_migrations"), TableName("public", "knex_migrations_lock"))
    assert scene.bracket is not None
    tx = scene.wal.begin(TOOL)
    tx.row(scene.bracket, RowOp.UPDATE, {"index": 1, "is_locked": 1})
    tx.commit()
    hand = who(900, "", "app", "2026-02-20T00:00:00+00:00")
    scene.look(hand)
    scene.run(hand, None)
    scene.row(TOOL, id=1, name="1_m.js", batch=1, migration_time="2026-03-01 10:00:00+00")
    tx = scene.wal.begin(TOOL)
    tx.row(scene.bracket, RowOp.UPDATE, {"index": 1, "is_locked": 0})
    tx.commit()
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert follower.reported[-1].note


def goes_back(scene: Scene, session: Who) -> None:
    """A session that has only read the table drops an index outside of a transaction, and its row says so."""
    goose_runs(scene, 1)
    scene.wal.sleep(3600)
    scene.look(session)
    scene.run(session, "2", "DROP INDEX")


def test_an_ordinary_statement_outside_of_a_transaction_is_of_the_session_that_wrote_the_row() -> None:
    """Also where all rows so far shared their DDL's transaction; whether it idles, is gone or goes on by then."""
    for ends in ("idle", "gone", "on"):
        scene, session = goose(), who(107, "", "app")
        goes_back(scene, session)
        scene.row(session, **goose_row(2))
        if ends == "gone":
            scene.wal.leave(session)
        elif ends == "on":
            scene.look(session)
        assert scene.linked(scene.follow()) == scene.mine, ends


def test_whom_nobody_saw_in_time_is_linked_to_nothing_and_the_finding_says_so() -> None:
    """The daemon is two seconds behind, and the session is gone by then."""
    scene, session = goose(), who(107, "", "app")
    goes_back(scene, session)
    scene.row(session, **goose_row(2))
    scene.wal.leave(session)
    late = Follower(scene.source, wal=scene.wal, late=timedelta(seconds=2)).feed(*scene.wal.transactions)
    late.finish(scene.wal)
    assert len(scene.linked(late)) == 1, "what shared its row's transaction"
    assert "was not seen at work" in (late.reported[-1].note or "")


def test_a_daemon_that_is_behind_still_sees_who_idles_since_the_row() -> None:
    scene, session = goose(), who(107, "", "app")
    goes_back(scene, session)
    scene.row(session, **goose_row(2))
    late = Follower(scene.source, wal=scene.wal, late=timedelta(seconds=20)).feed(*scene.wal.transactions)
    assert scene.linked(late.finish(scene.wal)) == scene.mine


@pytest.mark.parametrize("leaves", [True, False], ids=["gone", "idle"])
def test_a_hand_that_read_the_table_right_before_a_migration_of_data_is_not_it(leaves: bool) -> None:  # noqa: FBT001
    """The first session of the tool's look in an hour, 100 ms before the row: looks show that it did not write it."""
    scene = laravel()
    scene.look(TOOL)
    scene.run(TOOL, "m1")
    scene.row(TOOL, **laravel_row(1))
    scene.wal.sleep(3600)
    scene.look(HAND)
    scene.run(HAND, None)
    if leaves:
        scene.wal.leave(HAND)
    scene.wal.sleep(0.1)
    scene.row(TOOL, **laravel_row(2))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine
    assert "did nothing when it was written: pid 900" in (follower.reported[-1].note or "")


def test_a_hand_that_idles_is_no_rival_of_the_tool() -> None:
    """Both have read the table and run DDL; one of them was at work when the row was written."""
    scene = laravel()
    scene.look(TOOL)
    scene.run(TOOL, "m1")
    scene.row(TOOL, **laravel_row(1))
    scene.wal.sleep(3600)
    other = who(907, "", "app")
    for session, migration in ((HAND, None), (other, "m2")):
        scene.look(session)
        scene.run(session, migration)
    scene.row(other, **laravel_row(2))
    assert scene.linked(scene.follow()) == scene.mine


def test_nobody_is_looked_at_where_nothing_depends_on_it() -> None:
    """What wrote rows, what looks otherwise, and what is older than the gap."""
    scene = laravel()
    scene.look(TOOL)
    scene.run(TOOL, "m1")
    follower = Follower(scene.source, wal=scene.wal).feed(*scene.wal.transactions)
    assert follower.correlator.to_look_at().sessions == {TOOL.key}
    scene.wal.sleep(0.01)  # until what was seen is over
    scene.row(TOOL, **laravel_row(1))
    follower.feed(scene.wal.transactions[-1])
    assert not follower.correlator.to_look_at().sessions, "its row is linked"
    scene.run(TOOL, "m2")
    scene.look(GUI)
    scene.run(GUI, None)
    follower.feed(*scene.wal.transactions[-2:])
    assert not follower.correlator.to_look_at().sessions, "one has written, the other is none of the tool's"
    other = who(907, "", "app")
    scene.look(other)
    scene.run(other, None)
    follower.feed(scene.wal.transactions[-1])
    assert follower.correlator.to_look_at().sessions == {other.key}
    follower.finish(scene.wal)
    assert not follower.correlator.to_look_at().sessions


@pytest.mark.parametrize("then", ["nothing", "a row"])
def test_a_clock_that_was_set_back_makes_nobody_look_on_and_on(then: str) -> None:
    """Promise: where a commit is later than the look after it, no look will tell; the next DDL is looked at again."""
    scene = laravel()
    scene.look(TOOL)
    scene.run(TOOL, "m1")
    scene.row(TOOL, **laravel_row(1))
    scene.wal.sleep(3600)
    scene.look(TOOL)
    scene.run(TOOL, "m2")
    follower = Follower(scene.source, wal=scene.wal, late=timedelta(hours=-1)).feed(*scene.wal.transactions)
    assert not follower.correlator.to_look_at().sessions
    if then == "a row":
        scene.row(TOOL, **laravel_row(2))
        follower.feed(scene.wal.transactions[-1])
        assert not follower.correlator.to_look_at().sessions
    follower.late = timedelta(milliseconds=5)
    other = who(907, "", "app")
    scene.wal.sleep(3600)
    scene.look(other)
    scene.run(other, None)
    follower.feed(scene.wal.transactions[-1])
    assert follower.correlator.to_look_at().sessions == {other.key}

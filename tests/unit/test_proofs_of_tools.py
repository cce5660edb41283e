"""The rows and the DDL of real tools, in the orders that were measured of them, with people's DDL beside."""

from __future__ import annotations

from typing import Any

from pggit_daemon.model.transaction import RowOp, TableName
from tests.unit.build import Tx, who
from tests.unit.tool_scene import HAND, OTHER, TOOL, Scene, wrong


def django() -> Scene:
    return Scene("django", TableName("public", "django_migrations"))


def django_row(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "app": "shop", "name": name, "applied": "2026-03-01 10:00:00+00"}


def test_django_writes_its_row_with_the_ddl_or_right_after_it() -> None:
    scene = django()
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "shop 0002")
    tx.insert(scene.table, **django_row(2, "0002"))
    tx.commit()
    scene.run(OTHER, None)
    scene.run(TOOL, "shop 0003")
    scene.row(TOOL, **django_row(3, "0003"))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine, "with a hand that looks otherwise"


def test_django_before_3_2_defers_foreign_keys_to_behind_the_row() -> None:
    """The row of migration 2 stands in its transaction, the deferred SQL behind it: it is no later migration's."""
    scene = django()
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "shop 0001")
    tx.insert(scene.table, **django_row(1, "0001"))
    scene.ddl(tx, "shop 0001", "ALTER TABLE")
    tx.commit()
    scene.row(TOOL, **django_row(2, "0002"))
    assert scene.linked(scene.follow()) == scene.mine


def test_a_session_that_used_the_history_table_is_told_from_one_of_the_same_look() -> None:
    scene = django()
    scene.run(HAND, None)
    scene.look(TOOL)
    scene.run(TOOL, "shop 0001")
    scene.run(HAND, None)
    scene.row(TOOL, **django_row(1, "0001"))
    scene.wal.sleep(0.01)  # until it was seen who was at work
    scene.run(HAND, None)
    scene.row(TOOL, **django_row(2, "0002"))
    assert scene.linked(scene.follow()) == scene.mine


def test_a_sign_of_its_session_may_come_after_the_row() -> None:
    """The first transaction looked at the table long ago; the next one shows that the session wrote the row."""
    scene = django()
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    scene.run(TOOL, "shop 0002")
    scene.row(TOOL, **django_row(2, "0002"))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine


def test_a_hand_alone_before_a_migration_of_data_is_not_its() -> None:
    scene = django()
    scene.run(HAND, None)
    scene.row(TOOL, **django_row(1, "0001"))
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert "pid 900" in (follower.reported[-1].note or "")


def test_two_sessions_of_one_look_are_both_named_and_neither_is_linked() -> None:
    scene = django()
    scene.run(HAND, None)
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert "pid 100" in (follower.reported[-1].note or "")
    assert "pid 900" in (follower.reported[-1].note or "")


def test_what_is_older_than_the_gap_is_no_migrations() -> None:
    """A hand's DDL, and 6 seconds later a migration that ran none."""
    scene = django()
    scene.run(HAND, None)
    scene.wal.sleep(6)
    scene.row(TOOL, **django_row(1, "0001"))
    assert scene.linked(scene.follow()) == {}


def test_a_long_script_may_last_longer_than_the_gap() -> None:
    scene = django()
    scene.look(TOOL)
    for _ in range(5):
        scene.run(TOOL, "shop 0001")
        scene.wal.sleep(3)
    scene.row(TOOL, **django_row(1, "0001"))
    assert scene.linked(scene.follow()) == scene.mine


def goose() -> Scene:
    return Scene("goose", TableName("public", "goose_db_version"))


def goose_row(number: int) -> dict[str, Any]:
    return {"id": number, "version_id": number, "is_applied": True, "tstamp": "2026-03-01 10:00:00"}


def goose_runs(scene: Scene, number: int) -> None:
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, str(number))
    tx.insert(scene.table, **goose_row(number))
    tx.commit()


def test_goose_takes_only_what_cannot_run_in_a_transaction_from_elsewhere() -> None:
    """Where all rows so far shared their DDL's transaction, a row without DDL is a data migration."""
    scene = goose()
    goose_runs(scene, 1)
    scene.run(HAND, None)
    scene.row(TOOL, **goose_row(2))
    scene.run(TOOL, "3", "CREATE INDEX CONCURRENTLY")
    scene.row(TOOL, **goose_row(3))
    scene.run(HAND, None)
    scene.row(TOOL, **goose_row(4))
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_golang_migrate_runs_between_two_states() -> None:
    scene = Scene("golang-migrate", TableName("public", "schema_migrations"))
    for number in (1, 2):
        scene.lock(TOOL)
        for dirty in (True, False):
            tx = scene.wal.begin(TOOL)
            tx.row(scene.table, RowOp.TRUNCATE)
            tx.insert(scene.table, version=number, dirty=dirty)
            tx.commit()
            if dirty:
                scene.run(TOOL, str(number))
                scene.run(HAND, None)
        scene.unlock()
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_prisma_runs_between_started_and_finished() -> None:
    scene = Scene("prisma", TableName("public", "_prisma_migrations"))
    scene.lock(TOOL)
    for number in (1, 2):
        row: dict[str, Any] = dict.fromkeys(("finished_at", "logs", "rolled_back_at"))
        row |= {"id": f"u{number}", "checksum": "c", "migration_name": f"2026030100000{number}_m", "started_at": "2026"}
        row["applied_steps_count"] = 0
        scene.row(TOOL, **row)
        scene.run(TOOL, row["migration_name"])
        scene.run(HAND, None)
        row["applied_steps_count"] = 1
        scene.row(TOOL, RowOp.UPDATE, {"id": row["id"]}, **row)
        row["finished_at"] = "2026-03-01 10:00:00"
        scene.row(TOOL, RowOp.UPDATE, {"id": row["id"]}, **row)
    scene.unlock()
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_knex_in_one_transaction_and_between_its_lock_rows() -> None:
    scene = Scene("knex", TableName("public", "knex_migrations"), TableName("public", "knex_migrations_lock"))
    assert scene.bracket is not None

    def move(tx: Tx, locked: int) -> None:
        tx.row(scene.bracket or scene.table, RowOp.UPDATE, {"index": 1, "is_locked": locked})

    def row(number: int) -> dict[str, Any]:
        return {"id": number, "name": f"000{number}_m.js", "batch": 1, "migration_time": "2026-03-01 10:00:00+00"}

    tx = scene.wal.begin(TOOL)
    move(tx, 1)
    for number in (1, 2):
        scene.ddl(tx, f"000{number}_m.js")
        tx.insert(scene.table, **row(number))
    move(tx, 0)
    tx.commit()
    scene.run(HAND, None)
    for locked in (1, 0):
        tx = scene.wal.begin(TOOL)
        move(tx, locked)
        tx.commit()
        if locked:
            scene.run(TOOL, "0003_m.js", "CREATE INDEX CONCURRENTLY")
            scene.row(TOOL, **row(3))
    scene.run(HAND, None)
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_alembic_leaves_its_transaction_in_the_middle_of_a_run() -> None:
    """autocommit_block commits what ran, and the next transaction begins with the row of its statement."""
    scene = Scene("alembic", TableName("public", "alembic_version"))
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "aaa")
    tx.insert(scene.table, version_num="aaa")
    tx.commit()
    scene.run(HAND, None)
    scene.run(TOOL, "bbb", "CREATE INDEX CONCURRENTLY")
    tx = scene.wal.begin(TOOL)
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "bbb"}, {"version_num": "aaa"})
    scene.ddl(tx, "ccc")
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "ccc"}, {"version_num": "bbb"})
    tx.commit()
    scene.run(HAND, None)
    tx = scene.wal.begin(TOOL)
    for before, after in (("ccc", "ddd"), ("ddd", "eee")):
        scene.ddl(tx, "eee") if after == "eee" else None
        tx.row(scene.table, RowOp.UPDATE, {"version_num": after}, {"version_num": before})
    tx.commit()
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine, "and a first row that only changed data takes nobody's"


def test_alembic_shares_a_transaction_and_takes_nothing_behind_its_row() -> None:
    scene = Scene("alembic", TableName("public", "alembic_version"))
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "aaa")
    tx.insert(scene.table, version_num="aaa")
    scene.ddl(tx, "bbb")
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "bbb"}, {"version_num": "aaa"})
    tx.commit()
    scene.run(HAND, None)
    tx = scene.wal.begin(TOOL)
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "ccc"}, {"version_num": "bbb"})
    scene.ddl(tx, None)
    tx.commit()
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_supabase_writes_the_row_after_what_runs_in_no_transaction() -> None:
    scene = Scene("supabase", TableName("supabase_migrations", "schema_migrations"))
    session = who(100, "@effect/sql-pg", "app")
    scene.look(session)
    scene.run(session, "20260101000001", "CREATE INDEX")
    scene.run(HAND, None)
    scene.row(session, version="20260101000001", statements=None, name="m1")
    scene.run(HAND, None)
    scene.row(session, version="20260101000002", statements=None, name="m2")
    assert scene.linked(scene.follow()) == scene.mine

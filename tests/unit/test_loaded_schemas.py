"""Rows of several migrations behind all DDL of their transaction: of a schema that was loaded, or of a batch."""

from __future__ import annotations

import pytest

from pggit_daemon.model.transaction import TableName
from tests.unit.build import element
from tests.unit.tool_scene import HAND, TOOL, Scene

GOOSE = TableName("public", "goose_db_version")


def goose() -> Scene:
    return Scene("goose", GOOSE)


def row(number: int) -> dict[str, object]:
    return {"id": number, "version_id": number, "is_applied": True, "tstamp": "2026-03-01 10:00:00"}


def test_rows_behind_all_ddl_take_none_of_it() -> None:
    scene = goose()
    tx = scene.wal.begin(HAND)
    for _ in range(3):
        scene.ddl(tx, None)
    for number in (1, 2, 3):
        tx.insert(GOOSE, **row(number))
    tx.commit()
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "4")
    tx.insert(GOOSE, **row(4))
    tx.commit()
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine
    assert [str(link.evidence) for link in follower.reported] == ["none", "none", "none", "transaction"]


def test_runs_that_somebody_puts_into_one_transaction_are_told_apart() -> None:
    scene = goose()
    tx = scene.wal.begin(TOOL)
    for number in (1, 2):
        scene.ddl(tx, str(number))
        tx.insert(GOOSE, **row(number))
    tx.insert(GOOSE, **row(3))
    tx.commit()
    assert scene.linked(scene.follow()) == scene.mine


def test_a_batch_with_data_behind_its_ddl_is_a_tools() -> None:
    """Knex runs all that is new in one transaction."""
    scene = Scene("knex", TableName("public", "knex_migrations"))
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "1_a.js")
    for number, name in enumerate(("1_a.js", "2_b.js"), 1):
        tx.insert(scene.table, id=number, name=name, batch=1, migration_time="2026-03-01 10:00:00+00")
    tx.commit()
    assert scene.linked(scene.follow()) == scene.mine


@pytest.mark.parametrize("preset", ["goose", "knex"])
def test_a_table_that_gets_its_key_behind_its_rows_is_a_dumps(preset: str) -> None:
    """pg_dump adds keys to tables that are full, so a lone row took nothing either."""
    scene = Scene(preset, TableName("public", "moves"))
    columns = {"columns": [["id", "integer", True]]}
    tx = scene.wal.begin(HAND)
    tx.ddl("CREATE TABLE", element("public.moves") | {"shape": {**columns, "key": []}})
    scene.ddl(tx, None)
    more = {
        "goose": row(1),
        "knex": {"id": 1, "name": "1_a.js", "batch": 1, "migration_time": "2026-03-01 10:00:00+00"},
    }
    tx.insert(scene.table, **more[preset])
    tx.ddl("ALTER TABLE", element("public.moves") | {"shape": {**columns, "key": ["id"]}})
    scene.ddl(tx, None)
    tx.commit()
    assert scene.linked(scene.follow()) == {}


def test_a_number_that_is_there_with_its_table_was_loaded() -> None:
    """Sequel makes the table with a zero."""
    scene = Scene("sequel-integers", TableName("public", "schema_info"))
    tx = scene.wal.begin(HAND)
    scene.ddl(tx, None)
    tx.insert(scene.table, version=3)
    tx.commit()
    assert scene.linked(scene.follow()) == {}

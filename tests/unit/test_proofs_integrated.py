"""History tables that name the session which wrote a row: exact beside anybody, whatever the tool does otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pggit_daemon.interpret.requests import REQUESTS
from pggit_daemon.model.transaction import Row, RowChange, RowOp, TableName
from pggit_daemon.tools.source import Source
from tests.unit.build import JDBC, PRESETS, Follower, Tx, Wal, Who, flyway_row, who
from tests.unit.tool_scene import HAND, TOOL, Scene, wrong

SEQUEL = TableName("public", "schema_info")


def named(scene: Scene, tx: Tx, op: RowOp = RowOp.INSERT, **row: Any) -> None:
    """A row as the trigger of an integrated table leaves it: with the session that wrote it."""
    new, old = ({}, row) if op is RowOp.DELETE else (row, {})
    tx.changes.append(RowChange(scene.wal.next_lsn(), op, scene.table, new, old))
    name(scene, tx)


def name(scene: Scene, tx: Tx) -> None:
    """What the trigger writes."""
    told: Row = {
        "id": len(scene.wal.transactions) + 1,
        "action": "session",
        "pid": tx.session.key.pid,
        "backend_start": tx.session.key.started,
        "user_name": tx.session.profile.user,
        "recorded_at": scene.wal.now.isoformat(),
        "arguments": json.dumps({"schema": scene.table.schema, "table": scene.table.table}),
    }
    tx.changes.append(RowChange(scene.wal.next_lsn(), RowOp.INSERT, REQUESTS, told, {}))


def row(scene: Scene, session: Who, op: RowOp = RowOp.INSERT, **values: Any) -> None:
    tx = scene.wal.begin(session)
    named(scene, tx, op, **values)
    tx.commit()


@pytest.mark.parametrize("tag", ["DROP INDEX", "CREATE INDEX CONCURRENTLY"])
@pytest.mark.parametrize("tool", [TOOL, who(100, "psql", "app")], ids=["no name", "psql"])
def test_a_row_that_names_its_session_takes_what_that_ran(tag: str, tool: Who) -> None:
    """Also where its source's rows shared a transaction with their DDL so far, and one that looks as people's."""
    scene = Scene("dbmate", TableName("public", "schema_migrations"))
    tx = scene.wal.begin(tool)
    scene.ddl(tx, "1")
    named(scene, tx, version="1")
    tx.commit()
    scene.run(HAND, None)
    again = who(103, tool.profile.application_name, "app")  # of the next run, of which nothing else shows whose it is
    scene.run(again, "2", tag)
    scene.run(HAND, None, tag)
    row(scene, again, version="2")
    scene.run(HAND, None)
    row(scene, again, version="3")
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine


def test_under_the_lock_of_a_sibling_the_writer_is_the_one_that_ran_the_ddl() -> None:
    scene = Scene("rails", TableName("public", "schema_migrations"))
    rails, sibling = who(100, "bin/rails", "app"), who(101, "bin/rails", "app")
    alike = who(102, "bin/rails", "app")
    scene.lock(sibling)
    row(scene, rails, version="20260301000001")
    scene.run(alike, None)
    scene.run(rails, "20260301000002", "CREATE INDEX CONCURRENTLY")
    scene.run(alike, None)
    row(scene, rails, version="20260301000002")
    scene.unlock()
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_what_others_ran_under_the_writers_lock_is_not_the_writers() -> None:
    """A migration that changed data only, and a hand of the tool's own user that connected beside it."""
    scene = Scene("flyway", TableName("public", "flyway_schema_history"))
    flyway, hand = who(100, JDBC, "app"), who(101, "", "app")
    scene.lock(flyway)
    scene.run(hand, None)
    row(scene, flyway, **flyway_row(1, "1"))
    tx = scene.wal.begin(flyway)
    scene.ddl(tx, "2")
    named(scene, tx, **flyway_row(2, "2"))
    scene.run(hand, None)
    tx.commit()
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


def test_two_tools_under_the_lock_of_one_have_what_their_writers_ran() -> None:
    """Alembic's transaction is open while Flyway writes the row of a migration that changed data only."""
    wal = Wal()
    one, two = TableName("one", "flyway_schema_history"), TableName("two", "alembic_version")
    sources = [
        Source(table.schema, PRESETS[preset], table, preset_name=preset)
        for table, preset in ((one, "flyway"), (two, "alembic"))
    ]
    flyway, alembic = who(100, JDBC, "app"), who(200, "", "app")
    wal.locks |= dict.fromkeys(sources[0].advisory_keys, flyway)
    scene = Scene("alembic", two, wal=wal)
    scene.run(alembic, "r1")
    open_ = wal.begin(alembic)
    scene.ddl(open_, "r1")
    row(replace(scene, table=one), flyway, **flyway_row(1, "1"))
    open_.commit()
    row(scene, alembic, version_num="r1")
    follower = Follower(*sources).feed(*wal.transactions).finish(wal)
    assert scene.linked(follower) == scene.mine
    assert list(follower.links.values()) == ["none", "session"]


@pytest.mark.parametrize("restart", [False, True], ids=["in one go", "with a restart"])
def test_a_row_that_decoding_does_not_show_has_its_writer_all_the_same(*, restart: bool) -> None:
    """Somebody set the replica identity of an integrated table back. Of two sessions of one look one wrote the row."""
    scene = Scene("sequel-integers", SEQUEL)
    tx = scene.wal.begin(TOOL)
    named(scene, tx, version="0")
    tx.commit()
    scene.run(HAND, None, "CREATE INDEX CONCURRENTLY")
    scene.run(TOOL, "1", "CREATE INDEX CONCURRENTLY")
    scene.run(HAND, None, "CREATE INDEX CONCURRENTLY")
    tx = scene.wal.begin(TOOL)
    tx.undecodable(SEQUEL, {"version": "1"})
    name(scene, tx)
    tx.commit()
    follower = Follower(scene.source).feed(*scene.wal.transactions)
    if restart:
        follower.restart()
    follower.finish(scene.wal)
    assert scene.linked(follower) == scene.mine
    assert [link.evidence for link in follower.reported][-1:] == ["session"]

"""Flyway scripts of odd kinds: without objects, without a transaction, out of order, late; and callbacks."""

from __future__ import annotations

import pytest

from sandbox.flyway import NO_LOCK
from tests.acceptance.scenes import FLYWAY_TABLE, NOT_TRANSACTIONAL, Scene, until_there

TABLE = "public.flyway_schema_history"


def test_out_of_order(scene: Scene) -> None:
    scene.scripts(V1__a="CREATE TABLE a (id int);", V5__e="CREATE TABLE e (id int);")
    scene.flyway().migrate().check()
    scene.scripts(V3__c="CREATE TABLE c (id int);")
    scene.flyway().migrate(outOfOrder="true").check()
    assert scene.commits()[1:] == [
        "migration 1/lock: table public.a",
        "migration 5/lock: table public.e",
        "migration 3/lock: table public.c",
    ]
    assert scene.migrations() == ["1 1 a applied lock", "5 5 e applied lock", "3 3 c applied lock"]


def test_scripts_that_change_no_object(scene: Scene) -> None:
    """Data, nothing at all, a drop of what an earlier one made: what changes nothing is linked to what it saw."""
    scene.scripts(
        V1__a="CREATE TABLE a (id int);",
        V2__data="INSERT INTO a SELECT 1;",
        V3__empty="-- nothing",
        V4__drop="DROP TABLE a;",
        R__data="UPDATE pg_description SET description = description WHERE false;",
    )
    scene.flyway().migrate().check()
    assert scene.commits()[1:] == [
        "migration 1/lock 2/none 3/none: table public.a",
        "migration 4/lock data/none: table public.a",
    ]


def test_skipped_execution(scene: Scene) -> None:
    scene.scripts(V1__a="CREATE TABLE a (id int);", V2__b="CREATE TABLE b (id int);")
    scene.flyway().migrate(skipExecutingMigrations="true").check()
    assert scene.commits() == [FLYWAY_TABLE.replace("tool:", "tool 1/none 2/none:")]
    assert scene.migrations() == ["1 1 a applied none", "2 2 b applied none"]


def test_a_script_of_several_transactions(scene: Scene) -> None:
    """Statements that commit one by one are commits of one migration, also where a hand came between."""
    scene.scripts(
        V1__a="CREATE TABLE a (id int);",
        V2__b=f"CREATE TABLE b1 (id int);\n{until_there('by_hand')};\nCREATE TABLE b2 (id int);",
        V3__c="CREATE TABLE c1 (id int);\nCREATE TABLE c2 (id int);",
    )
    for name in ("V2__b", "V3__c"):
        scene.configure(name, NOT_TRANSACTIONAL)
    with scene.meanwhile("b1", "CREATE TABLE by_hand (id int)"):
        scene.flyway().migrate().check()
    scene.moment("the run")
    assert scene.commits()[1:] == [
        "migration 1/lock: table public.a",
        "migration 2/lock+: table public.b1",
        "out_of_band ada: table public.by_hand",
        "migration 2/lock: table public.b2",
        "migration 3/lock+: table public.c1",
        "migration 3/lock: table public.c2",
    ]
    assert scene.migrations() == ["1 1 a applied lock", "2 2 b applied lock", "3 3 c applied lock"]


def test_concurrent_index(scene: Scene) -> None:
    scene.scripts(V1__a="CREATE TABLE a (id int);", V2__i="CREATE INDEX CONCURRENTLY a_i ON a (id);")
    scene.flyway(config=NO_LOCK).migrate().check()
    scene.moment("the run")
    assert scene.commits()[1:] == ["migration 1/transaction: table public.a", "migration 2/lock: index public.a_i"]


@pytest.mark.parametrize("mode", [{}, {"group": "true"}, NO_LOCK], ids=["default", "group", "no-lock"])
def test_callbacks(scene: Scene, mode: dict[str, str]) -> None:
    """Callbacks around each migration are part of it; those around the run have connections of their own."""
    scene.scripts(
        V1__a="CREATE TABLE a (id int);",
        V2__b="CREATE TABLE b (id int);",
        beforeMigrate="CREATE TABLE IF NOT EXISTS before_run (id int);",
        beforeEachMigrate="CREATE TABLE IF NOT EXISTS before_each (id int);",
        afterEachMigrate="CREATE OR REPLACE VIEW after_each AS SELECT 1 AS one;",
        afterVersioned="CREATE TABLE IF NOT EXISTS after_versions (id int);",
        afterMigrate="CREATE TABLE IF NOT EXISTS after_run (id int);",
    )
    scene.flyway(config=mode).migrate(baselineOnMigrate="true", baselineVersion="0").check()
    evidence = "transaction" if "postgresql.transactional.lock" in mode else "lock"
    migrations = [
        f"migration 1/{evidence}: table public.a, table public.before_each, view public.after_each",
        f"migration 2/{evidence}: table public.b",
    ]
    if "group" in mode:
        both = "table public.a, table public.b, table public.before_each, view public.after_each"
        migrations = [f"migration 1/lock 2/lock: {both}"]
    assert scene.commits() == [
        FLYWAY_TABLE,
        "tool: table public.before_run",
        *migrations,
        "tool: table public.after_versions",
        "tool: table public.after_run",
    ]


def test_a_row_after_its_grace(unfollowed: Scene) -> None:
    """The script is longer than the grace: its lock is held, so that its DDL stays its own."""
    scene = unfollowed
    scene.follow(grace_seconds=0.5)
    scene.scripts(V1__a="CREATE TABLE a (id int);\nSELECT pg_sleep(3);")
    scene.configure("V1__a", NOT_TRANSACTIONAL)
    scene.flyway().migrate().check()
    assert scene.migrations() == ["1 1 a applied lock"]
    assert scene.commits() == [FLYWAY_TABLE, "migration 1/lock: table public.a"]

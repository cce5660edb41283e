"""Where a Flyway history begins and ends: baseline, made schemas, clean, and the daemon that comes later."""

from __future__ import annotations

import pytest

from sandbox.flyway import NO_LOCK
from sandbox.jars import FLYWAY_VERSIONS
from tests.acceptance.conftest import BOTH_PLUGINS
from tests.acceptance.scenes import FLYWAY_TABLE, Scene, flyway_table

TABLE = "public.flyway_schema_history"


def test_baseline_then_migrate(scene: Scene) -> None:
    """The baseline's row stands for what was there before, and for no DDL of its own."""
    scene.hand("CREATE TABLE old (id int)")
    scene.scripts(V1__old="CREATE TABLE old (id int);", V2__b="CREATE TABLE b (id int);")
    scene.flyway().run("baseline", "migrate", baselineVersion="1").check()
    assert scene.commits() == [
        "out_of_band ada: table public.old",
        FLYWAY_TABLE.replace("tool:", "tool 1/none:"),
        "migration 2/lock: table public.b",
    ]
    assert scene.migrations() == ["1 1 << Flyway Baseline >> baseline none", "2 2 b applied lock"]


@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
@pytest.mark.parametrize("config", [{}, NO_LOCK], ids=["default", "no-lock"])
def test_create_schema_migrate_clean_and_again(scene: Scene, version: str, config: dict[str, str]) -> None:
    """The schema is the tool's; clean drops it all in one commit of the tool, and the same versions come again."""
    flyway = scene.flyway(version=version, schema="app", config=config)
    evidence = "transaction" if config else "lock"
    scene.scripts(V1__a="CREATE TABLE app.a (id int);", R__v="CREATE OR REPLACE VIEW app.v AS SELECT id FROM app.a;")
    flyway.migrate().check()
    scene.moment("the first run")
    scene.hand("CREATE TABLE public.by_hand (id int)")
    flyway.clean().check()
    scene.moment("clean")
    table = "app.flyway_schema_history"
    once = [
        flyway_table(table, "schema app").replace("tool:", "tool << Flyway Schema Creation >>/none:"),
        f"migration 1/{evidence}: table app.a",
        f"migration v/{evidence}: view app.v",
    ]
    assert scene.commits() == [
        *once,
        "out_of_band ada: table public.by_hand",
        flyway_table(table, "table app.a", "view app.v"),
        "tool: schema app",
    ]
    assert [line.split(" unsuc")[0].rsplit(" ", 2)[1] for line in scene.migrations()] == ["cleared"] * 3
    flyway.migrate().check()
    scene.moment("the second run")
    assert scene.commits()[6:] == once
    assert [line.rsplit(" ", 2)[1] for line in scene.migrations()] == ["schema", "applied", "applied"]


@BOTH_PLUGINS
def test_own_table_name_and_several_schemas(scene: Scene) -> None:
    """A history table and a schema of hostile names, both made while the daemon runs; versions of several parts."""
    schema, table = 'My "odd" app', "the.history'\\ table"
    scene.scripts(
        **{
            "V1.2.3__a": "CREATE TABLE a (id int);",
            "V20240131120000__b": "CREATE TABLE other.b (id int);",
        }
    )
    flyway = scene.flyway(schema=f"{schema},other", table=table)
    flyway.migrate().check()
    scene.moment("the run")
    lines = scene.commits()
    assert lines[0].startswith("tool << Flyway Schema Creation >>/none: ")
    assert "schema other" in lines[0]
    assert lines[1:] == [
        'migration 1.2.3/lock: table "My ""odd"" app".a',
        "migration 20240131120000/lock: table other.b",
    ]
    assert scene.migrations()[1:] == [
        "1000000000000000001 1.2.3 a applied lock",
        "20240131120000 20240131120000 b applied lock",
    ]
    assert scene.value("SELECT name FROM pggit_daemon.source") == f"{schema}.{table}"


@BOTH_PLUGINS
def test_baseline_over_a_migrated_database(unfollowed: Scene) -> None:
    """What tools did before the daemon came is linked to its first commit; what they do later goes on from there."""
    scene = unfollowed
    scene.scripts(
        V1__a="CREATE TABLE a (id int);", V2__b="CREATE TABLE b (id int);", R__v="CREATE VIEW v AS SELECT 1 AS one;"
    )
    scene.flyway().migrate().check()
    scene.hand("CREATE TABLE by_hand (id int)")
    scene.follow()
    scene.moment("the baseline")
    scene.scripts(V3__c="CREATE TABLE c (id int);", R__v="CREATE OR REPLACE VIEW v AS SELECT 1 AS one, 2 AS two;")
    scene.flyway().migrate().check()
    scene.moment("the run after it")
    assert scene.commits(0)[0].startswith("baseline 1/baseline 2/baseline v/baseline: ")
    assert scene.commits() == ["migration 3/lock: table public.c", "migration v/lock: view public.v"]
    assert [line.rsplit(" ", 1)[1] for line in scene.migrations()] == ["baseline"] * 3 + ["lock"] * 2

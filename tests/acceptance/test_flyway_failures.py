"""Flyway scripts that fail, what they leave behind, and repair."""

from __future__ import annotations

import pytest

from sandbox.flyway import NO_LOCK
from sandbox.jars import FLYWAY_VERSIONS
from tests.acceptance.scenes import FLYWAY_TABLE, NOT_TRANSACTIONAL, Scene

TABLE = "public.flyway_schema_history"


def test_a_failing_transactional_script_leaves_nothing(scene: Scene) -> None:
    """It rolls back, without a row: the history is as if it had not been; the run after it goes on."""
    scene.scripts(V1__a="CREATE TABLE a (id int);", V2__b="CREATE TABLE b (id int); SELECT 1/0;")
    assert scene.flyway().migrate().exit_code == 1
    scene.scripts(V2__b="CREATE TABLE b (id int);")
    scene.flyway().migrate().check()
    assert scene.commits() == [FLYWAY_TABLE, "migration 1/lock: table public.a", "migration 2/lock: table public.b"]
    assert scene.events() == ["applied insert 1", "applied insert 2"]


@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
def test_a_failing_script_without_transaction_under_lock(scene: Scene, version: str) -> None:
    """What it committed stays, and no row tells of it: a commit of the tool's own, an orphan, not a hand's."""
    flyway = scene.flyway(version=version)
    scene.scripts(V1__a="CREATE TABLE a (id int);", V2__b="CREATE TABLE b (id int);\nSELECT 1/0;")
    scene.configure("V2__b", NOT_TRANSACTIONAL)
    assert flyway.migrate().exit_code == 1
    assert scene.commits() == [FLYWAY_TABLE, "migration 1/lock: table public.a", "tool: table public.b"]
    assert scene.value("SELECT metadata -> 'orphan' FROM pggit.commits ORDER BY id DESC LIMIT 1") is True
    flyway.repair().check()
    scene.scripts(V2__b="ALTER TABLE b ADD COLUMN note text;")
    flyway.migrate().check()
    scene.moment("the second try")
    assert scene.commits()[3:] == ["migration 2/lock: table public.b"]


@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
def test_a_failed_row_and_its_repair(scene: Scene, version: str) -> None:
    """With lock=false the failed row stays until repair removes it; then the version is applied anew."""
    flyway = scene.flyway(version=version, config=NO_LOCK)
    scene.scripts(V1__a="CREATE TABLE a (id int);", V2__b="CREATE TABLE b (id int);\nSELECT 1/0;")
    scene.configure("V2__b", NOT_TRANSACTIONAL)
    assert flyway.migrate().exit_code == 1
    assert scene.commits()[1:] == ["migration 1/transaction: table public.a", "migration 2/lock: table public.b"]
    assert scene.migrations()[1:] == ["2 2 b failed unsuccessful lock"]
    flyway.repair().check()
    assert scene.migrations()[1:] == ["2 2 b removed unsuccessful lock"]
    scene.scripts(V2__b="ALTER TABLE b ADD COLUMN note text;")
    flyway.migrate().check()
    scene.moment("the second try")
    assert scene.commits()[3:] == ["migration 2/lock: table public.b"]
    assert scene.migrations() == ["1 1 a applied transaction", "2 2 b applied lock"]
    assert scene.events() == ["applied insert 1", "failed insert 2", "removed delete 2", "applied insert 2"]


def test_repair_changes_checksums_and_marks_missing(scene: Scene) -> None:
    """A checksum that changed after the fact is a conflict; a missing script's migration becomes `deleted`."""
    scene.scripts(V1__a="CREATE TABLE a (id int);", V2__b="CREATE TABLE b (id int);", V3__c="SELECT 1;")
    scene.flyway().migrate().check()
    scene.scripts(V1__a="CREATE TABLE a (id int); -- edited", V2__b=None)
    before = len(scene.commits())
    scene.flyway().repair().check()
    assert scene.migrations() == ["1 1 a applied lock", "2 2 b deleted lock", "3 3 c applied none"]
    assert scene.events()[3:] == ["deleted insert 2", "checksum_changed update 1"]
    assert scene.value("SELECT string_agg(conflict_type || ' ' || object_identifier, ',') FROM pggit.conflicts") == (
        f"checksum_changed {TABLE} 1"
    )
    assert scene.value(
        "SELECT m.checksum = h.checksum::text FROM pggit.external_migrations AS m, flyway_schema_history AS h"
        " WHERE m.version = '1' AND h.version = '1'"
    )
    assert len(scene.commits()) == before, "repair changed no object"

"""How `log` names a migration of each tool: by the words that the tool itself uses, with the time it took.

A row is as the tool writes it; what stands behind it is the message of its commit, and the milliseconds.
"""

from __future__ import annotations

from typing import Any

import pytest

from pggit_daemon.attribute.attribution import late_attribution, taker_of
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent
from pggit_daemon.model.migration import HistoryChange, Migration
from tests.unit.build import PRESETS
from tests.unit.test_tool_histories import Table

PRISMA = {"id": "a", "checksum": "cc", "logs": None, "rolled_back_at": None, "applied_steps_count": 1}
LIQUIBASE = {"id": "7", "author": "ann", "filename": "db/log.xml", "orderexecuted": 1, "exectype": "EXECUTED"}
FLYWAY = {"installed_rank": 7, "version": "1.2", "description": "add phone 2", "type": "SQL", "success": True}
SQITCH = {"event": "deploy", "change_id": "h", "project": "shop", "note": "a note", "committed_at": "…"}

ROWS: list[tuple[str, dict[str, Any], str, int | None]] = [
    ("alembic", {"version_num": "3f2a9c1b0d4e"}, "alembic: 3f2a9c1b0d4e", None),
    (
        "db-migrate",
        {"id": 3, "name": "/20260101000001-m1", "run_on": "2026-01-01 10:00:00"},
        "db-migrate: /20260101000001-m1",
        None,
    ),
    ("dbmate", {"version": "20260101000001"}, "dbmate: 20260101000001", None),
    ("diesel", {"version": "20260101000001", "run_on": "…"}, "diesel: 20260101000001", None),
    (
        "django",
        {"id": 3, "app": "shop", "name": "0002_x", "applied": "2026-01-01 10:00:00+00"},
        "django: shop 0002_x",
        None,
    ),
    (
        "doctrine",
        {"version": "App\\Migrations\\Version20260101000001", "executed_at": "…", "execution_time": 12},
        "doctrine: App\\Migrations\\Version20260101000001",
        12,
    ),
    ("drizzle", {"id": 3, "hash": "5d41402abc", "created_at": 1767225600001}, "drizzle: 5d41402abc", None),
    ("ecto", {"version": 20260101000001, "inserted_at": "…"}, "ecto: 20260101000001", None),
    (
        "ef-core",
        {"MigrationId": "20260101000001_AddPhone", "ProductVersion": "9.0.0"},
        "ef-core: 20260101000001_AddPhone",
        None,
    ),
    ("flyway", FLYWAY | {"execution_time": 12}, "flyway: 1.2 add phone 2", 12),
    ("golang-migrate", {"version": 7, "dirty": False}, "golang-migrate: 7", None),
    ("goose", {"id": 9, "version_id": 3, "is_applied": True, "tstamp": "…"}, "goose: 3", None),
    (
        "graphile-migrate",
        {"hash": "sha1:a", "previous_hash": None, "filename": "000003.sql", "date": "…"},
        "graphile-migrate: 000003.sql",
        None,
    ),
    ("knex", {"id": 3, "name": "20260101000001_add_phone2.js", "batch": 1}, "knex: 20260101000001_add_phone2.js", None),
    (
        "laravel",
        {"id": 3, "migration": "2026_01_01_000001_add_phone2", "batch": 1},
        "laravel: 2026_01_01_000001_add_phone2",
        None,
    ),
    ("ley", {"id": 3, "name": "001-m1.js", "created_at": "…"}, "ley: 001-m1.js", None),
    ("liquibase", LIQUIBASE, "liquibase: db/log.xml::7::ann", None),
    (
        "marv",
        {"level": 3, "comment": "add phone 2", "timestamp": "…", "checksum": "aa", "namespace": "default"},
        "marv: default 3 add phone 2",
        None,
    ),
    (
        "mikro-orm",
        {"id": 3, "name": "Migration20260101000001", "executed_at": "…"},
        "mikro-orm: Migration20260101000001",
        None,
    ),
    ("mojo", {"name": "app", "version": 3}, "mojo: app 0 -> 3", None),
    (
        "mybatis",
        {"id": 20260101000001, "applied_at": "…", "description": "add phone 2"},
        "mybatis: 20260101000001 add phone 2",
        None,
    ),
    (
        "node-pg-migrate",
        {"id": 3, "name": "1767225600001_m1", "run_on": "…"},
        "node-pg-migrate: 1767225600001_m1",
        None,
    ),
    ("peewee-migrate", {"id": 3, "name": "003_m3", "migrated_at": "…"}, "peewee-migrate: 003_m3", None),
    (
        "pgmigrate",
        {"version": 3, "description": "add phone 2", "type": "auto", "installed_by": "a"},
        "pgmigrate: 3 add phone 2",
        None,
    ),
    (
        "phinx",
        {
            "version": 20260101000001,
            "migration_name": "AddPhone2",
            "start_time": "2026-01-01 10:00:00",
            "end_time": "2026-01-01 10:00:02",
        },
        "phinx: 20260101000001 AddPhone2",
        None,
    ),
    (
        "pogo",
        {"migration_hash": "aa", "migration_id": "20260101_01_x-m1", "schema_name": "public"},
        "pogo: public 20260101_01_x-m1",
        None,
    ),
    ("postgrator", {"version": 3, "name": "m3", "md5": "aa", "run_at": "…"}, "postgrator: 3 m3", None),
    (
        "postgres-migrations",
        {"id": 3, "name": "add-phone2", "hash": "aa", "executed_at": "…"},
        "postgres-migrations: 3 add-phone2",
        None,
    ),
    (
        "prisma",
        PRISMA | {"migration_name": "20260101000001_add_phone2", "started_at": "…", "finished_at": "…"},
        "prisma: 20260101000001_add_phone2",
        None,
    ),
    ("rails", {"version": "20260101000001"}, "rails: 20260101000001", None),
    ("refinery", {"version": 3, "name": "m3", "applied_on": "…", "checksum": "77"}, "refinery: 3 m3", None),
    ("sequel", {"filename": "20260101000001_m1.rb"}, "sequel: 20260101000001_m1.rb", None),
    ("sequel-integers", {"version": 3}, "sequel: 2 -> 3", None),
    ("sequelize", {"name": "20260101000001-m1.js"}, "sequelize: 20260101000001-m1.js", None),
    ("sqitch", SQITCH | {"change": "add_phone2"}, "sqitch: add_phone2 a note", None),
    ("sql-migrate", {"id": "0003_m3.sql", "applied_at": "…"}, "sql-migrate: 0003_m3.sql", None),
    (
        "sqlx",
        {"version": 3, "description": "add phone 2", "success": True, "execution_time": 7_654_321},
        "sqlx: 3 add phone 2",
        7,
    ),
    (
        "supabase",
        {"version": "20260101000001", "statements": None, "name": "add_phone2"},
        "supabase: 20260101000001 add_phone2",
        None,
    ),
    ("tern", {"version": 3}, "tern: 2 -> 3", None),
    (
        "typeorm",
        {"id": 3, "timestamp": 1700000000001, "name": "AddPhone21700000000001"},
        "typeorm: AddPhone21700000000001",
        None,
    ),
    (
        "yoyo",
        {"id": "r1", "migration_hash": "h", "migration_id": "0001.add-phone-2", "operation": "apply", "username": "u"},
        "yoyo: 0001.add-phone-2",
        None,
    ),
]


def message_of(found: tuple[HistoryChange, ...]) -> str:
    """The message of the commit that a row takes."""
    taker = taker_of(HistoryRowEvent(found), Evidence.TRANSACTION, part=False)
    return late_attribution("c", [taker]).message


def read(preset: str, row: dict[str, Any]) -> tuple[str, Migration]:
    """The message of its commit, and the migration."""
    table = Table(preset)
    *_, found = table.ledger.read_run([table.i(**row)])
    migration = found[-1].migration
    assert migration is not None
    return message_of(found), migration


@pytest.mark.parametrize(("preset", "row", "message", "ms"), ROWS, ids=[row[0] for row in ROWS])
def test_a_migration_is_named_as_its_tool_names_it(
    preset: str, row: dict[str, Any], message: str, ms: int | None
) -> None:
    found, migration = read(preset, row)
    assert (found, migration.execution_ms) == (message, ms)


def test_each_preset_has_its_row() -> None:
    assert {preset for preset, *_ in ROWS} == set(PRESETS)


STEPS: list[tuple[str, list[dict[str, Any]], str]] = [
    (
        "alembic",
        [{"version_num": "3f2a9c1b"}, {"version_num": "9c1b7e2d"}],
        "alembic: 3f2a9c1b -> 9c1b7e2d",
    ),
    ("tern", [{"version": 1}, {"version": 2}], "tern: 1 -> 2"),
    ("tern", [{"version": 2}, {"version": 1}], "tern: roll back 2 -> 1"),
    ("mojo", [{"name": "app", "version": 3}, {"name": "app", "version": 5}], "mojo: app 3 -> 5"),
    ("mojo", [{"name": "app", "version": 5}, {"name": "app", "version": 3}], "mojo: roll back app 5 -> 3"),
]


@pytest.mark.parametrize(("preset", "steps", "message"), STEPS, ids=[step[2] for step in STEPS])
def test_a_step_is_named_from_where_to_where(preset: str, steps: list[dict[str, Any]], message: str) -> None:
    """Where the table holds only how far it is: with what the number is of, as two may stand in one table."""
    table = Table(preset)
    before, after = steps
    table.ledger.read(table.i(**before))
    [found] = table.ledger.read_run([table.u(after, before)])
    assert message_of(found) == message


@pytest.mark.parametrize(
    ("version", "name", "message"),
    [
        ("13", "3", "postgrator: 13 3"),
        ("20260101000001", "add 1", "postgrator: 20260101000001 add 1"),
        ("3", "v3", "postgrator: 3 v3"),
        ("3", "3", "postgrator: 3"),
    ],
)
def test_a_name_with_a_number_in_it_is_said_in_full(version: str, name: str, message: str) -> None:
    """It is left out only where it is a word of the version."""
    assert read("postgrator", {"version": version, "name": name, "md5": "aa", "run_at": "…"})[0] == message


@pytest.mark.parametrize(
    ("unit", "took", "ms"),
    [("ns", 7_654_321, 7), ("us", 7_654, 7), ("ms", 7, 7), ("s", "1.5", 1500), ("interval", "00:00:01.25", 1250)],
)
def test_the_time_it_took_is_in_milliseconds_whatever_the_unit(unit: str, took: object, ms: int) -> None:
    preset = PRESETS["sqlx"]
    in_unit = preset.model_copy(update={"migration": preset.migration.model_copy(update={"execution_unit": unit})})
    table = Table("sqlx")
    table.ledger = Ledger("public.history", in_unit)
    row = {"version": 3, "description": "add phone 2", "success": True, "execution_time": took}
    [change] = table.ledger.read(table.i(**row))
    assert change.migration is not None
    assert change.migration.execution_ms == ms

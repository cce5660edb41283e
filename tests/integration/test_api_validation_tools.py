"""validate_migrations and impact over every preset: gaps, order and checksums by the tool's own rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sandbox.databases import Databases
from tests.unit.build import PRESETS

Connection = psycopg.Connection[Any]

RULES = {
    "counted": "graphile-migrate marv peewee-migrate postgres-migrations sequel-integers tern",
    "dated": "db-migrate dbmate diesel doctrine drizzle ecto ef-core knex laravel mikro-orm mybatis node-pg-migrate"
    " phinx pogo prisma rails sequel sequelize supabase typeorm",
    "arrival": "alembic django mojo sqitch",
    "by look": "flyway golang-migrate goose ley liquibase pgmigrate postgrator refinery sql-migrate sqlx yoyo",
}
"""What each tool's numbers are: its own count, dates, nothing, or whatever its team likes."""

RULE_OF = {preset: rule for rule, presets in RULES.items() for preset in presets.split()}

SHORT = (1, 2, 5, 4)
DATED = (20260101000001, 20260103000001, 20260105000001, 20260104000001)


@pytest.fixture(scope="module")
def conn(cluster: Databases, installed_template: str) -> Iterator[Connection]:
    """Every preset has two sources: in one numbers are short, in the other they are dates; the last came late."""
    cluster.create_database("api_validation_tools", installed_template)
    with psycopg.connect(cluster.dsn("api_validation_tools"), autocommit=True) as connection:
        connection.execute("ALTER TABLE pggit.external_migrations DISABLE TRIGGER USER")
        connection.execute("INSERT INTO pggit.commits (hash, branch_id, kind) VALUES ('h', 1, 'migration')")
        for preset in PRESETS:
            for look, numbers in (("short", SHORT), ("dates", DATED)):
                _follow(connection, preset, f"{preset} {look}", numbers)
        yield connection
    cluster.drop_database("api_validation_tools")


def _follow(conn: Connection, preset: str, source: str, numbers: tuple[int, ...]) -> None:
    offered = PRESETS[preset]
    conn.execute(
        """
        SELECT pggit_daemon.store_put_source(jsonb_build_object(
            'name', %s::text, 'tool', %s::text, 'preset', %s::text, 'schema', 'public', 'table', 'history',
            'origin', 'discovered', 'number_order', %s::text))
        """,
        [source, offered.tool, preset, offered.migration.order],
    )
    for sequence, number in enumerate(numbers, 1):
        conn.execute(
            """
            INSERT INTO pggit.external_migrations
                (tool_name, source, migration_id, version, sequence, status, success, pggit_commit_id, evidence)
            SELECT %s, %s, %s, %s, %s, 'applied', true, id, 'transaction' FROM pggit.commits
            """,
            [offered.tool, source, number, str(number), sequence],
        )


def _found(conn: Connection, source: str) -> set[tuple[str, str]]:
    rows = conn.execute(
        "SELECT status, message FROM pggit.validate_migrations(%s) WHERE status <> 'pending'", [source]
    ).fetchall()
    return {(status, message) for status, message in rows}


def test_every_preset_has_its_rule() -> None:
    """The preset says it, and where it says nothing the numbers' look decides."""
    assert {preset: one.migration.order or "by look" for preset, one in PRESETS.items()} == RULE_OF


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_gaps_and_order_are_the_tools_own(conn: Connection, preset: str) -> None:
    rule = RULE_OF[preset]
    late = {"short": ("out_of_order", "Migration was applied after 5")}
    late["dates"] = ("out_of_order", f"Migration was applied after {DATED[2]}")
    gap = ("gap", "Missing migration 3")
    for look, one in late.items():
        expected = {one} if rule != "arrival" else set()
        expected |= {gap} if look == "short" and rule in {"counted", "by look"} else set()
        assert _found(conn, f"{preset} {look}") == expected


def test_a_change_of_a_checksum_is_told_only_of_tools_that_have_one() -> None:
    """The rules say so for each update: of a tool without a column for it there is none."""
    told = {
        name
        for name, preset in PRESETS.items()
        if any(rule.means == "checksum_changed" for rule in (*preset.update, *preset.insert, *preset.delete))
    }
    assert told == {"flyway", "liquibase", "postgrator", "postgres-migrations", "prisma", "sqlx"}
    assert all(PRESETS[name].migration.checksum is not None for name in told)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_impact_is_told_by_tool_and_by_source(conn: Connection, preset: str) -> None:
    """Other tools have migrations of the same number, each with a table of its own."""
    with conn.transaction(force_rollback=True):
        conn.execute(
            """
            INSERT INTO pggit.commits (hash, branch_id, kind)
            SELECT m.source, 1, 'migration' FROM pggit.external_migrations AS m WHERE m.migration_id = 5;
            INSERT INTO pggit_daemon.blob (sha256, definition, depends) VALUES ('a', 'A', '{}');
            INSERT INTO pggit_daemon.object_version
                (type, identity, schema_name, classid, objid, blob, from_commit)
            SELECT 'table', 'public.' || quote_ident(c.hash), 'public', 1259, c.id, 'a', c.id
              FROM pggit.commits AS c WHERE c.hash LIKE '% short';
            UPDATE pggit.external_migrations AS m SET pggit_commit_id = c.id
              FROM pggit.commits AS c WHERE c.hash = m.source;
            INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence)
            SELECT m.tool_name, m.source, m.migration_id, m.pggit_commit_id, 'transaction'
              FROM pggit.external_migrations AS m WHERE m.migration_id = 5;
            """
        )
        mine = ("table", f'public."{preset} short"', "CREATE", "medium", PRESETS[preset].tool, f"{preset} short")
        asked = "SELECT * FROM pggit.analyze_migration_impact(5, %s)"
        assert conn.execute(asked, [f"{preset} short"]).fetchall() == [mine]
        assert mine in conn.execute(asked, [PRESETS[preset].tool]).fetchall()

"""Several tools in one database: each table is its own tool's, or nobody's."""

from __future__ import annotations

import pytest

from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.registry import Registry
from tests.unit.build import PRESETS
from tests.unit.shapes import FLYWAY, KNOWN, shape

DBMATE = shape("version varchar", "version")
RAILS_BESIDE = shape("key varchar, value varchar, created_at timestamp, updated_at timestamp", "key")


def taken(registry: Registry) -> dict[str, str]:
    return {str(source.table): source.preset_name for source in registry.histories}


def learn(registry: Registry, *tables: tuple[str, str, Shape]) -> dict[str, str]:
    for schema, name, found in tables:
        registry.learn(TableName(schema, name), found)
    return taken(registry)


def test_two_tools_whose_tables_look_the_same_are_told_by_what_stands_beside_them() -> None:
    """Rails has another table beside its own; in a schema of its own dbmate's table stands alone."""
    found = learn(
        Registry(PRESETS),
        ("one", "schema_migrations", DBMATE),
        ("two", "schema_migrations", DBMATE),
        ("two", "ar_internal_metadata", RAILS_BESIDE),
    )
    assert found == {"one.schema_migrations": "dbmate", "two.schema_migrations": "rails"}


def test_two_tools_whose_tables_have_one_name_are_told_by_their_columns() -> None:
    found = learn(
        Registry(PRESETS),
        ("one", "migrations", shape("id int, name varchar, run_on timestamp", "id")),
        ("two", "migrations", next(one.shape for one in KNOWN if one.preset == "ley")),
    )
    assert found == {"one.migrations": "db-migrate", "two.migrations": "ley"}


def test_a_tool_in_each_of_fifty_schemas_beside_flyway_and_liquibase() -> None:
    many = [(f"tenant_{number}", "schema_migrations", DBMATE) for number in range(50)]
    found = learn(
        Registry(PRESETS),
        ("public", "flyway_schema_history", shape(FLYWAY, "installed_rank")),
        ("public", "databasechangelog", _of("liquibase")),
        *many,
    )
    assert found == {
        "public.flyway_schema_history": "flyway",
        "public.databasechangelog": "liquibase",
        **{f"{schema}.{name}": "dbmate" for schema, name, _ in many},
    }


@pytest.mark.parametrize("name", ["schema_migrations", "schema_version", "migrations", "history", "schema_info"])
@pytest.mark.parametrize(
    "mine",
    [
        shape("version varchar"),
        shape("version int", "version"),
        shape("version text, note text", "version"),
        shape("version varchar, who varchar", "version"),
    ],
    ids=["no key", "a number", "text and more", "more"],
)
def test_an_applications_own_table_of_versions_is_no_tools(name: str, mine: Shape) -> None:
    """Never the wrong tool's: it is nobody's, or of a tool whose table is exactly like that."""
    found = learn(Registry(PRESETS), ("app", name, mine))
    exact = {one.preset for one in KNOWN if one.shape == mine and one.table.table == name}
    assert set(found.values()) <= exact


def _of(preset: str) -> Shape:
    return next(one.shape for one in KNOWN if one.preset == preset)

"""Tables that may be a history table and are no source: people are told, and told nothing of all the others."""

from __future__ import annotations

import pytest

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.doubts import doubt
from pggit_daemon.tools.preset import packaged
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.seen import Seen
from tests.unit.shapes import FLYWAY, shape

PRESETS = dict(packaged())
TWINS = PRESETS | {"twin": PRESETS["ley"]}
LEY = shape("id int, name varchar, created_at timestamp", "id")
WHOLE = shape(FLYWAY, "installed_rank")
COPY = Shape(WHOLE.columns, key=(), copied=True)


@pytest.mark.parametrize(
    ("name", "looks", "told"),
    [
        (
            "migrations",
            shape("id int, migration varchar, batch int, who text", "id"),
            "is nearly laravel's: column who is not the tool's",
        ),
        (
            "alembic_version",
            shape("version_num text", "version_num"),
            "is nearly alembic's: column version_num is text, not character varying",
        ),
        (
            "flyway_schema_history",
            COPY,
            (
                "is nearly flyway's: its primary key is (), not (installed_rank); it is a copy: "
                "made by CREATE TABLE AS, with all its rows at once"
            ),
        ),
        # An application's own tables, and copies that somebody keeps, are nobody's business.
        ("versions", shape("version varchar", "version"), None),
        ("migrations", shape("animal text, season text"), None),
        ("flyway_backup", COPY, None),
        ("flyway_schema_history", WHOLE, None),
    ],
)
def test_what_people_are_told_of_a_table(name: str, looks: Shape, told: str | None) -> None:
    found = doubt(PRESETS, TableName("public", name), looks)
    assert (None if found is None else str(found)) == (None if told is None else f"public.{name} {told}")


def test_a_table_that_fits_two_tools_is_told_once() -> None:
    registry = Registry(TWINS)
    table = TableName("public", "migrations")
    registry.look(Seen(table, LEY, 1, LSN(1)))
    assert [str(one) for one in registry.new_doubts()] == ["public.migrations fits several tools: ley, twin"]
    registry.look(Seen(table, LEY, 1, LSN(2)))
    assert registry.new_doubts() == []


def test_the_copy_that_takes_the_place_of_a_history_table_is_told_when_it_is_made() -> None:
    """As Flyway's upgrade from 4 to 5 by hand: without a key it is no source, and its history would end unseen."""
    registry = Registry(PRESETS)
    registry.look(Seen(TableName("public", "schema_version"), WHOLE, 1, LSN(1)))
    new = TableName("public", "flyway_schema_history")
    assert not registry.look(Seen(new, COPY, 2, LSN(2)))
    (told,) = registry.new_doubts()
    assert (told.table, told.nearest) == (new, "flyway")
    assert "tools explain public.flyway_schema_history" in told.hint
    assert registry.look(Seen(new, WHOLE, 2, LSN(3))), "with its key it is one"

"""The presets that come with the package: each knows its own tool's table, and no other's."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

import pytest
from pydantic import ValidationError

from pggit_daemon.model.session import Profile, Session, SessionKey
from pggit_daemon.model.shape import Column, Shape, TableKind
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.preset import MigrationColumns, Preset, SessionHints, custom, packaged
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.seen import Seen
from tests.unit.build import PRESETS
from tests.unit.shapes import KNOWN, LOCK_TABLES, STRANGERS, Known

IDS = [f"{one.preset} {one.table}" for one in KNOWN]


def _registry(known: Known) -> Registry:
    """Has seen what stands beside, as far as it matters to anybody."""
    registry = Registry(PRESETS)
    for name in known.beside:
        registry.look(
            Seen(TableName(known.table.schema, name), Shape((Column("key", "text", not_null=True),), ("key",)))
        )
    return registry


def test_every_preset_has_a_table_of_its_tool_to_be_held_against() -> None:
    assert {one.preset for one in KNOWN} == set(PRESETS)


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_a_tools_table_fits_its_preset_and_no_other(known: Known) -> None:
    """Over all presets: two that fit one table would be an error of the package."""
    registry = _registry(known)
    assert registry.look(Seen(known.table, known.shape))
    assert registry.fitting(Seen(known.table, known.shape)) == (known.preset,)
    source = registry.at(known.table)
    assert source is not None
    assert (source.tool, source.preset_name) == (PRESETS[known.preset].tool, known.preset)
    assert registry.ambiguous == {}


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_a_copy_of_it_is_no_history(known: Known) -> None:
    """CREATE TABLE AS takes all rows at once: nobody ran anything."""
    copied = replace(known.shape, key=(), copied=True)
    registry = _registry(known)
    assert not registry.look(Seen(replace(known.table, table=f"{known.table.table}"), copied))
    assert registry.at(known.table) is None


@pytest.mark.parametrize("known", [one for one in KNOWN if one.shape.key or one.preset == "liquibase"], ids=str)
def test_a_copy_is_known_in_the_catalog_too(known: Known) -> None:
    """There it has no key, and nothing is NOT NULL; tables that have no key by nature cannot be told."""
    bare = tuple(replace(column, not_null=False) for column in known.shape.columns)
    registry = _registry(known)
    registry.look(Seen(known.table, replace(known.shape, columns=bare, key=())))
    assert registry.at(known.table) is None or known.preset in {"marv", "pogo"}


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_a_column_more_makes_it_another_table(known: Known) -> None:
    more = replace(known.shape, columns=(*known.shape.columns, Column("colour", "text")))
    found = _registry(known).fitting(Seen(known.table, more))
    assert found == ((known.preset,) if PRESETS[known.preset].table.more else ())


@pytest.mark.parametrize(("what", "name", "shape"), STRANGERS, ids=[what for what, _, _ in STRANGERS])
def test_tables_of_applications_are_no_history(what: str, name: str, shape: Shape) -> None:
    registry = Registry(PRESETS)
    assert not registry.look(Seen(TableName("public", name), shape)), what
    assert registry.sources == {}


@pytest.mark.parametrize("kind", [TableKind.PARTITION, TableKind.CHILD])
def test_a_part_of_somebody_elses_table_is_no_history(kind: TableKind) -> None:
    known = KNOWN[0]
    registry = Registry(PRESETS)
    assert not registry.look(Seen(known.table, replace(known.shape, kind=kind, parent="public.whole")))


@pytest.mark.parametrize(("preset", "table", "shape"), LOCK_TABLES, ids=[one for one, _, _ in LOCK_TABLES])
def test_lock_tables_are_known_by_their_own_tool(preset: str, table: TableName, shape: Shape) -> None:
    registry = Registry(PRESETS)
    assert registry.look(Seen(table, shape))
    assert registry.locks.presets_of == {table: frozenset({preset})}
    assert registry.locks.rules(table) is PRESETS[preset].lock_row


def test_two_presets_of_one_table_make_no_source_but_are_told() -> None:
    twin = PRESETS["typeorm"].model_copy(update={"tool": "twin"})
    registry = Registry({**PRESETS, "twin": twin})
    known = next(one for one in KNOWN if one.preset == "typeorm")
    assert not registry.look(Seen(known.table, known.shape))
    assert registry.ambiguous == {known.table: ("typeorm", "twin")}
    ranked = Registry({**PRESETS, "twin": twin.model_copy(update={"rank": 1})})
    assert ranked.look(Seen(known.table, known.shape))
    assert [source.tool for source in ranked.sources.values()] == ["twin"]


def test_every_file_says_where_its_facts_come_from() -> None:
    for file in resources.files("pggit_daemon.tools.presets").iterdir():
        if file.name.endswith(".toml"):
            first = file.read_text("utf-8").partition("tool = ")[0]
            assert first.startswith("# "), file.name
            assert any(word in first.lower() for word in ("run with", "source", "documentation")), file.name


def test_what_people_type_is_no_tools_but_sqitchs() -> None:
    """Its DDL is run by psql; sources of somebody's own may be scripts for psql, too."""
    typed = Session(SessionKey(1, "now"), Profile("ann", "psql", None), "ann")
    assert {stem for stem, preset in packaged() if not preset.session.rule_out(typed)} == {"sqitch"}
    own = custom("own", MigrationColumns(version=("a",)), window=True, session=SessionHints())
    assert not own.session.rule_out(typed)


def test_every_tool_can_be_proven_somehow() -> None:
    assert {stem for stem, preset in packaged() if not preset.proof} == set()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": ("nothing",)}, "not a column of its table: nothing"),
        ({"state": {"number": "id"}}, r"model state and section \[state\] go together"),
        ({"model": "state"}, r"model state and section \[state\] go together"),
        ({"migration": {"version": ("name",), "number": "abc"}}, "a pattern with one group"),
        ({"migration": {"version": ("name",), "unique": ("id",)}}, "unique: only of the model events"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"proof": ({"by": "hope"},)}, "does not match any of the expected tags"),
        ({"proof": ({"by": "advisory_lock", "holder": "own", "key": {"number": 1, "hash": "crc32"}},)}, "key: allowed"),
    ],
)
def test_a_preset_that_does_not_hang_together_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Preset.model_validate(PRESETS["typeorm"].model_dump() | change)

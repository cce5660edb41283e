"""No table is two tools': of all the looks that a tool's table may have, none fits two presets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib import resources

import pytest

from pggit_daemon.config import parse
from pggit_daemon.errors import ConfigError
from pggit_daemon.model.shape import Column, Shape
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.overlaps import may_both_fit, rivals
from pggit_daemon.tools.preset import packaged
from pggit_daemon.tools.table import TableRule

PRESETS = dict(packaged())
TYPES_TRIED = 64
"""Combinations of types of one set of columns."""

NAMES = sorted({one.table.name for one in PRESETS.values() if one.table.name is not None} | {"whatever"})
SCHEMAS = sorted({schema.replace("*", "x") for one in PRESETS.values() for schema in one.table.schemas} | {"public"})
COMPANIONS = sorted({name for one in PRESETS.values() for name in (*one.table.beside, *one.table.without)})
NEIGHBOURS = ((), *((name,) for name in COMPANIONS), tuple(COMPANIONS))


def types_of(pattern: str) -> Iterator[str]:
    """Types that a pattern of a preset means."""
    for one in pattern.split("|"):
        if one == "*":
            yield from ("text", "integer", "timestamp with time zone")
        elif one.endswith("*"):
            yield from (one.replace("*", " with time zone"), one.replace("*", " without time zone"))
        else:
            yield one.replace("[[]]", "[]")


def shapes_of(rule: TableRule, key: tuple[str, ...]) -> Iterator[Shape]:
    """With any of its optional columns, in any of the types that it allows."""
    for number in range(len(rule.optional) + 1):
        for optional in itertools.combinations(rule.optional, number):
            columns = {**rule.columns, **{name: rule.optional[name] for name in optional}}
            combinations = itertools.product(*map(types_of, columns.values()))
            for types in itertools.islice(combinations, TYPES_TRIED):
                filled = {*key, *rule.not_null}
                yield Shape(
                    tuple(Column(name, kind, name in filled) for name, kind in zip(columns, types, strict=True)), key
                )


@pytest.mark.parametrize("stem", PRESETS)
def test_no_table_that_a_preset_means_fits_another_one_as_well(stem: str) -> None:
    preset, tried = PRESETS[stem], 0
    keys = {preset.table.key} if preset.table.key is not None else {(), preset.key}
    for key in keys:
        for shape in shapes_of(preset.table, key or ()):
            tried += 1
            alike = {name: one for name, one in PRESETS.items() if _by_columns(one.table).fits(ANYWHERE, shape)}
            assert stem in alike
            for name, schema, neighbours in itertools.product(NAMES, SCHEMAS, NEIGHBOURS) if len(alike) > 1 else ():
                table, beside = TableName(schema, name), {*neighbours, name}
                fitting = {other: one.rank for other, one in alike.items() if one.table.fits(table, shape, beside)}
                best = [other for other, rank in fitting.items() if rank == max(fitting.values())]
                assert len(best) <= 1, f"{table} beside {neighbours}"
    assert tried


ANYWHERE = TableName("any", "any")


def _by_columns(rule: TableRule) -> TableRule:
    return rule.model_copy(update={"names": (), "schemas": (), "beside": (), "without": ()})


@pytest.mark.parametrize("stem", PRESETS)
def test_no_two_presets_of_the_package_are_rivals(stem: str) -> None:
    assert rivals(stem, PRESETS) == ()


ONE = TableRule(columns={"id": "integer|bigint", "name": "text"})


@pytest.mark.parametrize(
    ("other", "both"),
    [
        (ONE, True),
        (ONE.model_copy(update={"columns": {"id": "integer|bigint"}}), False),
        (ONE.model_copy(update={"columns": {"id": "integer"}, "optional": {"name": "*"}}), True),
        (ONE.model_copy(update={"columns": {"id": "integer"}, "more": True}), True),
        (ONE.model_copy(update={"columns": {"id": "uuid", "name": "text"}}), False),
        (ONE.model_copy(update={"columns": {"id": "*int", "name": "te?t|uuid"}}), True),
        (ONE.model_copy(update={"columns": {"id": "integer", "name": "text", "at": "date"}}), False),
        (ONE.model_copy(update={"key": ("id",)}), True),
    ],
)
def test_columns_and_types_tell_two_rules_apart(other: TableRule, *, both: bool) -> None:
    assert may_both_fit(ONE, other) == both
    assert may_both_fit(other, ONE) == both


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"key": ("id",)}, {"key": ("name",)}, False),
        ({"names": ("a*",)}, {"names": ("*b", "c")}, True),
        ({"names": ("a*",)}, {"names": ("b*",)}, False),
        ({"names": ("moves_[ab]",)}, {"names": ("moves_b",)}, True),
        ({"names": ("moves_[ab]",)}, {"names": ("moves_c",)}, False),
        ({"names": ("moves_[ab]",)}, {"names": ("moves_?",)}, True),
        ({"names": ("moves_[!]a]",)}, {"names": ("moves_b",)}, True),
        ({"names": ("moves_[!]a]",)}, {"names": ("moves_a",)}, False),
        ({"names": ("a?c",)}, {"names": ("a*d",)}, False),
        ({"names": ("*" + "a*b*" * 12,)}, {"names": ("*" + "c*d*" * 12 + "x",)}, True),
        ({"names": ("*" + "a*b*" * 12 + "y",)}, {"names": ("*" + "c*d*" * 12 + "x",)}, False),
        ({"names": ("a" * 2000,)}, {"names": ("a" * 2000 + "b",)}, False),
        ({"schemas": ("ops",)}, {"schemas": ("app",)}, False),
        ({"schemas": ("ops",)}, {}, True),
        ({"beside": ("lock",)}, {"without": ("lock",)}, False),
        ({"beside": ("lock",)}, {"beside": ("other",)}, True),
    ],
)
def test_key_names_schemas_and_neighbours_tell_them_apart(
    one: dict[str, tuple[str, ...]], other: dict[str, tuple[str, ...]], *, both: bool
) -> None:
    some, others = ONE.model_copy(update=one), ONE.model_copy(update=other)
    assert may_both_fit(some, others) == both
    assert may_both_fit(others, some) == both


def test_a_preset_of_ones_own_that_fits_anothers_tables_is_refused() -> None:
    copied = (resources.files("pggit_daemon.tools") / "presets" / "typeorm.toml").read_text()
    lines = copied.replace('tool = "typeorm"', 'tool = "mine"').replace("[[", "[[tool.").replace("\n[", "\n[tool.")
    section = lines.replace("[tool.[tool.", "[[tool.")
    text = f'[[database]]\nname = "app"\n[[tool]]\n{section}'
    with pytest.raises(ConfigError, match="preset mine fits the same tables as typeorm"):
        parse(text, origin="c")
    ranked = parse(text.replace("[[tool]]", "[[tool]]\nrank = 1"), origin="c")
    assert ranked.databases[0].presets["mine"].rank == 1

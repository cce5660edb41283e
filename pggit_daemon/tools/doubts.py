"""Tables that may be a tool's history table, and are no source: they fit several presets, or nearly fit one.

In: the presets, and a table's looks. Out: a `Doubt`, for people. Pure; called by the registry, whose daemon logs it,
and by `status`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.table import TableRule

HINT = "pggit-daemon tools explain {table} tells more; [[database.source]] follows it whatever it looks like"

FEW = 3
"""So few columns are nothing that a table of another name could be known by."""

MOST_MISSES = 2
"""What lacks more than this is another table that happens to have a tool's name."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """`fits`: several presets that nothing tells apart; otherwise `nearest` is one, and `misses` what it wants."""

    table: TableName
    fits: tuple[str, ...] = ()
    nearest: str | None = None
    misses: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        return HINT.format(table=self.table)

    def __str__(self) -> str:
        if self.fits:
            return f"{self.table} fits several tools: {', '.join(self.fits)}"
        return f"{self.table} is nearly {self.nearest}'s: {'; '.join(self.misses)}"


def doubt(presets: Mapping[str, Preset], table: TableName, shape: Shape, beside: Collection[str] = ()) -> Doubt | None:
    """What people should know of a table; None where it is clearly one tool's, or nobody's."""
    misses = {stem: tuple(preset.table.misses(table, shape, beside)) for stem, preset in presets.items()}
    fitting = [stem for stem in presets if not misses[stem]]
    best = max((presets[stem].rank for stem in fitting), default=0)
    fitting = [stem for stem in fitting if presets[stem].rank == best]
    if fitting:
        return Doubt(table, fits=tuple(fitting)) if len(fitting) > 1 else None
    if shape.parent is not None:
        return None
    near = sorted(
        (len(misses[stem]), stem)
        for stem, preset in presets.items()
        if len(misses[stem]) <= MOST_MISSES and _is_alike(preset.table, table, shape)
    )
    return Doubt(table, nearest=near[0][1], misses=misses[near[0][1]]) if near else None


def _is_alike(rule: TableRule, table: TableName, shape: Shape) -> bool:
    """Whether it has the tool's usual name and a column of its, or all its columns where any name will do.

    People copy history tables: without a key and under another name it is nothing to ask about.
    """
    if table.table == rule.name:
        return bool(rule.columns.keys() & shape.names)
    copied = shape.copied or shape.key == ()
    return not rule.names and not copied and len(rule.columns) > FEW and rule.columns.keys() <= shape.names


def doubts(
    presets: Mapping[str, Preset], tables: Mapping[TableName, Shape], known: Collection[TableName]
) -> Iterator[Doubt]:
    """Of these tables those that people should look at; `known` are followed already."""
    for table, shape in tables.items():
        beside = {one.table for one in tables if one.schema == table.schema}
        found = doubt(presets, table, shape, beside) if table not in known else None
        if found is not None:
            yield found

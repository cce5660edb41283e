"""Which rules about tables can mean a table, by one look at its columns.

In: the rules of the presets. Out: for a shape, the few whose columns it has; only those are then asked whether they
fit. Pure; called by the registry for each table that a statement makes or changes, and most of those are no tool's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pggit_daemon.model.shape import Shape
from pggit_daemon.tools.table import TableRule


class Candidates:
    """Each rule stands under the one of its columns that the fewest rules ask for."""

    def __init__(self, rules: Mapping[str, TableRule]) -> None:
        asked = Counter(name for rule in rules.values() for name in rule.columns)
        self._rules = rules
        self._place = {stem: place for place, stem in enumerate(rules)}
        self._by_column: dict[str, list[tuple[str, frozenset[str]]]] = {}
        self._always = [stem for stem, rule in rules.items() if not rule.columns]
        for stem, rule in rules.items():
            if rule.columns:
                rarest = min(rule.columns, key=lambda name: (asked[name], name))
                self._by_column.setdefault(rarest, []).append((stem, frozenset(rule.columns)))

    def of(self, shape: Shape) -> list[tuple[str, TableRule]]:
        """The rules whose columns are all there, in their order."""
        names = shape.names
        found = [
            stem
            for name in names & self._by_column.keys()
            for stem, columns in self._by_column[name]
            if columns <= names
        ]
        return [(stem, self._rules[stem]) for stem in sorted([*self._always, *found], key=self._place.__getitem__)]

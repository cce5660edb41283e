"""Rules of a preset: what a change of a row means, by the values of its columns. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.row_text import TextRow

Patterns = Mapping[str, tuple[str, ...]]


class Rule(BaseModel):
    """One line of meaning; the first that fits decides. All conditions must hold.

    `when` is about the new row, `was` about the old one, `changed` names columns with another value than before.
    `other`: columns of which the group of a pattern is another than before (the algorithm in front of a checksum).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    means: Meaning
    when: Patterns = {}
    was: Patterns = {}
    changed: tuple[str, ...] = ()
    other: Mapping[str, str] = {}

    @property
    def used(self) -> frozenset[str]:
        """The columns that it looks at."""
        return frozenset((*self.when, *self.was, *self.changed, *self.other))

    def fits(self, new: TextRow, old: TextRow) -> bool:
        return (
            matches(self.when, new)
            and matches(self.was, old)
            and all(name in old and new.get(name) != old[name] for name in self.changed)
            and all(
                _part(pattern, new.get(name)) != _part(pattern, old.get(name)) for name, pattern in self.other.items()
            )
        )


def matches(patterns: Patterns, row: TextRow) -> bool:
    """Whether each named column has a value that fits one of its patterns.

    Shell wildcards; `null`, `true` and `false` are the values of that name, and `!` in front of a pattern denies it.
    """
    return all(_matches_one(row.get(name), allowed) for name, allowed in patterns.items())


def _matches_one(value: str | None, allowed: tuple[str, ...]) -> bool:
    text = "null" if value is None else value
    return any(not fnmatchcase(text, one[1:]) if one[:1] == "!" else fnmatchcase(text, one) for one in allowed)


def _part(pattern: str, value: str | None) -> str | None:
    found = re.search(pattern, value) if value is not None else None
    return found[1] if found is not None else None

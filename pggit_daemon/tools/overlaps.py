"""Which presets could both mean one table, which then would be nobody's.

In: the rules of two presets. Out: whether there is a table, with a name, a schema, columns of certain types, a key and
neighbours, that both fit. Pure; asked when a configuration with presets of its own is loaded, and by `tools check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.table import TableRule


def overlapping(name: str, presets: Mapping[str, Preset]) -> tuple[str, ...]:
    """The others that fit a table which this one fits, too, whatever their ranks."""
    rule = presets[name].table
    return tuple(other for other, one in presets.items() if other != name and may_both_fit(rule, one.table))


def rivals(name: str, presets: Mapping[str, Preset]) -> tuple[str, ...]:
    """Those of them that have the same rank, so that none has such a table."""
    return tuple(one for one in overlapping(name, presets) if presets[one].rank == presets[name].rank)


def may_both_fit(one: TableRule, other: TableRule) -> bool:
    """Whether some table fits both rules."""
    return (
        _share_columns(one, other)
        and all(
            _meet(_alternatives(one, column), _alternatives(other, column))
            for column in one.columns.keys() | other.columns.keys()
        )
        and (one.key is None or other.key is None or set(one.key) == set(other.key))
        and _meet(one.names or ("*",), other.names or ("*",))
        and _meet(one.schemas or ("*",), other.schemas or ("*",))
        and not set(one.beside) & set(other.without)
        and not set(other.beside) & set(one.without)
    )


def _share_columns(one: TableRule, other: TableRule) -> bool:
    """Whether each may have all columns that the other asks for.

    Where both admit columns that they do not know, those of one must be the other's: nobody makes a table of two tools.
    """
    mine = other.columns.keys() <= one.columns.keys() | one.optional.keys()
    others = one.columns.keys() <= other.columns.keys() | other.optional.keys()
    return (mine or one.more) and (others or other.more) and (mine or others)


def _alternatives(rule: TableRule, column: str) -> tuple[str, ...]:
    """The types that a column of this name may have; any where only `more` admits it."""
    return tuple({**rule.optional, **rule.columns}.get(column, "*").split("|"))


def _meet(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether a word fits one of these shell patterns and one of those."""
    return any(_share_a_word(_tokens(one), _tokens(other)) for one in some for other in others)


def _tokens(pattern: str) -> tuple[str, ...]:
    """A pattern as characters, `*`, `?` and classes in brackets."""
    found, at = [], 0
    while at < len(pattern):
        first = at + (3 if pattern.startswith("[!", at) else 2)  # a bracket that comes first is in the class
        end = pattern.find("]", first) if pattern[at] == "[" else -1
        found.append(pattern[at : max(end, at) + 1])
        at = max(end, at) + 1
    return tuple(found)


def _share_a_word(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Look at each pair of places once, as stars would make the ways to it countless."""
    places, seen = [(0, 0)], {(0, 0)}
    while places:
        place = places.pop()
        if place == (len(one), len(other)):
            return True
        further = set(_further(one[place[0] :][:1], other[place[1] :][:1], *place)) - seen
        seen |= further
        places += further
    return False


def _further(one: tuple[str, ...], other: tuple[str, ...], at: int, there: int) -> Iterator[tuple[int, int]]:
    """The places that are reached by one more character, or by the end of a star; none of one is its end."""
    if one == ("*",) or other == ("*",):
        if one == ("*",) or (one and other == ("*",)):
            yield at + 1, there
        if other == ("*",) or (other and one == ("*",)):
            yield at, there + 1
    elif one and other and _share_a_character(one[0], other[0]):
        yield at + 1, there + 1


def _share_a_character(one: str, other: str) -> bool:
    """Two classes are taken to share one: rather a doubt too many."""
    if "?" in {one, other} or (len(one) > 1 and len(other) > 1):
        return True
    return fnmatchcase(one, other) or fnmatchcase(other, one)

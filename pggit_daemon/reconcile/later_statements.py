"""What committed statements name that are not handled yet, read from the outbox. Pure; used by `definitions.py`.

In: the rows that are handled, in the order of the stream, and what the outbox is found to hold. Out: whether a later
statement names an object.

Only the daemon takes rows out of the outbox. So a row that was there at the last look, and is not handled since, is
there still: in a backlog most questions need no query, and what a row names is read once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from pggit_daemon.model.objects import ObjectId

Handled = Sequence[Container[int]]
"""Rows of the outbox that are no news, each in one of these."""


class LaterStatements:
    """`oid in later`: whether a row that is known and not handled names the object."""

    def __init__(self) -> None:
        self._rows: dict[int, frozenset[ObjectId]] = {}
        self._named: Counter[ObjectId] = Counter()

    def __contains__(self, oid: ObjectId) -> bool:
        return oid in self._named

    @property
    def known(self) -> list[int]:
        """The rows of which it is known what they name."""
        return list(self._rows)

    def handle(self, own: Iterable[int]) -> bool:
        """Take rows that are handled from now on; whether all of them are known to have been there."""
        known = [self._forget(number) for number in own]
        return all(known)

    def observe(self, found: Mapping[int, frozenset[ObjectId] | None], handled: Handled) -> None:
        """Take what the outbox holds now: what each row names, None for those that were known."""
        for number in self._rows.keys() - found.keys():
            self._forget(number)
        for number, named in found.items():
            if named is not None and not any(number in some for some in handled):
                self._rows[number] = named
                self._named.update(named)

    def _forget(self, number: int) -> bool:
        named = self._rows.pop(number, None)
        for oid in named or ():
            self._named[oid] -= 1
            if not self._named[oid]:
                del self._named[oid]
        return named is not None

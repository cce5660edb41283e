"""The shortest run that still goes wrong.

In: the actions of a failed run, and a way to try actions on a fresh database. Out: fewer actions. Called by the state
machine, whose own shrinking would change every statement after the one it leaves out: they are made of what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.random_ddl.driver import Action

Fails = Callable[[Sequence[Action]], bool]


@dataclass(slots=True)
class Shrinking:
    """`left` goes wrong; `tries` is how often we may still try."""

    left: list[Action]
    fails: Fails
    tries: int = 300

    def run(self) -> list[Action]:
        """Leave out what failed anyway, then all statements of one kind, then ever smaller pieces."""
        self._keep([action for action in self.left if not action.failed])
        for word in sorted({_word(action) for action in self.left}):
            self._keep([action for action in self.left if _word(action) != word])
        size = max(1, len(self.left) // 2)
        while self.tries > 0:
            smaller = self._without_pieces(size)
            if size == 1 and not smaller:
                break
            size = max(1, size // 2)
        self._split()
        return self.left

    def _keep(self, candidate: list[Action]) -> bool:
        """Go on with these if they go wrong too."""
        if not candidate or len(candidate) == len(self.left) or self.tries <= 0:
            return False
        self.tries -= 1
        if self.fails(candidate):
            self.left = candidate
            return True
        return False

    def _without_pieces(self, size: int) -> bool:
        smaller = False
        for start in reversed(range(0, len(self.left), size)):
            smaller |= self._keep(self.left[:start] + self.left[start + size :])
        return smaller

    def _split(self) -> None:
        """Leave out statements of strings that hold several."""
        for place in reversed(range(len(self.left))):
            parts = self.left[place].sql.split("; ")
            if len(parts) < 2 or "DO $do$" in self.left[place].sql:
                continue
            for gone in reversed(range(len(parts))):
                text = "; ".join(parts[:gone] + parts[gone + 1 :])
                candidate = [*self.left[:place], replace(self.left[place], sql=text), *self.left[place + 1 :]]
                self.tries -= 1
                if text and self.fails(candidate):
                    self.left, parts = candidate, text.split("; ")


def _word(action: Action) -> str:
    return " ".join(action.sql.split()[:2]) if action.sql else action.kind

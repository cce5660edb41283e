"""Collects garbage while nobody waits: in the middle of a commit a collection takes as long as a part of its way.

In: the moments in which something of ours was handled. Python counts what was made since the last collection, and looks
at it once that is a certain number, whatever is under way then. Called by `worker.py`.
"""

from __future__ import annotations

import gc

MADE = 350
"""Objects that were made and not freed since the last collection, half of Python's own threshold."""

COLLECTED = 5
"""Collections of new objects since what had survived them was looked at, too; half of Python's own threshold."""


def tidy() -> None:
    """Collect what would soon be collected anyway."""
    made, collected, _ = gc.get_count()
    if made > MADE:
        gc.collect(1 if collected > COLLECTED else 0)

"""How many examples a property is tried with, and which.

An ordinary run tries the same ones for the same code: what was green stays green, and what is red is red for everybody.
HYPOTHESIS_EXAMPLES=N is the long search: so many of each property, new ones each time.
"""

from __future__ import annotations

import os

from hypothesis import settings

_ALL = os.environ.get("HYPOTHESIS_EXAMPLES")
USUAL = int(_ALL) if _ALL else 100
SEARCHING = bool(_ALL)


def examples(number: int) -> settings:
    """Another number than the usual one, for a property that is cheaper or needs more."""
    return settings(max_examples=int(_ALL) if _ALL else number)

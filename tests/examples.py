"""How many examples a property is tried with: HYPOTHESIS_EXAMPLES says it for all, for a long night's search."""

from __future__ import annotations

import os

from hypothesis import settings

_ALL = os.environ.get("HYPOTHESIS_EXAMPLES")
USUAL = int(_ALL) if _ALL else 100


def examples(number: int) -> settings:
    """Another number than the usual one, for a property that is cheaper or needs more."""
    return settings(max_examples=int(_ALL) if _ALL else number)

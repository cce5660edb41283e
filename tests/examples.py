"""How many examples a property is tried with, and which.

An ordinary run tries the same ones for the same code: what was green stays green, and what is red is red for everybody.
HYPOTHESIS_EXAMPLES=N is the long search: so many of each property, new ones each time. HYPOTHESIS_SHARE=N is a quick
look, the Nth part of the ordinary run: `make check`.
"""

from __future__ import annotations

import os

from hypothesis import settings

FEWEST = 20  # below that a look tells little
_ALL = os.environ.get("HYPOTHESIS_EXAMPLES")
_SHARE = int(os.environ.get("HYPOTHESIS_SHARE", "1"))
SEARCHING = bool(_ALL)


def _of(number: int) -> int:
    return int(_ALL) if _ALL else min(number, max(FEWEST, number // _SHARE))


USUAL = _of(100)


def examples(number: int) -> settings:
    """Another number than the usual one, for a property that is cheaper or needs more."""
    return settings(max_examples=_of(number))

"""How much the oracle looks at: enough for every run of the tests, or everything with `PGGIT_ORACLE=full`.

`python -m tests.bench.oracle` runs it in full.
"""

from __future__ import annotations

import os

FULL = os.environ.get("PGGIT_ORACLE") == "full"

# Moments at which pg_dump is asked, beside the end: of a small script, and of what is large.
MOMENTS_OF_SCRIPT = 10 if FULL else 3
MOMENTS = 10
# From one comparison of tree and catalog to the next; small scripts are compared after every statement.
EVERY_STATEMENTS = 50
EVERY_MIGRATIONS = 1 if FULL else 25


def moments_of(steps: int, between: int, every: int = 1) -> frozenset[int]:
    """Which of `steps` (counted from 1) are moments: the last, and `between` spread over the multiples of `every`."""
    spread = (max(1, round(steps * part / (between + 1) / every)) * every for part in range(1, between + 1))
    return frozenset(step for step in (*spread, steps) if 0 < step <= steps)

"""`python -m sandbox.fetch`: all that the tests need from Maven, PyPI and npm, fetched side by side.

What is there already costs nothing. Each that fails is named with its reason, the others are fetched all the same.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.histories import fetch as histories
from sandbox.jars import FLYWAY_VERSIONS, HIKARI_VERSION, LIQUIBASE_VERSION, ToolMissing, jars
from sandbox.tools import fetch as tools

# One after the other, as Maven's cache is for one at a time.
JARS = (
    *(("flyway", version) for version in FLYWAY_VERSIONS),
    ("liquibase", LIQUIBASE_VERSION),
    ("hikari", HIKARI_VERSION),
)


def _jars() -> Path:
    return [jars(tool, version) for tool, version in JARS][-1].parent


ALL = (histories.node, tools.node, histories.python, tools.python, _jars)


def main() -> int:
    """Return the exit code."""
    failed = 0
    with ThreadPoolExecutor(len(ALL)) as pool:
        for fetching in [pool.submit(one) for one in ALL]:
            try:
                print(fetching.result())
            except ToolMissing as reason:
                print(f"fetch: {reason}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

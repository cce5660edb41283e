"""`python -m tests.tools [TOOL…] [--mode none|hands|integrated] [--plugin P]`: the table of docs/tools.md.

`--story winding` or `twins` takes the tools through another story (`winding.py`, `twins.py`), `--reading` lets hands
look at the history table, `--verbose` prints what the tools said.
Ends with an exit code of 1 where a link is wrong, or a tool failed or is missing; all others run nevertheless.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sandbox.cluster import Cluster
from sandbox.tools import ELSEWHERE, TOOLS
from tests.tools.bench import Bench, Done, Mode
from tests.tools.report import show, summary
from tests.tools.story import Story, Telling
from tests.tools.twins import Twins
from tests.tools.winding import Winding

STORIES: dict[str, Callable[..., Telling]] = {"plain": Story, "winding": Winding, "twins": Twins}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=", ".join(TOOLS))
    parser.add_argument("--mode", action="append", choices=[one.value for one in Mode])
    parser.add_argument("--story", choices=STORIES, default="plain")
    parser.add_argument("--plugin", default="auto")
    parser.add_argument("--reading", action="store_true", help="hands also look at the history table")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    names = given.tools or [name for name in TOOLS if name not in ELSEWHERE]
    results: list[Done] = []
    settings = {"max_replication_slots": "60", "max_wal_senders": "60", "max_connections": "300"}
    with Cluster.start(settings) as cluster, tempfile.TemporaryDirectory(prefix="tools-") as folder:
        Path(folder).chmod(0o755)
        bench = Bench(cluster, Path(folder), given.plugin, reading=given.reading)
        for mode in given.mode or [one.value for one in Mode]:
            for done in bench.run(names, Mode(mode), short=given.short, telling=STORIES[given.story]):
                results.append(done)
                show(done, verbose=given.verbose)
    return summary(results)


if __name__ == "__main__":
    sys.exit(main())

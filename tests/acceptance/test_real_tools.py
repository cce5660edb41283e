"""Migration tools of PyPI and npm, each run by its own program beside hands of its own user and others.

`python -m tests.tools` tells more of each, and of those that must be built; docs/tools.md has its table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from sandbox.tools import QUICK
from tests.tools.bench import Bench, Done, Mode

LATE = ["django", "postgrator"]
"""Tools whose rows follow their DDL; for the other modes a few are enough."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Every tool has a database of its own, each with a slot."""
    with Cluster.start({"max_replication_slots": "60", "max_wal_senders": "60"}) as cluster:
        yield Bench(cluster, tmp_path)


def test_no_link_is_wrong_beside_hands(bench: Bench) -> None:
    """Nothing is configured, and whoever works beside a tool looks like it: linked right or not at all."""
    found = bench.run(list(QUICK), Mode.HANDS, short=True)
    assert _failures(found) == []
    assert all(one.verdict.hands for one in found)


def test_all_links_are_right_where_the_table_is_integrated(bench: Bench) -> None:
    """The trigger names the session, so nobody beside it is mistaken for the tool."""
    found = bench.run(LATE, Mode.INTEGRATED, short=True)
    assert _failures(found) == []
    assert [(one.tool, one.verdict.problems) for one in found if one.verdict.unlinked] == []


def _failures(found: list[Done]) -> list[str]:
    """What a tool could not do, what is linked wrongly, and what of its own is not known for that."""
    told = [f"{one.tool}: {one.failure}" for one in found if one.failure is not None]
    wrong = ("wrong", "own")
    return told + [f"{one.tool}: {line}" for one in found for line in one.verdict.problems if line.startswith(wrong)]

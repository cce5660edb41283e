"""Migration tools of PyPI and npm, each run by its own program beside hands of its own user and others.

`python -m tests.tools` tells more of each, and of those that must be built; docs/tools.md has its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from sandbox.tools import QUICK, REPLAYED
from tests.tools.bench import Bench, Done, Mode

LATE = ["django"]
"""Of the tools whose rows follow their DDL the one with most kinds of it; the replayed ones are cheaper."""

UNNAMED = {"sqitch (replayed)", "tern (replayed)"}
"""The rows of one are another session's than its DDL, which no trigger can name; those of the other are found by
comparing until its table, which has no key, is integrated.
"""

EXACT = {
    "drizzle", "peewee-migrate", "db-migrate", "ley", "node-pg-migrate", "postgres-migrations", "graphile-migrate",
    "supabase", "prisma",
}  # fmt: skip
"""Tools whose DDL is known by its transaction or by a lock of its own session: all of it, whoever works beside."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Every tool has a database of its own, each with a slot."""
    with Cluster.start({"max_replication_slots": "60", "max_wal_senders": "60"}) as cluster:
        yield Bench(cluster, tmp_path)


def test_no_link_is_wrong_beside_hands(bench: Bench) -> None:
    """Nothing is configured, and whoever works beside a tool looks like it: linked right or not at all."""
    found = bench.run([*QUICK, *REPLAYED], Mode.HANDS, short=True)
    assert _failures(found) == []
    assert all(one.verdict.hands for one in found)
    assert _unlinked(one for one in found if one.tool in EXACT) == []


def test_all_links_are_right_where_the_table_is_integrated(bench: Bench) -> None:
    """The trigger names the session, so nobody beside it is mistaken for the tool."""
    names = [*LATE, *(name for name in REPLAYED if name not in UNNAMED)]
    found = bench.run(names, Mode.INTEGRATED, short=True)
    assert _failures(found) == []
    assert _unlinked(found) == []


def _unlinked(found: Iterable[Done]) -> list[str]:
    return [f"{one.tool}: {line}" for one in found if one.verdict.unlinked for line in one.verdict.problems]


def _failures(found: list[Done]) -> list[str]:
    """What a tool could not do, what is linked wrongly, and what of its own is not known for that."""
    told = [f"{one.tool}: {one.failure}" for one in found if one.failure is not None]
    wrong = ("wrong", "own")
    return told + [f"{one.tool}: {line}" for one in found for line in one.verdict.problems if line.startswith(wrong)]

"""Migration tools of PyPI and npm, each run by its own program beside hands of its own user and others.

`python -m tests.tools` (`make test-tools`) tells more of each, and of those that must be built; docs/tools.md has its
table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from sandbox.tools import QUICK, REPLAYED
from tests.tools.bench import Bench, Done, Mode

NAMED = ["django", "phinx", "rails (replayed)"]
"""Tools that are exact only where the trigger names their sessions."""

EXACT = {
    "drizzle", "peewee-migrate", "db-migrate", "ley", "node-pg-migrate", "postgres-migrations", "graphile-migrate",
    "supabase (replayed)", "prisma",
}  # fmt: skip
"""Tools whose DDL is known by its transaction or by a lock of its own session: all of it, whoever works beside."""

GROUPS = 4
"""The tools of a group share a server and a daemon; the groups run side by side."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Every tool has a database of its own, each with a slot."""
    with Cluster.start({"max_replication_slots": "60", "max_wal_senders": "60"}) as cluster:
        yield Bench(cluster, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("group", range(GROUPS))
def test_no_link_is_wrong_beside_hands(bench: Bench, group: int) -> None:
    """Nothing is configured, and whoever works beside a tool looks like it: linked right or not at all."""
    found = bench.run([*QUICK, *REPLAYED][group::GROUPS], Mode.HANDS, short=True)
    assert _failures(found) == []
    assert all(one.verdict.hands for one in found)
    assert _unlinked(one for one in found if one.tool in EXACT) == []


@pytest.mark.long
def test_all_links_are_right_where_the_table_is_integrated(bench: Bench) -> None:
    """The trigger names the session, so nobody beside it is mistaken for the tool."""
    found = bench.run(NAMED, Mode.INTEGRATED, short=True)
    assert _failures(found) == []
    assert _unlinked(found) == []


def _unlinked(found: Iterable[Done]) -> list[str]:
    return [f"{one.tool}: {line}" for one in found if one.verdict.unlinked for line in one.verdict.problems]


def _failures(found: list[Done]) -> list[str]:
    """What a tool could not do, what is linked wrongly, and what of its own is not known for that."""
    told = [f"{one.tool}: {one.failure}" for one in found if one.failure is not None]
    wrong = ("wrong", "own")
    return told + [f"{one.tool}: {line}" for one in found for line in one.verdict.problems if line.startswith(wrong)]

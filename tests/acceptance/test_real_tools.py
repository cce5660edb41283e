"""Migration tools of PyPI and npm, each run by its own program beside hands of its own user and others.

`python -m tests.tools` (`make test-tools`) tells more of each, and of those that must be built; docs/tools.md has its
table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from sandbox.jars import ToolRun
from sandbox.tools import QUICK, REPLAYED, TOOLS
from sandbox.tools.built_tools import Goose
from tests.tools.bench import Bench, Done, Mode
from tests.tools.report import show, summary
from tests.tools.winding import Winding


class Absent(Goose):
    """A tool whose program is not here."""

    def up(self) -> ToolRun:
        return self.run("no-such-program", "up")


NAMED = ["django", "phinx", "rails (replayed)"]
"""Tools that are exact only where the trigger names their sessions."""

EXACT = {
    "drizzle", "peewee-migrate", "db-migrate", "ley", "node-pg-migrate", "postgres-migrations", "graphile-migrate",
    "supabase (replayed)", "prisma",
}  # fmt: skip
"""Tools whose DDL is known by its transaction or by a lock of its own session: all of it, whoever works beside."""

GROUPS = ("wal2json", "pgoutput", "wal2json", "pgoutput")
"""The tools of a group share a server and a daemon, with this plugin; the groups run side by side."""


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Every tool has a database of its own, each with a slot."""
    plugin = str(getattr(request, "param", "auto"))
    with Cluster.start({"max_replication_slots": "60", "max_wal_senders": "60"}) as cluster:
        yield Bench(cluster, tmp_path, plugin)


@pytest.mark.long
@pytest.mark.parametrize(("group", "bench"), list(enumerate(GROUPS)), indirect=["bench"])
def test_no_link_is_wrong_beside_hands(bench: Bench, group: int) -> None:
    """Nothing is configured, and whoever works beside a tool looks like it: linked right or not at all."""
    found = bench.run([*QUICK, *REPLAYED][group :: len(GROUPS)], Mode.HANDS, short=True)
    assert _failures(found) == []
    assert all(one.verdict.hands for one in found)
    assert _unlinked(one for one in found if one.tool in EXACT) == []


@pytest.mark.long
def test_no_link_is_wrong_on_a_winding_way(bench: Bench) -> None:
    """Several files a run, data between DDL, a failure in the middle and its correction, steps back and on again."""
    found = bench.run(["prisma", "ef-core", "supabase (replayed)", "drizzle (ops)"], Mode.HANDS, telling=Winding)
    assert _failures(found) == []
    assert _unlinked(one for one in found if one.tool != "ef-core") == []


@pytest.mark.long
def test_all_links_are_right_where_the_table_is_integrated(bench: Bench) -> None:
    """The trigger names the session, so nobody beside it is mistaken for the tool."""
    found = bench.run(NAMED, Mode.INTEGRATED, short=True)
    assert _failures(found) == []
    assert _unlinked(found) == []


def test_a_missing_tool_is_reported_and_ends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has its line in the table, the tools beside it have theirs, and the exit code says that one is missing."""
    monkeypatch.setitem(TOOLS, "absent", Absent)
    found = bench.run(["absent", "ecto"], Mode.NONE, short=True)
    assert [(one.tool, one.ok) for one in found] == [("absent", False), ("ecto", True)]
    assert found[1].verdict.right
    for one in found:
        show(one)
    assert (summary(found), summary(found[1:])) == (1, 0)
    lines = capsys.readouterr().out.splitlines()
    assert "MISSING: no-such-program is not installed" in lines[0]
    assert lines[0].split()[:2] == ["absent", "none"]
    assert "1 passed, 0 failed, 1 missing" in lines


def _unlinked(found: Iterable[Done]) -> list[str]:
    return [f"{one.tool}: {line}" for one in found if one.verdict.unlinked for line in one.verdict.problems]


def _failures(found: list[Done]) -> list[str]:
    """What a tool could not do, what is linked wrongly, and what of its own is not known for that."""
    told = [f"{one.tool}: {one.failure}" for one in found if one.failure is not None]
    wrong = ("wrong", "own")
    return told + [f"{one.tool}: {line}" for one in found for line in one.verdict.problems if line.startswith(wrong)]

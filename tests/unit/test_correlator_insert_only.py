"""A history table of which only inserts are streamed, and no updates and deletions: Liquibase's under pgoutput."""

from __future__ import annotations

import pytest

from pggit_daemon.attribute.insert_only import AMBIGUOUS
from tests.unit.build import LOG, Follower, Liquibase, Wal, liquibase_source, who
from tests.unit.liquibase_runs import compare, row, text

RERAN = {"exectype": "RERAN", "orderexecuted": "9", "md5sum": "9:x"}


@pytest.fixture
def run(wal: Wal) -> Liquibase:
    return Liquibase(wal, who(100))


def follow(wal: Wal) -> Follower:
    return Follower(liquibase_source(), insert_only=frozenset({LOG})).feed(*wal.transactions)


def first_run(run: Liquibase) -> None:
    run.open()
    run.run("public.a")
    run.run("public.b")
    run.close()


def test_a_rollback_of_several(wal: Wal, run: Liquibase) -> None:
    """As many rows vanished as transactions dropped something: each is one, in the order of a rollback."""
    first_run(run)
    run.open()
    newest = run.statements("public.b", tag="DROP TABLE")
    oldest = run.statements("public.a", tag="DROP TABLE")
    run.close()
    follower = follow(wal)
    compare(follower, [])
    assert [follower.taken[newest[0]], follower.taken[oldest[0]]] == [row("2"), row("1")]
    assert follower.kinds[-2:] == ["rollback", "rollback"]
    assert {link.evidence for link in follower.reported[-2:]} == {"bracket"}


def test_a_change_before_an_insert(wal: Wal, run: Liquibase) -> None:
    """The inserted row takes the transaction right before it; the one before that is the changed row's."""
    first_run(run)
    run.open()
    changed = run.statements("public.v", tag="CREATE VIEW")
    inserted = run.run("public.c")
    run.close()
    follower = follow(wal)
    compare(follower, [text(1, **RERAN), text(2), text(3)])
    assert (follower.taken[changed[0]], follower.taken[inserted[0]]) == (row("1"), row("3"))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_changeset_of_several_transactions(wal: Wal, run: Liquibase, *, restarted: bool) -> None:
    """Where no row was changed, all before an inserted row is its; a restart in between may lose that, and no more."""
    first_run(run)
    run.open()
    earlier = run.statements("public.c")
    last = run.run("public.d")
    run.close()
    follower = follow(wal)
    if restarted:
        follower.restart()
    compare(follower, [text(1), text(2), text(3)])
    assert follower.taken[last[0]] == row("3")
    assert follower.taken.get(earlier[0]) == ("tool" if restarted else row("3"))


def test_where_nobody_can_say_nothing_is_linked(wal: Wal, run: Liquibase) -> None:
    """One changed row, and two transactions before an inserted one: each may be either's."""
    first_run(run)
    run.open()
    one = run.statements("public.c")
    two = run.statements("public.v", tag="CREATE VIEW")
    inserted = run.run("public.d")
    run.close()
    follower = follow(wal)
    compare(follower, [text(1, **RERAN), text(2), text(3)])
    assert follower.taken[inserted[0]] == row("3")
    assert [follower.taken.get(event) for event in (*one, *two)] == ["tool", "tool"]
    assert follower.reported[-1].row.principal.meaning == "reran"
    assert follower.reported[-1].note == AMBIGUOUS


def test_runs_that_change_nothing(wal: Wal, run: Liquibase) -> None:
    first_run(run)
    run.open()
    run.close()
    follower = follow(wal)
    compare(follower, [text(1), text(2)])
    assert not follower.correlator.needs_looking
    assert follower.kinds == ["migration", "migration"]

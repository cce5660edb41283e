"""Flyway's ways to work, in the orders in which they really stand in the WAL: each row gets its DDL."""

from __future__ import annotations

import pytest

from tests.unit.build import (
    Flyway,
    Wal,
    psql,
    who,
)
from tests.unit.flyway_runs import follow, row


def test_default_mode_takes_the_ddl_of_the_other_connection(wal: Wal, run: Flyway) -> None:
    run.make_history()
    one, two = run.migrate("public.a", "public.a_i"), run.migrate("public.b")
    follower = follow(wal)
    assert {follower.taken[event] for event in one} == {row(1)}
    assert {follower.taken[event] for event in two} == {row(2)}
    assert set(follower.links.values()) == {"lock"}
    assert follower.kinds == ["tool", "migration", "migration"]
    assert follower.correlator.waiting == 0


def test_group_mode_is_one_commit_of_which_each_migration_has_its_objects(wal: Wal, run: Flyway) -> None:
    """One transaction holds the DDL of three migrations, and was recorded before their rows came."""
    run.lock()
    script, history = wal.begin(run.b), wal.begin(run.a)
    one = [script.create("public.a"), script.create("public.a2")]
    run.insert(history)
    two = [script.create("public.b")]
    run.insert(history)
    three = [script.create("public.v")]
    run.insert(history)
    script.commit()
    history.commit()
    follower = follow(wal)
    assert [follower.taken[event] for event in (*one, *two, *three)] == [row(1), row(1), row(2), row(3)]
    assert follower.kinds == ["migration"]
    assert follower.messages == ["flyway: 1 step 1; 2 step 2; 3 step 3"]
    assert {commit.part for link in follower.reported for commit in link.commits} == {False}


def test_after_versioned_of_group_mode_is_no_migrations(wal: Wal, run: Flyway) -> None:
    """It runs on a new connection under the same lock, and commits before the rows do."""
    run.lock()
    script, history, callback = wal.begin(run.b), wal.begin(run.a), wal.begin(who(103))
    one = script.create("public.a")
    run.insert(history)
    script.commit()
    trap = callback.create("public.cb")
    callback.commit()
    history.commit()
    follower = follow(wal)
    assert follower.taken[one] == row(1)
    assert follower.taken[trap] in {"tool", "out_of_band"}


def test_one_connection_has_ddl_and_row_in_one_transaction(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(run.a)
    events = [tx.create("public.a"), tx.create("public.b")]
    run.insert(tx)
    tx.commit()
    follower = follow(wal)
    assert {follower.taken[event] for event in events} == {row(1)}
    assert list(follower.links.values()) == ["transaction"]


def test_one_connection_with_group_is_cut_by_position(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(run.a)
    one = tx.create("public.a")
    run.insert(tx)
    two = tx.create("public.b")
    run.insert(tx)
    tx.commit()
    follower = follow(wal)
    assert [follower.taken[one], follower.taken[two]] == [row(1), row(2)]


@pytest.mark.parametrize("one_connection", [False, True])
def test_statements_that_commit_one_by_one_are_one_migration(wal: Wal, run: Flyway, *, one_connection: bool) -> None:
    run.lock()
    events = []
    for name in ("public.nt1", "public.nt2"):
        tx = wal.begin(run.a if one_connection else run.b)
        events.append(tx.create(name))
        tx.commit()
    history = wal.begin(run.a)
    run.insert(history)
    history.commit()
    follower = follow(wal)
    assert {follower.taken[event] for event in events} == {row(1)}
    assert follower.kinds == ["migration", "migration"]
    assert [one.part for one in follower.link(row(1)).commits] == [True, False]


def test_a_statement_by_hand_between_the_parts_is_a_commit_of_its_own(wal: Wal, run: Flyway) -> None:
    run.lock()
    first = wal.begin(run.b)
    one = first.create("public.nt1")
    first.commit()
    hand = psql(wal, "public.mine")
    second = wal.begin(run.b)
    two = second.create("public.nt2")
    second.commit()
    history = wal.begin(run.a)
    run.insert(history)
    history.commit()
    follower = follow(wal)
    assert follower.kinds == ["migration", "out_of_band", "migration"]
    assert [follower.taken[event] for event in (one, hand, two)] == [row(1), "out_of_band", row(1)]
    assert [one.part for one in follower.link(row(1)).commits] == [True, False]
    assert follower.messages == ["flyway: 1 step 1 (part)", "out of band: CREATE TABLE public.mine", "flyway: 1 step 1"]


def test_psql_under_the_lock_is_out_of_band_at_once(wal: Wal, run: Flyway) -> None:
    run.lock()
    follower = follow(wal)
    hand = psql(wal, "public.mine")
    follower.feed(*wal.transactions)
    assert follower.taken == {hand: "out_of_band"}


def test_data_only_and_skipped_migrations_are_linked_to_the_schema_that_they_saw(wal: Wal, run: Flyway) -> None:
    run.migrate("public.a")
    run.migrate()
    follower = follow(wal)
    assert follower.kinds == ["migration"]
    assert list(follower.links.values()) == ["lock", "none"]
    one, two = follower.link(row(1)).commits[0], follower.link(row(2)).commits[0]
    assert (one.commit, one.made, two.made) == (two.commit, True, False)

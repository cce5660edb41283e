"""How long Flyway's lock claims DDL: until its holder gives it up or ends, however long the script runs."""

from __future__ import annotations

import pytest

from tests.unit.build import (
    Flyway,
    Follower,
    Wal,
    element,
    flyway_source,
    psql,
    who,
)
from tests.unit.flyway_runs import follow, row


def test_ddl_whose_row_never_came_is_the_tools_once_the_next_run_holds_the_lock(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(run.b)
    lost = tx.create("public.lost")
    tx.commit()
    follower = follow(wal)
    assert follower.taken == {lost: "pending"}
    again = Flyway(wal, who(200), who(201))
    found = again.migrate("public.b")
    follower.feed(*wal.transactions[1:])
    assert follower.taken == {lost: "tool", found[0]: row(1)}
    assert follower.messages[0] == "no history row followed in public.flyway_schema_history: CREATE TABLE public.lost"


@pytest.mark.parametrize("restarted", [False, True])
def test_an_end_of_the_holder_frees_its_ddl(wal: Wal, run: Flyway, *, restarted: bool) -> None:
    """Also where the daemon started after all of it, and nothing of ours has come since."""
    run.lock()
    tx = wal.begin(run.b)
    lost = tx.create("public.lost")
    tx.commit()
    follower = follow(wal)
    if restarted:
        follower.restart()
    watched = follower.correlator.watched()
    assert {one.session for one in watched} == {run.a.key}
    follower.gone()
    assert follower.taken == {lost: "tool"}


def test_a_lock_given_up_says_nothing_of_the_next_migration(wal: Wal, run: Flyway) -> None:
    """Promise: between two migrations the holder has no lock; who sees that must not free what came meanwhile."""
    run.lock()
    first = wal.begin(run.b)
    lost = first.create("public.lost")
    first.commit()
    follower = follow(wal)
    watched, up_to = follower.correlator.watched(), follower.correlator.newest
    second = wal.begin(run.b)
    later = second.create("public.later")
    second.commit()
    follower.feed(*wal.transactions[-1:])
    follower.correlator.gone(watched, up_to=up_to)
    follower.store()
    assert follower.taken == {lost: "tool", later: "pending"}
    assert follower.correlator.waiting == 1


def test_an_older_transaction_does_not_end_the_wait_for_a_newer_run(wal: Wal) -> None:
    """A long transaction that saw the lock of an earlier run commits while a later run waits for its row."""
    early, late = Flyway(wal, who(100), who(101)), Flyway(wal, who(200), who(201))
    early.lock()
    long = wal.begin(who(300))
    long.create("other.long")
    early.unlock()
    late.lock()
    script, history = wal.begin(late.b), wal.begin(late.a)
    event = script.create("public.b")
    late.insert(history)
    script.commit()
    long.commit()
    history.commit()
    follower = follow(wal)
    follower.finish(wal)
    assert follower.taken[event] == row(1)


@pytest.mark.parametrize("pause", [45, 300], ids=["45 s", "5 min"])
def test_a_slow_script_keeps_its_statements_while_the_lock_is_held(wal: Wal, run: Flyway, pause: int) -> None:
    """Nothing but the end of the lock ends its claim: not the grace, not what others run meanwhile."""
    run.lock()
    events, hands = [], []
    follower = Follower(flyway_source())
    for number in range(3):
        tx = wal.begin(run.b)
        events.append(tx.create(f"public.slow{number}"))
        follower.feed(tx.commit())
        wal.sleep(pause)
        hands.append(psql(wal, f"public.by_hand{number}"))
        follower.feed(wal.transactions[-1])
        follower.tick(wal.now)
    assert [follower.taken[event] for event in (*events, *hands)] == ["pending"] * 3 + ["out_of_band"] * 3
    history = wal.begin(run.a)
    run.insert(history)
    follower.feed(history.commit())
    assert {follower.taken[event] for event in events} == {row(1)}
    assert [one.part for one in follower.link(row(1)).commits] == [True, True, False]
    assert follower.link(row(1)).evidence == "lock"


def test_two_indexes_made_concurrently_in_one_script_are_one_migration(wal: Wal, run: Flyway) -> None:
    """CREATE INDEX CONCURRENTLY commits by itself, however long it takes, and the lock is the session's."""
    run.lock()
    events = []
    for name in ("public.i1", "public.i2"):
        tx = wal.begin(run.a)
        events.append(tx.ddl("CREATE INDEX", element(name, type_="index")))
        tx.commit()
        wal.sleep(120)
    history = wal.begin(run.a)
    run.insert(history)
    history.commit()
    follower = follow(wal)
    assert {follower.taken[event] for event in events} == {row(1)}
    assert len(follower.link(row(1)).commits) == 2


def test_a_row_that_commits_late_is_linked_while_the_lock_is_held(wal: Wal, run: Flyway) -> None:
    run.lock()
    script, history = wal.begin(run.b), wal.begin(run.a)
    event = script.create("public.a")
    run.insert(history)
    script.commit()
    wal.sleep(600)
    history.commit()
    follower = follow(wal)
    assert follower.taken == {event: row(1)}
    assert list(follower.links.values()) == ["lock"]

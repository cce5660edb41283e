"""Flyway beside another Flyway, beside people, and behind names that are not its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pggit_daemon.model.transaction import TableName
from tests.unit.build import (
    Flyway,
    Follower,
    Liquibase,
    Wal,
    Who,
    element,
    flyway_source,
    liquibase_source,
    psql,
    who,
)
from tests.unit.flyway_runs import follow, row


def two_runs(wal: Wal) -> tuple[Flyway, Flyway]:
    one = Flyway(wal, who(100), who(101), TableName("one", "flyway_schema_history"))
    two = Flyway(wal, who(200), who(201), TableName("two", "flyway_schema_history"))
    return one, two


def test_two_flyways_are_told_apart_by_the_search_path(wal: Wal) -> None:
    one, two = two_runs(wal)
    for run in (one, two):
        run.lock()
    opened = [(run, wal.begin(run.b), wal.begin(run.a)) for run in (one, two)]
    events = [tx.ddl("CREATE TABLE", element(f"{run.table.schema}.t"), path=f'"{run.table.schema}", public')
              for run, tx, _ in opened]  # fmt: skip
    for run, _, history in opened:
        run.insert(history)
    for _, tx, _ in opened:
        tx.commit()
    for _, _, history in opened:
        history.commit()
    follower = follow(wal, "one", "two")
    assert [follower.taken[event] for event in events] == [
        row(1, "one.flyway_schema_history"),
        row(1, "two.flyway_schema_history"),
    ]
    assert follower.correlator.waiting == 0


def test_two_flyways_without_a_search_path_are_told_apart_by_position(wal: Wal) -> None:
    """The first one's row stands inside its DDL's transaction and not in the other's; the rest is then known."""
    one, two = two_runs(wal)
    one.lock()
    two.lock()
    events = [one_migration(one, "one.a"), one_migration(two, "two.a"), one_migration(one, "one.b")]
    follower = follow(wal, "one", "two")
    follower.finish(wal)
    assert [follower.taken[event] for event in events] == [
        row(1, "one.flyway_schema_history"),
        row(1, "two.flyway_schema_history"),
        row(2, "one.flyway_schema_history"),
    ]


def one_migration(run: Flyway, name: str) -> int:
    script, history = run.wal.begin(run.b), run.wal.begin(run.a)
    event = script.create(name)
    run.insert(history)
    script.commit()
    history.commit()
    return event


def test_overlapping_twins_are_left_unlinked_and_never_linked_wrongly(wal: Wal) -> None:
    """Two sessions that nothing tells apart, both open when the only row was written."""
    run = Flyway(wal, who(100), who(101))
    run.lock()
    mine, other, history = wal.begin(run.b), wal.begin(who(555)), wal.begin(run.a)
    events = [mine.create("public.a"), other.create("public.b")]
    run.insert(history)
    mine.commit()
    wal.sleep(5)
    other.commit()
    history.commit()
    follower = follow(wal)
    follower.tick(wal.now + timedelta(seconds=27))  # the grace of the first is over, of the second not yet
    follower.finish(wal)
    assert list(follower.links.values()) == [None], "that one of them expires first tells nothing"
    assert {follower.taken[event] for event in events} <= {"tool", "out_of_band"}
    assert follower.reported[-1].note is not None


def beside_liquibase(wal: Wal, run: Flyway, other: Liquibase) -> list[int]:
    """A transaction of that session's is open while Flyway writes the row of a migration that changed data only."""
    other.open()
    wal.sleep(2)
    run.lock()
    tx, history = wal.begin(other.a), wal.begin(run.a)
    events = [tx.create("public.l")]
    run.insert(history)
    tx.commit()
    history.commit()
    run.unlock()
    return events


def test_a_liquibase_that_had_its_transaction_open_when_flyway_wrote_a_row_is_not_flyways(wal: Wal) -> None:
    """Both have their driver's name, user and host; each may be it, so neither is linked wrongly."""
    run, other = Flyway(wal, who(100), who(101), TableName("one", "flyway_schema_history")), Liquibase(wal, who(200))
    events = beside_liquibase(wal, run, other)
    other.insert()
    other.close()
    follower = Follower(flyway_source("one"), liquibase_source()).feed(*wal.transactions).finish(wal)
    assert follower.taken[events[0]] not in {row(1, "one.flyway_schema_history"), "pending"}


def test_flyways_own_is_known_once_the_liquibase_beside_it_has_shown_its_session(wal: Wal) -> None:
    run, other = Flyway(wal, who(100), who(101), TableName("one", "flyway_schema_history")), Liquibase(wal, who(200))
    other.open()
    [migration] = run.migrate("one.a")
    follower = Follower(flyway_source("one"), liquibase_source()).feed(*wal.transactions)
    assert follower.taken == {migration: "pending"}
    [changeset] = other.run("public.l")
    follower.feed(*wal.transactions[-2:])
    assert follower.taken == {
        migration: row(1, "one.flyway_schema_history"),
        changeset: 'public.databasechangelog ["1", "ann", "db/log.xml"]',
    }


def test_commits_stand_in_commit_order(wal: Wal, run: Flyway) -> None:
    run.lock()
    script, history = wal.begin(run.b), wal.begin(run.a)
    script.create("public.a")
    psql(wal, "public.x")
    run.insert(history)
    script.commit()
    psql(wal, "public.y")
    history.commit()
    follower = follow(wal)
    order = [commit.lsn for commit in follower.stored.commits.values()]
    assert order == sorted(order)
    assert follower.kinds == ["out_of_band", "migration", "out_of_band"]


def test_a_quiet_tool_does_not_make_the_other_ones_row_late(wal: Wal) -> None:
    """Two locks were held; the second run ended without another row. Its claim ends, and the first one's row is due."""
    one, two = two_runs(wal)
    one.lock()
    two.lock()
    event = one_migration(one, "one.a")
    follower = follow(wal, "one", "two")
    follower.finish(wal)
    assert follower.taken[event] == row(1, "one.flyway_schema_history")
    assert list(follower.links.values()) == ["lock"]


def test_a_taken_transaction_is_no_orphan_of_the_other_tool(wal: Wal) -> None:
    one, two = two_runs(wal)
    one.lock()
    two.lock()
    one_migration(one, "one.a")
    follower = follow(wal, "one", "two")
    follower.finish(wal)
    wal.sleep(7200)
    two.migrate()  # data only
    follower.feed(wal.transactions[-1])
    assert (follower.reported[-1].evidence, follower.reported[-1].commits[0].made) == ("none", False)


def test_sessions_of_another_kind_are_not_its_siblings(wal: Wal, run: Flyway) -> None:
    run.lock()
    for other in (who(7, "billing", started="2026-02-27T00:00:00+00:00"), who(7, "billing", user="ann")):
        tx = wal.begin(other)
        tx.create(f"public.x{len(wal.transactions)}")
        tx.commit()
    assert set(follow(wal).taken.values()) == {"out_of_band"}


# -- a backend is not its application_name


@pytest.mark.parametrize("named", [who(101, "V2 orders"), who(101, user="owner")], ids=["named", "as the owner"])
def test_a_script_may_name_itself_or_act_as_another_user(wal: Wal, run: Flyway, named: Who) -> None:
    """The first one of its run: its row stands inside the transaction, and the rest is then known by its backend."""
    run.lock()
    events = []
    for number in (1, 2):
        script, history = wal.begin(named), wal.begin(run.a)
        events.append(script.create(f"public.a{number}"))
        run.insert(history)
        script.commit()
        history.commit()
    loose = wal.begin(named)
    events.append(loose.create("public.a3"))
    loose.commit()
    history = wal.begin(run.a)
    run.insert(history)
    history.commit()
    follower = follow(wal)
    assert [follower.taken[event] for event in events] == [row(1), row(2), row(3)]
    assert set(follower.links.values()) == {"lock"}


@pytest.mark.parametrize("name", ["psql", "billing", ""])
def test_a_pooler_gives_flyway_sessions_that_bear_the_names_of_others(wal: Wal, name: str) -> None:
    """Sessions that were there before, each named by whoever had it last: the row stands inside the transaction."""
    run = Flyway(
        wal, who(100, started="2026-02-01T00:00:00+00:00"), who(101, name, started="2026-02-02T00:00:00+00:00")
    )
    run.make_history()
    mine = [*run.migrate("public.a"), *run.migrate("public.b")]
    run.lock()
    by_hand = psql(wal, "public.by_hand", 102)
    tx = wal.begin(who(103, "psql"))
    beside = tx.create("public.beside")
    tx.commit()
    later = run.migrate("public.c")
    tx = wal.begin(run.b)
    after = tx.create("public.after")
    tx.commit()
    follower = follow(wal).finish(wal)
    assert [follower.taken[event] for event in (*mine, *later)] == [row(1), row(2), row(3)]
    assert {follower.taken[event] for event in (by_hand, beside, after)} == {"out_of_band"}
    assert set(follower.links.values()) == {"lock"}


def test_what_only_may_be_a_sibling_is_linked_by_position_or_not_at_all(wal: Wal, run: Flyway) -> None:
    """It ran DDL under the lock and looks otherwise; the migration ran no DDL that anybody saw."""
    run.lock()
    other = wal.begin(who(555, "nightly"))
    event = other.create("public.x")
    other.commit()
    history = wal.begin(run.a)
    run.insert(history)
    history.commit()
    follower = follow(wal).finish(wal)
    assert follower.taken == {event: "out_of_band"}
    assert list(follower.links.values()) == [None]
    assert follower.reported[-1].note is not None


def test_a_service_goes_on_with_its_own_ddl_on_the_connections_of_flyway(wal: Wal, run: Flyway) -> None:
    """Flyway on the service's own pool: without the lock its sessions are the service's."""
    run.make_history()
    mine = run.migrate("public.a")
    follower = follow(wal)
    later = []
    for session in (run.a, run.b):
        tx = wal.begin(session)
        later.append(tx.create(f"public.later{session.key.pid}"))
        follower.feed(tx.commit())
    assert {follower.taken[event] for event in mine} == {row(1)}
    assert {follower.taken[event] for event in later} == {"out_of_band"}

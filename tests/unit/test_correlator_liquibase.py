"""Liquibase's ways to work, in the orders in which they really stand in the WAL."""

from __future__ import annotations

import pytest

from tests.unit.build import (
    LOG,
    LOG_LOCK,
    Flyway,
    Follower,
    Liquibase,
    Wal,
    dropped,
    flyway_source,
    liquibase_source,
    psql,
    who,
)
from tests.unit.liquibase_runs import SOURCE, compare, follow, row


def test_first_run_finds_its_tables_and_links_each_changeset(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.make_tables()
    liquibase.open()
    one, two = liquibase.run("public.a", "public.a_i"), liquibase.run("public.b")
    liquibase.close()
    follower = Follower().feed(*wal.transactions)  # nothing is known before
    assert {follower.taken[event] for event in one} == {row("1")}
    assert {follower.taken[event] for event in two} == {row("2")}
    assert set(follower.links.values()) == {"bracket"}
    assert follower.kinds == ["tool", "tool", "migration", "migration"]


def test_the_log_may_be_made_inside_the_bracket(wal: Wal, liquibase: Liquibase) -> None:
    """changelog-sync on an empty database makes the lock table first, and runs nothing."""
    liquibase.make_lock_table()
    liquibase.open()
    liquibase.make_log()
    for number in (1, 2):
        liquibase.insert(name=str(number))
    liquibase.close()
    follower = Follower().feed(*wal.transactions)
    assert follower.kinds == ["tool", "tool"]
    assert set(follower.links.values()) == {"none"}


def test_statements_that_commit_one_by_one_are_one_changeset(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    events = liquibase.statements("public.a") + liquibase.statements("public.a2")
    liquibase.insert()
    liquibase.close()
    follower = follow(wal)
    assert {follower.taken[event] for event in events} == {row("1")}
    assert [one.part for one in follower.link(row("1")).commits] == [True, False]


def test_a_statement_by_hand_in_the_bracket_is_out_of_band(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    one = liquibase.statements("public.a")
    hand = psql(wal, "public.mine")
    liquibase.insert()
    liquibase.close()
    follower = follow(wal)
    assert follower.taken == {one[0]: row("1"), hand: "out_of_band"}


def test_mark_ran_takes_no_ddl(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    liquibase.insert(exectype="MARK_RAN")
    two = liquibase.run("public.b")
    liquibase.close()
    follower = follow(wal)
    assert follower.taken == {two[0]: row("2")}


def test_a_run_without_a_row_is_the_tools_when_the_bracket_closes(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    one = liquibase.run("public.a")
    lost = liquibase.statements("public.lost")
    liquibase.close()
    follower = follow(wal)
    assert follower.taken == {one[0]: row("1"), lost[0]: "tool"}


def test_ddl_before_the_bracket_is_not_the_tools(wal: Wal, liquibase: Liquibase) -> None:
    stranger = wal.begin(who(700))
    event = stranger.create("public.s")
    stranger.commit()
    liquibase.open()
    liquibase.run("public.a")
    liquibase.close()
    assert follow(wal).taken[event] == "out_of_band"


def test_the_session_that_took_the_lock_is_told_from_one_of_the_same_look(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    other = wal.begin(who(700))
    stranger = other.create("public.s")
    other.commit()
    mine = liquibase.run("public.a")
    liquibase.close()
    follower = follow(wal)
    assert list(follower.links.values()) == ["bracket"]
    assert follower.taken == {stranger: "out_of_band", mine[0]: f'{liquibase.table} ["1", "ann", "db/log.xml"]'}


def test_two_sessions_that_nothing_tells_apart_are_left_unlinked(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    wal.sleep(2)  # what the server counted has become statistics
    other = wal.begin(who(700))
    stranger = other.create("public.s")
    other.commit()
    mine = liquibase.run("public.a")
    liquibase.close()
    follower = follow(wal)
    assert list(follower.links.values()) == [None]
    assert follower.taken[stranger] in {"tool", "out_of_band"}
    assert follower.taken[mine[0]] in {"tool", "out_of_band"}
    note = follower.reported[-1].note
    assert note is not None
    assert "2 sessions" in note


def test_the_session_that_made_the_tables_is_told_from_a_stranger(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.make_tables()
    liquibase.open()
    other = wal.begin(who(700))
    stranger = other.create("public.s")
    other.commit()
    mine = liquibase.run("public.a")
    liquibase.close()
    follower = Follower().feed(*wal.transactions)
    assert follower.taken[mine[0]] == row("1")
    assert follower.taken[stranger] == "out_of_band"


def test_drop_all_is_the_tools(wal: Wal, liquibase: Liquibase) -> None:
    """Each object in its own transaction, the tool's tables last: the bracket ends with its table."""
    liquibase.make_tables()
    liquibase.open()
    first = liquibase.run("public.a", "public.b")
    liquibase.close()
    liquibase.open()
    events = []
    for name in ("public.a", "public.b"):
        tx = wal.begin(liquibase.a)
        events.append(tx.ddl("DROP TABLE", dropped(name)))
        tx.commit()
    hand = psql(wal, "public.mine")
    tx = wal.begin(liquibase.a)
    events.append(tx.ddl("DROP TABLE", dropped(str(LOG))))
    events.append(tx.ddl("DROP TABLE", dropped(str(LOG_LOCK))))
    tx.commit()
    follower = follow(wal)
    assert {follower.taken[event] for event in events} == {"tool"}
    assert follower.taken[hand] == "out_of_band"
    assert follower.taken[first[0]] == row("1")
    assert follower.ledgers[SOURCE].rows == {}
    assert follower.correlator.waiting == 0
    again = Liquibase(wal, who(200))
    again.make_tables()
    again.open()
    event = again.run("public.a")[0]
    again.close()
    follower.feed(*wal.transactions[len(follower.seen) :])
    assert follower.taken[event] == row("1")


# -- brackets that say too much


def test_a_crashed_run_claims_nothing_of_sessions_that_began_later(wal: Wal, liquibase: Liquibase) -> None:
    """LOCKED = true stays; then a day of changes by hand and by services: none delayed, none claimed."""
    liquibase.open()
    one = liquibase.run("public.a")
    follower = follow(wal)
    follower.gone(liquibase.a.key)
    for hour in range(24):
        wal.sleep(3600)
        began = wal.now.isoformat()
        tx = wal.begin(who(700 + hour, started=began))
        event = tx.create(f"public.later{hour}")
        follower.feed(tx.commit())
        assert follower.taken[event] == "out_of_band", "at once"
    assert follower.taken[one[0]] == row("1")
    bracket = follower.stored.facts["bracket", '["public", "databasechangeloglock"]'].state
    assert bracket is not None
    assert bracket["abandoned"]


@pytest.mark.parametrize("restarted", [False, True])
def test_an_abandoned_bracket_claims_nothing_of_older_sessions_either(
    wal: Wal, liquibase: Liquibase, *, restarted: bool
) -> None:
    liquibase.open()
    liquibase.run("public.a")
    follower = follow(wal)
    if restarted:
        follower.restart()
    follower.gone(liquibase.a.key)
    old = wal.begin(who(700))
    event = old.create("public.s")
    follower.feed(old.commit())
    assert follower.taken[event] == "out_of_band"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_bracket_that_no_session_is_old_enough_to_hold_is_abandoned(
    wal: Wal, liquibase: Liquibase, *, restarted: bool
) -> None:
    """It crashed before its first row: nothing told which session it was."""
    liquibase.open()
    wal.sleep(2)
    lost = liquibase.statements("public.lost")
    follower = follow(wal)
    if restarted:
        follower.restart()
    follower.correlator.oldest_session(wal.now, up_to=follower.correlator.newest)
    follower.store()
    assert follower.taken == {lost[0]: "out_of_band"}
    later = wal.begin(who(700))
    event = later.create("public.later")
    follower.feed(later.commit())
    assert follower.taken[event] == "out_of_band"


def test_a_slow_changeset_keeps_its_statements_while_the_bracket_is_open(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    events = liquibase.statements("public.a")
    wal.sleep(300)
    events += liquibase.statements("public.a2")
    wal.sleep(300)
    follower = follow(wal)
    follower.tick(wal.now)
    assert {follower.taken[event] for event in events} == {"pending"}
    liquibase.insert()
    liquibase.close()
    follower.feed(*wal.transactions[len(follower.seen) :])
    assert {follower.taken[event] for event in events} == {row("1")}


def test_whoever_makes_a_table_does_not_catch_other_peoples_ddl(wal: Wal, liquibase: Liquibase) -> None:
    """An ordinary role has a table of Liquibase's shape, beside which a superuser works with the same driver."""
    liquibase.open()
    superuser, mine = wal.begin(who(700, user="postgres")), liquibase.statements("public.a")
    other = superuser.create("public.s")
    superuser.commit()
    liquibase.insert()
    liquibase.close()
    follower = Follower(liquibase_source())
    follower.correlator.set_writers({SOURCE: frozenset({"deploy"})})
    follower.feed(*wal.transactions)
    assert follower.taken == {mine[0]: row("1"), other: "out_of_band"}


def test_two_runs_at_once_are_told_apart_by_what_was_open_when_one_wrote(wal: Wal) -> None:
    """Each works on one connection, so that whoever had a transaction open while a tool wrote is not that tool."""
    one, two = Liquibase(wal, who(100), "one"), Liquibase(wal, who(200), "two")
    one.open()
    two.open()
    truth: dict[int, str] = {}
    mine, other = one, two
    for number in (1, 2, 3, 4):
        tx = wal.begin(other.a)
        truth[tx.create(f"{other.schema}.t{number}")] = f'{other.table} ["{other.order + 1}", "ann", "db/log.xml"]'
        key = mine.order + 1
        truth[mine.run(f"{mine.schema}.u{number}")[0]] = f'{mine.table} ["{key}", "ann", "db/log.xml"]'
        tx.commit()
        other.insert()
        mine, other = other, mine
    one.close()
    two.close()
    follower = Follower(liquibase_source("one"), liquibase_source("two")).feed(*wal.transactions).finish(wal)
    assert follower.taken == truth


# -- what decoding does not show


def test_a_bracket_that_never_closes_does_not_stop_the_history(wal: Wal, liquibase: Liquibase) -> None:
    """Liquibase was killed after a rollback: its lock row stays, maybe for ever."""
    liquibase.open()
    liquibase.run("public.a")
    liquibase.close()
    liquibase.open()
    events = liquibase.statements("public.a", tag="DROP TABLE")
    liquibase.undecodable()
    follower = follow(wal)
    wal.sleep(31)
    hand = psql(wal, "public.mine")
    follower.feed(wal.transactions[-1])
    compare(follower, [])
    assert follower.taken[events[0]] == row("1")
    assert follower.taken[hand] == "out_of_band"


# -- beside Flyway, with the same user, application and address


def test_flyway_and_liquibase_at_once(wal: Wal, liquibase: Liquibase) -> None:
    flyway = Flyway(wal, who(200), who(201))
    liquibase.open()
    truth: dict[int, str] = {}
    for number in (1, 2, 3):
        flyway.lock()
        script, history = wal.begin(flyway.b), wal.begin(flyway.a)
        truth[script.create(f"public.f{number}")] = f'public.flyway_schema_history ["{number}"]'
        truth[liquibase.statements(f"public.l{number}")[0]] = row(str(number))
        flyway.insert(history)
        script.commit()
        liquibase.insert()
        history.commit()
        flyway.unlock()
    liquibase.close()
    follower = Follower(flyway_source(), liquibase_source()).feed(*wal.transactions)
    follower.finish(wal)
    assert follower.taken == truth

"""Tables of the user's own: rows in the DDL's transaction, or in a later one with nothing but the order to go by."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pggit_daemon.config.model import Source as Section
from pggit_daemon.config.sources import configured_source
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import Source
from tests.unit.build import Follower, Wal, Who, psql, who

TABLE = TableName("app", "history")
TOOL = who(100, "deployer")


def source(**more: object) -> Source:
    section = {"name": "own", "table": "app.history", "tool": "own", "columns": {"id": "id"}, **more}
    return configured_source(Section.model_validate(section), timedelta(seconds=10))


@pytest.fixture
def wal() -> Wal:
    return Wal(names={TABLE: "own"})


def ddl(wal: Wal, name: str, session: Who = TOOL) -> int:
    tx = wal.begin(session)
    event = tx.create(name)
    tx.commit()
    return event


def row(wal: Wal, number: int, session: Who = TOOL) -> LSN:
    tx = wal.begin(session)
    lsn = tx.insert(TABLE, id=number)
    tx.commit()
    return lsn


def test_rows_of_the_same_transaction_take_what_stands_before_them(wal: Wal) -> None:
    tx = wal.begin(TOOL)
    one = tx.create("app.a")
    tx.insert(TABLE, id=1)
    two = tx.create("app.b")
    tx.insert(TABLE, id=2)
    tx.commit()
    hand = psql(wal, "app.c")
    follower = Follower(source()).feed(*wal.transactions)
    assert follower.taken == {one: 'own ["1"]', two: 'own ["2"]', hand: "out_of_band"}
    assert set(follower.links.values()) == {"transaction"}


def test_a_lone_row_may_stand_before_its_statements(wal: Wal) -> None:
    tx = wal.begin(TOOL)
    tx.insert(TABLE, id=1)
    event = tx.create("app.a")
    tx.commit()
    assert Follower(source()).feed(*wal.transactions).taken == {event: 'own ["1"]'}


def test_statements_behind_the_last_of_several_rows_are_out_of_band(wal: Wal) -> None:
    tx = wal.begin(TOOL)
    one = tx.create("app.a")
    tx.insert(TABLE, id=1)
    tx.insert(TABLE, id=2)
    rest = tx.create("app.b")
    tx.commit()
    assert Follower(source()).feed(*wal.transactions).taken == {one: 'own ["1"]', rest: "out_of_band"}


def test_a_row_of_a_later_transaction_takes_what_waits(wal: Wal) -> None:
    one = ddl(wal, "app.a")
    row(wal, 1)
    two = ddl(wal, "app.b")
    row(wal, 2)
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    assert follower.taken == {one: 'own ["1"]', two: 'own ["2"]'}
    assert set(follower.links.values()) == {"window"}


def test_hints_tell_the_tool_from_others(wal: Wal) -> None:
    hand = psql(wal, "app.mine")
    one = ddl(wal, "app.a")
    row(wal, 1)
    follower = Follower(source(ddl="after", application_name="deploy*")).feed(*wal.transactions)
    assert follower.taken == {hand: "out_of_band", one: 'own ["1"]'}


def test_without_hints_two_sessions_cannot_be_told_apart(wal: Wal) -> None:
    hand = psql(wal, "app.mine")
    one = ddl(wal, "app.a")
    row(wal, 1)
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    assert follower.taken == {hand: "pending", one: "pending"}
    follower.finish(wal)
    assert follower.taken == {hand: "out_of_band", one: "out_of_band"}
    assert list(follower.links.values()) == [None]


def test_the_row_may_come_after_the_session_of_its_ddl_has_ended(wal: Wal) -> None:
    """Scripts run in one session, the row is written in another: the configuration says no more than `after`."""
    one = ddl(wal, "app.a")
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    assert follower.correlator.watched() == frozenset(), "its end decides nothing"
    wal.sleep(1)
    row(wal, 1, who(200, "deployer"))
    follower.feed(wal.transactions[-1])
    assert follower.taken == {one: 'own ["1"]'}


def test_a_row_may_come_later_also_where_earlier_ones_shared_their_transaction(wal: Wal) -> None:
    """Plain migrations of Django share theirs, those with foreign keys do not; each run is a new session."""
    tx = wal.begin(TOOL)
    one = tx.create("app.a")
    tx.insert(TABLE, id=1)
    tx.commit()
    wal.sleep(20)
    second = who(200, "deployer")
    two = ddl(wal, "app.b", second)
    row(wal, 2, second)
    follower = Follower(source(ddl="after")).feed(*wal.transactions).finish(wal)
    assert follower.taken == {one: 'own ["1"]', two: 'own ["2"]'}
    assert set(follower.links.values()) == {"transaction", "window"}


def test_an_unknown_session_must_have_ended_its_ddl_right_before_the_row(wal: Wal) -> None:
    """A hand's DDL, and seconds later a migration that only changed data."""
    hand = ddl(wal, "app.hand")
    wal.sleep(3)
    row(wal, 1, who(200, "deployer"))
    follower = Follower(source(ddl="after")).feed(*wal.transactions).finish(wal)
    assert follower.taken == {hand: "out_of_band"}


def test_a_session_that_used_the_table_may_take_longer_than_an_unknown_one(wal: Wal) -> None:
    wal.begin(TOOL).read(TABLE)
    one = ddl(wal, "app.a")
    beside = ddl(wal, "app.hand", who(200, "deployer"))
    wal.sleep(4)
    row(wal, 1)
    follower = Follower(source(ddl="after")).feed(*wal.transactions).finish(wal)
    assert follower.taken == {one: 'own ["1"]', beside: "out_of_band"}


def test_a_session_that_wrote_its_rows_has_the_whole_grace(wal: Wal) -> None:
    one = ddl(wal, "app.a")
    row(wal, 1)
    two = ddl(wal, "app.b")
    beside = ddl(wal, "app.hand", who(200, "deployer"))
    wal.sleep(8)
    row(wal, 2)
    follower = Follower(source(ddl="after")).feed(*wal.transactions).finish(wal)
    assert follower.taken == {one: 'own ["1"]', two: 'own ["2"]', beside: "out_of_band"}


def test_the_grace_is_the_sources_own_in_the_streams_time(wal: Wal) -> None:
    one = ddl(wal, "app.a")
    follower = Follower(source(ddl="after", grace_seconds=2)).feed(*wal.transactions)
    follower.tick(wal.now + timedelta(seconds=1))
    assert follower.taken == {one: "pending"}
    follower.tick(wal.now + timedelta(seconds=3))
    assert follower.taken == {one: "out_of_band"}


def test_a_late_row_is_linked_to_what_is_recorded_and_corrects_it(wal: Wal) -> None:
    one = ddl(wal, "app.a")
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    wal.sleep(11)
    follower.tick(wal.now)
    assert follower.taken == {one: "out_of_band"}
    row(wal, 1)
    follower.feed(wal.transactions[-1])
    assert follower.taken == {one: 'own ["1"]'}
    assert list(follower.links.values()) == ["window"]
    assert follower.attributions[-1].corrects == "out_of_band"


def test_a_row_that_comes_after_many_graces_is_not_of_that_ddl(wal: Wal) -> None:
    """Whatever ran DDL an hour ago, a migration of now is not known by it."""
    one = ddl(wal, "app.a")
    wal.sleep(3600)
    row(wal, 1)
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    assert follower.taken == {one: "out_of_band"}
    assert list(follower.links.values()) == ["none"]


def test_late_rows_that_two_sessions_may_have_run_are_not_linked(wal: Wal) -> None:
    ddl(wal, "app.a")
    ddl(wal, "app.b", who(200, "deployer"))
    wal.sleep(11)
    row(wal, 1)
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    assert follower.kinds == ["out_of_band"] * 2
    assert follower.reported[-1].evidence is None
    assert follower.reported[-1].note is not None


def test_a_long_script_of_single_statements_is_one_migration(wal: Wal) -> None:
    """1,200 statements, each in a transaction of its own; the row comes long after the grace of the first ones."""
    events = []
    for number in range(1200):
        events.append(ddl(wal, f"app{number // 100}.t{number}"))
        wal.sleep(0.05)
    row(wal, 1)
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    assert follower.taken == dict.fromkeys(events, 'own ["1"]')
    assert [one.part for one in follower.link('own ["1"]').commits] == [True] * 1199 + [False]


def test_a_script_after_a_pause_does_not_take_what_was_before(wal: Wal) -> None:
    hand = ddl(wal, "app.hand")
    wal.sleep(60)
    one = ddl(wal, "app.a")
    row(wal, 1)
    follower = Follower(source(ddl="after")).feed(*wal.transactions)
    assert follower.taken == {hand: "out_of_band", one: 'own ["1"]'}


@pytest.mark.parametrize(("pause", "taken"), [(5.0, 'own ["1"]'), (12.0, "out_of_band")])
def test_a_statement_that_takes_longer_than_the_grace_is_no_pause(wal: Wal, pause: float, taken: str) -> None:
    """An index made CONCURRENTLY after a column was added: the session was at work all the time, or not."""
    own = source(ddl="after")
    ddl(wal, "app.first")
    row(wal, 0)
    one = ddl(wal, "app.a")
    wal.sleep(pause)
    tx = wal.begin(TOOL)
    wal.sleep(60)
    two = tx.create("app.b")
    tx.commit()
    row(wal, 1)
    follower = Follower(own).feed(*wal.transactions)
    assert (follower.taken[one], follower.taken[two]) == (taken, 'own ["1"]')

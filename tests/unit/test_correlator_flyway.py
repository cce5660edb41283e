"""Flyway's ways to work, in the orders in which they really stand in the WAL: each row gets its DDL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pggit_daemon.model.transaction import RowOp, TableName
from tests.unit.build import (
    FLYWAY_COLUMNS,
    FSH,
    Flyway,
    Follower,
    Wal,
    Who,
    dropped,
    element,
    flyway_row,
    flyway_source,
    made,
    psql,
    who,
)

SOURCE = "public.flyway_schema_history"


def row(rank: int, source: str = SOURCE) -> str:
    return f"{source} [{rank}]".replace("[", '["').replace("]", '"]')


@pytest.fixture
def wal() -> Wal:
    return Wal()


@pytest.fixture
def run(wal: Wal) -> Flyway:
    return Flyway(wal, who(100), who(101))


def follow(wal: Wal, *sources: str) -> Follower:
    follower = Follower(*(flyway_source(name) for name in sources or ("public",)))
    return follower.feed(*wal.transactions)


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


# -- the tool's own tables


def test_a_schema_that_is_made_with_the_history_table_is_the_tools(wal: Wal) -> None:
    table = TableName("app", "flyway_schema_history")
    run = Flyway(wal, who(100), who(101), table)
    tx = wal.begin(run.a)
    tx.ddl("CREATE SCHEMA", element("app", type_="schema"))
    run.lock()
    tx.ddl("CREATE TABLE", made(table, FLYWAY_COLUMNS))
    tx.commit()
    run.unlock()
    marker = wal.begin(run.a)
    marker.insert(table, **flyway_row(0, None, type="SCHEMA", description="<< Flyway Schema Creation >>"))
    marker.commit()
    event = run.migrate("app.a")[0]
    follower = Follower().feed(*wal.transactions)  # found by its columns in the stream
    assert follower.kinds == ["tool", "migration"]
    marker_link = follower.reported[0].commits[0]
    assert (marker_link.made, follower.reported[0].evidence) == (False, "none")
    assert follower.taken[event] == row(1, "app.flyway_schema_history")


def test_baseline_is_a_marker_that_does_not_part_the_making_of_its_table(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(run.a)
    tx.ddl("CREATE TABLE", made(FSH, FLYWAY_COLUMNS))
    run.insert(tx, type="BASELINE")
    tx.ddl("ALTER TABLE", made(FSH, FLYWAY_COLUMNS))
    tx.commit()
    follower = Follower().feed(*wal.transactions)
    assert follower.kinds == ["tool"]
    assert list(follower.links.values()) == ["none"]
    assert follower.correlator.waiting == 0


def test_clean_is_the_tools_whole_transaction_and_ends_the_rows(wal: Wal, run: Flyway) -> None:
    first = wal.begin(run.a)
    first.ddl("CREATE SCHEMA", element("app", type_="schema"))
    first.ddl("CREATE VIEW", element("public.v", type_="view"))
    first.commit()
    run.make_history()
    run.migrate("public.a")
    cleaner = who(300)
    tx = wal.begin(cleaner)
    events = [
        tx.ddl("DROP VIEW", dropped("public.v", type_="view")),
        tx.ddl("DROP TABLE", dropped("public.flyway_schema_history")),
        tx.ddl("DROP TABLE", dropped("public.a")),
    ]
    tx.commit()
    schema = wal.begin(cleaner)
    events.append(schema.ddl("DROP SCHEMA", dropped("app", type_="schema")))
    schema.commit()
    follower = follow(wal)
    assert {follower.taken[event] for event in events} == {"tool"}
    assert follower.ledgers[SOURCE].rows == {}
    assert follower.kinds[1:] == ["tool", "migration", "tool", "tool"], "what one transaction cleans up is one commit"
    meanings = [change.meaning for link in follower.reported if not link.recorded for change in link.row.changes]
    assert meanings == ["applied", "cleared"]


def test_psql_that_drops_a_history_table_and_more_is_not_the_tool(wal: Wal, run: Flyway) -> None:
    run.migrate("public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    both = tx.ddl("DROP TABLE", dropped("public.flyway_schema_history"), dropped("public.a"))
    tx.commit()
    follower = follow(wal)
    assert follower.taken[both] == "out_of_band"
    assert follower.ledgers[SOURCE].rows == {}


def test_the_history_table_comes_again_after_clean(wal: Wal, run: Flyway) -> None:
    run.make_history()
    run.migrate("public.a")
    tx = wal.begin(who(300))
    tx.ddl("DROP TABLE", dropped("public.flyway_schema_history"))
    tx.ddl("DROP TABLE", dropped("public.a"))
    tx.commit()
    again = Flyway(wal, who(400), who(401))
    again.make_history()
    event = again.migrate("public.a")[0]
    follower = Follower().feed(*wal.transactions)
    assert follower.taken[event] == row(1)
    applied = [change.migration for link in follower.reported if not link.recorded for change in link.row.changes]
    ids = [migration.migration_id for migration in applied if migration]
    assert ids == [1, 1], "what is applied again keeps its id"


def test_repair_is_recorded_and_makes_no_commit(wal: Wal, run: Flyway) -> None:
    run.migrate("public.a")
    tx = wal.begin(run.a)
    tx.row(FSH, RowOp.UPDATE, flyway_row(1, checksum=99), {"installed_rank": 1})
    run.insert(tx, type="DELETE", version="1")
    tx.commit()
    follower = follow(wal)
    assert follower.kinds == ["migration"]
    assert [link.evidence for link in follower.reported] == ["lock", None, None]


# -- others beside it


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

"""Flyway's ways to work, in the orders in which they really stand in the WAL: each row gets its DDL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pggit_daemon.model.decision import CommitKind
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


def kinds(follower: Follower) -> list[str | None]:
    return [decision.kind.value if decision.kind is not None else None for decision in follower.decisions]


def test_default_mode_takes_the_ddl_of_the_other_connection(wal: Wal, run: Flyway) -> None:
    run.make_history()
    one, two = run.migrate("public.a", "public.a_i"), run.migrate("public.b")
    follower = follow(wal)
    assert {follower.taken[event] for event in one} == {row(1)}
    assert {follower.taken[event] for event in two} == {row(2)}
    assert set(follower.links.values()) == {"lock"}
    assert kinds(follower) == ["tool", "migration", "migration"]
    assert follower.correlator.waiting == 0


def test_group_mode_is_cut_where_the_rows_stand(wal: Wal, run: Flyway) -> None:
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
    assert kinds(follower) == ["migration"] * 3


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
    assert kinds(follower) == ["migration"], "neighbours are one commit"


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
    assert kinds(follower) == ["migration", "out_of_band", "migration"]
    assert [follower.taken[event] for event in (one, hand, two)] == [row(1), "out_of_band", row(1)]
    part, _, last = follower.decisions
    assert part.part_of is last.links[0].row


def test_psql_under_the_lock_is_out_of_band_at_once(wal: Wal, run: Flyway) -> None:
    run.lock()
    follower = follow(wal)
    hand = psql(wal, "public.mine")
    follower.feed(*wal.transactions)
    assert follower.taken == {hand: "out_of_band"}


def test_data_only_and_skipped_migrations_are_commits_without_ddl(wal: Wal, run: Flyway) -> None:
    run.migrate("public.a")
    run.migrate()
    follower = follow(wal)
    assert kinds(follower) == ["migration", "migration"]
    assert list(follower.links.values()) == ["lock", "window"]


def test_ddl_whose_row_never_came_is_the_tools_once_the_next_run_holds_the_lock(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(run.b)
    lost = tx.create("public.lost")
    tx.commit()
    follower = follow(wal)
    assert follower.taken == {}
    again = Flyway(wal, who(200), who(201))
    found = again.migrate("public.b")
    follower.feed(*wal.transactions[1:])
    assert follower.taken == {lost: "tool", found[0]: row(1)}
    assert follower.decisions[0].orphan


def test_an_end_of_the_holder_frees_its_ddl(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(run.b)
    lost = tx.create("public.lost")
    tx.commit()
    follower = follow(wal)
    watched = follower.correlator.watched()
    assert {one.session for one in watched} == {run.a.key}
    follower.correlator.gone(watched, up_to=follower.correlator.newest)
    follower.settle()
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
    follower.settle()
    assert follower.taken == {lost: "tool"}
    assert follower.correlator.waiting == 1
    assert later not in follower.taken


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


@pytest.mark.parametrize("inside", [True, False], ids=["transactional", "statement by statement"])
def test_a_row_after_its_grace_is_linked_to_the_commit_that_exists(wal: Wal, run: Flyway, *, inside: bool) -> None:
    run.lock()
    script, history = wal.begin(run.b), wal.begin(run.a)
    event = script.create("public.a")
    if inside:
        run.insert(history)
    done = script.commit()
    wal.sleep(31)
    if not inside:
        run.insert(history)
    history.commit()
    follower = follow(wal)
    assert follower.taken == {event: "tool"}
    link = follower.decisions[-1].links[0]
    assert (link.evidence, link.late) == ("late", done.commit_lsn)


def test_rows_within_their_grace_are_not_late(wal: Wal, run: Flyway) -> None:
    run.lock()
    script, history = wal.begin(run.b), wal.begin(run.a)
    event = script.create("public.a")
    run.insert(history)
    script.commit()
    wal.sleep(29)
    history.commit()
    assert follow(wal).taken == {event: row(1)}


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
    assert kinds(follower) == ["tool", "tool", "migration"]
    assert follower.taken[event] == row(1, "app.flyway_schema_history")


def test_baseline_is_a_marker_that_does_not_part_the_making_of_its_table(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(run.a)
    tx.ddl("CREATE TABLE", made(FSH, FLYWAY_COLUMNS))
    run.insert(tx, type="BASELINE")
    tx.ddl("ALTER TABLE", made(FSH, FLYWAY_COLUMNS))
    tx.commit()
    follower = Follower().feed(*wal.transactions)
    assert kinds(follower) == ["tool", "migration"]
    assert follower.correlator.waiting == 0


def test_clean_is_the_tools_whole_transaction_and_ends_the_rows(wal: Wal, run: Flyway) -> None:
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
    meanings = [change.meaning for d in follower.decisions for link in d.links for change in link.row.changes]
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
    tx.commit()
    again = Flyway(wal, who(400), who(401))
    again.make_history()
    event = again.migrate("public.a")[0]
    follower = Follower().feed(*wal.transactions)
    assert follower.taken[event] == row(1)
    applied = [change.migration for d in follower.decisions for link in d.links for change in link.row.changes]
    ids = [migration.migration_id for migration in applied if migration]
    assert ids == [1, 1], "what is applied again keeps its id"


def test_repair_is_recorded_and_makes_no_commit(wal: Wal, run: Flyway) -> None:
    run.migrate("public.a")
    tx = wal.begin(run.a)
    tx.row(FSH, RowOp.UPDATE, flyway_row(1, checksum=99), {"installed_rank": 1})
    run.insert(tx, type="DELETE", version="1")
    tx.commit()
    assert kinds(follow(wal)) == ["migration", None, None]


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
    assert follower.decisions[-1].links[0].note is not None


def test_order_of_decisions_is_commit_order(wal: Wal, run: Flyway) -> None:
    run.lock()
    script, history = wal.begin(run.b), wal.begin(run.a)
    script.create("public.a")
    psql(wal, "public.x")
    run.insert(history)
    script.commit()
    psql(wal, "public.y")
    history.commit()
    follower = follow(wal)
    order = [decision.unit.commit_lsn for decision in follower.decisions]
    assert order == sorted(order)
    assert kinds(follower) == ["out_of_band", "migration", "out_of_band"]
    assert follower.decisions[1].kind is CommitKind.MIGRATION


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
    link = follower.decisions[-1].links[0]
    assert (link.evidence, link.late) == ("window", None)


def test_sessions_of_another_kind_are_not_sisters(wal: Wal, run: Flyway) -> None:
    run.lock()
    tx = wal.begin(Who(who(7).key, who(7, "billing").profile))
    event = tx.create("public.x")
    tx.commit()
    assert follow(wal).taken == {event: "out_of_band"}

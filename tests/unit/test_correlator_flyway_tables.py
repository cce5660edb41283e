"""Flyway's own tables and markers: made, cleaned up, repaired; what is the tool's and no migration's."""

from __future__ import annotations

from pggit_daemon.model.transaction import RowOp, TableName
from tests.unit.build import (
    FLYWAY_COLUMNS,
    FSH,
    Flyway,
    Follower,
    Wal,
    dropped,
    element,
    flyway_row,
    made,
    who,
)
from tests.unit.flyway_runs import SOURCE, follow, row


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

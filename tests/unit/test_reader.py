"""Transactions become what they say; what they say badly is kept raw."""

from __future__ import annotations

from typing import Any

import pytest

from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.interpret.transaction import NewTables, Reader
from pggit_daemon.model.changeset import AlreadyStored, BracketMove, Changeset, Ddl, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.ddl_event import OUTBOX
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import RowChange, RowOp, TableName, Transaction, Unreadable
from pggit_daemon.tools.registry import Registry
from tests.unit.build import (
    FLYWAY_COLUMNS,
    FSH,
    LOG_LOCK,
    PRESETS,
    START,
    Flyway,
    Liquibase,
    Wal,
    dropped,
    flyway_row,
    flyway_source,
    liquibase_source,
    made,
    who,
)


def reader(*, written: frozenset[LSN] = frozenset(), ledgers: dict[str, Ledger] | None = None) -> Reader:
    registry = Registry(PRESETS, [flyway_source(), liquibase_source()])
    return Reader(registry, ledgers if ledgers is not None else {}, written=written)


def items(transaction: Transaction, by: Reader | None = None) -> list[object]:
    unit = (by or reader()).read(transaction)
    assert isinstance(unit, Changeset)
    return list(unit.items)


def test_a_new_history_table_stops_the_stream_before_anything_is_read(wal: Wal) -> None:
    tx = wal.begin(who(1))
    table = TableName("app", "history")
    tx.ddl("CREATE TABLE", made(table, FLYWAY_COLUMNS))
    tx.insert(table, **flyway_row(1))
    done = tx.commit()
    ledgers: dict[str, Ledger] = {}
    by = reader(ledgers=ledgers)
    assert by.read(done) == NewTables((table,))
    assert ledgers == {}
    assert [type(item) for item in items(done, by)] == [Ddl, HistoryRowEvent], "read again with the table added"


def test_rows_of_other_tables_and_messages_say_nothing(wal: Wal) -> None:
    tx = wal.begin(who(1))
    tx.insert(TableName("public", "orders"), id=1)
    assert items(tx.commit()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pid": "not a number"}, "ValueError"),
        ({"objects": "{"}, "JSONDecodeError"),
        ({"objects": "[1]"}, "TypeError"),
        ({"objects": '[{"op": "set"}]'}, "KeyError"),
        ({"objects": '[{"op": "explode"}]'}, "ValueError"),
        ({"objects": None}, "TypeError"),
        ({"locks": '[{"classid": null}]'}, "TypeError"),
    ],
)
def test_a_bad_row_of_the_outbox_is_kept_raw(wal: Wal, change: dict[str, Any], reason: str) -> None:
    tx = wal.begin(who(1))
    tx.create("public.a")
    good = tx.changes[0]
    assert isinstance(good, RowChange)
    tx.changes[0] = RowChange(good.lsn, good.op, OUTBOX, {**good.new, **change}, {})
    (item,) = items(tx.commit())
    assert isinstance(item, Unreadable)
    assert reason in item.reason
    assert '"command_tag": "CREATE TABLE"' in item.raw


def test_a_row_that_lacks_columns_is_kept_raw() -> None:
    transaction = Transaction(1, LSN(9), LSN(10), START, (RowChange(LSN(5), RowOp.INSERT, OUTBOX, {"id": 1}, {}),))
    (item,) = items(transaction)
    assert isinstance(item, Unreadable)


def test_deletes_in_the_outbox_are_our_own_tidying(wal: Wal) -> None:
    tx = wal.begin(who(1))
    tx.row(OUTBOX, RowOp.DELETE, {}, {"id": 4})
    assert items(tx.commit()) == []


def test_drop_of_a_history_table_clears_its_rows_after_the_statement(wal: Wal) -> None:
    by = reader()
    Flyway(wal, who(1), who(2)).migrate()
    tx = wal.begin(who(1))
    tx.ddl("DROP TABLE", dropped(str(FSH)))
    tx.commit()
    items(wal.transactions[0], by)
    ddl, cleared = items(wal.transactions[1], by)
    assert isinstance(ddl, Ddl)
    assert ddl.housekeeping == str(FSH)
    assert isinstance(cleared, HistoryRowEvent)
    assert cleared.principal.operation == "drop"


def test_lock_rows_open_and_close_the_bracket(wal: Wal) -> None:
    run = Liquibase(wal, who(1))
    run.open()
    run.close()
    tx = wal.begin(who(1))
    tx.row(LOG_LOCK, RowOp.DELETE, {}, {"id": 1})
    tx.insert(LOG_LOCK, id=1, locked=False)
    tx.row(LOG_LOCK, RowOp.TRUNCATE)
    tx.ddl("DROP TABLE", dropped(str(LOG_LOCK)))
    tx.commit()
    by = reader()
    moves = [item.opens for one in wal.transactions for item in items(one, by) if isinstance(item, BracketMove)]
    assert moves == [True, False, False, False, False]


def test_undecodable_rows_have_their_place(wal: Wal) -> None:
    lsn = Liquibase(wal, who(1)).undecodable()
    assert items(wal.transactions[0]) == [UndecodableRow("public.databasechangelog", lsn)]


def test_rows_that_are_stored_already_are_passed_over(wal: Wal) -> None:
    """The ledger holds them; reading them again would count them twice."""
    run, other = Flyway(wal, who(1), who(2)), Liquibase(wal, who(3))
    run.migrate()
    undecodable = other.undecodable()
    row = wal.transactions[0].changes[0].lsn
    by = reader(written=frozenset({row, undecodable}))
    assert items(wal.transactions[0], by) == [AlreadyStored(str(FSH), row)]
    assert items(wal.transactions[1], by) == [AlreadyStored("public.databasechangelog", undecodable)]

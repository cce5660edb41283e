"""What each change of Liquibase's history table means, and what is no edit."""

from __future__ import annotations

import pytest

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.row_text import SYNTHETIC, as_text
from pggit_daemon.model.transaction import Row, RowChange, RowOp
from tests.unit.build import flyway_row, liquibase_row
from tests.unit.ledgers import AT, WHERE, delete, insert, ledger, migration, text, update


def test_a_changeset_is_its_file_id_and_author() -> None:
    change = insert(ledger("liquibase"), liquibase_row(4, "add-x"))
    assert (migration(change).migration_id, migration(change).version) == (4, "db/log.xml::add-x::ann")
    assert change.row_key == '["add-x", "ann", "db/log.xml"]'


def test_mark_ran_did_not_run() -> None:
    change = insert(ledger("liquibase"), liquibase_row(1, exectype="MARK_RAN"))
    assert (change.meaning, change.ran_ddl, migration(change).status) == (Meaning.MARKED, False, "marked")


def test_an_order_that_comes_again_is_not_the_same_migration() -> None:
    of = ledger("liquibase")
    first = migration(insert(of, liquibase_row(5, "a"))).migration_id
    delete(of, liquibase_row(5, "a"))
    second = migration(insert(of, liquibase_row(5, "b"))).migration_id
    third = migration(insert(of, liquibase_row(5, "c"))).migration_id
    assert [first, second, third] == [5, SYNTHETIC + 1, SYNTHETIC + 2]
    assert migration(insert(of, liquibase_row(6, "a"))).migration_id == 5


@pytest.mark.parametrize(
    ("before", "after", "meaning"),
    [
        ({}, {"exectype": "RERAN", "orderexecuted": 9, "md5sum": "9:x"}, Meaning.RERAN),
        ({}, {"md5sum": None}, Meaning.CHECKSUM_CLEARED),
        ({"md5sum": None}, {"md5sum": "9:y"}, Meaning.CHECKSUM_FILLED),
        ({}, {"md5sum": "9:z"}, Meaning.CHECKSUM_CHANGED),
        ({}, {"tag": "v1"}, Meaning.TAGGED),
        ({}, {"description": "else"}, Meaning.EDITED),
    ],
)
def test_updates_of_a_changeset(before: Row, after: Row, meaning: Meaning) -> None:
    of = ledger("liquibase")
    old = liquibase_row(1) | dict(before)
    insert(of, old)
    assert update(of, old | dict(after), old).meaning is meaning


def test_rerunning_keeps_the_id_and_takes_the_new_order() -> None:
    of = ledger("liquibase")
    insert(of, liquibase_row(1, "v"))
    change = update(of, liquibase_row(7, "v", exectype="RERAN"))
    assert (migration(change).migration_id, migration(change).sequence, change.ran_ddl) == (1, 7, True)


def test_a_deleted_changeset_was_rolled_back() -> None:
    of = ledger("liquibase")
    insert(of, liquibase_row(2, "b"))
    change = delete(of, liquibase_row(2, "b"))
    assert change.meaning is Meaning.ROLLED_BACK
    assert (migration(change).migration_id, migration(change).rollback_of) == (-2, 2)
    assert of.rows == {}


def test_an_insert_of_a_known_changeset_tells_that_it_was_rolled_back() -> None:
    """Without a replica identity the DELETE before it was not shown."""
    of = ledger("liquibase")
    insert(of, liquibase_row(2, "b"))
    changes = of.read(RowChange(AT, RowOp.INSERT, WHERE, liquibase_row(3, "b"), {}))
    assert [(change.meaning, change.operation) for change in changes] == [
        (Meaning.ROLLED_BACK, "inferred"),
        (Meaning.APPLIED, "insert"),
    ]
    assert migration(changes[1]).migration_id == 2


def test_comparing_tells_what_was_not_shown_in_the_tools_order() -> None:
    of = ledger("liquibase")
    for number, name in enumerate("abcd", start=1):
        insert(of, liquibase_row(number, name))
    changes = of.compare(
        LSN(500),
        [
            text(liquibase_row(6, "a", exectype="RERAN")),
            text(liquibase_row(2, "b")),
            text(liquibase_row(5, "e")),
        ],
    )
    assert [(change.meaning, change.row_key.split('"')[1], change.operation) for change in changes] == [
        (Meaning.ROLLED_BACK, "d", "reconcile"),
        (Meaning.ROLLED_BACK, "c", "reconcile"),
        (Meaning.APPLIED, "e", "reconcile"),
        (Meaning.RERAN, "a", "reconcile"),
    ]
    assert of.compare(LSN(501), [row.columns for row in of.rows.values()]) == ()


def test_comparing_passes_over_columns_the_preset_does_not_know() -> None:
    of = ledger()
    insert(of, flyway_row(1))
    row = {name: as_text({name: value})[name] for name, value in flyway_row(1).items()}
    assert of.compare(AT, [row | {"extra": "x"}]) == ()


def test_a_checksum_of_another_algorithm_is_no_edit() -> None:
    """An upgrade of Liquibase writes 9: in the place of 8:, for changesets that nobody touched."""
    of = ledger("liquibase")
    insert(of, liquibase_row(1, md5sum="8:aaaa"))
    change = update(of, liquibase_row(1, md5sum="9:bbbb"))
    assert change.meaning is Meaning.CHECKSUM_UPGRADED
    assert change.amends is not None
    assert (change.amends.checksum, change.amends.checksum_changed) == ("9:bbbb", False)
    edited = update(of, liquibase_row(1, md5sum="9:cccc"))
    assert edited.meaning is Meaning.CHECKSUM_CHANGED


def test_a_checksum_of_another_algorithm_is_no_edit_when_it_is_found_by_comparing() -> None:
    of = ledger("liquibase")
    insert(of, liquibase_row(1, md5sum="8:aaaa"))
    [change] = of.compare(AT, [as_text(liquibase_row(1, md5sum="9:bbbb"))])
    assert change.meaning is Meaning.CHECKSUM_UPGRADED


def test_a_changelog_that_moved_keeps_its_migrations() -> None:
    """UPDATE databasechangelog SET filename: without a replica identity that is a row gone and a row new."""
    of = ledger("liquibase")
    for number in (1, 2):
        insert(of, liquibase_row(number))
    table = [as_text(liquibase_row(number, filename="db/log.xml".replace("db", "new"))) for number in (1, 2)]
    changes = of.compare(AT, table)
    assert [(one.meaning, one.migration) for one in changes] == [(Meaning.EDITED, None)] * 2
    assert [one.amends and (one.amends.migration_id, one.amends.version, one.amends.status) for one in changes] == [
        (1, "new/log.xml::1::ann", None),
        (2, "new/log.xml::2::ann", None),
    ]
    assert [row.migration_id for row in of.rows.values()] == [1, 2]
    assert of.compare(AT, table) == ()
    again = insert(of, liquibase_row(3, "1", filename="new/log.xml", exectype="RERAN"))
    assert migration(again).migration_id == 1, "and is known under its new name"


def test_a_changelog_that_moved_in_the_stream_keeps_its_migrations() -> None:
    """With REPLICA IDENTITY FULL the old row comes along."""
    of = ledger("liquibase")
    insert(of, liquibase_row(1))
    change = update(of, liquibase_row(1, filename="new.xml"), liquibase_row(1))
    assert (change.meaning, change.migration, change.old_row_key) == (
        Meaning.EDITED,
        None,
        '["1", "ann", "db/log.xml"]',
    )
    assert change.amends is not None
    assert change.amends.version == "new.xml::1::ann"


def test_one_changeset_that_went_and_another_that_came_are_two() -> None:
    of = ledger("liquibase")
    insert(of, liquibase_row(1))
    changes = of.compare(AT, [as_text(liquibase_row(2, filename="new.xml"))])
    assert [one.meaning for one in changes] == [Meaning.ROLLED_BACK, Meaning.APPLIED]

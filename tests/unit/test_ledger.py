"""What each change of Flyway's history table means, and of tables of the user's own."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.config.model import Source as Section
from pggit_daemon.config.sources import configured_source
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import Migration
from pggit_daemon.model.row_text import SYNTHETIC
from pggit_daemon.model.transaction import RowChange, RowOp
from pggit_daemon.tools.preset import Preset
from tests.unit.build import PRESETS, flyway_row
from tests.unit.ledgers import AT, WHERE, delete, insert, ledger, migration, text, update


def test_an_applied_row_is_read_whole() -> None:
    change = insert(ledger(), flyway_row(3, "7"))
    assert change.meaning is Meaning.APPLIED
    assert migration(change) == Migration(
        migration_id=7,
        version="7",
        name="step 3",
        checksum="1234",
        applied_by="deploy",
        applied_at="2026-03-01 10:00:00",
        execution_ms=12,
        success=True,
        sequence=3,
        status="applied",
    )
    assert change.ran_ddl


@pytest.mark.parametrize(
    ("type_", "success", "meaning", "status", "ran"),
    [
        ("SQL", True, Meaning.APPLIED, "applied", True),
        ("JDBC", True, Meaning.APPLIED, "applied", True),
        ("A_TYPE_OF_TOMORROW", True, Meaning.APPLIED, "applied", True),
        ("SQL", False, Meaning.FAILED, "failed", True),
        ("BASELINE", True, Meaning.BASELINE, "baseline", False),
        ("SQL_BASELINE", True, Meaning.APPLIED, "applied", True),
        ("SCHEMA", True, Meaning.SCHEMA, "schema", False),
    ],
)
def test_types_of_rows(type_: str, success: bool, meaning: Meaning, status: str, ran: bool) -> None:  # noqa: FBT001  # a table
    change = insert(ledger(), flyway_row(1, type=type_, success=success))
    assert (change.meaning, migration(change).status, change.ran_ddl) == (meaning, status, ran)
    assert migration(change).success is success


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("1", 1),
        ("0", 0),
        ("007", 7),
        ("20260301120000", 20260301120000),
        (str(SYNTHETIC - 1), SYNTHETIC - 1),
        ("1.1", SYNTHETIC + 5),
        (None, SYNTHETIC + 5),
        (str(SYNTHETIC), SYNTHETIC + 5),
        ("-3", SYNTHETIC + 5),
        ("٣", SYNTHETIC + 5),
        ("", SYNTHETIC + 5),
        ("9" * 5000, SYNTHETIC + 5),
    ],
)
def test_ids_of_versions(version: str | None, number: int) -> None:
    assert migration(insert(ledger(), flyway_row(5, version))).migration_id == number


def test_versions_of_one_number_have_ids_of_their_own() -> None:
    of = ledger()
    assert [
        migration(insert(of, flyway_row(rank, version))).migration_id for rank, version in ((1, "1"), (2, "01"))
    ] == [
        1,
        SYNTHETIC + 2,
    ]


def test_what_is_applied_again_keeps_its_id() -> None:
    of = ledger()
    insert(of, flyway_row(1, "1.5"))
    of.cleared(AT, "drop")
    insert(of, flyway_row(1, "1"))
    assert migration(insert(of, flyway_row(2, "1.5"))).migration_id == SYNTHETIC + 1


def test_a_repeatable_never_takes_the_id_of_a_version() -> None:
    """After clean, ranks begin again, while the ids of what was stay in use."""
    of = ledger()
    versioned = migration(insert(of, flyway_row(2, "1.1"))).migration_id
    of.cleared(AT, "drop")
    repeatable = migration(insert(of, flyway_row(2, None))).migration_id
    again = migration(insert(of, flyway_row(3, "1.1"))).migration_id
    assert again == versioned != repeatable


def test_a_repeatable_that_runs_again_is_a_migration_of_its_own() -> None:
    of = ledger()
    ids = [migration(insert(of, flyway_row(rank, None, script="R__v.sql"))).migration_id for rank in (3, 4)]
    assert ids == [SYNTHETIC + 3, SYNTHETIC + 4]


def test_undo_is_a_rollback_under_the_negative_id() -> None:
    of = ledger()
    insert(of, flyway_row(1, "2"))
    change = insert(of, flyway_row(2, "2", type="UNDO_SQL"))
    assert change.meaning is Meaning.ROLLED_BACK
    assert change.ran_ddl
    assert (migration(change).migration_id, migration(change).rollback_of) == (-2, 2)
    assert change.amends is not None
    assert (change.amends.migration_id, change.amends.status) == (2, "rolled_back")
    assert migration(insert(of, flyway_row(3, "2"))).migration_id == 2


def test_undo_of_version_zero_is_not_version_zero() -> None:
    of = ledger()
    insert(of, flyway_row(1, "0"))
    undone = migration(insert(of, flyway_row(2, "0", type="UNDO_SQL")))
    assert (undone.migration_id, undone.rollback_of) == (-SYNTHETIC, 0)


def test_a_failed_undo_leaves_the_migration_as_it_was() -> None:
    of = ledger()
    insert(of, flyway_row(1, "2"))
    change = insert(of, flyway_row(2, "2", type="UNDO_SQL", success=False))
    assert change.meaning is Meaning.UNDO_FAILED
    assert (migration(change).migration_id, migration(change).status, migration(change).success) == (
        -2,
        "failed",
        False,
    )
    assert change.amends is None


def test_an_undo_of_something_unknown_is_recorded() -> None:
    change = insert(ledger(), flyway_row(1, "9", type="UNDO_SQL"))
    assert (migration(change).migration_id, migration(change).rollback_of, change.amends) == (-9, None, None)


def test_repair_marks_a_missing_script_as_deleted() -> None:
    of = ledger()
    insert(of, flyway_row(1, "2"))
    change = insert(of, flyway_row(2, "2", type="DELETE"))
    assert (change.meaning, change.migration) == (Meaning.DELETED, None)
    assert change.amends is not None
    assert (change.amends.migration_id, change.amends.status) == (2, "deleted")


def test_repair_removes_a_failed_row_and_its_rank_comes_again() -> None:
    of = ledger()
    insert(of, flyway_row(2, "2", success=False))
    removed = delete(of, {"installed_rank": 2})
    assert (removed.meaning, removed.migration) == (Meaning.REMOVED, None)
    assert removed.amends is not None
    assert (removed.amends.migration_id, removed.amends.status) == (2, "removed")
    assert removed.old is not None
    assert removed.old["version"] == "2", "the DELETE carries the rank only; the ledger knows the rest"
    again = insert(of, flyway_row(2, "2"))
    assert [migration(again).migration_id, migration(again).status] == [2, "applied"]


def test_repair_aligns_a_checksum() -> None:
    of = ledger()
    insert(of, flyway_row(1, "1"))
    change = update(of, flyway_row(1, "1", checksum=-77), {"installed_rank": 1})
    assert change.meaning is Meaning.CHECKSUM_CHANGED
    assert change.amends is not None
    assert (change.amends.checksum, change.amends.checksum_changed, change.amends.status) == ("-77", True, None)
    assert of.rows['["1"]'].columns["checksum"] == "-77"


def test_repair_edits_a_description() -> None:
    of = ledger()
    insert(of, flyway_row(1, "1"))
    change = update(of, flyway_row(1, "1", description="better"))
    assert change.meaning is Meaning.EDITED
    assert change.amends is not None
    assert change.amends.name == "better"


def test_an_unchanged_long_value_is_what_it_was() -> None:
    """The WAL leaves out a TOASTed column that did not change."""
    of = ledger()
    insert(of, flyway_row(1, "1"))
    short = {name: value for name, value in flyway_row(1, "1", checksum=5).items() if name != "script"}
    change = update(of, short, {"installed_rank": 1})
    assert change.new is not None
    assert change.new["script"] == "V1__step.sql"


def test_a_changed_rank_moves_the_row() -> None:
    of = ledger()
    insert(of, flyway_row(1, "1"))
    change = update(of, flyway_row(5, "1"), {"installed_rank": 1})
    assert (change.old_row_key, change.row_key, change.ledger_id) == ('["1"]', '["5"]', 1)
    assert list(of.rows) == ['["5"]']


def test_drop_and_truncate_clear_every_row() -> None:
    of = ledger()
    insert(of, flyway_row(1, "1"))
    insert(of, flyway_row(2, "2", type="DELETE"))
    changes = of.read(RowChange(AT, RowOp.TRUNCATE, WHERE, {}, {}))
    assert [(change.meaning, change.operation, change.row_key) for change in changes] == [
        (Meaning.CLEARED, "truncate", '["1"]'),
        (Meaning.CLEARED, "truncate", '["2"]'),
    ]
    assert [change.amends and change.amends.status for change in changes] == ["cleared", None]
    assert of.rows == {}
    assert of.cleared(AT, "drop") == ()


def test_a_row_that_nobody_knew_is_recorded_as_it_is() -> None:
    of = ledger()
    assert update(of, flyway_row(9, "9")).meaning is Meaning.EDITED
    gone = delete(of, {"installed_rank": 4})
    assert (gone.meaning, gone.row_key, gone.amends) == (Meaning.REMOVED, '["4"]', None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(RowOp)),
            st.dictionaries(
                st.sampled_from(["installed_rank", "version", "type", "success", "checksum", "execution_time", "else"]),
                st.none() | st.text(max_size=4) | st.integers() | st.booleans() | st.decimals(allow_nan=False),
            ),
            st.dictionaries(st.sampled_from(["installed_rank", "version"]), st.none() | st.integers(-2, 2)),
        ),
        max_size=8,
    ),
    st.sampled_from(sorted(PRESETS)),
)
def test_odd_rows_never_raise_and_ids_are_of_one_migration(
    changes: list[tuple[RowOp, dict[str, object], dict[str, int | None]]], tool: str
) -> None:
    of = ledger(tool)
    owners: dict[int, str | None] = {}
    for op, new, identity in changes:
        for change in of.read(RowChange(AT, op, WHERE, new, identity)):  # type: ignore[arg-type]
            made, amends = change.migration, change.amends
            if amends is not None and amends.version is not None:
                owners[amends.migration_id] = amends.version  # the row got another version: the same migration
            if made is not None and made.migration_id >= 0:
                if change.operation == "update":
                    owners[made.migration_id] = made.version
                assert owners.setdefault(made.migration_id, made.version) == made.version
                assert made.migration_id < 2**63


def test_an_update_of_a_row_that_nobody_knew_is_not_about_another() -> None:
    """The new row leaves out what did not change (TOAST); a row without a version has nothing to do with it."""
    of = ledger("dbmate")
    known = migration(insert(of, {})).migration_id
    assert update(of, {}, {"version": "a"}).row_key == '["a"]'
    assert {key: row.migration_id for key, row in of.rows.items()} == {"[null]": known, '["a"]': None}


@pytest.mark.parametrize("tool", ["dbmate", "flyway"])
def test_the_former_version_of_a_renamed_row_is_another_migration(tool: str) -> None:
    """Somebody changes the version in the table, and a migration of the former version runs."""
    of = ledger(tool)
    first = migration(insert(of, {**flyway_row(1, "1"), "version": "a"})).migration_id
    renamed = update(of, {**flyway_row(1, "1"), "version": "b"}, {"version": "a"})
    assert renamed.amends is not None
    assert (renamed.amends.migration_id, renamed.amends.version) == (first, "b")
    again = migration(insert(of, {**flyway_row(2, "2"), "version": "a"})).migration_id
    assert again != first
    assert of.ids == {first: "b", again: "a"}


def custom(**columns: str) -> Preset:
    section = Section.model_validate(
        {"name": "own", "table": "public.history", "tool": "own", "columns": {"id": "id", **columns}}
    )
    return configured_source(section, timedelta(seconds=5)).preset


def test_a_surrogate_key_tells_which_row_was_deleted() -> None:
    """Goose and its like: the DELETE carries `id` and nothing else."""
    goose = custom(name="version_id")
    goose = goose.model_copy(
        update={"migration": goose.migration.model_copy(update={"id": "version_id", "version": ("version_id",)})}
    )
    of = ledger(goose)
    for number, version in ((1, 10), (2, 20)):
        insert(of, {"id": number, "version_id": version, "is_applied": True})
    change = delete(of, {"id": 2})
    assert change.meaning is Meaning.ROLLED_BACK
    assert (migration(change).migration_id, migration(change).version) == (-20, "20")


def test_a_key_of_other_columns_finds_the_row_by_its_values() -> None:
    keyed = custom(name="name").model_copy(update={"key": ("name",)})
    of = ledger(keyed)
    insert(of, {"id": 1, "name": "a"})
    insert(of, {"id": 2, "name": "b"})
    assert delete(of, {"id": 2}).row_key == '["b"]'
    assert list(of.rows) == ['["a"]']


def test_a_failed_row_that_is_deleted_was_not_rolled_back() -> None:
    of = ledger(custom(success="ok"))
    assert insert(of, {"id": 1, "ok": "f"}).meaning is Meaning.FAILED
    assert delete(of, {"id": 1}).meaning is Meaning.REMOVED
    insert(of, {"id": 2, "ok": True})
    assert delete(of, {"id": 2}).meaning is Meaning.ROLLED_BACK


def test_a_row_without_its_time_was_written_before_its_ddl() -> None:
    """Otherwise each migration would take the statements of the one before it."""
    of = ledger(custom(applied_at="done"))
    begun = insert(of, {"id": 1, "done": None})
    assert (begun.meaning, migration(begun).status) == (Meaning.STARTED, "started")
    ended = update(of, {"id": 1, "done": "2026-01-01"}, {"id": 1, "done": None})
    assert (ended.meaning, migration(ended).status) == (Meaning.APPLIED, "applied")
    assert ended.since == begun.lsn
    assert insert(of, {"id": 2, "done": "2026-01-02"}).meaning is Meaning.APPLIED


@pytest.mark.parametrize("value", ["2026-03-01-init", None, -1, Decimal("1.5"), 10**30])
def test_ids_that_are_no_plain_integers_are_numbered_as_they_come(value: str | int | Decimal | None) -> None:
    of = ledger(custom())
    assert migration(insert(of, {"id": value})).migration_id == SYNTHETIC + 1
    assert migration(insert(of, {"id": "another"})).migration_id == SYNTHETIC + 2


def test_a_loaded_ledger_goes_on_as_the_one_that_was_stored() -> None:
    of = ledger()
    insert(of, flyway_row(1, "1.1"))
    insert(of, flyway_row(2, "2"))
    again = Ledger.load(of.source, of.preset, of.rows, of.ids.items())
    assert (again.rows, again.ids) == (of.rows, of.ids)
    assert migration(insert(again, flyway_row(3, "1.1"))).migration_id == SYNTHETIC + 1


def test_a_baseline_reads_what_is_there() -> None:
    change = ledger().baseline(text(flyway_row(1, "1")) | {"success": "true"})
    assert (change.operation, change.meaning, migration(change).migration_id) == ("baseline", Meaning.APPLIED, 1)


# -- rows that come back


def test_a_table_that_is_filled_again_tells_of_no_migration() -> None:
    """A dump was restored: the rows say to a part of a second when they were written, so they are the former ones."""
    of = ledger()
    row = flyway_row(1, "7", installed_on="2026-03-01 10:00:00.123")
    insert(of, row)
    of.cleared(AT, "drop")
    of.enter("restore", alone=False)
    back = insert(of, row)
    assert (back.meaning, back.migration, back.ran_ddl) == (Meaning.RESTORED, None, False)
    assert back.amends is not None
    assert (back.amends.migration_id, back.amends.status) == (7, "applied")
    assert of.rows[back.row_key].migration_id == 7


@pytest.mark.parametrize("at", ["2026-03-01 10:00:01.5", "2026-03-01 10:00:00"])
def test_a_tool_that_begins_anew_writes_other_rows(at: str) -> None:
    """At another time, or so that the time proves nothing."""
    of = ledger()
    insert(of, flyway_row(1, "7", installed_on="2026-03-01 10:00:00"))
    of.cleared(AT, "drop")
    of.enter("anew", alone=False)
    assert insert(of, flyway_row(1, "7", installed_on=at)).meaning is Meaning.APPLIED


def test_what_one_transaction_clears_and_fills_again_is_as_it_was() -> None:
    """Whatever the rows hold: no tool empties its history table in the transaction of a migration."""
    of = ledger("dbmate")
    insert(of, {"version": "1"})
    of.enter("copy", alone=False)
    of.cleared(AT, "truncate")
    assert insert(of, {"version": "1"}).meaning is Meaning.RESTORED
    of.enter("gone", alone=False)
    of.cleared(AT, "truncate")
    of.enter("anew", alone=False)
    assert insert(of, {"version": "1"}).meaning is Meaning.APPLIED


@pytest.mark.parametrize(("alone", "meaning"), [(True, Meaning.RESTORED), (False, Meaning.APPLIED)])
def test_several_former_rows_at_once_are_copies_where_nothing_else_ran(alone: bool, meaning: Meaning) -> None:  # noqa: FBT001  # a table
    of = ledger("dbmate")
    for version in ("1", "2"):
        insert(of, {"version": version})
    of.cleared(AT, "drop")
    of.enter("next", alone=alone)
    run = [RowChange(AT, RowOp.INSERT, WHERE, {"version": version}, {}) for version in ("1", "2")]
    assert [change.meaning for (change,) in of.read_run(run)] == [meaning, meaning]


def test_a_row_that_is_deleted_and_written_anew_without_anything_between_is_no_rollback() -> None:
    of = ledger("dbmate")
    insert(of, {"version": "1"})
    gone = RowChange(AT, RowOp.DELETE, WHERE, {}, {"version": "1"})
    there = RowChange(AT, RowOp.INSERT, WHERE, {"version": "1"}, {})
    assert [change.meaning for (change,) in of.read_run([gone, there])] == [Meaning.EDITED]
    found = [change.meaning for (change,) in of.read_run([gone, there, gone])]
    assert found == [Meaning.EDITED, Meaning.ROLLED_BACK]


def test_rows_that_comparing_finds_again_are_as_they_were() -> None:
    """A dump is restored before its table has its key, so the stream shows nothing of its rows."""
    of = ledger("dbmate")
    for version in ("1", "2"):
        insert(of, {"version": version})
    of.cleared(AT, "drop")
    found = of.compare(AT, [{"version": "1"}, {"version": "2"}])
    assert [change.meaning for change in found] == [Meaning.RESTORED, Meaning.RESTORED]
    assert of.compare(AT, [{"version": "1"}, {"version": "2"}]) == ()


def test_one_head_that_a_restored_table_has_again() -> None:
    of = ledger("alembic")
    insert(of, {"version_num": "a"})
    of.enter("restore", alone=False)
    of.cleared(AT, "drop")
    back = insert(of, {"version_num": "a"})
    assert (back.meaning, back.ran_ddl) == (Meaning.RESTORED, False)


@pytest.mark.parametrize(
    ("at", "meaning"), [("2026-03-01 10:00:00.123", Meaning.MARKED), ("2026-03-01 10:00:00", Meaning.APPLIED)]
)
def test_a_row_that_is_copied_from_another_table_of_the_tool_ran_nothing(at: str, meaning: Meaning) -> None:
    """A schema was cloned with its history, or the history put aside; tenants that the tool migrates differ in time."""
    of, clone = ledger(), Ledger("tenant.history", PRESETS["flyway"])
    insert(of, flyway_row(1, "7", installed_on=at))
    clone.enter("clone", alone=False, beside=(of, clone))
    copied = insert(clone, flyway_row(1, "7", installed_on=at))
    assert (copied.meaning, migration(copied).migration_id) == (meaning, 7)
    assert insert(clone, flyway_row(2, "8", installed_on=at)).meaning is Meaning.APPLIED


def test_rows_that_one_transaction_writes_for_two_tenants_are_no_copies() -> None:
    """The tool runs in one transaction for both, and now() is the same in all of it."""
    row = flyway_row(1, "7", installed_on="2026-03-01 10:00:00.123")
    first, second = ledger(), Ledger("tenant.history", PRESETS["flyway"])
    for of in (first, second):
        of.enter("run", alone=False, beside=(first, second))
        assert insert(of, row).meaning is Meaning.APPLIED

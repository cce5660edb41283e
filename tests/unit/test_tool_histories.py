"""What each tool's rows mean: the changes that the real tools write, replayed as values.

One scene a tool, from what was decoded of its runs: up, down, up again, what fails, what is marked. A step is written
as what the ledger says of it: meaning, number, version, and the status of the migration it is about.
"""

from __future__ import annotations

from typing import Any

import pytest

from pggit_daemon.interpret.history_table import Ledger, LedgerRow
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import SYNTHETIC as S
from pggit_daemon.model.transaction import Row, RowChange, RowOp, TableName
from tests.unit.build import PRESETS

WHERE = TableName("public", "history")


class Table:
    """A history table in one line for each change; transactions are what stands between two calls of `run`."""

    def __init__(self, preset: str) -> None:
        self.ledger = Ledger("public.history", PRESETS[preset])
        self.statuses: dict[int, str] = {}
        self.begun: dict[int, LSN] = {}
        self._lsn = 100

    def run(self, *changes: RowChange) -> list[tuple[Any, ...]]:
        """What changes say that have no DDL between them, in short."""
        return [self._short(told) for told in self.ledger.read_run(changes)]

    def insert(self, **row: Any) -> list[tuple[Any, ...]]:
        return self.run(self.i(**row))

    def update(self, row: Row, old: Row | None = None) -> list[tuple[Any, ...]]:
        return self.run(self.u(row, old))

    def delete(self, **identity: Any) -> list[tuple[Any, ...]]:
        return self.run(self.d(**identity))

    def i(self, **row: Any) -> RowChange:
        return RowChange(self._next(), RowOp.INSERT, WHERE, row, {})

    def u(self, row: Row, old: Row | None = None) -> RowChange:
        return RowChange(self._next(), RowOp.UPDATE, WHERE, row, old or {})

    def d(self, **identity: Any) -> RowChange:
        return RowChange(self._next(), RowOp.DELETE, WHERE, {}, identity)

    def truncate(self) -> RowChange:
        return RowChange(self._next(), RowOp.TRUNCATE, WHERE, {}, {})

    def restart(self) -> None:
        """Load the ledger from what would be stored."""
        rows = {key: LedgerRow(row.columns, row.migration_id) for key, row in self.ledger.rows.items()}
        ids = [(number, version) for number, version in self.ledger.ids.items()]
        self.ledger = Ledger.load(
            "public.history", self.ledger.preset, rows, ids, statuses=self.statuses, begun=self.begun
        )

    def _next(self) -> LSN:
        self._lsn += 8
        return LSN(self._lsn)

    def _short(self, told: tuple[HistoryChange, ...]) -> tuple[Any, ...]:
        for change in told:
            if change.migration is not None and change.migration.migration_id >= 0:
                self.statuses[change.migration.migration_id] = change.migration.status
                if change.migration.status == "started":
                    self.begun[change.migration.migration_id] = change.lsn
            if change.amends is not None and change.amends.status is not None:
                self.statuses[change.amends.migration_id] = change.amends.status
        last = told[-1]
        number = last.migration.migration_id if last.migration is not None else None
        version = last.migration.version if last.migration is not None else None
        short: tuple[Any, ...] = (last.meaning.value, number, version)
        beside = [(one.meaning.value, one.amends.migration_id) for one in told[:-1] if one.amends is not None]
        return (*short, beside) if beside else short


# -- rows


@pytest.mark.parametrize(
    ("preset", "row", "number", "version"),
    [
        ("django", {"id": 3, "app": "shop", "name": "0002_x", "applied": "…"}, S + 1, "shop 0002_x"),
        ("knex", {"id": 3, "name": "20260101000001_m1.js", "batch": 1}, 20260101000001, "20260101000001_m1.js"),
        ("typeorm", {"id": 3, "timestamp": 1700000000001, "name": "M11700000000001"}, 1700000000001, "M11700000000001"),
        ("sequelize", {"name": "20260101000001-m1.js"}, 20260101000001, "20260101000001-m1.js"),
        ("drizzle", {"id": 3, "hash": "abc", "created_at": 1767225600001}, 1767225600001, "abc"),
        ("node-pg-migrate", {"id": 3, "name": "1767225600001_m1", "run_on": "…"}, 1767225600001, "1767225600001_m1"),
        ("mikro-orm", {"id": 3, "name": "Migration20260101000001", "executed_at": "…"}, 20260101000001, None),
        ("db-migrate", {"id": 3, "name": "/20260101000001-m1", "run_on": "…"}, 20260101000001, "/20260101000001-m1"),
        ("ley", {"id": 3, "name": "001-m1.js", "created_at": "…"}, 1, "001-m1.js"),
        ("postgres-migrations", {"id": 3, "name": "m3", "hash": "aa", "executed_at": "…"}, 3, "3"),
        ("marv", {"level": 3, "comment": "m3", "timestamp": "…", "checksum": "aa", "namespace": "d"}, 3, "d 3"),
        ("postgrator", {"version": 3, "name": "m3", "md5": "aa", "run_at": "…"}, 3, "3"),
        ("graphile-migrate", {"hash": "sha1:a", "previous_hash": None, "filename": "000003.sql"}, 3, "000003.sql"),
        ("goose", {"id": 9, "version_id": 3, "is_applied": True, "tstamp": "…"}, 3, "3"),
        ("sql-migrate", {"id": "0003_m3.sql", "applied_at": "…"}, 3, "0003_m3.sql"),
        ("dbmate", {"version": "20260101000001"}, 20260101000001, "20260101000001"),
        ("rails", {"version": "20260101000001"}, 20260101000001, "20260101000001"),
        ("sequel", {"filename": "20260101000001_m1.rb"}, 20260101000001, "20260101000001_m1.rb"),
        ("laravel", {"id": 3, "migration": "2026_01_01_000001_m1", "batch": 1}, 20260101000001, None),
        ("sqlx", {"version": 3, "description": "m3", "success": True, "execution_time": -1}, 3, "3"),
        ("refinery", {"version": 3, "name": "m3", "applied_on": "…", "checksum": "77"}, 3, "3"),
        ("diesel", {"version": "20260101000001", "run_on": "…"}, 20260101000001, "20260101000001"),
        ("mybatis", {"id": 20260101000001, "applied_at": "…", "description": "m1"}, 20260101000001, "20260101000001"),
        ("pgmigrate", {"version": 3, "description": "m3", "type": "auto", "installed_by": "a"}, 3, "3"),
        (
            "pogo",
            {"migration_hash": "aa", "migration_id": "20260101_01_x-m1", "schema_name": "public"},
            2026010101,
            None,
        ),
        ("peewee-migrate", {"id": 3, "name": "003_m3", "migrated_at": "…"}, 3, "003_m3"),
        ("supabase", {"version": "20260101000001", "statements": None, "name": "m1"}, 20260101000001, None),
        ("ecto", {"version": 20260101000001, "inserted_at": "…"}, 20260101000001, "20260101000001"),
        ("ef-core", {"MigrationId": "20260101000001_M1", "ProductVersion": "9.0.0"}, 20260101000001, None),
        ("doctrine", {"version": "App\\Version20260101000001", "executed_at": "…"}, 20260101000001, None),
        ("phinx", {"version": 20260101000001, "migration_name": "M1"}, 20260101000001, "20260101000001"),
    ],
)
def test_a_row_is_a_migration_under_the_tools_own_name(
    preset: str, row: dict[str, Any], number: int, version: str | None
) -> None:
    """Up, down and up again: the same number, and its rollback under the negative one."""
    table = Table(preset)
    columns = PRESETS[preset].migration.version
    named = version or PRESETS[preset].migration.joined.join(str(row[name]) for name in columns)
    assert table.insert(**row) == [("applied", number, named)]
    identity = {name: row[name] for name in PRESETS[preset].key}
    down = table.delete(**identity)
    if preset in {"graphile-migrate", "supabase"}:  # uncommit and repair run nothing
        assert down == [("unmarked", None, None)]
    elif preset == "drizzle":  # has no way back: somebody deleted a row
        assert down == [("removed", None, None)]
    else:
        assert down == [("rolled_back", -number, named)]
    table.restart()
    again = {name: value + 1 if name == "id" and isinstance(value, int) else value for name, value in row.items()}
    if preset in {"postgres-migrations", "mybatis"}:
        again = row  # the id is the number itself
    assert table.insert(**again) == [("applied", number, named)]


@pytest.mark.parametrize(
    ("preset", "row"),
    [
        ("goose", {"id": 1, "version_id": 0, "is_applied": True}),
        ("postgrator", {"version": 0}),
        ("postgres-migrations", {"id": 0, "name": "create-migrations-table", "hash": "aa"}),
    ],
)
def test_rows_of_the_tools_own_are_no_migrations(preset: str, row: dict[str, Any]) -> None:
    table = Table(preset)
    assert table.insert(**row) == [("own", None, None)]
    assert table.ledger.ids == {}
    gone = table.delete(**{name: row[name] for name in PRESETS[preset].key})
    assert [number for _, number, _ in gone] == [None]


def test_the_first_migrations_of_two_apps_are_two() -> None:
    """Django: each app has its 0001_initial, and each is applied, rolled back and applied again by itself."""
    table = Table("django")
    assert table.insert(id=1, app="auth", name="0001_initial") == [("applied", S + 1, "auth 0001_initial")]
    assert table.insert(id=2, app="shop", name="0001_initial") == [("applied", S + 2, "shop 0001_initial")]
    assert table.delete(id=1) == [("rolled_back", -(S + 1), "auth 0001_initial")]
    assert table.insert(id=3, app="auth", name="0001_initial") == [("applied", S + 1, "auth 0001_initial")]


def test_goose_before_version_3_writes_a_row_for_down() -> None:
    table = Table("goose")
    table.insert(id=2, version_id=1, is_applied=True)
    assert table.insert(id=3, version_id=1, is_applied=False) == [("rolled_back", -1, "1")]
    assert table.insert(id=4, version_id=1, is_applied=True) == [("applied", 1, "1")]


def test_sqlx_tells_the_time_it_took_later_in_nanoseconds() -> None:
    table = Table("sqlx")
    row: dict[str, Any] = {"version": 1, "description": "m1", "success": True, "checksum": "aa", "execution_time": -1}
    [first] = table.ledger.read(table.i(**row))
    assert first.migration is not None
    assert first.migration.execution_ms is None
    [change] = table.ledger.read(table.u({**row, "execution_time": 7_654_321}))
    assert (change.meaning.value, change.migration) == ("edited", None)
    assert change.amends is not None
    assert (change.amends.execution_ms, change.amends.checksum_changed) == (7, False)


def test_prisma_begins_ends_fails_and_is_resolved() -> None:
    table = Table("prisma")

    def row(of: str, name: str, **more: Any) -> dict[str, Any]:
        empty = dict.fromkeys(("finished_at", "logs", "rolled_back_at"))
        return (
            {"id": of, "checksum": "cc", "migration_name": name, "started_at": "…", "applied_steps_count": 0}
            | empty
            | more
        )

    first, second = "20260101000001_m1", "20260102000001_m2"
    assert table.insert(**row("a", first)) == [("started", 20260101000001, first)]
    assert table.update(row("a", first, applied_steps_count=1)) == [("edited", None, None)]
    ended = table.u(row("a", first, applied_steps_count=1, finished_at="2026-01-01"))
    [change] = table.ledger.read(ended)
    assert (change.meaning.value, change.since) == ("applied", LSN(108)), "its DDL stands after the beginning"
    assert table.insert(**row("b", second)) == [("started", 20260102000001, second)]
    table.restart()
    [failed] = table.ledger.read(table.u(row("b", second, logs="boom")))
    assert failed.migration is not None
    assert (failed.meaning.value, failed.migration.success, failed.migration.error) == ("failed", False, "boom")
    assert failed.since is not None, "also after a restart"
    resolved = table.ledger.read(table.u(row("b", second, logs="boom", rolled_back_at="2026-01-02")))
    assert [(one.meaning.value, one.migration) for one in resolved] == [("unmarked", None)]
    assert table.insert(**row("c", second)) == [("started", 20260102000001, second)], "corrected, under the same number"
    assert table.update(row("c", second, finished_at="2026-01-03")) == [("applied", 20260102000001, second)]
    marked = table.ledger.read(table.i(**row("d", "20260103000001_m3", finished_at="2026-01-04")))
    assert [(one.meaning.value, one.ran_ddl) for one in marked] == [("marked", False)]


def test_pgmigrates_baseline_ran_nothing() -> None:
    table = Table("pgmigrate")
    [change] = table.ledger.read(table.i(version=5, description="Forced baseline", type="manual", installed_by="a"))
    assert (change.meaning.value, change.ran_ddl) == ("baseline", False)


# -- events


def test_yoyos_log() -> None:
    table = Table("yoyo")

    def log(of: str, operation: str) -> list[tuple[Any, ...]]:
        return table.insert(id=of, migration_hash="aa", migration_id="0001.m1", operation=operation, username="u")

    assert log("a", "apply") == [("applied", 1, "0001.m1")]
    assert log("b", "rollback") == [("rolled_back", -1, "0001.m1")]
    assert log("c", "mark") == [("marked", 1, "0001.m1")]
    assert log("d", "unmark") == [("unmarked", None, None)]
    assert table.statuses[1] == "rolled_back"
    table.restart()
    assert log("e", "apply") == [("applied", 1, "0001.m1")]
    assert table.delete(id="a") == [("edited", None, None)], "somebody tidied the log: nothing was undone"
    assert table.statuses[1] == "applied"


def test_sqitchs_events() -> None:
    table = Table("sqitch")

    def log(event: str, change: str, at: str) -> list[tuple[Any, ...]]:
        return table.insert(event=event, change_id=f"id of {change}", change=change, committed_at=at, note="a note")

    assert log("deploy", "m1", "1") == [("applied", S + 1, "m1")]
    assert log("deploy", "m2", "2") == [("applied", S + 2, "m2")]
    assert log("revert", "m2", "3") == [("rolled_back", -(S + 2), "m2")]
    assert log("fail", "m2", "4") == [("failed", S + 2, "m2")]
    assert log("deploy", "m2", "5") == [("applied", S + 2, "m2")]
    assert log("merge", "m2", "6") == [("edited", None, None)]


def test_changes_of_one_name_are_sqitchs_own_by_their_ids() -> None:
    """Projects share a registry, and a reworked change has the name of the one before it."""
    table = Table("sqitch")

    def log(event: str, change_id: str, at: str) -> list[tuple[Any, ...]]:
        return table.insert(event=event, change_id=change_id, change="users", committed_at=at, note="a note")

    assert log("deploy", "of shop", "1") == [("applied", S + 1, "users")]
    assert log("deploy", "of blog", "2") == [("applied", S + 2, "users")]
    table.restart()
    assert log("deploy", "of shop, reworked", "3") == [("applied", S + 3, "users")]
    assert log("revert", "of blog", "4") == [("rolled_back", -(S + 2), "users")]
    assert log("revert", "of shop, reworked", "5") == [("rolled_back", -(S + 3), "users")]
    assert table.statuses == {S + 1: "applied", S + 2: "rolled_back", S + 3: "rolled_back"}
    table.restart()
    assert log("deploy", "of blog", "6") == [("applied", S + 2, "users")]
    assert log("revert", "of shop", "7") == [("rolled_back", -(S + 1), "users")]


def test_the_same_files_in_two_schemas_are_pogos_migrations_twice() -> None:
    """`pogo apply --schema`: all schemas have their rows in one table."""
    table = Table("pogo")

    def row(schema: str) -> dict[str, Any]:
        return {"migration_hash": "aa", "migration_id": "20260101_01_x-m1", "schema_name": schema, "applied": "t"}

    assert table.insert(**row("one")) == [("applied", 2026010101, "one 20260101_01_x-m1")]
    assert table.insert(**row("two")) == [("applied", S + 1, "two 20260101_01_x-m1")]
    gone = {"migration_hash": "aa", "schema_name": "two"}
    assert table.delete(**gone) == [("rolled_back", -(S + 1), "two 20260101_01_x-m1")]
    table.restart()
    assert table.insert(**row("two")) == [("applied", S + 1, "two 20260101_01_x-m1")]
    assert table.statuses == {2026010101: "applied", S + 1: "applied"}


# -- head


def test_alembic_up_down_and_up_again() -> None:
    """The batch is one transaction, with the DDL between the rows; INSERT for the first, UPDATE for all others."""
    table = Table("alembic")
    assert table.insert(version_num="a1") == [("applied", S + 1, "a1")]
    up = table.ledger.read(table.u({"version_num": "b2"}, {"version_num": "a1"}))
    assert [(one.meaning.value, one.migration and one.migration.way) for one in up] == [("applied", "a1 -> b2")]
    down = table.ledger.read(table.u({"version_num": "a1"}, {"version_num": "b2"}))
    assert [(one.meaning.value, one.migration and one.migration.migration_id) for one in down] == [
        ("rolled_back", -(S + 2))
    ]
    assert table.update({"version_num": "b2"}, {"version_num": "a1"}) == [("applied", S + 2, "b2")]
    table.restart()
    assert table.update({"version_num": "a1"}, {"version_num": "b2"}) == [("rolled_back", -(S + 2), "b2")]
    assert table.delete(version_num="a1") == [("rolled_back", -(S + 1), "a1")], "down to base"
    assert table.ledger.rows == {}
    assert table.insert(version_num="a1") == [("applied", S + 1, "a1")]


def test_alembic_branches_merges_and_unmerges() -> None:
    table = Table("alembic")
    table.insert(version_num="a")
    assert table.update({"version_num": "b"}, {"version_num": "a"}) == [("applied", S + 2, "b")]
    assert table.insert(version_num="c") == [("applied", S + 3, "c")], "a branch"
    merge = (table.d(version_num="b"), table.u({"version_num": "m"}, {"version_num": "c"}))
    assert table.run(*merge) == [("applied", S + 4, "m")], "one move, and b is as applied as before"
    assert table.statuses == {S + 1: "applied", S + 3: "applied", S + 4: "applied"} | {S + 2: "applied"}
    unmerge = (table.i(version_num="b"), table.u({"version_num": "c"}, {"version_num": "m"}))
    assert table.run(*unmerge) == [("moved", None, None), ("rolled_back", -(S + 4), "m")]
    assert table.delete(version_num="c") == [("rolled_back", -(S + 3), "c")]
    assert table.statuses[S + 2] == "applied"


def test_alembic_purges() -> None:
    """`stamp --purge`: nothing ran, nothing was taken back."""
    table = Table("alembic")
    table.insert(version_num="a")
    [change] = table.ledger.read_run((table.d(version_num="a"), table.i(version_num="z")))
    assert [(one.meaning.value, one.ran_ddl) for one in change] == [("moved", False), ("marked", False)]
    assert table.run(table.d(version_num="z"), table.i(version_num="z")) == [("moved", None, None)]


def test_alembic_stamps_what_is_there() -> None:
    """Back to an earlier version and forth again, by stamps: nothing that is there is rolled back on the way forth."""
    table = Table("alembic")
    table.insert(version_num="a")
    table.update({"version_num": "b"}, {"version_num": "a"})
    assert table.run(table.d(version_num="b"), table.i(version_num="a")) == [("moved", None, None)]
    assert table.update({"version_num": "b"}, {"version_num": "a"}) == [("moved", None, None)]
    assert table.update({"version_num": "a"}, {"version_num": "b"}) == [("rolled_back", -(S + 2), "b")]


# -- state


def test_golang_migrate_up_down_and_none() -> None:
    table = Table("golang-migrate")

    def state(version: int, *, dirty: bool) -> list[tuple[Any, ...]]:
        return table.run(table.truncate(), table.i(version=version, dirty=dirty))

    assert state(1, dirty=True) == [("started", 1, "1")]
    assert state(1, dirty=False) == [("applied", 1, "1")]
    assert state(2, dirty=True) == [("started", 2, "2")]
    table.restart()
    assert state(2, dirty=False) == [("applied", 2, "2")]
    assert state(1, dirty=True) == [("moved", None, None)], "down begins: the target is written"
    assert state(1, dirty=False) == [("rolled_back", -2, "2")]
    assert state(-1, dirty=True) == [("moved", None, None)]
    assert table.run(table.truncate()) == [("rolled_back", -1, "1")], "down to none"
    assert table.statuses == {1: "rolled_back", 2: "rolled_back"}
    assert state(1, dirty=True) == [("started", 1, "1")]


def test_golang_migrate_goes_down_over_a_restart() -> None:
    table = Table("golang-migrate")
    for version, dirty in ((1, True), (1, False), (2, True), (2, False), (1, True)):
        table.run(table.truncate(), table.i(version=version, dirty=dirty))
    table.restart()
    assert table.run(table.truncate(), table.i(version=1, dirty=False)) == [("rolled_back", -2, "2")]


def test_golang_migrate_fails_and_is_forced() -> None:
    table = Table("golang-migrate")
    table.run(table.truncate(), table.i(version=1, dirty=True))
    table.run(table.truncate(), table.i(version=1, dirty=False))
    table.run(table.truncate(), table.i(version=2, dirty=True))
    assert table.statuses[2] == "started", "it failed: the state stays"
    forced = table.run(table.truncate(), table.i(version=1, dirty=False))
    assert [meaning for meaning, *_ in forced] == ["moved"]
    assert table.statuses == {1: "applied", 2: "failed"}
    assert table.run(table.truncate(), table.i(version=3, dirty=False)) == [("marked", 3, "3")], "nothing ran for it"


def test_the_ddl_of_golang_migrate_stands_between_its_states() -> None:
    table = Table("golang-migrate")
    begun = table.i(version=1, dirty=True)
    table.ledger.read_run((table.truncate(), begun))
    [[ended]] = table.ledger.read_run((table.truncate(), table.i(version=1, dirty=False)))
    assert ended.since == begun.lsn


@pytest.mark.parametrize("preset", ["tern", "sequel-integers"])
def test_one_number_without_a_key(preset: str) -> None:
    """With REPLICA IDENTITY FULL the old number comes along."""
    table = Table(preset)
    assert table.insert(version=0) == [("own", None, None)]
    assert table.update({"version": 1}, {"version": 0}) == [("applied", 1, "1")]
    assert table.update({"version": 2}, {"version": 1}) == [("applied", 2, "2")]
    assert table.update({"version": 1}, {"version": 2}) == [("rolled_back", -2, "2")]
    table.restart()
    assert table.update({"version": 0}, {"version": 1}) == [("rolled_back", -1, "1")]
    assert table.update({"version": 1}, {"version": 0}) == [("applied", 1, "1")]


def test_what_decoding_did_not_show_of_one_number_is_found_by_comparing() -> None:
    table = Table("tern")
    table.insert(version=0)
    found = table.ledger.compare(LSN(900), [{"version": "3"}])
    assert [(one.meaning.value, one.migration and one.migration.version) for one in found] == [
        ("applied", "1"),
        ("applied", "2"),
        ("applied", "3"),
    ]
    assert table.ledger.compare(LSN(900), [{"version": "3"}]) == ()
    back = table.ledger.compare(LSN(950), [{"version": "1"}])
    assert [one.migration and one.migration.migration_id for one in back] == [-3, -2]


def test_mojos_versions_jump() -> None:
    """Several migrations are one change, and numbers may be left out: what stands between is not known."""
    table = Table("mojo")
    assert table.insert(name="app", version=0) == [("own", None, None)]
    [up] = table.ledger.read(table.u({"name": "app", "version": 3}))
    assert up.migration is not None
    assert (up.meaning.value, up.migration.version, up.migration.migration_id) == ("applied", "app 3", 3)
    assert table.update({"name": "app", "version": 5}) == [("applied", 5, "app 5")]
    assert table.insert(name="other", version=2) == [("applied", 2, "other 2")]
    assert table.update({"name": "app", "version": 1}) == [("rolled_back", -5, "app 5", [("moved", 3)])]
    assert table.statuses == {5: "rolled_back", 3: "rolled_back", 2: "applied"}


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_rows_of_nothing_but_nulls_raise_nothing(preset: str) -> None:
    """Whatever a table holds is recorded as it is."""
    table = Table(preset)
    empty = dict.fromkeys(PRESETS[preset].read)
    for change in (table.i(**empty), table.u(empty), table.d(), table.d(**empty), table.truncate()):
        table.ledger.read(change)
    table.ledger.baseline(empty)
    assert table.ledger.compare(LSN(1), []) is not None

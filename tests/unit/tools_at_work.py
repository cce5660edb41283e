"""Tools of every model and proof, as scripts that stop after each step, for the tests that mix them.

A kit says how one tool changes its tables for a migration; a `Run` plays migrations with it. Whose each statement is,
and whether what the log shows proves it, is noted in `Truth` as it happens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pggit_daemon.config.model import Source as Section
from pggit_daemon.config.sources import configured_source
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import RowOp, TableName
from pggit_daemon.tools.source import Source
from tests.unit.build import PRESETS, Follower, Tx, Wal, Who, element, fine_time, flyway_row, liquibase_row, who
from tests.unit.test_api_requests import ask

Script = Iterator[None]

GRACE = timedelta(minutes=9)
"""Longer than a scene lasts: what a pause ends is no matter of order."""
Write = Callable[[Tx, TableName, int], None]


def _nothing(tx: Tx, table: TableName, number: int) -> None:
    """Most tools write no row before they run a migration, and have no lock row."""


@dataclass(frozen=True)
class Kit:
    """`modes`: how its migrations may run. same: row and DDL in one transaction; after: the row in a later one; data:
    no DDL at all. `lock` and `unlock` move its lock row; `child`: DDL runs in a session of its own for each migration.
    `shown`: the row of an integrated table, where it differs: a table without a key has REPLICA IDENTITY FULL then.
    """

    preset: str
    table: str
    row: Write
    version: Callable[[int], str]
    modes: tuple[str, ...]
    begun: Write = _nothing
    shown: Write | None = None
    lock_table: str | None = None
    lock: Write = _nothing
    unlock: Write = _nothing
    holder: str = ""
    child: bool = False
    program: str = ""
    child_program: str = ""


def _insert(**columns: Callable[[int], object]) -> Write:
    def write(tx: Tx, table: TableName, number: int) -> None:
        tx.insert(table, **{name: value(number) for name, value in columns.items()})

    return write


def _always(value: object) -> Callable[[int], object]:
    return lambda _: value


def _alembic(tx: Tx, table: TableName, number: int) -> None:
    if number == 1:
        tx.insert(table, version_num="r1")
    else:
        tx.row(table, RowOp.UPDATE, {"version_num": f"r{number}"}, {"version_num": f"r{number - 1}"})


def _one_number(tx: Tx, table: TableName, number: int) -> None:
    """Of a table without a key, of whose UPDATE the plugin shows nothing."""
    tx.undecodable(table, {"version": str(number)})


def _shown_number(tx: Tx, table: TableName, number: int) -> None:
    """With REPLICA IDENTITY FULL the plugin shows the UPDATE, and the old number with it."""
    tx.row(table, RowOp.UPDATE, {"version": number}, {"version": number - 1})


def _first_number(tx: Tx, table: TableName, number: int) -> None:
    """Its row comes with the table."""
    if number == 1:
        tx.insert(table, version=0)


def _golang(tx: Tx, table: TableName, number: int, *, dirty: bool) -> None:
    tx.row(table, RowOp.TRUNCATE)
    tx.insert(table, version=number, dirty=dirty)


def _prisma(tx: Tx, table: TableName, number: int, *, done: bool) -> None:
    row: dict[str, Any] = dict.fromkeys(("finished_at", "logs", "rolled_back_at"))
    row |= {"id": f"u{number}", "checksum": "c", "migration_name": f"2026030100000{number}_m", "started_at": "2026"}
    row |= {"applied_steps_count": int(done), "finished_at": "2026-03-01 10:00:00" if done else None}
    if done:
        tx.row(table, RowOp.UPDATE, row, {"id": row["id"]})
    else:
        tx.insert(table, **row)


def _sqitch(tx: Tx, table: TableName, number: int) -> None:
    row: dict[str, Any] = dict.fromkeys(
        ("note", "committer_name", "committer_email", "planned_at", "planner_name", "planner_email"), "x"
    )
    row |= {"event": "deploy", "change_id": f"h{number}", "change": f"m{number}", "project": "p", "requires": []}
    tx.insert(table, **row, conflicts=[], tags=[], committed_at=f"2026-03-01 10:00:0{number}+00")


def _yoyo(tx: Tx, table: TableName, number: int) -> None:
    row: dict[str, Any] = dict.fromkeys(("username", "hostname", "comment"), "x")
    row |= {"id": f"r{number}", "migration_hash": f"h{number}", "migration_id": f"m{number}", "operation": "apply"}
    tx.insert(table, **row, created_at_utc=f"2026-03-01 10:00:0{number}")


_TIME = "2026-03-01 10:00:00+00"
_ALL = ("same", "after", "data")
KITS = {
    kit.preset: kit
    for kit in (
        Kit("alembic", "alembic_version", _alembic, lambda n: f"r{n}", _ALL),
        Kit(
            "django",
            "django_migrations",
            _insert(id=int, app=_always("shop"), name=lambda n: f"000{n}", applied=_always(_TIME)),
            lambda n: f"shop 000{n}",
            _ALL,
        ),
        Kit(
            "goose",
            "goose_db_version",
            _insert(id=int, version_id=int, is_applied=_always(value=True), tstamp=_always("2026-03-01 10:00:00")),
            str,
            _ALL,
        ),
        Kit(
            "dbmate",
            "schema_migrations",
            _insert(version=lambda n: f"2026030100000{n}"),
            lambda n: f"2026030100000{n}",
            _ALL,
        ),
        Kit(
            "db-migrate",
            "migrations",
            _insert(id=int, name=lambda n: f"/2026030100000{n}-m", run_on=_always("2026-03-01 10:00:00")),
            lambda n: f"/2026030100000{n}-m",
            ("same", "data"),
        ),
        Kit(
            "laravel",
            "migrations",
            _insert(id=int, migration=lambda n: f"2026_03_01_00000{n}_m", batch=_always(1)),
            lambda n: f"2026_03_01_00000{n}_m",
            ("after", "data"),
        ),
        Kit(
            "golang-migrate",
            "schema_migrations",
            lambda tx, table, n: _golang(tx, table, n, dirty=False),
            str,
            ("after", "data"),
            begun=lambda tx, table, n: _golang(tx, table, n, dirty=True),
            holder="own",
        ),
        Kit(
            "tern",
            "schema_version",
            _one_number,
            str,
            _ALL,
            begun=_first_number,
            shown=_shown_number,
            holder="own",
            program="tern",
        ),
        Kit("sequel-integers", "schema_info", _one_number, str, _ALL, begun=_first_number, shown=_shown_number),
        Kit(
            "prisma",
            "_prisma_migrations",
            lambda tx, table, n: _prisma(tx, table, n, done=True),
            lambda n: f"2026030100000{n}_m",
            ("after", "data"),
            begun=lambda tx, table, n: _prisma(tx, table, n, done=False),
            holder="own",
        ),
        Kit(
            "knex",
            "knex_migrations",
            _insert(id=int, name=lambda n: f"000{n}_m.js", batch=_always(1), migration_time=_always(_TIME)),
            lambda n: f"000{n}_m.js",
            _ALL,
            lock_table="knex_migrations_lock",
            lock=lambda tx, table, _: _move(tx, table, {"index": 1, "is_locked": 1}),
            unlock=lambda tx, table, _: _move(tx, table, {"index": 1, "is_locked": 0}),
        ),
        Kit(
            "liquibase",
            "databasechangelog",
            lambda tx, table, n: _insert_row(tx, table, liquibase_row(n, dateexecuted=fine_time(tx.wal))),
            lambda _: "",
            ("after", "data"),
            lock_table="databasechangeloglock",
            lock=lambda tx, table, _: _move(
                tx, table, {"id": 1, "locked": True, "lockgranted": None, "lockedby": "host"}
            ),
            unlock=lambda tx, table, _: _move(
                tx, table, {"id": 1, "locked": False, "lockgranted": None, "lockedby": None}
            ),
            program="PostgreSQL JDBC Driver",
        ),
        Kit(
            "yoyo",
            "_yoyo_log",
            _yoyo,
            lambda n: f"m{n}",
            ("after", "data"),
            lock_table="yoyo_lock",
            lock=lambda tx, table, _: _insert_row(tx, table, {"locked": 1, "ctime": "2026-03-01 10:00:00", "pid": 1}),
            unlock=lambda tx, table, _: _delete(tx, table, {"locked": 1}),
            child=True,
        ),
        Kit(
            "sqitch",
            "events",
            _sqitch,
            lambda n: f"m{n}",
            ("after", "data"),
            holder="main",
            child=True,
            child_program="psql",
        ),
        Kit(
            "flyway",
            "flyway_schema_history",
            lambda tx, table, n: _insert_row(tx, table, flyway_row(n, str(n))),
            str,
            ("same", "data"),
            holder="own",
            program="PostgreSQL JDBC Driver",
        ),
    )
}
CONFIGURED = ("configured same", "configured after")


def _move(tx: Tx, table: TableName, row: dict[str, Any]) -> None:
    tx.row(table, RowOp.UPDATE, row)


def _delete(tx: Tx, table: TableName, row: dict[str, Any]) -> None:
    tx.row(table, RowOp.DELETE, None, row)


def _insert_row(tx: Tx, table: TableName, row: dict[str, Any]) -> None:
    tx.insert(table, **row)


def kit_of(name: str) -> Kit:
    """The tool of this name; those of the configuration know nothing but order."""
    if name not in CONFIGURED:
        return KITS[name]
    modes = ("same", "data") if name.endswith("same") else _ALL
    return Kit(name, "history", _insert(id=int), str, modes)


@dataclass
class Truth:
    """Of each statement whose it is: (source, version), None for a hand's. `proven`: the log shows it."""

    owner: dict[int, tuple[str, str] | None] = field(default_factory=dict)
    proven: dict[int, bool] = field(default_factory=dict)


@dataclass
class Run:
    """One tool in one schema, and its sessions."""

    wal: Wal
    truth: Truth
    name: str
    schema: str
    pid: int
    integrated: bool = False
    number: int = 0

    def __post_init__(self) -> None:
        self.kit = kit_of(self.name)
        self.wal.names |= {table: self.schema for table in (self.table, self.lock_table) if table is not None}
        self.wal.lock_tables |= {self.lock_table} if self.lock_table is not None else set()

    @property
    def table(self) -> TableName:
        return TableName(self.schema, self.kit.table)

    @property
    def lock_table(self) -> TableName | None:
        return TableName(self.schema, self.kit.lock_table) if self.kit.lock_table is not None else None

    @property
    def source(self) -> Source:
        """Under the name of its schema."""
        if self.name in CONFIGURED:
            ddl = self.name.removeprefix("configured ")
            section = {"name": self.schema, "table": str(self.table), "ddl": ddl, "columns": {"id": "id"}}
            return configured_source(Section.model_validate(section), GRACE)
        preset = PRESETS[self.kit.preset]
        return Source(self.schema, preset, self.table, self.lock_table, preset_name=self.kit.preset, grace=GRACE)

    def play(self, runs: list[list[tuple[str, int, float]]]) -> Script:
        """Runs after each other: of each migration its mode, how many statements, and how long each lasts."""
        for number, plan in enumerate(runs):
            moment = (self.wal.now - timedelta(seconds=1)).isoformat()
            main = who(self.pid + 10 * number, self.kit.program, "app", moment)
            yield from self.run(main, plan)
            self.wal.leave(main)

    def run(self, main: Who, plan: list[tuple[str, int, float]]) -> Script:
        self._moved(main, self.kit.lock)
        keys = self.source.advisory_keys if self.kit.holder else frozenset()
        while keys & self.wal.locks.keys():
            yield  # the lock is another's: tools of one kind may share it
        self.wal.locks |= dict.fromkeys(keys, main)
        yield
        for mode, count, lasts in plan:
            self.wal.begin(main).read(self.table)
            yield
            self.number += 1
            begun = self.wal.begin(main)
            self.kit.begun(begun, self.table, self.number)
            begun.commit()
            yield from self._migration(main, mode, count, lasts)
        self._moved(main, self.kit.unlock)
        for key in keys:
            del self.wal.locks[key]
        yield

    def _migration(self, main: Who, mode: str, count: int, lasts: float) -> Script:
        child = who(self.pid + 1000 + self.number, self.kit.child_program, "app", self.wal.now.isoformat())
        runner = child if self.kit.child else main
        owned = [self.wal.begin(runner)]
        for number in range(0 if mode == "data" else count):
            if mode == "after" and number:
                owned[-1].commit()
                yield
                owned.append(self.wal.begin(runner))
            self._statement(owned[-1], mode)
            self.wal.sleep(lasts)
            yield
        if mode != "same":
            owned[-1].commit()
            yield
        row = owned[-1] if mode == "same" else self.wal.begin(main)
        if self.integrated:
            ask(row, "session", schema=self.schema, table=self.kit.table)
        write = self.kit.shown if self.integrated and self.kit.shown is not None else self.kit.row
        write(row, self.table, self.number)
        yield
        row.commit()
        yield

    def _statement(self, tx: Tx, mode: str) -> None:
        shows = self.schema in self.wal.counted(self.wal.wrote, tx.session)
        event = tx.ddl("CREATE TABLE", element(f"public.t{self.wal._event + 1}", columns=("id",)))
        self.truth.owner[event] = (self.schema, self.kit.version(self.number))
        bound = self.kit.holder == "own" or (self.integrated and not self.kit.child)
        self.truth.proven[event] = mode == "same" or bound or (shows and len(tx.changes) == 1)

    def _moved(self, main: Who, move: Write) -> None:
        if self.lock_table is not None:
            tx = self.wal.begin(main)
            move(tx, self.lock_table, 0)
            tx.commit()


def by_hand(
    wal: Wal, truth: Truth, session: Who, pauses: list[float], reads: Sequence[TableName | None] = ()
) -> Script:
    """A statement after each pause; before some of them, or in their transaction, it reads a history table."""
    for pause, table in itertools.zip_longest(pauses, reads[: len(pauses)]):
        tx = wal.begin(session)
        if table is not None:
            tx.read(table)
        truth.owner[tx.ddl("CREATE TABLE", element(f"public.t{wal._event + 1}", columns=("id",)))] = None
        yield
        tx.commit()
        wal.sleep(pause)
        yield
    wal.leave(session)


def linked(follower: Follower) -> dict[int, tuple[str, str]]:
    """By statement the migration that has it in the end."""
    last = {(link.row.source, link.row.lsn): link for link in follower.reported}
    found: dict[int, tuple[str, str]] = {}
    for (source, _), link in sorted(last.items(), key=lambda item: (item[0][1], item[0][0])):
        migration = link.row.principal.migration
        for one in link.commits if migration is not None and link.evidence is not None else ():
            names = None if one.objects is None else {key.identity for key in one.objects}
            commit = follower.stored.commits[one.commit or follower.stored._named({"at": str(one.at)}) or ""]
            for event in commit.events if one.made else ():
                if migration is not None and (names is None or f"public.t{event}" in names):
                    assert event not in found, f"statement {event} was given to two migrations"
                    found[event] = (source, migration.version or "")
    return found


__all__ = ["CONFIGURED", "KITS", "LSN", "Run", "Script", "Truth", "by_hand", "kit_of", "linked"]

"""Liquibase at work in a log: its two tables, its rows, and one session with a transaction for each statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import RowOp, TableName
from pggit_daemon.tools.source import Source
from tests.unit.build.follower import PRESETS
from tests.unit.build.wal import Wal, Who, dropped, element, made

LOG = TableName("public", "databasechangelog")
LOG_LOCK = TableName("public", "databasechangeloglock")
LOG_COLUMNS = PRESETS["liquibase"].columns
LOCK_COLUMNS = ("id", "locked", "lockgranted", "lockedby")


def liquibase_row(number: int, name: str | None = None, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": name or str(number),
        "author": "ann",
        "filename": "db/log.xml",
        "dateexecuted": "2026-03-01 10:00:00.5",
        "orderexecuted": number,
        "exectype": "EXECUTED",
        "md5sum": f"9:{number:032d}",
        "description": "sql",
        "comments": "",
        "tag": None,
        "liquibase": "4.33.0",
        "contexts": None,
        "labels": None,
        "deployment_id": "5381158919",
    }
    return row | more


def fine_time(wal: Wal) -> str:
    """The time in the log, to a part of a second that no other row has."""
    return f"{wal.now:%Y-%m-%d %H:%M:%S.%f}1"


def liquibase_source(schema: str = "public") -> Source:
    table = TableName(schema, "databasechangelog")
    lock = TableName(schema, "databasechangeloglock")
    return Source(str(table), PRESETS["liquibase"], table, bracket_table=lock, preset_name="liquibase")


@dataclass(slots=True)
class Liquibase:
    """A run of Liquibase: one session, each statement's transaction before its row's."""

    wal: Wal
    a: Who
    schema: str = "public"
    order: int = 0

    def __post_init__(self) -> None:
        self.wal.names[self.lock_table] = str(self.table)
        self.wal.lock_tables.add(self.lock_table)

    @property
    def table(self) -> TableName:
        return TableName(self.schema, "databasechangelog")

    @property
    def lock_table(self) -> TableName:
        return TableName(self.schema, "databasechangeloglock")

    def make_tables(self) -> None:
        self.make_log()
        self.make_lock_table()

    def make_log(self) -> None:
        log = self.wal.begin(self.a)
        log.ddl("CREATE TABLE", made(self.table, LOG_COLUMNS), truth="tool")
        log.commit()

    def make_lock_table(self) -> None:
        lock = self.wal.begin(self.a)
        lock.ddl("CREATE TABLE", made(self.lock_table, LOCK_COLUMNS), truth="tool")
        lock.commit()
        first = self.wal.begin(self.a)
        first.insert(self.lock_table, id=1, locked=False, lockgranted=None, lockedby=None)
        first.commit()

    def move(self, *, locked: bool) -> None:
        tx = self.wal.begin(self.a)
        holder = "host (10.0.0.7)" if locked else None
        tx.row(self.lock_table, RowOp.UPDATE, {"id": 1, "locked": locked, "lockgranted": None, "lockedby": holder})
        tx.commit()

    def open(self) -> None:
        self.move(locked=True)

    def close(self) -> None:
        self.move(locked=False)

    def run(self, *names: str, tag: str = "CREATE TABLE", **more: Any) -> list[int]:
        """One changeset; the ids of its events."""
        events = self.statements(*names, tag=tag) if names else []
        self.insert(**more)
        return events

    def statements(self, *names: str, tag: str = "CREATE TABLE") -> list[int]:
        tx = self.wal.begin(self.a)
        drops = tag.startswith("DROP")
        made_ = [tx.ddl(tag, dropped(name) if drops else element(name, columns=("id",))) for name in names]
        tx.commit()
        return made_

    def insert(self, **more: Any) -> LSN:
        self.order += 1
        tx = self.wal.begin(self.a)
        lsn = tx.insert(self.table, **liquibase_row(self.order, **({"dateexecuted": fine_time(self.wal)} | more)))
        tx.commit()
        return lsn

    def undecodable(self) -> LSN:
        """An update or delete of the history table, which has no replica identity."""
        tx = self.wal.begin(self.a)
        lsn = tx.undecodable(self.table)
        tx.commit()
        return lsn

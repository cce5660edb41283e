"""Flyway at work in a log: its history table, its rows, its lock and its two sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import Source
from tests.unit.build.follower import PRESETS
from tests.unit.build.wal import Tx, Wal, Who, element, identity, made, quoted

FLYWAY_COLUMNS = PRESETS["flyway"].columns
FSH = TableName("public", "flyway_schema_history")


def flyway_key(table: TableName) -> tuple[int, int]:
    """Flyway's lock for this table: classid and objid."""
    [advisory] = PRESETS["flyway"].advisories
    return advisory.key.of_table("", table)[:2]


def flyway_row(rank: int, version: str | None = "1", **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "installed_rank": rank,
        "version": version,
        "description": f"step {rank}",
        "type": "SQL",
        "script": f"V{version}__step.sql",
        "checksum": 1234,
        "installed_by": "deploy",
        "installed_on": "2026-03-01 10:00:00",
        "execution_time": 12,
        "success": True,
    }
    return row | more


def flyway_source(schema: str = "public") -> Source:
    table = TableName(schema, "flyway_schema_history")
    return Source(str(table), PRESETS["flyway"], table, preset_name="flyway")


@dataclass(slots=True)
class Flyway:
    """A run of Flyway in its default mode: `a` holds the lock and writes the rows, `b` runs the scripts."""

    wal: Wal
    a: Who
    b: Who
    table: TableName = FSH
    rank: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return flyway_key(self.table)

    def lock(self) -> None:
        self.wal.locks[self.key] = self.a

    def unlock(self) -> None:
        self.wal.locks.pop(self.key, None)

    def make_history(self) -> None:
        self.lock()
        tx = self.wal.begin(self.a)
        tx.ddl("CREATE TABLE", made(self.table, FLYWAY_COLUMNS), truth="tool")
        tx.ddl("ALTER TABLE", made(self.table, FLYWAY_COLUMNS), truth="tool")
        needs = [f"table {identity(self.table)}"]
        index = f"{quoted(self.table.schema)}.{quoted(self.table.table + '_s_idx')}"
        tx.ddl("CREATE INDEX", element(index, type_="index", depends=needs), truth="tool")
        tx.commit()
        self.unlock()

    def insert(self, tx: Tx, version: str | None = None, **more: Any) -> LSN:
        self.rank += 1
        return tx.insert(self.table, **flyway_row(self.rank, version or str(self.rank), **more))

    def migrate(self, *names: str, **more: Any) -> list[int]:
        """One transactional migration; the ids of its events."""
        self.lock()
        script, history = self.wal.begin(self.b), self.wal.begin(self.a)
        events = [script.create(name) for name in names]
        self.insert(history, **more)
        script.commit()
        history.commit()
        self.unlock()
        return events

"""A history table and changes of it, for the tests of what they mean."""

from __future__ import annotations

from collections.abc import Mapping

from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange, Migration
from pggit_daemon.model.transaction import Row, RowChange, RowOp, TableName
from pggit_daemon.tools.preset import Preset
from tests.unit.build import PRESETS

WHERE = TableName("public", "history")
AT = LSN(100)


def ledger(tool: str | Preset = "flyway") -> Ledger:
    return Ledger("public.history", PRESETS[tool] if isinstance(tool, str) else tool)


def insert(into: Ledger, row: Row) -> HistoryChange:
    return into.read(RowChange(AT, RowOp.INSERT, WHERE, row, {}))[-1]


def update(of: Ledger, row: Row, identity: Row | None = None) -> HistoryChange:
    return of.read(RowChange(AT, RowOp.UPDATE, WHERE, row, identity or {}))[-1]


def delete(of: Ledger, identity: Row) -> HistoryChange:
    return of.read(RowChange(AT, RowOp.DELETE, WHERE, {}, identity))[-1]


def migration(change: HistoryChange) -> Migration:
    assert change.migration is not None
    return change.migration


def text(row: Mapping[str, object]) -> dict[str, str | None]:
    return {name: None if value is None else str(value) for name, value in row.items()}

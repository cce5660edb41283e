"""The usual call: the values that nearly every plan has as typed parameters, as the server need not parse them then.

In: the operations of a plan. Out: the parameters of `pggit_daemon.store_usual` (sql/store/95_usual.sql), or None where
the plan has another shape and goes to `pggit_daemon.store` as a document. Pure; called by `store/writer.py`.

Usual is: one commit, or one row of a history table, or both; then whatever else; then how far the daemon has come. What
stands between a commit and its row may run after the row only if it has nothing to do with migrations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from pggit_daemon.store.statement import Statement

MOST = 12
"""Operations of a usual plan; one of several transactions has more as a rule, and is a document."""

MOST_CHANGES = 50
"""Objects that its commit changes."""

COMMIT = (
    *("hash", "parent", "message", "author", "time", "tree_hash", "metadata", "kind", "lsn", "xid", "changed"),
    *("summary", "recorded_tree", "ended", "begun"),
)
ROW = (
    *("migration_id", "tool", "source", "name", "checksum", "applied_at", "applied_by", "execution_ms", "success"),
    *("error_message", "version", "sequence", "status", "evidence", "rollback_of", "lsn", "part", "made", "detail"),
    *("row_key", "row_migration_id", "new", "old", "meaning", "operation", "xid", "occurred_at", "hash"),
)
PROGRESS = ("slot", "commit_lsn", "end_lsn", "head", "context", "bound", "chain", "before")
"""The parameters of an operation, in the order of the function's."""

PARAMETERS = len(COMMIT) + len(ROW) + len(PROGRESS) + 1
CALL = f"pggit_daemon.store_usual({', '.join(f'${number}' for number in range(1, PARAMETERS + 1))})"

APART = frozenset({"settle_conflicts", "out_of_band_conflicts", "undone_conflicts", "tree_conflicts", "handled_events"})
"""Operations that neither read nor write what a row of a history table writes."""


def usual(plan: Sequence[Statement], encode: Callable[[object], str]) -> list[bytes | None] | None:
    """Return the parameters; `encode` makes JSON of a value. None: the plan is not of this shape.

    ValueError for a text that the server can never store.
    """
    if not plan or len(plan) > MOST or plan[-1][0] != "advance":
        return None
    commit: Mapping[str, Any] = {}
    row: Mapping[str, Any] = {}
    others: list[Statement] = []
    for operation, values in plan[:-1]:
        if operation == "insert_commit":
            if commit or row or others or values["changed"] > MOST_CHANGES:
                return None
            commit = values
        elif operation == "record_migration" and not row and all(name in APART for name, _ in others):
            row = values
        elif operation in {"record_migration", "advance"}:
            return None
        else:
            others.append((operation, values))
    if not commit and not row:
        return None
    progress = plan[-1][1]
    parts = chain(map(commit.get, COMMIT), map(row.get, ROW), map(progress.get, PROGRESS), [others or None])
    found = [
        None if value is None else value.encode() if isinstance(value, str) else _parameter(value, encode)
        for value in parts
    ]
    if b"\0" in b"".join(filter(None, found)):
        raise ValueError("a text holds NUL, where it would end on its way to the server")
    return found


def _parameter(value: object, encode: Callable[[object], str]) -> bytes | None:
    """As the server reads it: text as it is, what has parts as JSON."""
    if value is True or value is False:
        return b"t" if value else b"f"
    if isinstance(value, int):
        return str(value).encode()
    if isinstance(value, datetime):
        return value.isoformat().encode()
    return encode(value).encode()

"""A row in one statement is what its parts write; who holds a row of external_migrations is not waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.integration.test_store_call import COMMIT, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pggit_daemon.store.statement import Statement

ROW: dict[str, Any] = {
    "source": "public.history",
    "tool": "flyway",
    "migration_id": 1,
    "name": "one",
    "version": "1",
    "status": "applied",
    "success": True,
    "applied_at": "2026-03-01T00:00:00+00:00",
    "occurred_at": "2026-03-01T00:00:00+00:00",
    "lsn": "0/20",
    "xid": 2,
    "row_key": '["1"]',
    "row_migration_id": 1,
    "new": {"version": "1"},
    "meaning": "applied",
    "operation": "insert",
    "part": False,
}
SEEN = ROW | {"hash": "a" * 64, "made": False, "evidence": "none"}
RAN = ROW | {"hash": "b" * 64, "made": True, "evidence": "lock", "name": "again", "lsn": "0/30"}
COMMITS = [("insert_commit", COMMIT), ("insert_commit", COMMIT | {"hash": "b" * 64, "lsn": "0/11"})]
OF_A_USER = (
    "INSERT INTO pggit.external_migrations (migration_id, tool_name, source) VALUES (1, 'flyway', 'public.history')"
)


def parts(row: dict[str, Any]) -> Iterator[Statement]:
    of: dict[str, Any] = {"at": None, "objects": None, "detail": {}}
    yield "put_migration", row | of
    yield "link", row | of
    yield "record_event", row | of | {"old": None}
    yield "put_row", row | {"columns": row["new"], "migration_id": row["row_migration_id"]}


def written(dsn: str) -> list[list[tuple[Any, ...]]]:
    questions = (
        "SELECT to_jsonb(m) FROM pggit.external_migrations m",
        "SELECT to_jsonb(l) - 'id' - 'linked_at' FROM pggit_daemon.link l",
        "SELECT to_jsonb(h) - 'id' FROM pggit_daemon.history_event h ORDER BY id",
        "SELECT to_jsonb(r) FROM pggit_daemon.source_row r",
    )
    with psycopg.connect(dsn) as conn:
        return [conn.execute(question.encode()).fetchall() for question in questions]


def empty(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        for table in ("pggit_daemon.link", "pggit_daemon.history_event", "pggit_daemon.source_row"):
            conn.execute(f"DELETE FROM {table}".encode())
        conn.execute("DELETE FROM pggit.external_migrations")


@pytest.mark.parametrize("rows", [[SEEN], [RAN], [SEEN, RAN], [RAN, SEEN], [SEEN, SEEN | {"status": "failed"}]])
def test_a_row_writes_what_its_parts_write(installed_database: str, rows: list[dict[str, Any]]) -> None:
    """Promise: whether it is recorded for the first time or again, made a commit or only saw one."""
    run(installed_database, COMMITS)
    run(installed_database, [], *([("record_migration", row)] for row in rows))
    at_once = written(installed_database)
    empty(installed_database)
    run(installed_database, [], *(list(parts(row)) for row in rows))
    assert written(installed_database) == at_once
    assert len(at_once[1]) == 1 or rows == [RAN, SEEN]


def test_who_holds_the_row_is_not_waited_for(installed_database: str) -> None:
    """Promise: a user's open transaction that inserts the same migration parks its row alone; the rest is stored."""
    with psycopg.connect(installed_database) as user:
        user.execute(OF_A_USER)
        began = time.monotonic()
        run(installed_database, [], [*COMMITS, ("record_migration", RAN)])
        assert time.monotonic() - began < 5
        migrations, links, events, rows = written(installed_database)
        assert (migrations, len(links), len(events), len(rows)) == ([], 1, 1, 1)
        user.rollback()
    time.sleep(0.15)  # what was held a moment ago is not tried again at once
    run(installed_database, [])
    assert [row["migration_name"] for (row,) in written(installed_database)[0]] == ["again"]


def test_what_is_parked_keeps_its_order(installed_database: str) -> None:
    """Promise: while something of a migration is parked, its next row does not overtake it."""
    with psycopg.connect(installed_database) as user:
        user.execute(OF_A_USER)
        run(installed_database, [], [*COMMITS, ("record_migration", SEEN)])
        user.rollback()
    run(installed_database, [("record_migration", RAN)])
    time.sleep(0.15)
    run(installed_database, [])
    assert [row["migration_name"] for (row,) in written(installed_database)[0]] == ["again"]

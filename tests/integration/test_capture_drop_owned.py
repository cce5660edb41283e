"""DROP OWNED takes privileges of many objects in one statement: each is recorded, and each costs the same."""

from __future__ import annotations

from pathlib import Path

from tests.integration.capture_support import Captured

ROLE = "capture_owned"


def _cost(db: Captured, tables: int) -> tuple[int, float]:
    """Grant on so many tables and take all of it at once; the objects that are recorded, and CPU seconds."""
    for number in range(tables):
        db.conn.execute(f"CREATE TABLE owned_{number} (a int)".encode())
    db.conn.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}".encode())
    db.events()
    process = Path(f"/proc/{db.conn.info.backend_pid}/schedstat")
    began = int(process.read_text().split()[0])
    events = db.run(f"DROP OWNED BY {ROLE}")
    spent = (int(process.read_text().split()[0]) - began) / 1e9
    names = {name for event in events for name in event.named("set")}
    db.conn.execute(
        "DO $$ BEGIN EXECUTE (SELECT 'DROP TABLE ' || string_agg(oid::regclass::text, ',')"
        " FROM pg_class WHERE relname ~ '^owned_'); END $$"
    )
    return len(names), spent


def test_each_object_costs_the_same(installed_database: str) -> None:
    db = Captured(installed_database)
    db.conn.execute(f"DROP ROLE IF EXISTS {ROLE}; CREATE ROLE {ROLE}".encode())
    try:
        _cost(db, 5)  # what is compiled at the first time
        few, cost = _cost(db, 30)
        many, costs = _cost(db, 240)
        assert (few, many) == (30, 240)
        assert costs < 3 * 8 * cost
    finally:
        db.conn.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}".encode())
        db.close()

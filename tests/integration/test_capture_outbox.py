"""A session proves once that an INSERT into the outbox cannot fail, and again after whatever is done to the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.integration.capture_support import Captured

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTBOX = "pggit_daemon.ddl_event"
CHANGES = {
    # what is done to the outbox: how, and how it is undone
    "check": ("ADD CHECK (command_tag <> 'CREATE VIEW') NOT VALID", "DROP CONSTRAINT ddl_event_command_tag_check"),
    "not null": ("ALTER failure SET NOT NULL", "ALTER failure DROP NOT NULL"),
    "column renamed": ("RENAME failure TO mishap", "RENAME mishap TO failure"),
    "row level security": ("ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY"),
}
STATEMENTS = {
    "index": (
        f"CREATE INDEX in_vain ON {OUTBOX} ((1 / (length(command_tag) - 11)))",
        "DROP INDEX pggit_daemon.in_vain",
    ),
    "rule": (f"CREATE RULE nothing AS ON INSERT TO {OUTBOX} DO INSTEAD NOTHING", f"DROP RULE nothing ON {OUTBOX}"),
    "trigger": (
        f"CREATE TRIGGER in_vain BEFORE INSERT ON {OUTBOX} FOR EACH ROW EXECUTE FUNCTION refuse()",
        f"DROP TRIGGER in_vain ON {OUTBOX}",
    ),
    "privilege": (f"REVOKE INSERT ON {OUTBOX} FROM pggit_capture", f"GRANT INSERT ON {OUTBOX} TO pggit_capture"),
} | {
    word: (f"ALTER TABLE {OUTBOX} {change}", f"ALTER TABLE {OUTBOX} {undoing}")
    for word, (change, undoing) in CHANGES.items()
}
LEAVES_A_MARK = ("rule", "trigger")  # pg_class says until the next VACUUM that there may be one
REFUSE = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$"


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    captured = Captured(installed_database)
    yield captured
    captured.conn.rollback()
    captured.close()


def is_proven(db: Captured, view: str) -> bool:
    """Whether the statement that made the view recorded it outside of any subtransaction, or not at all."""
    row = db.conn.execute(
        f"SELECT c.xmin = e.xmin FROM pg_class AS c, {OUTBOX} AS e"
        " WHERE c.relname = %s AND e.kind = 'ddl' AND e.objects::jsonb -> 0 ->> 'objid' = c.oid::text",
        [view],
    ).fetchone()
    return row == (True,)


@pytest.mark.parametrize("what", STATEMENTS)
@pytest.mark.parametrize("by", ["others", "itself"])
def test_ddl_goes_on_after_whatever_is_done_to_the_outbox(db: Captured, what: str, by: str) -> None:
    change, undoing = STATEMENTS[what]
    db.conn.execute(REFUSE.encode())
    with psycopg.connect(db.dsn, autocommit=True) as other:
        conn = db.conn if by == "itself" else other
        db.conn.execute("CREATE VIEW before AS SELECT 1")
        assert is_proven(db, "before")
        db.conn.execute(f"DELETE FROM {OUTBOX}".encode())
        conn.execute(change.encode())
        db.conn.execute("CREATE VIEW meanwhile AS SELECT 1")
        assert not is_proven(db, "meanwhile")
        db.conn.execute(f"DELETE FROM {OUTBOX}".encode())
        conn.execute(undoing.encode())
        db.conn.execute("CREATE VIEW afterwards AS SELECT 1")
        assert is_proven(db, "afterwards") is (what not in LEAVES_A_MARK)


def test_a_change_of_the_outbox_that_is_rolled_back_is_none(db: Captured) -> None:
    db.conn.execute("CREATE VIEW before AS SELECT 1")
    db.conn.execute("BEGIN")
    db.conn.execute("SAVEPOINT s")
    db.conn.execute(STATEMENTS["check"][0].encode())
    db.conn.execute("CREATE VIEW meanwhile AS SELECT 1")
    assert not is_proven(db, "meanwhile")
    db.conn.execute("ROLLBACK TO s")
    db.conn.execute("CREATE VIEW afterwards AS SELECT 1")
    assert is_proven(db, "afterwards")
    db.conn.execute("COMMIT")
    assert db.drift() == []

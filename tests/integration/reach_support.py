"""What the tests of the capture's reach share: statements run one by one, and after each the catalog is compared.

In: lines of SQL, one statement each; `!` in front of one that fails as the server wants it. Out: the statements after
which the events did not add up to the catalog, with the keys that differ. Called by test_reach_*.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.model.ddl_event import parse_object
from pggit_daemon.versioning.schema import Schema
from pggit_daemon.versioning.tree import Leaf, blob_hash
from tests.integration.capture_support import Captured

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = ("reach_a", "reach_b", "reach_c")


def captured(dsn: str) -> Iterator[Captured]:
    """A captured session with three roles beside it; at the end nothing of them is left. For fixtures."""
    db = Captured(dsn)
    for role in ROLES:
        _forget(db.conn, role)
        db.conn.execute(f"CREATE ROLE {role}".encode())
    yield db
    db.conn.rollback()
    db.conn.execute("RESET ROLE")
    for role in ROLES:
        _forget(db.conn, role)
    db.close()


def _forget(conn: psycopg.Connection[Any], role: str) -> None:
    if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        conn.execute(f"DROP OWNED BY {role} CASCADE".encode())
        conn.execute(f"DROP ROLE {role}".encode())


def statements(script: str) -> list[str]:
    """The statements of a script; a line that begins with a backslash goes on with the one before."""
    found: list[str] = []
    for line in (line.strip() for line in script.strip().splitlines()):
        if line.startswith("\\"):
            found[-1] += "\n" + line[1:]
        elif line and not line.startswith("--"):
            found.append(line)
    return found


class Reach:
    """The tree that the daemon would have built from the events so far."""

    def __init__(self, db: Captured) -> None:
        self.db = db
        self.schema = Schema()
        self.follow_catalog()

    def follow_catalog(self) -> None:
        """Take the catalog as it is for what was recorded; earlier events count no more."""
        self.db.events()
        self.schema.replaced([parse_object({"op": "set", **row}) for row in self._snapshot()])

    def differs(self) -> list[str]:
        """Take in the events since the last call; return the keys where the tree is not what the catalog has."""
        elements: list[Any] = []
        for event in self.db.events():
            assert event.failure is None, event.failure
            assert "deferred" not in {o["op"] for o in event.objects}, "left to the daemon"
            elements.extend(event.objects)
        self.schema.apply(parse_object(o) for o in elements)
        recorded = {key: (oid, self.schema.tree.get(key)) for oid, key in self.schema.keys.items()}
        catalog = {}
        for now in (parse_object({"op": "set", **row}) for row in self._snapshot()):
            assert now.key is not None
            assert now.blob is not None
            catalog[now.key] = (now.oid, Leaf(now.oid, blob_hash(now.blob)))
        return sorted(
            f"{key.type} {key.identity}"
            for key in recorded.keys() | catalog.keys()
            if recorded.get(key) != catalog.get(key)
        )

    def _snapshot(self) -> list[dict[str, Any]]:
        rows = self.db.conn.execute(
            "SELECT jsonb_build_object('classid', d.classid::bigint, 'objid', d.objid::bigint, 'type', d.type,"
            " 'schema', d.schema_name, 'identity', d.identity, 'definition', d.definition, 'later', d.later,"
            " 'depends', d.depends) FROM pggit_daemon.snapshot() d"
        ).fetchall()
        return [row[0] for row in rows]


def unreached(db: Captured, script: str) -> dict[str, list[str]]:
    """Run a script; the first statement that leaves a difference, with what differs. Empty when all is told.

    In a transaction of the script's own the comparison waits for its end.
    """
    reach = Reach(db)
    for statement in statements(script):
        run(db.conn, statement)
        if db.conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            continue
        if differs := reach.differs():
            return {statement: differs}
    assert [notice for notice in db.notices if "pggit" in notice] == []
    return {}


def run(conn: psycopg.Connection[Any], statement: str) -> None:
    if statement.startswith("!"):
        with pytest.raises(psycopg.Error):
            conn.execute(statement[1:].encode())
    else:
        conn.execute(statement.encode())

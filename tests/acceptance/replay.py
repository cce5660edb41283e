"""One WAL, read several times: the results put back to an earlier moment, and a copy of the slot from there.

In: a database that a daemon has begun to follow. Out: what it recorded, comparable, for each way of reading the same
WAL. Slots are copied right after the baseline; the results are copied as text and put back by TRUNCATE and COPY, which
no event trigger sees and the stream does not show.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from tests.acceptance.harness import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RESULTS = (
    "pggit.branches",
    "pggit.commits",
    "pggit.external_migrations",
    "pggit.conflicts",
    "pggit_daemon.blob",
    "pggit_daemon.object_version",
    "pggit_daemon.logged_otherwise",
    "pggit_daemon.source",
    "pggit_daemon.source_row",
    "pggit_daemon.link",
    "pggit_daemon.history_event",
    "pggit_daemon.progress",
    "pggit_daemon.attribution",
    "pggit_daemon.quarantine",
)
"""All that the daemon writes, in the order of its foreign keys."""

SLOT = "pggit_daemon"
_numbers = itertools.count(1)

Saved = dict[str, bytes]

_RECORDED = {
    "commits": "SELECT hash, parent_commit_hash, kind, message, summary, author, authored_at, tree_hash, metadata,"
    " source_lsn, source_xid, occurred_at, objects_changed FROM pggit.commits ORDER BY id",
    "heads": "SELECT name, head_commit_hash FROM pggit.branches ORDER BY name",
    "objects": "SELECT v.type, v.schema_name, v.identity, v.classid, v.objid, v.blob, b.hash, e.hash"
    " FROM pggit_daemon.object_version v JOIN pggit.commits b ON b.id = v.from_commit"
    " LEFT JOIN pggit.commits e ON e.id = v.to_commit ORDER BY b.id, v.type, v.identity",
    "migrations": "SELECT m.tool_name, m.source, m.migration_id, m.version, m.migration_name, m.checksum, m.status,"
    " m.success, m.evidence, m.rollback_of, m.sequence, m.applied_at, m.source_lsn, c.hash"
    " FROM pggit.external_migrations m LEFT JOIN pggit.commits c ON c.id = m.pggit_commit_id ORDER BY 1, 2, 3",
    "links": "SELECT l.tool_name, l.source, l.migration_id, l.evidence, l.part, l.made, l.objects, c.hash"
    " FROM pggit_daemon.link l JOIN pggit.commits c ON c.id = l.commit_id ORDER BY l.source, l.migration_id, c.id",
    "events": "SELECT h.source, h.meaning, h.operation, h.row_key, h.old_columns, h.new_columns, h.migration_id,"
    " h.evidence, c.hash, h.lsn, h.xid, h.occurred_at"
    " FROM pggit_daemon.history_event h LEFT JOIN pggit.commits c ON c.id = h.commit_id ORDER BY h.lsn, h.id",
    "rows": "SELECT source, row_key, columns, migration_id FROM pggit_daemon.source_row ORDER BY 1, 2",
    "conflicts": "SELECT f.conflict_type, f.object_type, f.object_identifier, f.status, f.description, c.hash"
    " FROM pggit.conflicts f LEFT JOIN pggit.commits c ON c.id = f.commit_id ORDER BY 1, 2, 3, 4",
    "quarantine": "SELECT lsn, xid, raw, reason FROM pggit_daemon.quarantine ORDER BY lsn, raw",
}


@dataclass(frozen=True, slots=True)
class Tape:
    """The WAL of a database from its baseline on. Make it with `begin`, while no daemon runs."""

    dsn: str
    base: str
    start: Saved

    @classmethod
    def begin(cls, dsn: str) -> Tape:
        """Keep the slot's position and the results as they are right after the baseline."""
        base = f"{SLOT}_base"
        with psycopg.connect(dsn, autocommit=True) as conn:
            _copy_slot(conn, SLOT, base)
        return cls(dsn, base, save(dsn))

    def again(
        self, state: Saved, folder: Path, *, pieces: Callable[[Daemon], None] | None = None
    ) -> dict[str, list[Any]]:
        """Put the results back to `state`, let a daemon read the rest from a copy of the slot, return all of it.

        `pieces` gets the daemon running, and leaves it running after it was ended and started at some moments.
        """
        number = next(_numbers)
        slot = f"{SLOT}_again_{number}"
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            _copy_slot(conn, self.base, slot)
            put_back(conn, state, slot)
        config = folder / f"again_{number}.toml"
        config.write_text(f'[[database]]\nname = "again"\nslot = "{slot}"\ndsn = "{self.dsn}"\n')
        daemon = Daemon(self.dsn, folder, ["--config", str(config)], name=f"again_{number}")
        if pieces is not None:
            daemon.start()
            try:
                pieces(daemon)
            finally:
                daemon.kill()
        with daemon:
            daemon.wait_decided(slot=slot)
        return everything(self.dsn)


def save(dsn: str) -> Saved:
    """Return all results as of one moment."""
    with psycopg.connect(dsn) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return {table: _copied(conn, table) for table in RESULTS}


def put_back(conn: psycopg.Connection, state: Saved, slot: str) -> None:
    """Make the results what they were, with the progress of that moment and another slot."""
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(RESULTS)}".encode())
        for table in RESULTS:
            with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                copy.write(state[table])
        cursor.execute("UPDATE pggit_daemon.progress SET slot_name = %s", [slot])


def everything(dsn: str) -> dict[str, list[Any]]:
    """Return all that must not depend on who read the WAL, when, and how often: no ids, no clocks."""
    with psycopg.connect(dsn) as conn:
        return {name: conn.execute(query.encode()).fetchall() for name, query in _RECORDED.items()}


def differences(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> list[str]:
    """Return what the one has and the other lacks, in readable lines."""
    found = []
    for name, rows in one.items():
        left, right = [repr(row) for row in rows], [repr(row) for row in other[name]]
        found += [f"{name}: - {row}" for row in left if row not in right]
        found += [f"{name}: + {row}" for row in right if row not in left]
        if not found and left != right:
            found.append(f"{name}: the same rows in another order")
    return found


def _copied(conn: psycopg.Connection, table: str) -> bytes:
    with conn.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT".encode()) as copy:
        return b"".join(bytes(part) for part in copy)


def _copy_slot(conn: psycopg.Connection, one: str, other: str) -> None:
    conn.execute("SELECT pg_copy_logical_replication_slot(%s, %s)", [one, other])

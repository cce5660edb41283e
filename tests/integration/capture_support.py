"""What the tests of the capture share: a captured session, and the outbox as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


PLAIN = "capture_plain"
"""A role without any right of ours."""

_FIELDS = ("definition", "later", "depends", "classid", "objid")


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the outbox."""

    kind: str
    command_tag: str
    objects: tuple[Mapping[str, Any], ...]
    locks: list[dict[str, Any]] | None
    statement: str | None
    failure: str | None
    session_user: str
    current_user: str
    application_name: str
    pid: int

    def named(self, op: str, *, direct: bool | None = None) -> list[str]:
        """Return 'type identity' of the elements of one kind, in their order."""
        return [
            f"{o.get('type')} {o.get('identity')}"
            for o in self.objects
            if o["op"] == op and (direct is None or o["direct"] is direct)
        ]

    def definition(self, identity: str) -> str:
        """Return what the event says of one object."""
        [found] = [o["definition"] for o in self.objects if o["op"] == "set" and o["identity"] == identity]
        return str(found)


class Captured:
    """A session whose DDL is captured; `run` returns the events of its statements."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.conn = psycopg.connect(dsn, autocommit=True)
        self.notices: list[str] = []
        self.conn.add_notice_handler(lambda d: self.notices.append(f"{d.severity}: {d.message_primary}"))
        self.seen = 0
        self.baseline = self.snapshot()

    def run(self, *statements: str) -> list[Event]:
        for statement in statements:
            self.conn.execute(statement.encode())
        return self.events()

    def one(self, statement: str) -> Event:
        """Run a statement that makes exactly one event."""
        [event] = self.run(statement)
        return event

    def events(self) -> list[Event]:
        """Return the events since the last call, of all sessions."""
        rows = self.conn.execute(
            "SELECT id, kind, command_tag, objects::jsonb, locks, statement, failure, session_user_name,"
            " current_user_name, application_name, pid FROM pggit_daemon.ddl_event WHERE id > %s ORDER BY id",
            [self.seen],
        ).fetchall()
        self.seen = rows[-1][0] if rows else self.seen
        return [Event(r[1], r[2], tuple(r[3]), *r[4:]) for r in rows]

    def drift(self) -> list[str]:
        """Compare what the beginning and all events so far add up to with the catalog; return the keys that differ.

        This is the promise of the capture in one line: whoever applies the events knows the schema.
        """
        tree = {key: dict(zip(_FIELDS, now, strict=True)) for key, now in self.baseline.items()}
        for (objects,) in self.conn.execute("SELECT objects::jsonb FROM pggit_daemon.ddl_event ORDER BY id").fetchall():
            apply(objects, tree)
        now = self.snapshot()
        recorded = {
            key: (o["definition"], o["later"], tuple(o["depends"] or ()), o["classid"], o["objid"])
            for key, o in tree.items()
        }
        return sorted(key for key in recorded.keys() | now.keys() if recorded.get(key) != now.get(key))

    def snapshot(self) -> dict[str, tuple[Any, ...]]:
        """Return every object as the catalog has it."""
        rows = self.conn.execute(
            "SELECT type || ' ' || identity, definition, later, depends, classid::bigint, objid::bigint"
            " FROM pggit_daemon.snapshot()"
        ).fetchall()
        return {r[0]: (r[1], r[2], tuple(r[3] or ()), r[4], r[5]) for r in rows}

    def close(self) -> None:
        self.conn.close()


def apply(objects: Iterable[Mapping[str, Any]], tree: dict[str, dict[str, Any]]) -> None:
    """Apply the elements of one event: an object is known by its OID, and its key can change."""
    for o in objects:
        if o["op"] not in ("set", "drop"):
            continue
        address = (o["classid"], o["objid"])
        for key in [key for key, old in tree.items() if (old["classid"], old["objid"]) == address]:
            del tree[key]
        if o["op"] == "set":
            tree[f"{o['type']} {o['identity']}"] = dict(o)


def beside_plain(dsn: str) -> Iterator[Captured]:
    """Give a superuser's captured session; `PLAIN` is there meanwhile."""
    captured = Captured(dsn)
    captured.conn.execute(f"DROP ROLE IF EXISTS {PLAIN}".encode())
    captured.conn.execute(f"CREATE ROLE {PLAIN} LOGIN".encode())
    yield captured
    captured.conn.rollback()
    captured.conn.execute(f"DROP OWNED BY {PLAIN} CASCADE".encode())
    captured.conn.execute(f"DROP ROLE {PLAIN}".encode())
    captured.close()

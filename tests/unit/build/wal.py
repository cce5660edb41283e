"""A log in the making: sessions, statements, rows and transactions in one line each.

A `Wal` takes whatever is called first as what stands first in it; transactions come out in the order of their commits,
as from the decoder. It knows who holds which advisory lock, so that a statement sees what the event trigger would have
seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from pggit_daemon.model.ddl_event import MOST_SIBLINGS, OUTBOX
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Profile, SessionKey
from pggit_daemon.model.sighting import Activity
from pggit_daemon.model.transaction import Change, Row, RowChange, RowOp, TableName, Transaction, UndecodableChange

JDBC = "PostgreSQL JDBC Driver"
START = datetime(2026, 3, 1, tzinfo=UTC)
Number = dict[str, str | None]
"""The row of a table that has only one."""

TABLE_CLASS = 1259
TICK = timedelta(milliseconds=0.1)
"""What begins after something else begins so much later."""

STATISTICS_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Who:
    """A session: backend, and how it introduces itself."""

    key: SessionKey
    profile: Profile


def who(pid: int, application: str = JDBC, user: str = "deploy", started: str = "2026-03-01T00:00:00+00:00") -> Who:
    return Who(SessionKey(pid, started), Profile(user, application, "10.0.0.7"))


def quoted(name: str) -> str:
    """The name as the server prints it in an identity."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def identity(table: TableName) -> str:
    return f"{quoted(table.schema)}.{quoted(table.table)}"


def element(  # an element of ddl_event.objects
    name: str,
    *,
    op: str = "set",
    type_: str = "table",
    objid: int = 0,
    definition: str | None = None,
    depends: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    direct: bool = True,
) -> dict[str, Any]:
    schema = name.partition(".")[0] if "." in name else None
    found: dict[str, Any] = {
        "op": op,
        "direct": direct,
        "classid": TABLE_CLASS,
        "objid": objid or crc32(f"{type_} {name}".encode()),
        "type": type_,
        "schema": schema,
        "identity": name,
    }
    if op == "set":
        found |= {"definition": definition or f"CREATE {type_} {name};\n", "later": None, "depends": list(depends)}
        found["columns"] = list(columns) if columns is not None else None
    return found


def made(table: TableName, columns: Sequence[str]) -> dict[str, Any]:
    return element(identity(table), columns=columns)


def dropped(name: str, **more: Any) -> dict[str, Any]:
    return element(name, op="drop", **more)


def _kind(tag: str, objects: Iterable[dict[str, Any]]) -> str:
    """Which event trigger tells it."""
    ops = {item["op"] for item in objects}
    if tag.startswith("DROP"):
        return "drop"
    return ops.pop() if ops in ({"drop"}, {"rewrite"}) else "ddl"


@dataclass(slots=True)
class Tx:
    """An open transaction of one session."""

    wal: Wal
    session: Who
    xid: int
    changes: list[Change] = field(default_factory=list)
    introduced: bool = False
    leaves: dict[TableName, Number] = field(default_factory=dict)
    began: datetime | None = None
    opened: datetime | None = None

    def ddl(self, tag: str, *objects: dict[str, Any], path: str | None = None, truth: object = None) -> int:
        """Run a statement; its event's id. `truth` is kept for the test."""
        event = self.wal.event(self, tag, objects, path)
        self.wal.truth[event] = truth
        return event

    def create(self, name: str, *, truth: object = None) -> int:
        return self.ddl("CREATE TABLE", element(name, columns=("id",)), truth=truth)

    def row(self, table: TableName, op: RowOp, new: Row | None = None, identity: Row | None = None) -> LSN:
        self.read(table)
        if op is RowOp.INSERT or table in self.wal.lock_tables:
            self.wal.wrote.setdefault(self.session.key, {})[table] = self.wal.now
        began = self.wal.now
        lsn = self.wal.next_lsn()
        self.changes.append(RowChange(lsn, op, table, new or {}, identity or {}))
        self.does(began)
        return lsn

    def read(self, table: TableName) -> None:
        """Look at a history table."""
        self.wal.used.setdefault(self.session.key, {})[table] = self.wal.now
        self.wal.did(self.session, self.wal.now, "idle", None)

    def insert(self, table: TableName, **row: Any) -> LSN:
        return self.row(table, RowOp.INSERT, row)

    def undecodable(self, table: TableName, number: Number | None = None) -> LSN:
        """A change that the plugin does not show; `number`: what the table's only row is from now on."""
        self.read(table)
        began = self.wal.now
        lsn = self.wal.next_lsn()
        self.does(began)
        if number is not None:
            self.leaves[table] = number
        self.changes.append(UndecodableChange(lsn, f'{table.schema}"."{table.table}'))
        return lsn

    def commit(self) -> Transaction:
        return self.wal.commit(self)

    def does(self, began: datetime) -> None:
        """Its session has run a statement of it since then."""
        if self.began is None:
            self.began = began
        self.wal.did(self.session, began, "idle in transaction", self.began)


@dataclass(slots=True)
class Wal:
    """The log, the clock, the advisory locks that are held, and the history tables that each session used when.

    `wrote`: those to which it wrote rows, or (of `lock_tables`) anything.
    `numbers`: what tables of one row held after which commit, and the transaction that left it so.
    `names`: the sources' names, where they are not their tables'. `since`: when the transaction began that a lock's
    holder has open. `locked`: the tables that such a lock is on. `connected`: who is there; None: nobody asked.
    `doing`: what each session did since when; None: it had ended.
    """

    transactions: list[Transaction] = field(default_factory=list)
    truth: dict[int, object] = field(default_factory=dict)
    locks: dict[tuple[int, int], Who] = field(default_factory=dict)
    used: dict[SessionKey, dict[TableName, datetime]] = field(default_factory=dict)
    wrote: dict[SessionKey, dict[TableName, datetime]] = field(default_factory=dict)
    lock_tables: set[TableName] = field(default_factory=set)
    names: dict[TableName, str] = field(default_factory=dict)
    since: dict[SessionKey, datetime] = field(default_factory=dict)
    locked: dict[tuple[int, int], TableName] = field(default_factory=dict)
    connected: list[Who] | None = None
    numbers: dict[TableName, list[tuple[LSN, Number, int]]] = field(default_factory=dict)
    doing: dict[SessionKey, list[tuple[datetime, Activity | None]]] = field(default_factory=dict)
    people: dict[SessionKey, Who] = field(default_factory=dict)
    now: datetime = START
    _lsn: int = 0x1000
    _xid: int = 700
    _event: int = 0

    def next_lsn(self) -> LSN:
        self._lsn += 8
        self.now += timedelta(milliseconds=1)
        return LSN(self._lsn)

    def begin(self, session: Who) -> Tx:
        self._xid += 1
        return Tx(self, session, self._xid, opened=self.now)

    def event(self, tx: Tx, tag: str, objects: Iterable[dict[str, Any]], path: str | None) -> int:
        self._event += 1
        who_ = tx.session
        row: Row = {
            "id": self._event,
            "kind": _kind(tag, objects),
            "command_tag": tag,
            "query": f"{tag} …",
            "statement": tag,
            "session_user_name": who_.profile.user,
            "current_user_name": who_.profile.user,
            "application_name": who_.profile.application_name,
            "client_addr": who_.profile.client_addr,
            "pid": who_.key.pid,
            "backend_start": who_.key.started,
            "locks": None if tx.introduced else json.dumps(self._seen(who_)),
            "search_path": None if tx.introduced else path,
            "sisters": None if tx.introduced or self.connected is None else json.dumps(self._siblings(who_)),
            "used_histories": None if tx.introduced else json.dumps([*self._histories(tx), *self._long(tx)]),
            "objects": json.dumps(list(objects)),
            "failure": None,
        }
        tx.introduced = True
        began = self.now
        tx.changes.append(RowChange(self.next_lsn(), RowOp.INSERT, OUTBOX, row, {}))
        tx.does(began)
        return self._event

    def _long(self, tx: Tx) -> list[dict[str, str]]:
        """When the transaction began, where its first statement took long."""
        long = tx.opened is not None and self.now - tx.opened > timedelta(seconds=1)
        return [{"began": tx.opened.isoformat()}] if long and tx.opened is not None else []

    def _seen(self, session: Who) -> list[dict[str, Any]]:
        return [
            {
                "classid": classid,
                "objid": objid,
                "objsubid": 1,
                "pid": holder.key.pid,
                "backend_start": holder.key.started,
                "user": holder.profile.user,
                "application_name": holder.profile.application_name,
                "client_addr": holder.profile.client_addr,
                "own": holder.key == session.key,
                "since": since.isoformat() if (since := self.since.get(holder.key)) is not None else None,
            }
            | ({"table": [table.schema, table.table]} if (table := self.locked.get((classid, objid))) else {})
            for (classid, objid), holder in self.locks.items()
        ]

    def _siblings(self, session: Who) -> list[dict[str, Any]]:
        """The youngest, as the capture names them; those in `connected` came one after the other."""
        return [
            {"pid": one.key.pid, "backend_start": one.key.started}
            for one in self.connected or ()
            if one.profile == session.profile and one.key != session.key
        ][: -MOST_SIBLINGS - 1 : -1]

    def _histories(self, tx: Tx) -> list[Any]:
        wrote = [{"wrote": name} for name in self.counted(self.wrote, tx.session)]
        return [*self.counted(self.used, tx.session), *wrote, *self._held(tx)]

    def counted(self, did: Mapping[SessionKey, Mapping[TableName, datetime]], session: Who) -> list[str]:
        """What the server's counters tell: for a second, until they become statistics."""
        done = did.get(session.key, {}).items()
        return sorted(self.names.get(table, str(table)) for table, when in done if self.now - when < STATISTICS_AFTER)

    def _held(self, tx: Tx) -> list[dict[str, Any]]:
        """What the capture reads of tables of one row, but of one that the transaction wrote itself."""
        return [
            {"source": self.names.get(table, str(table)), "row": row, "xid": xid}
            for table, states in self.numbers.items()
            for _, row, xid in states[-1:]
            if table not in tx.leaves
        ]

    def commit(self, tx: Tx) -> Transaction:
        began, lsn = self.now, self.next_lsn()
        for table, row in tx.leaves.items():
            self.numbers.setdefault(table, []).append((lsn, row, tx.xid))
        done = Transaction(tx.xid, lsn, self.next_lsn(), self.now, tuple(tx.changes))
        self.did(tx.session, began, "idle", None)
        if tx.changes:
            self.transactions.append(done)
        return done

    def did(self, session: Who, began: datetime, state: str, xact_start: datetime | None) -> None:
        """The session has run a statement from then until now, and is in this state since."""
        self.people[session.key] = session
        done = self.doing.setdefault(session.key, [])
        began, ended = began + TICK, max(self.now, began + 2 * TICK)
        done.append((began, Activity("active", began, began, xact_start or began)))
        done.append((ended, Activity(state, began, ended, xact_start)))

    def leave(self, session: Who) -> None:
        """The session ends."""
        self.doing.setdefault(session.key, []).append((self.now, None))

    def seen(self, session: SessionKey, moment: datetime) -> Activity | None:
        """What a look at it shows then; one that has done nothing yet idles."""
        done = [one for since, one in self.doing.get(session, ()) if since <= moment]
        return done[-1] if done else Activity("idle", START - timedelta(hours=1), START - timedelta(hours=1))

    def others(self, users: Collection[str], moment: datetime) -> dict[SessionKey, tuple[tuple[str, str], Activity]]:
        """What a look shows of all sessions of these users that have done anything."""
        found = {}
        for one in self.people.values():
            shown = self.seen(one.key, moment)
            if one.profile.user in users and shown is not None and self.doing[one.key][0][0] <= moment:
                found[one.key] = ((one.profile.user, one.profile.application_name), shown)
        return found

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def psql(wal: Wal, name: str, pid: int = 900) -> int:
    """A statement by hand."""
    tx = wal.begin(who(pid, "psql", "dba"))
    event = tx.create(name, truth="out_of_band")
    tx.commit()
    return event

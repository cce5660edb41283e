"""Builders for the tests of the pure core: sessions, statements, rows and transactions in one line each.

A `Wal` is a log in the making: whatever is called first stands first in it, and transactions come out in the order
of their commits, as from the decoder. It knows who holds which advisory lock, so that a statement sees what the
event trigger would have seen. `Follower` leads transactions through the core as the pipeline does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pggit_daemon.attribute.queue import Correlator
from pggit_daemon.interpret.history_table import Ledger, LedgerRow
from pggit_daemon.interpret.transaction import NewTables, Reader
from pggit_daemon.model.ddl_event import OUTBOX
from pggit_daemon.model.decision import Decision, Settled
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.session import Profile, SessionKey
from pggit_daemon.model.transaction import Change, Row, RowChange, RowOp, TableName, Transaction, Unshown
from pggit_daemon.store.statements import statements
from pggit_daemon.tools.preset import Preset, packaged
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source
from pggit_daemon.versioning.plan import Step, plan
from pggit_daemon.versioning.schema import Schema

PRESETS: dict[str, Preset] = dict(packaged())
JDBC = "PostgreSQL JDBC Driver"
START = datetime(2026, 3, 1, tzinfo=UTC)
TABLE_CLASS = 1259


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
        "objid": objid or abs(hash((type_, name))) % 10**9,
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


@dataclass(slots=True)
class Tx:
    """An open transaction of one session."""

    wal: Wal
    session: Who
    xid: int
    changes: list[Change] = field(default_factory=list)
    told: bool = False

    def ddl(self, tag: str, *objects: dict[str, Any], path: str | None = None, truth: object = None) -> int:
        """Run a statement; its event's id. `truth` is kept for the test."""
        event = self.wal.event(self, tag, objects, path)
        self.wal.truth[event] = truth
        return event

    def create(self, name: str, *, truth: object = None) -> int:
        return self.ddl("CREATE TABLE", element(name, columns=("id",)), truth=truth)

    def row(self, table: TableName, op: RowOp, new: Row | None = None, identity: Row | None = None) -> LSN:
        lsn = self.wal.next_lsn()
        self.changes.append(RowChange(lsn, op, table, new or {}, identity or {}))
        return lsn

    def insert(self, table: TableName, **row: Any) -> LSN:
        return self.row(table, RowOp.INSERT, row)

    def unshown(self, table: TableName) -> LSN:
        lsn = self.wal.next_lsn()
        self.changes.append(Unshown(lsn, f'{table.schema}"."{table.table}'))
        return lsn

    def commit(self) -> Transaction:
        return self.wal.commit(self)


@dataclass(slots=True)
class Wal:
    """The log, the clock, and the advisory locks that are held."""

    transactions: list[Transaction] = field(default_factory=list)
    truth: dict[int, object] = field(default_factory=dict)
    locks: dict[tuple[int, int], Who] = field(default_factory=dict)
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
        return Tx(self, session, self._xid)

    def event(self, tx: Tx, tag: str, objects: Iterable[dict[str, Any]], path: str | None) -> int:
        self._event += 1
        who_ = tx.session
        row: Row = {
            "id": self._event,
            "kind": "drop" if tag.startswith("DROP") else "ddl",
            "command_tag": tag,
            "query": f"{tag} …",
            "session_user_name": who_.profile.user,
            "current_user_name": who_.profile.user,
            "application_name": who_.profile.application_name,
            "client_addr": who_.profile.client_addr,
            "pid": who_.key.pid,
            "backend_start": who_.key.started,
            "locks": None if tx.told else json.dumps(self._seen(who_)),
            "search_path": None if tx.told else path,
            "sisters": None,
            "objects": json.dumps(list(objects)),
            "failure": None,
        }
        tx.told = True
        tx.changes.append(RowChange(self.next_lsn(), RowOp.INSERT, OUTBOX, row, {}))
        return self._event

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
            }
            for (classid, objid), holder in self.locks.items()
        ]

    def commit(self, tx: Tx) -> Transaction:
        lsn = self.next_lsn()
        done = Transaction(tx.xid, lsn, self.next_lsn(), self.now, tuple(tx.changes))
        if tx.changes:
            self.transactions.append(done)
        return done

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True)
class Stored:
    """What the database holds after a step: of the store's statements only what is read again."""

    rows: dict[str, dict[str, LedgerRow]] = field(default_factory=dict)
    ids: dict[str, dict[int, str | None]] = field(default_factory=dict)
    remembered: str = "{}"
    commit: LSN = ZERO
    head: str | None = None
    schema: Schema = field(default_factory=Schema)

    def take(self, settled: Settled) -> list[Step]:
        steps = []
        for decision in settled.decisions:
            step = plan(decision, self.schema, self.head)
            self.head = step.commit.hash if step.commit is not None else self.head
            for name, values in statements(step):
                self._write(name, values)
            steps.append(step)
        self.remembered, self.commit = settled.remembered, settled.last.commit_lsn
        return steps

    def _write(self, name: str, values: dict[str, Any]) -> None:
        match name:
            case "put_row":
                row = LedgerRow(values["columns"], values["migration_id"])
                self.rows.setdefault(values["source"], {})[values["row_key"]] = row
            case "delete_row":
                self.rows.get(values["source"], {}).pop(values["row_key"], None)
            case "put_migration":
                if values["migration_id"] >= 0:
                    self.ids.setdefault(values["source"], {})[values["migration_id"]] = values["version"]
            case _:
                pass


class Follower:
    """Leads transactions through reader, correlator and plan, like the pipeline; `restart` loses all but the stored."""

    def __init__(self, *sources: Source, presets: dict[str, Preset] | None = None, eager: bool = True) -> None:
        self.registry = Registry(presets if presets is not None else PRESETS, sources)
        self.stored = Stored()
        self.decisions: list[Decision] = []
        self.steps: list[Step] = []
        self.seen: list[Transaction] = []
        self.restarts = 0
        self.eager = eager
        self._load()

    def _load(self) -> None:
        self.ledgers = {
            name: Ledger.load(
                name, source.preset, self.stored.rows.get(name, {}), self.stored.ids.get(name, {}).items()
            )
            for name, source in self.registry.sources.items()
        }
        self.correlator = Correlator(self.registry.sources, self.stored.remembered)
        self.reader = Reader(self.registry, self.ledgers, written=frozenset(self.correlator.memory.written))

    def restart(self) -> None:
        """Start over from what is stored, with everything behind it fed again."""
        self.restarts += 1
        again = [transaction for transaction in self.seen if transaction.commit_lsn > self.stored.commit]
        self._load()
        for transaction in again:
            self._handle(transaction)

    def feed(self, *transactions: Transaction) -> Follower:
        for transaction in transactions:
            self.seen.append(transaction)
            self._handle(transaction)
        return self

    def _handle(self, transaction: Transaction) -> None:
        self.correlator.tick(transaction.commit_time)
        unit = self.reader.read(transaction)
        if isinstance(unit, NewTables):
            self.settle()
            self.seen = [*self.seen] if transaction in self.seen else [*self.seen, transaction]
            self._load()
            for again in [one for one in self.seen if self.stored.commit < one.commit_lsn <= transaction.commit_lsn]:
                self._handle(again)
            return
        if unit.items:
            self.correlator.feed(unit)
        if self.eager:
            self.settle()

    def settle(self) -> None:
        while (settled := self.correlator.settle()) is not None:
            self.decisions.extend(settled.decisions)
            self.steps.extend(self.stored.take(settled))

    def tick(self, now: datetime) -> None:
        self.correlator.tick(now)
        self.settle()

    def finish(self, wal: Wal) -> list[Decision]:
        """Let an hour pass; whatever waited is free then."""
        self.tick(wal.now + timedelta(hours=1))
        return self.decisions

    # -- what was decided, in short

    @property
    def told(self) -> list[tuple[object, ...]]:
        return [short(decision) for decision in self.decisions]

    @property
    def taken(self) -> dict[int, str | None]:
        """By event: the key of the row that has it, `tool:…` or `out_of_band`."""
        found: dict[int, str | None] = {}
        for decision in self.decisions:
            row = decision.part_of or (decision.links[0].row if decision.links and decision.events else None)
            label = decision.kind.value if decision.kind is not None else None
            mine = f"{row.source} {row.principal.row_key}" if row is not None else label
            for event in decision.events:
                assert event.event_id not in found, "an event was decided twice"
                found[event.event_id] = mine
        return found

    @property
    def links(self) -> dict[str, str | None]:
        """By row key: the evidence of its link."""
        found: dict[str, str | None] = {}
        for decision in self.decisions:
            for link in decision.links:
                key = f"{link.row.source} {link.row.principal.row_key} {link.row.lsn}"
                assert key not in found, "a row was decided twice"
                found[key] = link.evidence.value if link.evidence is not None else None
        return found


def short(decision: Decision) -> tuple[object, ...]:
    """A decision as comparable values, without the unit's identity."""
    return (
        decision.kind.value if decision.kind is not None else None,
        decision.unit.commit_lsn,
        tuple(event.event_id for event in decision.events),
        tuple(
            (
                link.row.source,
                link.row.principal.row_key,
                tuple(change.meaning.value for change in link.row.changes),
                tuple(change.migration.migration_id if change.migration else None for change in link.row.changes),
                link.evidence.value if link.evidence is not None else None,
                link.late,
            )
            for link in decision.links
        ),
        decision.part_of.principal.row_key if decision.part_of is not None else None,
        decision.source,
        decision.orphan,
    )


# -- Flyway

FLYWAY_COLUMNS = PRESETS["flyway"].columns
FSH = TableName("public", "flyway_schema_history")


def flyway_key(table: TableName) -> tuple[int, int]:
    """Flyway's lock for this table: classid and objid."""
    advisory = PRESETS["flyway"].advisory
    assert advisory is not None
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


# -- Liquibase

LOG = TableName("public", "databasechangelog")
LOG_LOCK = TableName("public", "databasechangeloglock")
LOG_COLUMNS = PRESETS["liquibase"].columns
LOCK_COLUMNS = ("id", "locked", "lockgranted", "lockedby")


def liquibase_row(number: int, name: str | None = None, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": name or str(number),
        "author": "ann",
        "filename": "db/log.xml",
        "dateexecuted": "2026-03-01 10:00:00.5",
        "orderexecuted": number,
        "exectype": "EXECUTED",
        "md5sum": f"9:{number:032d}",
        "description": "sql",
        "comments": "",
        "tag": None,
        "liquibase": "4.33.0",
        "contexts": None,
        "labels": None,
        "deployment_id": "5381158919",
    }
    return row | more


def liquibase_source(schema: str = "public") -> Source:
    table = TableName(schema, "databasechangelog")
    lock = TableName(schema, "databasechangeloglock")
    return Source(str(table), PRESETS["liquibase"], table, bracket_table=lock, preset_name="liquibase")


@dataclass(slots=True)
class Liquibase:
    """A run of Liquibase: one session, each statement's transaction before its row's."""

    wal: Wal
    a: Who
    schema: str = "public"
    order: int = 0

    @property
    def table(self) -> TableName:
        return TableName(self.schema, "databasechangelog")

    @property
    def lock_table(self) -> TableName:
        return TableName(self.schema, "databasechangeloglock")

    def make_tables(self) -> None:
        self.make_log()
        self.make_lock_table()

    def make_log(self) -> None:
        log = self.wal.begin(self.a)
        log.ddl("CREATE TABLE", made(self.table, LOG_COLUMNS), truth="tool")
        log.commit()

    def make_lock_table(self) -> None:
        lock = self.wal.begin(self.a)
        lock.ddl("CREATE TABLE", made(self.lock_table, LOCK_COLUMNS), truth="tool")
        lock.commit()
        first = self.wal.begin(self.a)
        first.insert(self.lock_table, id=1, locked=False, lockgranted=None, lockedby=None)
        first.commit()

    def move(self, *, locked: bool) -> None:
        tx = self.wal.begin(self.a)
        holder = "host (10.0.0.7)" if locked else None
        tx.row(self.lock_table, RowOp.UPDATE, {"id": 1, "locked": locked, "lockgranted": None, "lockedby": holder})
        tx.commit()

    def open(self) -> None:
        self.move(locked=True)

    def close(self) -> None:
        self.move(locked=False)

    def run(self, *names: str, tag: str = "CREATE TABLE", **more: Any) -> list[int]:
        """One changeset; the ids of its events."""
        events = self.statements(*names, tag=tag) if names else []
        self.insert(**more)
        return events

    def statements(self, *names: str, tag: str = "CREATE TABLE") -> list[int]:
        tx = self.wal.begin(self.a)
        made_ = [tx.ddl(tag, element(name, columns=("id",))) for name in names]
        tx.commit()
        return made_

    def insert(self, **more: Any) -> LSN:
        self.order += 1
        tx = self.wal.begin(self.a)
        lsn = tx.insert(self.table, **liquibase_row(self.order, **more))
        tx.commit()
        return lsn

    def unseen(self) -> LSN:
        """An update or delete of the history table, which has no replica identity."""
        tx = self.wal.begin(self.a)
        lsn = tx.unshown(self.table)
        tx.commit()
        return lsn


def psql(wal: Wal, name: str, pid: int = 900) -> int:
    """A statement by hand."""
    tx = wal.begin(who(pid, "psql", "dba"))
    event = tx.create(name, truth="out_of_band")
    tx.commit()
    return event

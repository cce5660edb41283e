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

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.interpret.history_table import Ledger, LedgerRow
from pggit_daemon.interpret.transaction import NewTables, Reader
from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.ddl_event import OUTBOX
from pggit_daemon.model.decision import Attribution, Fact, Link, Outcome
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.session import Profile, SessionKey
from pggit_daemon.model.transaction import Change, Row, RowChange, RowOp, TableName, Transaction, Unshown
from pggit_daemon.store.statements import statements
from pggit_daemon.tools.preset import Preset, packaged
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source
from pggit_daemon.versioning.plan import Step, closing, plan, recorded
from pggit_daemon.versioning.recording import Recording
from pggit_daemon.versioning.schema import Schema
from pggit_daemon.versioning.segments import segments

PRESETS: dict[str, Preset] = dict(packaged())
JDBC = "PostgreSQL JDBC Driver"
START = datetime(2026, 3, 1, tzinfo=UTC)
TABLE_CLASS = 1259
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

    def ddl(self, tag: str, *objects: dict[str, Any], path: str | None = None, truth: object = None) -> int:
        """Run a statement; its event's id. `truth` is kept for the test."""
        event = self.wal.event(self, tag, objects, path)
        self.wal.truth[event] = truth
        return event

    def create(self, name: str, *, truth: object = None) -> int:
        return self.ddl("CREATE TABLE", element(name, columns=("id",)), truth=truth)

    def row(self, table: TableName, op: RowOp, new: Row | None = None, identity: Row | None = None) -> LSN:
        self.read(table)
        lsn = self.wal.next_lsn()
        self.changes.append(RowChange(lsn, op, table, new or {}, identity or {}))
        return lsn

    def read(self, table: TableName) -> None:
        """Look at a history table."""
        self.wal.used.setdefault(self.session.key, {})[table] = self.wal.now

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
    """The log, the clock, the advisory locks that are held, and the history tables that each session used when.

    `names`: the sources' names, where they are not their tables'.
    """

    transactions: list[Transaction] = field(default_factory=list)
    truth: dict[int, object] = field(default_factory=dict)
    locks: dict[tuple[int, int], Who] = field(default_factory=dict)
    used: dict[SessionKey, dict[TableName, datetime]] = field(default_factory=dict)
    names: dict[TableName, str] = field(default_factory=dict)
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
            "sisters": None,
            "used_histories": None if tx.introduced else json.dumps(self._used(who_)),
            "objects": json.dumps(list(objects)),
            "failure": None,
        }
        tx.introduced = True
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

    def _used(self, session: Who) -> list[str]:
        """What the server's counters tell: for a second, until they become statistics."""
        used = self.used.get(session.key, {})
        return sorted(
            self.names.get(table, str(table)) for table, when in used.items() if self.now - when < STATISTICS_AFTER
        )

    def commit(self, tx: Tx) -> Transaction:
        lsn = self.next_lsn()
        done = Transaction(tx.xid, lsn, self.next_lsn(), self.now, tuple(tx.changes))
        if tx.changes:
            self.transactions.append(done)
        return done

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True)
class Recorded:
    """A commit as the database has it."""

    lsn: LSN
    events: tuple[int, ...]
    kind: str
    message: str
    metadata: dict[str, Any]


@dataclass(slots=True)
class Stored:
    """What the database holds: of the store's operations only what is read again or compared."""

    rows: dict[str, dict[str, LedgerRow]] = field(default_factory=dict)
    ids: dict[str, dict[int, str | None]] = field(default_factory=dict)
    statuses: dict[str, dict[int, str]] = field(default_factory=dict)
    begun: dict[str, dict[int, LSN]] = field(default_factory=dict)
    facts: dict[tuple[str, str], Fact] = field(default_factory=dict)
    commits: dict[str, Recorded] = field(default_factory=dict)
    links: dict[tuple[str, int, str], tuple[object, ...]] = field(default_factory=dict)
    linked: dict[tuple[str, int], tuple[str | None, str | None]] = field(default_factory=dict)
    commit: LSN = ZERO
    head: str | None = None
    schema: Schema = field(default_factory=Schema)

    def take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            for name, values in statements(step):
                if name == "insert_commit":
                    said = values["kind"], values["message"], values["metadata"]
                    self.commits[values["hash"]] = Recorded(step.lsn, step.events, *said)
                else:
                    self._write(name, values)

    def _write(self, name: str, values: dict[str, Any]) -> None:
        write = getattr(self, f"_{name}", None)
        if write is not None:
            write(values)

    def _put_row(self, values: dict[str, Any]) -> None:
        row = LedgerRow(values["columns"], values["migration_id"])
        self.rows.setdefault(values["source"], {})[values["row_key"]] = row

    def _delete_row(self, values: dict[str, Any]) -> None:
        self.rows.get(values["source"], {}).pop(values["row_key"], None)

    def _put_migration(self, values: dict[str, Any]) -> None:
        if values["migration_id"] >= 0:
            self.ids.setdefault(values["source"], {})[values["migration_id"]] = values["version"]
            self.statuses.setdefault(values["source"], {})[values["migration_id"]] = values["status"]
            if values["status"] == "started":
                self.begun.setdefault(values["source"], {})[values["migration_id"]] = LSN.parse(str(values["lsn"]))
        self._link_row(values)

    def _amend_migration(self, values: dict[str, Any]) -> None:
        if values["status"] is not None:
            self.statuses.setdefault(values["source"], {})[values["migration_id"]] = values["status"]

    def _link_row(self, values: dict[str, Any]) -> None:
        self.linked[values["source"], values["migration_id"]] = (self._named(values), values["evidence"])

    def _link(self, values: dict[str, Any]) -> None:
        key = (values["source"], values["migration_id"], self._named(values) or "")
        self.links[key] = (values["evidence"], values["part"], values["made"], values["objects"])

    def _attribute_commit(self, values: dict[str, Any]) -> None:
        commit = self.commits[values["hash"]]
        commit.kind, commit.message = values["kind"], values["message"]
        commit.metadata = {**commit.metadata, **values["metadata"]}

    def _remember(self, values: dict[str, Any]) -> None:
        for kind, key, state in zip(values["kind"], values["key"], values["state"], strict=True):
            # As the database gives it back.
            self.facts[kind, key] = Fact(kind, key, json.loads(json.dumps(state)))

    def _forget(self, values: dict[str, Any]) -> None:
        for kind, key in zip(values["kind"], values["key"], strict=True):
            del self.facts[kind, key]

    def _named(self, values: dict[str, Any]) -> str | None:
        if values["at"] is None:
            return values["hash"]  # type: ignore[no-any-return]
        return [name for name, one in self.commits.items() if str(one.lsn) == values["at"]][-1]


class Follower:
    """Leads transactions through reader, recording and attribution, like the pipeline.

    `live`: each transaction is stored by itself. `restart` loses all but the stored. `unseen`: of these tables only
    inserts come.
    """

    def __init__(
        self,
        *sources: Source,
        presets: dict[str, Preset] | None = None,
        live: bool = True,
        unseen: frozenset[TableName] = frozenset(),
    ) -> None:
        self.unseen = unseen
        self.registry = Registry(presets if presets is not None else PRESETS, sources)
        self.stored = Stored()
        self.reported: list[Link] = []
        self.steps: list[Step] = []
        self.attributions: list[Attribution] = []
        self.changesets: list[Changeset] = []
        self.seen: list[Transaction] = []
        self.live = live
        self._load()

    def _load(self) -> None:
        self.ledgers = {
            name: Ledger.load(
                name,
                source.preset,
                self.stored.rows.get(name, {}),
                self.stored.ids.get(name, {}).items(),
                statuses=self.stored.statuses.get(name, {}),
                begun=self.stored.begun.get(name, {}),
            )
            for name, source in self.registry.sources.items()
        }
        self.correlator = Correlator(self.registry.sources, self.stored.facts.values(), unseen=self.unseen)
        brackets = self.correlator.open_brackets
        self.reader = Reader(self.registry, self.ledgers, brackets=brackets, unseen=self.unseen)
        self.recording = Recording()

    def restart(self) -> None:
        """Go on from what is stored."""
        self.store()
        self._load()

    def feed(self, *transactions: Transaction) -> Follower:
        for transaction in transactions:
            self.seen.append(transaction)
            self._handle(transaction)
        self.store()
        return self

    def _handle(self, transaction: Transaction) -> None:
        self.correlator.tick(transaction.commit_time)
        changeset = self.reader.read(transaction)
        if isinstance(changeset, NewTables):
            self.restart()
            self._handle(transaction)
            return
        if changeset.items:
            self.record(changeset)
        if self.live:
            self.store()

    def record(self, changeset: Changeset) -> None:
        before, steps, done = self.stored.head, [], []
        for segment in segments(changeset):
            step = plan(segment, self.stored.schema, self.stored.head)
            self.stored.head = step.commit.hash if step.commit is not None else self.stored.head
            steps.append(step)
            done.append(recorded(segment, step))
        self.correlator.feed(changeset, done, before)
        self.changesets.append(changeset)
        self.recording.add([*steps, closing(changeset)], self._news())
        self.stored.commit = changeset.commit_lsn

    def _news(self) -> Outcome:
        outcome = self.correlator.take()
        self.reported += outcome.links
        self.attributions += outcome.attributions
        return outcome

    def store(self) -> None:
        outcome = self._news()
        if outcome:
            self.recording.add([Step(None, (), (), (), START, None, self.stored.commit)], outcome)
        self.stored.take(self.recording.steps)
        self.steps += [step for step in self.recording.steps if step.events or step.links or step.unreadable]
        self.recording = Recording()

    def tick(self, now: datetime) -> None:
        self.correlator.tick(now)
        self.store()

    def gone(self, *sessions: SessionKey) -> None:
        """These sessions ended; those that are not named are all that are watched."""
        watched = self.correlator.watched()
        ended = [one for one in watched if not sessions or one.session in sessions]
        self.correlator.gone(ended, up_to=self.correlator.newest)
        self.store()

    def look(self, *ended: SessionKey) -> None:
        """Look at the sessions that are watched: these have ended, the others have not, and hold their locks."""
        watched = self.correlator.watched()
        gone = {one for one in watched if one.session in ended}
        self.correlator.gone(gone, up_to=self.correlator.newest, alive=watched - gone)
        self.store()

    def finish(self, wal: Wal) -> Follower:
        """Let an hour pass, and all sessions end; whatever was pending is decided then."""
        self.tick(wal.now + timedelta(hours=1))
        self.gone()
        self.tick(wal.now + timedelta(hours=2))
        return self

    # -- what was decided, in short

    @property
    def kinds(self) -> list[str]:
        """Of each commit, in commit order."""
        return [commit.kind for commit in self.stored.commits.values()]

    @property
    def messages(self) -> list[str]:
        return [commit.message for commit in self.stored.commits.values()]

    @property
    def taken(self) -> dict[int, str | None]:
        """By event: the key of the row that has it, or its commit's kind; None where it changed nothing."""
        identities = {
            event.event_id: {f"{item.key.type} {item.key.identity}" for item in event.objects if item.key is not None}
            for changeset in self.changesets
            for event in changeset.events
        }
        found: dict[int, str | None] = dict.fromkeys(identities)
        for commit in self.stored.commits.values():
            found.update(dict.fromkeys(commit.events, commit.kind))
        for link in (*self.reported, *(step.part_of for step in self.steps if step.part_of is not None)):
            for one in link.commits if link.evidence is not None else ():
                name = one.commit or self.stored._named({"at": str(one.at)})
                commit = self.stored.commits[name or ""]
                objects = None if one.objects is None else {f"{key.type} {key.identity}" for key in one.objects}
                for event in commit.events if one.made else ():
                    if objects is None or objects & identities[event]:
                        label = f"{link.row.source} {link.row.principal.row_key}"
                        assert commit.kind in {"migration", "rollback", "tool"}, commit
                        assert found[event] in {commit.kind, label}, "an event was given to two rows"
                        found[event] = label
        return found

    @property
    def links(self) -> dict[str, str | None]:
        """By row key: the evidence of its link."""
        return {
            f"{link.row.source} {link.row.principal.row_key} {link.row.lsn}": link.evidence and link.evidence.value
            for link in self.reported
        }

    def link(self, key: str) -> Link:
        """The last link reported of a row."""
        return next(
            link for link in reversed(self.reported) if f"{link.row.source} {link.row.principal.row_key}" == key
        )

    @property
    def result(self) -> tuple[object, ...]:
        """All that must not depend on how the log was read."""
        commits = {name: (one.kind, one.message, one.events) for name, one in self.stored.commits.items()}
        return commits, self.stored.links, self.stored.linked, self.links, self.stored.rows


# -- Flyway

FLYWAY_COLUMNS = PRESETS["flyway"].columns
FSH = TableName("public", "flyway_schema_history")


def flyway_key(table: TableName) -> tuple[int, int]:
    """Flyway's lock for this table: classid and objid."""
    [advisory] = PRESETS["flyway"].advisories
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

    def __post_init__(self) -> None:
        self.wal.names[self.lock_table] = str(self.table)

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
        drops = tag.startswith("DROP")
        made_ = [tx.ddl(tag, dropped(name) if drops else element(name, columns=("id",))) for name in names]
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

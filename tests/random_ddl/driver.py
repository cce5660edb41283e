"""Runs actions on two sessions and holds what the capture said of them against the catalog.

In: actions, one after the other. Out: differences, none if all is well. Called by the state machine, and by
`shrink.py` with the actions of a failed run. The record is made as the daemon makes it: the outbox rows of each
transaction, in the order of the commits, go through `parse_event` into the product's own `Schema`; what the capture
deferred is completed from the catalog. A statement that fails is rolled back and is nothing to complain about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pggit_daemon.db.catalog import _object
from pggit_daemon.model.ddl_event import OUTBOX, DdlEvent, parse_event
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.model.transaction import RowChange, RowOp
from pggit_daemon.reconcile.concurrent_ddl import ConcurrentDdl, as_found
from pggit_daemon.sql import load_queries
from pggit_daemon.versioning.schema import Schema
from pggit_daemon.versioning.tree import Leaf, Tree, blob_hash
from tests.random_ddl import live
from tests.random_ddl.choose import ROLES
from tests.random_ddl.live import Live

QUERIES = load_queries("load")
SNAPSHOT = """
    SELECT classid::bigint, objid::bigint, type, schema_name, identity, definition, later, depends
    FROM pggit_daemon.snapshot()
"""
OUTBOX_ROWS = """
    SELECT id, kind, command_tag, statement, pid, backend_start::text, application_name, session_user_name,
           current_user_name, client_addr, locks::text, search_path, sisters::text, used_histories::text, snapshot,
           objects::text, failure, xmin::text::bigint AS xid
      FROM pggit_daemon.ddl_event WHERE pid = %s AND id > %s ORDER BY id
"""
SESSION_SETTINGS = "SET lock_timeout = '5ms'; SET statement_timeout = '10s'; SET client_min_messages = warning"


class Kind(StrEnum):
    RUN = "run"  # a statement, or several in one string; guarded by a savepoint where a transaction is open
    BARE = "bare"  # the same without the guard: an error ends the open transaction
    BEGIN = "begin"
    SAVEPOINT = "savepoint"
    ROLLBACK_TO = "rollback to"
    COMMIT = "commit"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Action:
    """What one session does. `failed`: it did not work."""

    session: int
    kind: Kind
    sql: str = ""
    failed: bool = False

    def __str__(self) -> str:
        return f"{'AB'[self.session]}: {self.sql or self.kind.upper()}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that the record and the catalog do not tell alike, or one thing that must not happen."""

    what: str
    recorded: str
    actual: str

    @property
    def kind(self) -> str:
        return self.what.split(maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.what}\n  recorded: {self.recorded}\n  catalog:  {self.actual}"


@dataclass(slots=True)
class Session:
    """One connection: whether a transaction is open, with how many savepoints; `read`: its events up to this one.

    `xid` is the transaction that was open last; a row's own may be a savepoint's.
    """

    conn: psycopg.Connection[Any]
    open: bool = False
    savepoints: int = 0
    read: int = 0
    xid: int | None = None

    @property
    def pid(self) -> int:
        return self.conn.info.backend_pid


@dataclass(slots=True)
class Counts:
    """What was done, for the report."""

    steps: int = 0
    statements: int = 0
    succeeded: int = 0
    comparisons: int = 0
    objects: int = 0
    deferred: int = 0
    tags: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)


class Driver:
    """Two sessions on a database with pggit-daemon installed, and the record of what they did."""

    def __init__(self, dsn: str, counts: Counts | None = None) -> None:
        self.observer = psycopg.connect(dsn, autocommit=True)
        self.observer.execute("SET lock_timeout = '20ms'")
        self.sessions = tuple(Session(psycopg.connect(dsn, autocommit=True)) for _ in range(2))
        self.warnings: list[str] = []
        for session in self.sessions:
            session.conn.add_notice_handler(self._notice)
            session.conn.prepare_threshold = None
            session.conn.execute(SESSION_SETTINGS)
            session.conn.execute(b"PREPARE what_there_is AS " + live.QUERY.encode())
            [[session.read]] = session.conn.execute("SELECT coalesce(max(id), 0) FROM pggit_daemon.ddl_event")
        self.log: list[Action] = []
        self.counts = counts if counts is not None else Counts()
        self.blobs: dict[bytes, Blob] = {}
        self.beside = ConcurrentDdl()
        self.waiting: deque[tuple[int, list[DdlEvent]]] = deque()
        self.outdated: set[ObjectId] = set()
        self.reindexed = False
        self.schema = Schema()
        self.schema.replaced(self._snapshot())

    def close(self) -> None:
        for session in self.sessions:
            session.conn.close()
        self.observer.close()

    def act(self, action: Action) -> None:
        """Do it, if it makes sense in the session's state, and read what was committed by it."""
        self.log.append(action)
        session = self.sessions[action.session]
        match action.kind:
            case Kind.BEGIN if not session.open:
                session.conn.execute("BEGIN")
                session.open = True
            case Kind.SAVEPOINT if session.open:
                session.conn.execute("SAVEPOINT point")
                session.savepoints += 1
            case Kind.ROLLBACK_TO if session.savepoints:
                session.conn.execute("ROLLBACK TO SAVEPOINT point")
            case Kind.COMMIT | Kind.ROLLBACK if session.open:
                self._end(session, action.kind)
            case Kind.RUN | Kind.BARE:
                self._run(session, action)
        if not session.open:
            self._read(session)

    def quiet(self) -> bool:
        """Whether no transaction is open."""
        return not any(session.open for session in self.sessions)

    def finish(self) -> None:
        """Commit what is open."""
        for number, session in enumerate(self.sessions):
            if session.open:
                self.act(Action(number, Kind.COMMIT))

    def look(self, session: int) -> Live:
        """What there is, as this session sees it."""
        conn = self.sessions[session].conn
        try:
            rows = conn.execute("EXECUTE what_there_is").fetchall()
        except psycopg.errors.InternalError:
            if not self.sessions[session].open:
                raise
            self.act(Action(session, Kind.ROLLBACK))  # it cannot be committed (`live.TORN`)
            rows = conn.execute("EXECUTE what_there_is").fetchall()
        return Live.read(rows)

    def differences(self) -> list[Difference]:
        """Compare; to be called when all is quiet."""
        self.counts.comparisons += 1
        found = [Difference(warning, "", "") for warning in self.warnings]
        self.warnings.clear()
        try:
            self._record()
            self._read_again()
            snapshot = self._snapshot()
        except psycopg.Error as exc:
            return [*found, Difference("snapshot failed", "", str(exc))]
        self._follow_reindex(snapshot)
        actual = {item.key: Leaf(item.oid, self._keep(item.blob)) for item in snapshot if item.key and item.blob}
        recorded = {key: self.schema.tree.get(key) for key in self.schema.keys.values()}
        self.counts.objects += len(actual)
        found += [
            Difference(_name(key), self._text(recorded.get(key)), self._text(actual.get(key)))
            for key in sorted(actual.keys() | recorded.keys(), key=str)
            if actual.get(key) != recorded.get(key)
        ]
        if not found and self.schema.tree.hash != Tree().changed(actual).hash:
            found.append(Difference("the tree's hash", self.schema.tree.hash, Tree().changed(actual).hash))
        return found

    def resume(self) -> None:
        """After a difference: take the catalog as it is for the record."""
        self.schema = Schema()
        self.schema.replaced(self._snapshot())

    # ------------------------------------------------------------------ statements

    def _run(self, session: Session, action: Action) -> None:
        guarded = session.open and action.kind is Kind.RUN
        self.counts.statements += 1
        self.reindexed |= "REINDEX" in action.sql  # also if it fails: CONCURRENTLY may have done its work by then
        if guarded:
            session.conn.execute("SAVEPOINT guard")
        try:
            session.conn.execute(action.sql.encode())
        except psycopg.Error as exc:
            name = exc.sqlstate or "?"
            self.counts.errors[name] = self.counts.errors.get(name, 0) + 1
            self.log[-1] = replace(action, failed=True)
            if guarded:
                session.conn.execute("ROLLBACK TO SAVEPOINT guard; RELEASE SAVEPOINT guard")
            elif session.open:
                self._end(session, Kind.ROLLBACK)
        else:
            self.counts.succeeded += 1
            if guarded:
                session.conn.execute("RELEASE SAVEPOINT guard")

    def _end(self, session: Session, how: Kind) -> None:
        if how is Kind.COMMIT:
            [[torn]] = session.conn.execute(live.TORN.encode())
            how = Kind.ROLLBACK if torn else how  # nobody could tell what the catalog says then
        if how is Kind.COMMIT:
            [[session.xid]] = session.conn.execute("SELECT pg_current_xact_id_if_assigned()::xid::text::bigint")
        try:
            session.conn.execute(how.value.encode())
        except psycopg.Error as exc:  # a deferred constraint, or what else a COMMIT finds out
            self.counts.errors[exc.sqlstate or "?"] = self.counts.errors.get(exc.sqlstate or "?", 0) + 1
        session.open, session.savepoints = False, 0

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        if "pggit-daemon" in (notice.message_primary or ""):
            self.warnings.append(f"{notice.severity}: {notice.message_primary}")

    # ------------------------------------------------------------------ the record

    def _read(self, session: Session) -> None:
        """Take what this session committed, as one transaction."""
        with self.observer.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(OUTBOX_ROWS, [session.pid, session.read]).fetchall()
        events = [parse_event(RowChange(LSN(0), RowOp.INSERT, OUTBOX, row, {})) for row in rows]
        session.read = events[-1].event_id if events else session.read
        for event in events:
            self.counts.tags[event.tag] = self.counts.tags.get(event.tag, 0) + 1
            if event.failure is not None:
                self.warnings.append(f"capture_failed: {event.tag}: {event.failure}")
        if events:
            # By itself a statement has nobody beside it, so that its row's number does.
            self.waiting.append((session.xid or int(rows[0]["xid"]), events))
        session.xid = None
        self._record()

    def _record(self) -> None:
        """Put into the record what was committed; the daemon, too, waits where the other session holds a lock."""
        while self.waiting:
            xid, events = self.waiting[0]
            try:
                objects = [item for event in events for item in self._completed(event)]
            except psycopg.errors.LockNotAvailable:
                return
            self.waiting.popleft()
            self.outdated |= self.beside.outdated(xid, events)
            with suppress(psycopg.DatabaseError):  # the daemon compares later; here it is read again later
                objects += self._again()
            for item in objects:
                if item.blob is not None:
                    self._keep(item.blob)
            self.schema.apply(objects)

    def _again(self) -> list[ObjectEvent]:
        found = [item for oid in sorted(self.outdated) for item in self._now(oid)]
        outdated, self.outdated = sorted(self.outdated), set()
        return [*as_found(outdated, found)]

    def _read_again(self) -> None:
        objects = self._again()
        for item in objects:
            if item.blob is not None:
                self._keep(item.blob)
        self.schema.apply(objects)

    def _follow_reindex(self, snapshot: Iterable[ObjectEvent]) -> None:
        """Take what the daemon finds only when it compares: REINDEX fires nothing before 17.

        It gives indexes another id and makes invalid ones valid; nothing else may differ.
        """
        if not self.reindexed:
            return
        self.reindexed = False
        moved = []
        for item in snapshot:
            if item.key is not None and item.key.type == "index" and item.blob is not None:
                leaf = self.schema.tree.get(item.key)
                if leaf is None or (leaf.oid != item.oid and leaf.blob == blob_hash(item.blob)):
                    self._keep(item.blob)
                    moved.append(item)
        self.schema.apply(moved)

    def _completed(self, event: DdlEvent) -> Iterable[ObjectEvent]:
        for item in event.objects:
            if item.op is not ObjectOp.DEFERRED:
                yield item
                continue
            self.counts.deferred += 1
            yield from self._now(item.oid)

    def _now(self, oid: ObjectId) -> list[ObjectEvent]:
        values = {"classids": [oid.classid], "objids": [oid.objid], "direct": [True]}
        found = self.observer.execute(QUERIES["read_again"], values).fetchall()
        return [_object(row[:-1]) for row in found if row[-1] is None]

    def _snapshot(self) -> list[ObjectEvent]:
        return [_object(row) for row in self.observer.execute(SNAPSHOT).fetchall()]

    def _keep(self, blob: Blob) -> bytes:
        digest = blob_hash(blob)
        self.blobs[digest] = blob
        return digest

    def _text(self, leaf: Leaf | None) -> str:
        if leaf is None:
            return "nothing"
        blob = self.blobs[leaf.blob]
        return f"[{leaf.oid.objid}] {blob.definition.strip()} | later {blob.later} | needs {', '.join(blob.depends)}"


def _name(key: ObjectKey) -> str:
    return f"{key.type} {key.identity}"


def prepare_roles(conn: psycopg.Connection[Any]) -> None:
    """Make the roles that the statements name, once for a server."""
    there: Mapping[str, object] = {row[0]: row for row in conn.execute("SELECT quote_ident(rolname) FROM pg_roles")}
    for role in ROLES:
        if role not in there:
            conn.execute(f"CREATE ROLE {role}".encode())

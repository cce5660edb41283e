"""One captured DDL statement, as the event triggers wrote it into the outbox.

In: an inserted row of `pggit_daemon.ddl_event`, decoded. Out: a `DdlEvent`, read by `correlate/` (who ran
it, under whose lock) and by `commit/` (what each object became). The format is laid down in
`sql/capture/`; a row that does not fit it is a ValueError, which the reader turns into quarantine.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pggit_daemon.lsn import LSN
from pggit_daemon.records import RowChange, TableName

OUTBOX = TableName("pggit_daemon", "ddl_event")


@dataclass(frozen=True, slots=True, order=True)
class SessionKey:
    """A backend for its whole life: process ids come again, a pid with its start does not."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int, started: str | datetime) -> SessionKey:
        """From any spelling of the start: columns, JSON and drivers each write a timestamp in a way of their own."""
        try:
            moment = started if isinstance(started, datetime) else datetime.fromisoformat(started)
        except ValueError:
            return cls(pid, str(started))
        return cls(pid, moment.astimezone(UTC).isoformat())


@dataclass(frozen=True, slots=True)
class Profile:
    """How a session introduces itself: what two connections of one tool have in common."""

    user: str
    application_name: str
    client_addr: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """The session that ran a statement. `role` is the role in force (SET ROLE), else the user."""

    key: SessionKey
    profile: Profile
    role: str


@dataclass(frozen=True, slots=True)
class HeldLock:
    """An advisory lock that some session held while the statement ran."""

    classid: int
    objid: int
    holder: SessionKey
    profile: Profile


class ObjectOp(StrEnum):
    SET = "set"
    DROP = "drop"
    REWRITE = "rewrite"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True, order=True)
class ObjectId:
    """What the catalog calls an object: stable over renames, not over a restore."""

    classid: int
    objid: int


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """What users call an object; the key of a tree. `schema` is None outside schemas."""

    type: str
    schema: str | None
    identity: str


@dataclass(frozen=True, slots=True)
class Blob:
    """The full definition of an object: statements, statements for later, and what must exist before."""

    definition: str
    later: str | None
    depends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """What a statement made of one object. `blob` is there for SET, `key` for DROP too; `columns` for tables.

    What was dropped is known by its `oid`: its key may name the type in the server's way, not in ours.
    """

    op: ObjectOp
    oid: ObjectId
    direct: bool
    key: ObjectKey | None
    blob: Blob | None
    columns: tuple[str, ...] | None = None
    reason: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a transaction saw of others: `next` was not given out yet, `running` had not ended. Full transaction ids."""

    next: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """From the server's `xmin:xmax:running,…`."""
        _, following, running = text.split(":")
        return cls(int(following), frozenset(map(int, filter(None, running.split(",")))))

    def unseen(self, numbers: Sequence[int]) -> Iterator[int]:
        """Those of these transactions that had not ended: 32-bit numbers, sorted, less than 2^31 away.

        Looks at what it returns and at a few others, not at all of them.
        """
        first, last = self.next % _XIDS, (self.next + _XIDS // 2) % _XIDS
        for begin, end in ((first, last),) if first < last else ((first, _XIDS), (0, last)):
            for at in range(bisect_left(numbers, begin), bisect_left(numbers, end)):
                yield numbers[at]
        for other in self.running:
            at = bisect_left(numbers, other % _XIDS)
            if at < len(numbers) and numbers[at] == other % _XIDS:
                yield numbers[at]


_XIDS = 1 << 32


@dataclass(frozen=True, slots=True)
class DdlEvent:
    """One statement: `lsn` is its place in the WAL, `event_id` its row in the outbox.

    `locks`, `search_path`, `sisters` (sessions beside this one that look the same, where that is a tool's way to
    look) and `snapshot` are told with the first statement of a transaction only.
    """

    event_id: int
    lsn: LSN
    kind: str
    tag: str
    query: str | None
    session: Session
    locks: tuple[HeldLock, ...]
    objects: tuple[ObjectEvent, ...]
    failure: str | None
    search_path: str | None = None
    sisters: tuple[SessionKey, ...] = ()
    snapshot: Snapshot | None = None


def parse_event(change: RowChange) -> DdlEvent:
    """Read a row of the outbox; ValueError or KeyError where it is not one."""
    row: Mapping[str, Any] = change.new
    profile = Profile(str(row["session_user_name"]), str(row["application_name"]), _text(row["client_addr"]))
    session = Session(
        SessionKey.of(int(row["pid"]), str(row["backend_start"])), profile, role=str(row["current_user_name"])
    )
    return DdlEvent(
        event_id=int(row["id"]),
        lsn=change.lsn,
        kind=str(row["kind"]),
        tag=str(row["command_tag"]),
        query=_text(row["query"]),
        session=session,
        locks=tuple(parse_lock(lock) for lock in json.loads(row["locks"] or "[]")),
        objects=tuple(parse_object(item) for item in json.loads(row["objects"])),
        failure=_text(row["failure"]),
        search_path=_text(row["search_path"]),
        sisters=tuple(
            SessionKey.of(int(one["pid"]), str(one["backend_start"])) for one in json.loads(row["sisters"] or "[]")
        ),
        snapshot=Snapshot.parse(str(row["snapshot"])) if row.get("snapshot") is not None else None,
    )


def parse_object(item: Mapping[str, Any]) -> ObjectEvent:
    """Read one element of `objects`; also the form in which `describe` results are fetched."""
    op = ObjectOp(item["op"])
    key = blob = None
    if op in {ObjectOp.SET, ObjectOp.DROP}:
        key = ObjectKey(_word(item["type"]), _optional(item["schema"]), _word(item["identity"]))
    if op is ObjectOp.SET:
        depends = tuple(_word(name) for name in item["depends"] or ())
        blob = Blob(_word(item["definition"]), _optional(item["later"]), depends)
    columns = item.get("columns")
    return ObjectEvent(
        op=op,
        oid=ObjectId(_oid(item["classid"]), _oid(item["objid"])),
        direct=bool(item.get("direct", True)),
        key=key,
        blob=blob,
        columns=tuple(_word(name) for name in columns) if columns is not None else None,
        reason=item.get("reason"),
    )


def parse_lock(item: Mapping[str, Any]) -> HeldLock:
    """Read one element of `locks`."""
    return HeldLock(
        classid=int(item["classid"]),
        objid=int(item["objid"]),
        holder=SessionKey.of(int(item["pid"]), str(item["backend_start"])),
        profile=Profile(str(item["user"]), str(item["application_name"]), _text(item["client_addr"])),
    )


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {value!r:.40}")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _word(value)


def _oid(value: object) -> int:
    """An unsigned 32-bit number: another one could be read, but never stored."""
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ValueError(f"OID expected, not {value!r:.40}")
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)

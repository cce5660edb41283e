"""One captured DDL statement, as the event triggers wrote it into the outbox.

In: an inserted row of `pggit_daemon.ddl_event`, decoded. Out: a `DdlEvent`, read by `attribute/` (who ran
it, under whose lock) and by `versioning/` (what each object became). The format is laid down in
`sql/capture/`; a row that does not fit it is a ValueError, which the reader turns into quarantine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pggit_daemon.model.held import Held
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.model.session import HeldLock, Profile, Session, SessionKey, Snapshot
from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import RowChange, TableName

OUTBOX = TableName("pggit_daemon", "ddl_event")

MOST_SIBLINGS = 16
"""Siblings that the capture names, the youngest: there may be more where it names so many."""


@dataclass(frozen=True, slots=True)
class DdlEvent:
    """One statement: `lsn` is its place in the WAL, `event_id` its row in the outbox.

    Only the first statement of a transaction has `locks`, `search_path`, `siblings` (other sessions with the same user,
    program and address, where a tool's sessions look so), `used` (the sources whose history table the session has read
    or written lately), `wrote` (those to which it wrote), `held` (what history tables held then of which the stream
    shows no update) and `snapshot`.
    """

    event_id: int
    lsn: LSN
    kind: str
    tag: str
    statement: str | None
    session: Session
    locks: tuple[HeldLock, ...]
    objects: tuple[ObjectEvent, ...]
    failure: str | None
    search_path: str | None = None
    siblings: tuple[SessionKey, ...] | None = None
    used: frozenset[str] = frozenset()
    wrote: frozenset[str] = frozenset()
    held: tuple[Held, ...] = ()
    began: datetime | None = None
    snapshot: Snapshot | None = None


def parse_event(change: RowChange) -> DdlEvent:
    """Read a row of the outbox; ValueError or KeyError where it is not one."""
    row: Mapping[str, Any] = change.new
    histories = _listed(row.get("used_histories"))
    return DdlEvent(
        event_id=int(row["id"]),
        lsn=change.lsn,
        kind=str(row["kind"]),
        tag=str(row["command_tag"]),
        statement=_text(row.get("statement")),
        session=session_of(row),
        locks=tuple(parse_lock(lock) for lock in _listed(row["locks"])),
        objects=tuple(parse_object(item) for item in json.loads(row["objects"])),
        failure=_text(row["failure"]),
        search_path=_text(row["search_path"]),
        siblings=_siblings(row["sisters"]),
        used=_used(histories),
        wrote=_wrote(histories),
        held=tuple(_held(one, change.lsn) for one in histories if not isinstance(one, str) and "row" in one),
        began=next((_moment(one["began"]) for one in histories if not isinstance(one, str) and "began" in one), None),
        snapshot=Snapshot.parse(str(row["snapshot"])) if row.get("snapshot") is not None else None,
    )


def session_of(row: Mapping[str, Any]) -> Session:
    """Whose statement a row of the outbox tells of; ValueError or KeyError where it is not one."""
    profile = Profile(str(row["session_user_name"]), str(row["application_name"]), _text(row["client_addr"]))
    key = SessionKey.of(int(row["pid"]), str(row["backend_start"]))
    return Session(key, profile, role=str(row["current_user_name"]))


def histories_of(row: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The sources whose history tables the session had used, and those that it had written."""
    histories = _listed(row.get("used_histories"))
    return _used(histories), _wrote(histories)


def _used(histories: Iterable[Any]) -> frozenset[str]:
    return frozenset(one for one in histories if isinstance(one, str))


def _wrote(histories: Iterable[Any]) -> frozenset[str]:
    return frozenset(_word(one["wrote"]) for one in histories if not isinstance(one, str) and "wrote" in one)


def _listed(text: object) -> Sequence[Any]:
    """The elements of a JSON array; there is none as a rule."""
    return json.loads(str(text)) if text else ()


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(_word(text))


def _held(item: Mapping[str, Any], lsn: LSN) -> Held:
    row = {_word(name): _word(value) for name, value in item["row"].items()}
    return Held(_word(item["source"]), int(item["xid"]), row, lsn)


def _siblings(listed: object) -> tuple[SessionKey, ...] | None:
    if listed is None:
        return None
    return tuple(SessionKey.of(int(one["pid"]), str(one["backend_start"])) for one in json.loads(str(listed)))


def parse_object(item: Mapping[str, Any]) -> ObjectEvent:
    """Read one element of `objects`; also the form in which `describe` results are fetched."""
    op = ObjectOp(item["op"])
    key = blob = None
    if op in {ObjectOp.SET, ObjectOp.DROP}:
        key = ObjectKey(_word(item["type"]), _optional(item["schema"]), _word(item["identity"]))
    if op is ObjectOp.SET:
        depends = tuple(_word(name) for name in item["depends"] or ())
        blob = Blob(_word(item["definition"]), _optional(item["later"]), depends)
    return ObjectEvent(
        op=op,
        oid=ObjectId(_oid(item["classid"]), _oid(item["objid"])),
        direct=bool(item.get("direct", True)),
        key=key,
        blob=blob,
        shape=_shape(item),
        reason=item.get("reason"),
        digest=_optional(item.get("sha256")),
    )


def _shape(item: Mapping[str, Any]) -> Shape | None:
    if item.get("shape") is not None:
        return Shape.parse(item["shape"])
    # Written before an upgrade: names alone.
    names = item.get("columns")
    return Shape.of(_word(name) for name in names) if names is not None else None


def parse_lock(item: Mapping[str, Any]) -> HeldLock:
    """Read one element of `locks`."""
    return HeldLock(
        classid=int(item["classid"]),
        objid=int(item["objid"]),
        objsubid=int(item.get("objsubid", 1)),
        holder=SessionKey.of(int(item["pid"]), str(item["backend_start"])),
        profile=Profile(str(item["user"]), str(item["application_name"]), _text(item["client_addr"])),
        since=datetime.fromisoformat(since) if (since := item.get("since")) is not None else None,
        table=(_word(table[0]), _word(table[1])) if (table := item.get("table")) is not None else None,
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

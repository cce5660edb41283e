"""What the SQL API sends to the daemon: rows of the second outbox, and messages that survive a rollback.

In: an inserted row of `pggit_daemon.request`, or a logical message with the secret that makes it ours.
Out: a `Request`. Pure; called by the reader. A row that does not fit is a ValueError, KeyError or TypeError.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pggit_daemon.model.ddl_event import parse_lock
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import HeldLock, Profile, Session, SessionKey
from pggit_daemon.model.transaction import Message, RowChange, TableName

REQUESTS = TableName("pggit_daemon", "request")
DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a writing function. `action` is begin, end, link, insert, session, deploy or deployed.

    `request_id` is None for a message, which may tell of a transaction that is rolled back afterwards.
    """

    request_id: int | None
    lsn: LSN
    action: str
    session: SessionKey
    user: str
    time: datetime
    arguments: Mapping[str, Any]

    @property
    def introduced(self) -> Session | None:
        """The session as it introduced itself, where it did."""
        if "application_name" not in self.arguments:
            return None
        address = self.arguments.get("client_addr")
        profile = Profile(
            self.user, str(self.arguments["application_name"]), str(address) if address is not None else None
        )
        return Session(self.session, profile, role=self.user)

    @property
    def locks(self) -> tuple[HeldLock, ...]:
        """The tools' locks that were held when it introduced itself."""
        return tuple(parse_lock(lock) for lock in self.arguments.get("locks") or ())


def parse_request(change: RowChange) -> Request:
    """Read a row of the outbox."""
    row = change.new
    return Request(
        request_id=int(str(row["id"])),
        lsn=change.lsn,
        action=str(row["action"]),
        session=SessionKey.of(int(str(row["pid"])), str(row["backend_start"])),
        user=str(row["user_name"]),
        time=datetime.fromisoformat(str(row["recorded_at"])).astimezone(UTC),
        arguments=_arguments(json.loads(str(row["arguments"]))),
    )


def parse_message(message: Message, secret: str) -> Request | None:
    """Read a message; None if it is not ours: any role may send one under our prefix, but not with our digest."""
    digest, _, payload = message.content.partition(" ")
    expected = hashlib.sha256((secret + payload + secret).encode("utf-8", "surrogatepass")).hexdigest()
    if len(digest) != DIGEST_LENGTH or not hmac.compare_digest(
        digest.encode("utf-8", "surrogatepass"), expected.encode()
    ):
        return None
    item = json.loads(payload)
    return Request(
        request_id=None,
        lsn=message.lsn,
        action=str(item["action"]),
        session=SessionKey.of(int(item["pid"]), str(item["backend_start"])),
        user=str(item["user"]),
        time=datetime.fromisoformat(item["at"]).astimezone(UTC),
        arguments=_arguments(item["arguments"]),
    )


def _arguments(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("the arguments of a request are an object")
    return value

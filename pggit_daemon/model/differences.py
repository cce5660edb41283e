"""What a comparison of the recorded tree with the catalog finds, and when it is certain.

In: rows of `pggit_daemon.differing()`. Out: `Difference`s, and those that are certain. Pure; called by
`reconcile/verification.py` in the daemon and by the command `verify`.

Work goes on while we compare: a statement may be committed and not yet recorded. So what is found once is only a
candidate. It is certain when it is found a second time, the same in the catalog and in the record, after the
daemon has handled all that was committed before the first look ended: the statement that made it would
have been recorded by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp

CHUNK = 200
"""Objects in one query."""

LOOKS = 5
"""How often what keeps changing is looked at before it is left to the next comparison."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not as recorded, or (`unreadable`: why) could not be compared.

    `version` is the recorded version it was compared with, None for an object that is not recorded; `digest` is the
    SHA-256 of what it is now, None for one that is gone.
    """

    oid: ObjectId
    version: int | None
    digest: bytes | None
    now: ObjectKey | None
    blob: Blob | None
    recorded: ObjectKey | None
    unreadable: str | None = None

    @property
    def key(self) -> ObjectKey | None:
        """What it is called, now or last."""
        return self.now or self.recorded

    @property
    def says(self) -> str:
        """One line for people: what is different."""
        key = self.key
        name = f"{key.type} {key.identity}" if key is not None else f"object {self.oid.classid}/{self.oid.objid}"
        if self.unreadable is not None:
            return f"{name} could not be compared: {self.unreadable}"
        if self.now is None:
            return f"{name} is recorded and not in the catalog"
        if self.recorded is None:
            return f"{name} is in the catalog and not recorded"
        if self.recorded != self.now:
            return f"{name} is recorded as {self.recorded.type} {self.recorded.identity}"
        return f"{name} is not defined as recorded"

    def event(self) -> ObjectEvent:
        """The change that makes the record true."""
        if self.now is None or self.blob is None:
            return ObjectEvent(ObjectOp.DROP, self.oid, direct=True, key=self.recorded, blob=None)
        return ObjectEvent(ObjectOp.SET, self.oid, direct=True, key=self.now, blob=self.blob)


def read(row: Sequence[Any]) -> Difference:
    """Take a row of the query `differing`."""
    classid, objid, version, digest, kind, schema, identity, definition, later, depends, *was, unreadable = row
    return Difference(
        ObjectId(classid, objid),
        version,
        None if digest is None else bytes(digest),
        None if identity is None else ObjectKey(kind, schema, identity),
        None if identity is None else Blob(definition, later, tuple(depends or ())),
        None if was[2] is None else ObjectKey(was[0], was[1], was[2]),
        unreadable,
    )


def readable(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """Those that could be compared."""
    return tuple(one for one in found if one.unreadable is None)


def certain(first: Iterable[Difference], second: Iterable[Difference]) -> tuple[Difference, ...]:
    """Those that the second look found as the first one did: same version recorded, same object in the catalog."""
    before = {one.oid: (one.version, one.digest, one.now) for one in readable(first)}
    return tuple(one for one in readable(second) if before.get(one.oid) == (one.version, one.digest, one.now))

"""Objects of a schema: their keys, their definitions, and what a statement made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pggit_daemon.model.shape import Shape


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
    """What a statement made of one object. `blob` is there for SET, `key` for DROP too; `shape` for tables.

    What was dropped is known by its `oid`: its key may name the type in the server's way, not in ours. `digest` stands
    for a definition that was too large for the event.
    """

    op: ObjectOp
    oid: ObjectId
    direct: bool
    key: ObjectKey | None
    blob: Blob | None
    shape: Shape | None = None
    reason: int | None = None
    digest: str | None = None

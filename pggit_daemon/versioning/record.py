"""The schema twice: as it is recorded, and as the WAL alone says, which hashes cover.

In: the events of a segment, and what was read from the catalog besides. Out: what changed in the record, whether the
WAL says that something changed, and where both are not the same. Pure state; called by `plan.py`, by the baseline and
by comparisons.

Some definitions are not in the WAL: the capture deferred them, or described them under a stale snapshot, or no event
told of a change. They are read from the catalog, and what is found there depends on when that is. So hashes must not
cover it, or two readings of the same WAL would differ from there on. They cover what the events say: each definition as
it was captured, and for a deferred one a marker, made of the object's address and the statement's place (or the digest
of a definition that was too large for its event), until a later event says more of that object. The record has what was
read.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.versioning.schema import UNREAD, ObjectChange, Schema
from pggit_daemon.versioning.tree import Leaf


@dataclass(frozen=True, slots=True)
class Told:
    """What the WAL says of a name, None where it knows no such object; `apart` from what is recorded, or the same."""

    key: ObjectKey
    leaf: Leaf | None
    apart: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """What events did: `changes` of the record; `is_logged`: the WAL alone says that something changed.

    `told` is to be stored: names of which the WAL says otherwise now, or no longer.
    """

    changes: tuple[ObjectChange, ...]
    is_logged: bool
    told: tuple[Told, ...] = ()


@dataclass(slots=True)
class Record:
    """Mutable. `recorded` is what is stored as versions of objects; `apart` holds what the WAL says where it differs.

    While nothing does, both are one and the same, and cost what one costs.
    """

    recorded: Schema = field(default_factory=Schema)
    apart: dict[ObjectKey, Leaf | None] = field(default_factory=dict)
    _logged: Schema | None = None

    @classmethod
    def load(cls, leaves: Mapping[ObjectKey, Leaf], apart: Mapping[ObjectKey, Leaf | None]) -> Record:
        """As stored."""
        recorded = Schema.load(leaves)
        if not apart:
            return cls(recorded)
        said = {key: leaf for key, leaf in {**leaves, **apart}.items() if leaf is not None}
        keys = {leaf.oid: key for key, leaf in said.items()}
        return cls(recorded, dict(apart), Schema(recorded.tree.changed(apart), keys))

    def replace(self, other: Record) -> None:
        """Be what another one is."""
        self.recorded.replace(other.recorded)
        self.apart = other.apart
        self._logged = other._logged

    @property
    def logged(self) -> Schema:
        """The schema as the WAL says."""
        return self._logged if self._logged is not None else self.recorded

    def apply(self, said: Sequence[ObjectEvent], reread: Sequence[ObjectEvent], place: str) -> Applied:
        """Move on over what statements at this place in the WAL said, and what was read besides."""
        deferred = any(event.op is ObjectOp.DEFERRED for event in said)
        if self._logged is None and not deferred and not reread:
            changes = self.recorded.apply(said)
            return Applied(changes, bool(changes))
        logged = self._own_logged()
        meant = logged.apply(_marked(said, place) if deferred else said)
        changes = self.recorded.apply([*said, *reread])
        return Applied(changes, bool(meant), self._compared(logged, meant, changes))

    def find(self, events: Iterable[ObjectEvent]) -> Applied:
        """Move the record alone: no event said so."""
        logged = self._own_logged()
        changes = self.recorded.apply(events)
        return Applied(changes, is_logged=False, told=self._compared(logged, changes))

    def begin(self, objects: Sequence[ObjectEvent], *, keeping: Container[ObjectId] = ()) -> Applied:
        """Move both to exactly these objects: the WAL is followed from here on. `keeping`: what could not be read."""
        if self._logged is None:
            return Applied(self.recorded.replaced(objects, keeping=keeping), is_logged=True)
        logged = self._logged
        meant = logged.replaced(objects, keeping=keeping)
        changes = self.recorded.replaced(objects, keeping=keeping)
        return Applied(changes, is_logged=True, told=self._compared(logged, meant, changes))

    def _own_logged(self) -> Schema:
        if self._logged is None:
            self._logged = Schema(self.recorded.tree, dict(self.recorded.keys))
        return self._logged

    def _compared(self, logged: Schema, *changes: Iterable[ObjectChange]) -> tuple[Told, ...]:
        """Note where both differ by now, of the names that changed in one of them."""
        named = {key for some in changes for change in some for key in (change.old_key, change.key) if key is not None}
        named |= self.recorded.moved.keys() | logged.moved.keys()
        logged.take_moved()  # hashes do not cover ids
        told = tuple(self._differing(logged, named))
        if not self.apart:
            self._logged = None
        return told

    def _differing(self, logged: Schema, named: Iterable[ObjectKey]) -> Iterator[Told]:
        for key in named:
            leaf = logged.tree.get(key)
            known = key in self.apart
            if leaf == self.recorded.tree.get(key):
                if known:
                    del self.apart[key]
                    yield Told(key, leaf, apart=False)
            elif not known or self.apart[key] != leaf:
                self.apart[key] = leaf
                yield Told(key, leaf, apart=True)


def _marked(events: Iterable[ObjectEvent], place: str) -> Iterator[ObjectEvent]:
    """The events with a marker for each deferred definition: an object that nobody can have made."""
    for event in events:
        if event.op is not ObjectOp.DEFERRED:
            yield event
            continue
        key = ObjectKey(UNREAD, None, f"{event.oid.classid}/{event.oid.objid}")
        blob = Blob(f"sha256 {event.digest}" if event.digest is not None else f"at {place}", None, ())
        yield replace(event, op=ObjectOp.SET, key=key, blob=blob)

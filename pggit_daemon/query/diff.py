"""What changed, object by object, from the versions on both sides.

In: object versions that held before (old) and after. Out: created, dropped, changed and renamed objects, and
unified diffs of their definitions. Pure; called by `show` and `diff`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Operation(StrEnum):
    CREATED = "created"
    DROPPED = "dropped"
    CHANGED = "changed"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True)
class Version:
    """An object as it was over some commits; `old` says on which side."""

    old: bool
    type: str
    schema_name: str | None
    identity: str
    classid: int
    objid: int
    blob: str
    definition: str


@dataclass(frozen=True, slots=True)
class Change:
    """One object; `before` is None for created ones, `after` for dropped ones."""

    operation: Operation
    before: Version | None
    after: Version | None

    @property
    def object(self) -> Version:
        """Return the object as it is called last."""
        found = self.after or self.before
        assert found is not None  # noqa: S101  (a change has at least one side)
        return found

    @property
    def label(self) -> str:
        """Name it: `table public.users`, and for a rename both names."""
        label = f"{self.object.type} {self.object.identity}"
        return f"{label} (was {self.before.identity})" if self.operation is Operation.RENAMED and self.before else label

    def as_json(self) -> dict[str, Any]:
        return {
            "operation": self.operation.value,
            "type": self.object.type,
            "schema": self.object.schema_name,
            "identity": self.object.identity,
            "old_identity": self.before.identity if self.before else None,
            "old_definition": self.before.definition if self.before else None,
            "new_definition": self.after.definition if self.after else None,
        }


def pair(versions: Iterable[Version]) -> list[Change]:
    """Match both sides: by name first, then by the catalog's own identity, which survives a rename."""
    rows = list(versions)
    before = {(v.type, v.identity): v for v in rows if v.old}
    after = {(v.type, v.identity): v for v in rows if not v.old}
    changes = [
        Change(Operation.CHANGED, before[key], after[key])
        for key in before.keys() & after.keys()
        if before[key].blob != after[key].blob
    ]
    dropped = {(v.classid, v.objid): v for key, v in before.items() if key not in after}
    for key, version in after.items():
        if key in before:
            continue
        was = dropped.pop((version.classid, version.objid), None)
        changes.append(Change(Operation.RENAMED if was else Operation.CREATED, was, version))
    changes.extend(Change(Operation.DROPPED, version, None) for version in dropped.values())
    return sorted(changes, key=lambda c: (c.object.schema_name or "", c.object.type, c.object.identity))


def unified(change: Change, a: str, b: str) -> list[str]:
    """Return a unified diff of the definition, without line ends, as git prints it; `a` and `b` name the two commits.

    A side on which there is no such object is /dev/null. A definition can be empty, as that of the schema public is, or
    stay while something that it depends on gets another name; then there is only a line that says so.
    """
    before, after = change.before, change.after
    lines = list(
        difflib.unified_diff(
            before.definition.splitlines() if before else [],
            after.definition.splitlines() if after else [],
            fromfile=f"a/{before.type} {before.identity}" if before else "/dev/null",
            tofile=f"b/{after.type} {after.identity}" if after else "/dev/null",
            fromfiledate=a if before else "",
            tofiledate=b if after else "",
            lineterm="",
        )
    )
    if lines:
        return lines
    if before is None or after is None:
        return [" it is as every new database has it: no statement makes it"]
    return [" the definition is the same; something that it depends on has another name"]

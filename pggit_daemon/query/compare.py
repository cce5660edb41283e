"""Comparing the schema at two moments, or with and without what one commit or migration did.

In: a connection and references that were followed. Out: a `Comparison`. A migration stands for all its commits:
compared with another moment, it is the schema after its last one; by itself, it is what all of them changed together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pggit_daemon.query import records
from pggit_daemon.query.connect import Connection
from pggit_daemon.query.diff import Change, pair
from pggit_daemon.query.records import Commit, Found


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two commits; `before` is None where it is the empty schema before all commits.

    `notes` say where a schema is not the one that a migration made.
    """

    before: Commit | None
    after: Commit
    changes: list[Change]
    notes: list[str]

    @property
    def labels(self) -> tuple[str, str]:
        return (self.before.label if self.before is not None else "nothing", self.after.label)

    @property
    def short(self) -> tuple[str, str]:
        return (self.before.short if self.before is not None else self.after.short_parent, self.after.short)

    def as_json(self) -> dict[str, Any]:
        before, after = self.before, self.after
        return {
            "from": {"id": before.id, "hash": before.hash} if before is not None else None,
            "to": {"id": after.id, "hash": after.hash},
            "notes": self.notes,
            "changes": [change.as_json() for change in self.changes],
        }


def between(conn: Connection, a: Found, b: Found) -> Comparison:
    """Compare the schema at two moments."""
    first, second = records.commit_of(a), records.commit_of(b)
    notes = [found.note for found in (a, b) if found.note is not None]
    return Comparison(first, second, pair(records.changed_between(conn, first, second)), notes)


def changes_of(conn: Connection, found: Found) -> Comparison:
    """Compare what was before a commit or a migration with what it left: what others did in between is left out."""
    made = records.made(conn, found)
    notes = [found.note] if found.note is not None else []
    if not made:
        commit = records.commit_of(found)
        return Comparison(commit, commit, [], notes)
    versions = records.changed_by(conn, found.migration) if found.migration else records.changed_in(conn, made[0])
    parent = made[0].commit.parent
    before = records.commits(conn, prefix=parent) if parent is not None else []
    return Comparison(before[0] if before else None, made[-1].commit, pair(versions), notes)

"""A preset: how one tool keeps its history, as data.

In: a TOML file of `presets/`, or a few lines of the user's configuration. Out: a `Preset`, which says by
which columns the table is known, what a change of a row means, and how its DDL is recognised.
Called by the registry (to find tables) and the ledger (to read rows). Pure but for reading package data.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import resources

from pydantic import BaseModel, ConfigDict

from pggit_daemon.model.meaning import Claims, Meaning
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.session import Session

Patterns = Mapping[str, tuple[str, ...]]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Model):
    """One line of meaning; the first that fits decides. All conditions must hold."""

    means: Meaning
    when: Patterns = {}
    was: Patterns = {}
    changed: tuple[str, ...] = ()

    def fits(self, new: TextRow, old: TextRow) -> bool:
        return (
            matches(self.when, new)
            and matches(self.was, old)
            and all(name in old and new.get(name) != old[name] for name in self.changed)
        )


class SessionHints(_Model):
    """Who the tool's sessions usually are. A hint decides between candidates, it never makes one."""

    usual_application_name: str | None = None
    never: tuple[str, ...] = ()
    user: str | None = None
    application_name: str | None = None

    def rule_out(self, session: Session) -> bool:
        """Whether the preset or the configuration says that such a session is never the tool's."""
        name = session.profile.application_name
        return (
            any(fnmatchcase(name, pattern) for pattern in self.never)
            or (self.user is not None and self.user != session.profile.user)
            or (self.application_name is not None and not fnmatchcase(name, self.application_name))
        )


class Bracket(_Model):
    """The lock table beside the history table, known by its columns, and which states open and close it."""

    columns: tuple[str, ...]
    open: Patterns
    close: Patterns


class MigrationColumns(_Model):
    """Which column holds what. `version` may be several columns, joined by `::`; times in ms."""

    id: str
    fallback: str | None = None
    version: tuple[str, ...]
    name: str | None = None
    checksum: str | None = None
    applied_by: str | None = None
    applied_at: str | None = None
    execution_time: str | None = None
    success: str | None = None
    sequence: str | None = None


class Preset(_Model):
    """How one tool keeps its history."""

    tool: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    claims: Claims
    advisory_lock: str | None = None
    session: SessionHints = SessionHints()
    bracket: Bracket | None = None
    migration: MigrationColumns
    insert: tuple[Rule, ...] = (Rule(means=Meaning.APPLIED),)
    update: tuple[Rule, ...] = (Rule(means=Meaning.EDITED),)
    delete: tuple[Rule, ...] = (Rule(means=Meaning.ROLLED_BACK),)

    def knows(self, columns: frozenset[str]) -> bool:
        """Whether a table with these columns is a history table of this tool."""
        return columns.issuperset(self.columns)


def matches(patterns: Patterns, row: TextRow) -> bool:
    """Whether each named column has a value that fits one of its patterns (shell wildcards; null, true, false)."""
    return all(_matches_one(row.get(name), allowed) for name, allowed in patterns.items())


def _matches_one(value: str | None, allowed: tuple[str, ...]) -> bool:
    return any(fnmatchcase("null" if value is None else value, one) for one in allowed)


def custom(
    tool: str, columns: MigrationColumns, *, claims: Claims, session: SessionHints, key: tuple[str, ...] | None = None
) -> Preset:
    """The preset of a table described in the user's configuration."""
    named = [getattr(columns, field) for field in MigrationColumns.model_fields if field != "version"]
    applied: tuple[Rule, ...] = (Rule(means=Meaning.APPLIED),)
    if columns.success is not None:
        applied = (Rule(means=Meaning.FAILED, when={columns.success: ("false", "f", "0")}), *applied)
    deletes: tuple[Rule, ...] = (Rule(means=Meaning.ROLLED_BACK),)
    if columns.success is not None:
        failed = {columns.success: ("false", "f", "0")}
        deletes = (Rule(means=Meaning.REMOVED, was=failed), *deletes)
    updates: tuple[Rule, ...] = (Rule(means=Meaning.EDITED),)
    if columns.checksum is not None:
        updates = (Rule(means=Meaning.CHECKSUM_CHANGED, changed=(columns.checksum,)), *updates)
    return Preset(
        tool=tool,
        columns=tuple(dict.fromkeys(name for name in named if name is not None)),
        key=key or (columns.id,),
        claims=claims,
        session=session,
        migration=columns,
        insert=applied,
        update=updates,
        delete=deletes,
    )


def packaged() -> Iterator[tuple[str, Preset]]:
    """The presets that come with the package, by file name."""
    for file in sorted(resources.files("pggit_daemon.tools.presets").iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            yield file.name.removesuffix(".toml"), Preset.model_validate(tomllib.loads(file.read_text("utf-8")))

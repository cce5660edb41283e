"""Reading commits and migrations for the commands.

In: a connection and references. Out: `Commit` and `Migration` values; NotFoundError where nothing is recorded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from pggit_daemon.errors import NotFoundError
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.model.row_text import SYNTHETIC
from pggit_daemon.query.connect import Connection
from pggit_daemon.query.diff import Version
from pggit_daemon.query.references import (
    FORMS,
    Baseline,
    CommitId,
    HashPrefix,
    Head,
    MigrationRef,
    Reference,
    UsageError,
    parse_reference,
)
from pggit_daemon.sql import load_queries

FEW = 5  # migrations shown with a commit in a list
ALL = 1_000_000
SHORT = 12  # digits of a hash, as people read it
_NO_FILTER = {"id": None, "prefix": None, "kind": None, "tool": None, "source": None, "limit": 2, "migrations": ALL}


@dataclass(frozen=True, slots=True)
class Commit:
    """A row of pggit.commits; `migrations` holds the first few of `migration_count`, as JSON objects."""

    id: int
    hash: str
    parent: str | None
    kind: str | None
    author: str | None
    message: str | None
    occurred_at: datetime | None
    source_lsn: str | None
    source_xid: int | None
    tree_hash: str | None
    objects_changed: int
    metadata: dict[str, Any]
    migration_count: int
    migrations: list[dict[str, Any]]

    @property
    def label(self) -> str:
        return f"commit {self.id} {self.short}"

    @property
    def short(self) -> str:
        """The first digits of its hash; as an argument they lead back to it."""
        return self.hash[:SHORT]

    @property
    def short_parent(self) -> str:
        return (self.parent or "0" * SHORT)[:SHORT]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def shown_as(tool: str, migration_id: int, version: str | None) -> str:
    """Name a migration to a reader: by the tool's own version where the id was given by us. It is an argument, too."""
    # A word of digits alone is an id, unless zeros stand before it.
    padded = version is not None and version.startswith("0") and len(version) > 1
    own = version if version and migration_id >= SYNTHETIC and (padded or not version.isdigit()) else None
    return f"{tool}:{own or migration_id}"


def told_as(tool: str, migration_id: int, version: str | None) -> str:
    """The same where it need be no argument: of a rollback whose id was given by us, what it rolled back."""
    if version and migration_id <= -SYNTHETIC:
        return f"rollback of {tool}:{version}"
    return shown_as(tool, migration_id, version)


@dataclass(frozen=True, slots=True)
class Migration:
    """A row of pggit.external_migrations."""

    tool: str
    source: str
    migration_id: int
    version: str | None
    name: str | None
    status: str
    success: bool | None
    error_message: str | None
    evidence: str | None
    applied_at: datetime | None
    applied_by: str | None
    checksum: str | None
    execution_ms: int | None
    rollback_of: int | None
    commit_id: int | None
    why_unlinked: str | None = None

    @property
    def label(self) -> str:
        return f"{shown_as(self.tool, self.migration_id, self.version)} in {self.source}"

    @property
    def reference(self) -> str:
        """How it is named as an argument."""
        return f"{self.tool}:{self.migration_id}"

    @property
    def key(self) -> dict[str, Any]:
        """Name it, as parameters of a query."""
        return {"tool": self.tool, "source": self.source, "migration_id": self.migration_id}


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference led to: a migration with or without its commit, or a commit.

    `beside`: another commit of which the word is the id, which is not meant.
    """

    commit: Commit | None
    migration: Migration | None
    beside: Commit | None = None

    @property
    def both(self) -> str | None:
        """What else the word could mean, where a number is a migration's and a commit's."""
        if self.beside is None or self.migration is None:
            return None
        return f"{self.beside.id} is taken for {self.migration.label}; the {self.beside.label} is @{self.beside.id}"

    @property
    def note(self) -> str | None:
        """Why the schema at the commit is not what the migration made, where that is so."""
        if self.migration is None or self.commit is None:
            return None
        if self.commit.kind == "baseline":
            return (
                f"{self.migration.label} was there before the history began: this is the schema of the baseline,"
                f" {self.commit.label}"
            )
        key = self.migration.key.items()
        if self.migration.evidence == "none" or any(not m["made"] and key <= m.items() for m in self.commit.migrations):
            said = f"{self.migration.label} changed no schema: this is the one that it saw, {self.commit.label}"
            if self.commit.kind == CommitKind.TOOL and self.commit.metadata.get("source") == self.migration.source:
                # What the tool runs for itself before its first row, as Flyway's CREATE SCHEMA.
                return f"{said}, which is housekeeping of {self.migration.tool} itself ({self.commit.message})"
            return said
        return None


@dataclass(frozen=True, slots=True)
class Made:
    """A commit that a migration made; only `objects` of it ('type identity') where others share it."""

    commit: Commit
    objects: list[str] | None


def made(conn: Connection, found: Found) -> list[Made]:
    """Return the commits that a reference stands for: all of a migration, or the one that it names."""
    if found.migration is not None:
        return made_by(conn, found.migration)
    return [Made(found.commit, None)] if found.commit is not None else []


def made_by(conn: Connection, migration: Migration) -> list[Made]:
    """Return all commits of a migration, oldest first; none where it ran no DDL, or before the history began."""
    rows = conn.execute(load_queries("history")["made_by"], migration.key).fetchall()
    return [Made(commit, objects) for commit_id, objects in rows for commit in commits(conn, id=commit_id)]


def commits(conn: Connection, **filters: object) -> list[Commit]:
    """Return commits, newest first; `filters` are the parameters of the query `commits`."""
    with conn.cursor(row_factory=class_row(Commit)) as cursor:
        return cursor.execute(load_queries("history")["commits"], _NO_FILTER | filters).fetchall()


def unknown(conn: Connection, *, tool: str | None, source: str | None) -> list[tuple[str, str, list[str]]]:
    """Of a filter, the options that name no migration at all, with the names that would."""
    tools, sources = conn.execute(load_queries("history")["known_names"]).fetchone() or ([], [])
    asked: tuple[tuple[str, str | None, list[str]], ...] = (("--tool", tool, tools), ("--source", source, sources))
    return [(option, value, known) for option, value, known in asked if value is not None and value not in known]


def changed_in(conn: Connection, made: Made) -> list[Version]:
    """Return what a commit changed; of one that several migrations share, what is one's own."""
    return _versions(conn, "versions_of_commit", {"commit": made.commit.id, "objects": made.objects})


def changed_by(conn: Connection, migration: Migration) -> list[Version]:
    """Return what a migration changed, all its commits together."""
    return _versions(conn, "versions_of_migration", migration.key)


def changed_between(conn: Connection, a: Commit, b: Commit) -> list[Version]:
    return _versions(conn, "versions_between", {"a": a.id, "b": b.id})


def _versions(conn: Connection, query: str, values: dict[str, Any]) -> list[Version]:
    with conn.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(load_queries("history")[query], values).fetchall()


def find_any(conn: Connection, word: str, *, tool: str | None = None, source: str | None = None) -> Found:
    """Follow a reference; what is a commit first of all is found whatever --tool and --source say of migrations."""
    first = parse_reference(word)[0]
    found = None if isinstance(first, MigrationRef) else _follow(conn, first, None, None)
    return found or find(conn, word, tool=tool, source=source)


def find(conn: Connection, word: str, *, tool: str | None = None, source: str | None = None) -> Found:
    """Follow a reference; --tool and --source ask for a migration."""
    references = parse_reference(word)
    for place, reference in enumerate(references):
        found = _follow(conn, reference, tool, source)
        if found is not None:
            others = [one for one in references[place + 1 :] if isinstance(one, CommitId)]
            beside = _follow(conn, others[0], tool, source) if others and found.migration is not None else None
            meant = found.commit.id if found.commit is not None else None
            if beside is not None and beside.commit is not None and beside.commit.id != meant:
                return replace(found, beside=beside.commit)
            return found
    narrowed = "".join(f", {key} {value}" for key, value in (("tool", tool), ("source", source)) if value)
    raise NotFoundError(
        f"nothing is recorded under {word!r}{narrowed}", hint=f"pggit-daemon log shows what is; allowed: {FORMS}"
    )


def commit_of(found: Found) -> Commit:
    """Return the commit of what was found; a migration without one is an error."""
    if found.commit is None and found.migration is not None:
        raise NotFoundError(
            f"migration {found.migration.label} is not linked to a commit (status {found.migration.status})",
            hint="SELECT pggit.link_migration(…), or wait until the daemon has come that far (pggit-daemon status)",
        )
    assert found.commit is not None  # noqa: S101  (find raises where there is neither)
    return found.commit


def _follow(conn: Connection, reference: Reference, tool: str | None, source: str | None) -> Found | None:
    if isinstance(reference, MigrationRef):
        migration = _migration(conn, reference, tool, source)
        if migration is None:
            return None
        linked = commits(conn, id=migration.commit_id) if migration.commit_id is not None else []
        return Found(linked[0] if linked else None, migration)
    if tool or source:
        return None  # asked for a migration
    match reference:
        case Head():
            rows = commits(conn, limit=1)
        case Baseline():
            rows = commits(conn, kind=CommitKind.BASELINE, limit=1)
        case CommitId(number):
            rows = commits(conn, id=number)
        case HashPrefix(prefix):
            rows = commits(conn, prefix=prefix)
    if len(rows) > 1:
        raise UsageError("several commits begin with these digits; give more of them")
    return Found(rows[0], None) if rows else None


def _migration(conn: Connection, reference: MigrationRef, tool: str | None, source: str | None) -> Migration | None:
    if tool and reference.tool and tool != reference.tool:
        raise UsageError(f"--tool {tool} and {reference.tool}:… name two tools")
    parameters = {
        "migration_id": reference.migration_id,
        "version": reference.version,
        "tool": reference.tool or tool,
        "source": source,
    }
    with conn.cursor(row_factory=class_row(Migration)) as cursor:
        candidates = cursor.execute(load_queries("history")["migrations"], parameters).fetchall()
    if len(candidates) > 1:
        names = Counter(row.reference for row in candidates)
        listed = "; ".join(
            row.reference + (f" --source {row.source}" if names[row.reference] > 1 else "") for row in candidates
        )
        called = reference.version if reference.version is not None else reference.migration_id
        raise UsageError(f"several migrations are called {called}; say which: {listed}")
    return candidates[0] if candidates else None

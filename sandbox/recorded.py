"""What the daemon recorded, read back as values for assertions.

In: a database's connection string. Out: commits and migrations in their own order. Reads the tables, not the
CLI: a mistake in a command must not hide or invent one in the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg
from psycopg.rows import kwargs_row

from pggit_daemon.model.lsn import LSN


@dataclass(frozen=True, slots=True)
class Commit:
    """A row of pggit.commits. `changed` are the objects it set or dropped, as 'type identity', sorted."""

    id: int
    hash: str
    parent: str | None
    kind: str
    author: str | None
    message: str | None
    lsn: str | None
    xid: int | None
    tree_hash: str | None
    metadata: dict[str, Any]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """A row of pggit.external_migrations, with the commit it is linked to.

    `changed` are the objects that it changed, in all of its commits: what of them is its, where it is not all.
    """

    tool: str
    source: str
    migration_id: int
    version: str | None
    name: str | None
    status: str
    success: bool | None
    evidence: str | None
    rollback_of: int | None
    commit_id: int | None
    changed: tuple[str, ...] = ()


_COMMITS = """
    SELECT c.id, c.hash, c.parent_commit_hash AS parent, c.kind, c.author, c.message,
           c.source_lsn::text AS lsn, c.source_xid AS xid, c.tree_hash, coalesce(c.metadata, '{}') AS metadata,
           ARRAY (
               SELECT DISTINCT v.type || ' ' || v.identity
               FROM pggit_daemon.object_version AS v
               WHERE v.from_commit = c.id OR v.to_commit = c.id
               ORDER BY 1
           ) AS changed
    FROM pggit.commits AS c
    ORDER BY c.id
"""
_MIGRATIONS = """
    SELECT m.tool_name AS tool, m.source, m.migration_id, m.version, m.migration_name AS name, m.status, m.success,
           m.evidence, m.rollback_of, m.pggit_commit_id AS commit_id,
           ARRAY (
               SELECT DISTINCT object.name
               FROM pggit_daemon.link AS l
               CROSS JOIN LATERAL (
                   SELECT unnest(l.objects) AS name WHERE l.objects IS NOT NULL
                   UNION ALL
                   SELECT v.type || ' ' || v.identity FROM pggit_daemon.object_version AS v
                   WHERE l.objects IS NULL AND (v.from_commit = l.commit_id OR v.to_commit = l.commit_id)) AS object
               WHERE l.tool_name = m.tool_name AND l.source = m.source AND l.migration_id = m.migration_id AND l.made
               ORDER BY 1
           ) AS changed
    FROM pggit.external_migrations AS m
    ORDER BY m.source, m.sequence NULLS LAST, m.migration_id
"""


def commits(dsn: str) -> list[Commit]:
    """Return all commits, oldest first."""

    def commit(**columns: Any) -> Commit:
        return Commit(**columns | {"changed": tuple(columns["changed"])})

    with psycopg.connect(dsn) as conn, conn.cursor(row_factory=kwargs_row(commit)) as cursor:
        return cursor.execute(_COMMITS).fetchall()


def migrations(dsn: str) -> list[Migration]:
    """Return all migrations, by source and in the order the source ran them."""

    def migration(**columns: Any) -> Migration:
        return Migration(**columns | {"changed": tuple(columns["changed"])})

    with psycopg.connect(dsn) as conn, conn.cursor(row_factory=kwargs_row(migration)) as cursor:
        return cursor.execute(_MIGRATIONS).fetchall()


def changed_by_migration(dsn: str) -> dict[tuple[str, str | None], tuple[str, ...]]:
    """Return what each migration changed, by source and version: {("app.history", "1"): ("table app.a",)}."""
    return {(migration.source, migration.version): migration.changed for migration in migrations(dsn)}


def history(dsn: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return what must be equal between two daemons that saw the same WAL: hash, kind and objects of each commit."""
    return [(commit.hash, commit.kind, commit.changed) for commit in commits(dsn)]


def assert_in_wal_order(dsn: str) -> None:
    """Check that the chain of commits is unbroken and follows the WAL."""
    chain = commits(dsn)
    for parent, child in pairwise(chain):
        assert child.parent == parent.hash, f"commit {child.id} does not follow commit {parent.id}"
    positions = [LSN.parse(commit.lsn) for commit in chain if commit.lsn is not None]
    assert positions == sorted(positions), "commits do not stand in the order of the WAL"

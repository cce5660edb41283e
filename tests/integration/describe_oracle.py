"""Databases in pairs: one made by a script, one restored from the export of the first.

In: a server and the name of a template database that has our schemas. Out: for each of the pair, what pg_dump and
what `pggit_daemon.snapshot()` say. Used by the tests of describe and export.
"""

from __future__ import annotations

import difflib
import itertools
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString, Self

import psycopg
import pytest
from psycopg import sql

from sandbox.servers import find_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

ROLES = ("reader", "writer", 'dba "x" y')
SNAPSHOT = """
    SELECT s.type, s.identity, s.definition, coalesce(s.later, ''), s.depends::text
      FROM pggit_daemon.snapshot() s ORDER BY s.type COLLATE "C", s.identity COLLATE "C"
"""
EXPORT = "SELECT pggit_daemon.export_descriptions(ARRAY(SELECT s FROM pggit_daemon.snapshot() s))"
# pg_dump's own words: the versions of program and server, and a key that differs from run to run.
OWN_WORDS = ("-- Dumped from database version", "-- Dumped by pg_dump version", "\\restrict ", "\\unrestrict ")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Side:
    """One database of a pair."""

    dsn: str

    def run(self, script: str) -> None:
        """Run a script as psql does; the first error fails the test."""
        command = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.dsn, "-f", "-"]
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=False, env=_environment())
        assert done.returncode == 0, done.stderr

    def try_run(self, script: str) -> bool:
        """Run a script in one transaction; tell whether it went through."""
        command = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
        command += ["-d", self.dsn, "-f", "-"]
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=False, env=_environment())
        return done.returncode == 0

    def restore(self, script: str) -> None:
        """Restore an export as its header says."""
        command = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
        command += ["-d", self.dsn, "-o", "/dev/null", "-f", "-"]
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=False, env=_environment())
        assert done.returncode == 0, done.stderr + "\n" + script

    def dump(self, *options: str) -> str:
        """What pg_dump says of everything but our own schemas."""
        command = [str(find_server() / "pg_dump"), "--schema-only", "-N", "pggit", "-N", "pggit_daemon", "-d", self.dsn]
        text = subprocess.run(
            [*command, *options], text=True, capture_output=True, check=True, env=_environment()
        ).stdout
        return "\n".join(line for line in text.split("\n") if not line.startswith(OWN_WORDS))

    def snapshot(self) -> str:
        with psycopg.connect(self.dsn) as conn:
            return "\n".join("\n".join(row) for row in conn.execute(SNAPSHOT).fetchall())

    def export(self) -> str:
        with psycopg.connect(self.dsn) as conn:
            row = conn.execute(EXPORT).fetchone()
        assert row is not None
        return str(row[0])


class Oracle:
    """Makes pairs. `with Oracle(…) as oracle` creates the roles that the scripts name, and drops them again."""

    def __init__(self, cluster: Databases, template: str) -> None:
        self.cluster = cluster
        self.template = template

    def __enter__(self) -> Self:
        self._for_each_role("CREATE ROLE {}")
        return self

    def __exit__(self, *_: object) -> None:
        self._for_each_role("DROP ROLE IF EXISTS {}")

    @contextmanager
    def pair(self, script: str) -> Iterator[tuple[Side, Side]]:
        """Run the script in one database, restore its export into another, give both."""
        with self.side() as original, self.side() as copy:
            original.run(script)
            copy.restore(original.export())
            yield original, copy

    def server_version(self) -> int:
        """The server's major version."""
        with psycopg.connect(self.cluster.dsn()) as conn:
            return conn.info.server_version // 10_000

    @contextmanager
    def side(self, template: str | None = None) -> Iterator[Side]:
        """A database made from the oracle's template, or from another one."""
        name = f"describe_{next(_numbers)}"
        self.cluster.create_database(name, template or self.template)
        side = Side(self.cluster.dsn(name))
        try:
            yield side
        finally:
            # A database with subscriptions cannot be dropped; these have no slot to drop with them.
            with psycopg.connect(side.dsn, autocommit=True) as conn:
                for (subscription,) in conn.execute(
                    "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
                    " WHERE d.datname = current_database()",
                ).fetchall():
                    name_of = sql.Identifier(subscription)
                    conn.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(name_of))
                    conn.execute(sql.SQL("DROP SUBSCRIPTION {}").format(name_of))
            self.cluster.drop_database(name)

    def _for_each_role(self, statement: LiteralString) -> None:
        with psycopg.connect(self.cluster.dsn(), autocommit=True) as conn:
            for role in ROLES:
                conn.execute(sql.SQL(statement).format(sql.Identifier(role)))


def assert_same(left: str, right: str) -> None:
    """Compare long texts; the failure shows only the lines that differ."""
    if lines := difference(left, right):
        pytest.fail("\n".join(lines))


def difference(left: str, right: str) -> list[str]:
    """The lines that differ, 200 at most; none where the texts are the same."""
    if left == right:
        return []
    lines = difflib.unified_diff(left.splitlines(), right.splitlines(), "original", "copy", lineterm="", n=4)
    # Texts that differ in what ends their lines alone are not the same.
    return list(itertools.islice(lines, 200)) or ["only the ends of lines differ"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PGCLIENTENCODING": "UTF8", "PGOPTIONS": ""}

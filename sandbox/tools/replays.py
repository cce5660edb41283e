"""Migration tools that cannot be had here, or not in seconds: the sessions and statements that they are known to send.

Supabase, Ecto, EF Core and Doctrine follow their sources; Phinx, Prisma, Rails and Sqitch what was measured of the real ones.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from sandbox.jars import ToolRun
from sandbox.tools.project import Script
from sandbox.tools.replay import Connection, Replay, execute

NOW = "clock_timestamp()"


class Supabase(Replay):
    """The table grows by ALTERs; nothing runs outside of transactions."""

    history = "supabase_migrations.schema_migrations"
    mixes = False
    table = (
        "CREATE SCHEMA IF NOT EXISTS supabase_migrations",
        "CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (version text NOT NULL PRIMARY KEY)",
        "ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS statements text[]",
        "ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text",
    )
    row = f"INSERT INTO {history} (version, name, statements) VALUES (%(version)s, %(name)s, '{{}}')"
    gone = f"DELETE FROM {history} WHERE version = %(version)s"
    reverts = False


class Ecto(Replay):
    """The table is locked by a transaction of another connection while scripts run."""

    history = "public.schema_migrations"
    table = (f"CREATE TABLE IF NOT EXISTS {history} (version bigint, inserted_at timestamp(0), PRIMARY KEY (version))",)
    row = f"INSERT INTO {history} VALUES (%(number)s, {NOW})"
    gone = f"DELETE FROM {history} WHERE version = %(number)s"

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        with self.session() as lock, lock.transaction():
            lock.execute(f"LOCK TABLE {self.history} IN SHARE UPDATE EXCLUSIVE MODE".encode())
            with self.session() as conn:
                yield conn


class EfCore(Replay):
    """A run is one transaction in which the table is locked; `suppressTransaction` commits it, and one goes on behind."""

    history = 'public."__EFMigrationsHistory"'
    at_first = True
    table = (
        f'CREATE TABLE IF NOT EXISTS {history} ("MigrationId" varchar(150) NOT NULL, "ProductVersion" varchar(32)'
        ' NOT NULL, CONSTRAINT "PK___EFMigrationsHistory" PRIMARY KEY ("MigrationId"))',
    )
    lock = f"LOCK TABLE {history} IN ACCESS EXCLUSIVE MODE"
    row = f"INSERT INTO {history} VALUES (%(whole)s, '9.0.0')"
    gone = f'DELETE FROM {history} WHERE "MigrationId" = %(whole)s'

    def work(self, conn: Connection, act: Callable[[Connection], object]) -> None:
        self.kept = list(self.applied)
        try:
            execute(conn, (*self.table, "BEGIN", self.lock))
            super().work(conn, act)
            conn.execute("COMMIT")
        except psycopg.Error:
            self.applied = self.kept
            raise

    def move(self, conn: Connection, script: Script, statements: tuple[str, ...], row: str) -> None:
        if script.transactional:
            execute(conn, statements)
        else:
            conn.execute("COMMIT")
            self.kept = list(self.applied)
            execute(conn, (*statements, "BEGIN", self.lock))
        self.write_row(conn, script, row)


class Doctrine(Replay):
    """Row and DDL in one transaction, but for migrations that are not transactional."""

    history = "public.doctrine_migration_versions"
    at_first = True
    table = (
        f"CREATE TABLE {history} (version varchar(191) NOT NULL, executed_at timestamp(0) DEFAULT NULL,"
        " execution_time int DEFAULT NULL, PRIMARY KEY (version))",
    )
    row = f"INSERT INTO {history} VALUES (%(doctrine)s, {NOW}, 7)"
    gone = f"DELETE FROM {history} WHERE version = %(doctrine)s"

    def values(self, script: Script) -> dict[str, Any]:
        values = super().values(script)
        return {**values, "doctrine": f"DoctrineMigrations\\Version{values['version']}"}


class Phinx(Replay):
    """Row and DDL in one transaction, unless a migration commits that, and begins another behind its statement."""

    history = "public.phinxlog"
    at_first = True
    table = (
        f"CREATE TABLE {history} (version bigint NOT NULL PRIMARY KEY, migration_name varchar(100), start_time timestamp(0),"
        " end_time timestamp(0), breakpoint boolean NOT NULL DEFAULT false)",
    )
    row = f"INSERT INTO {history} VALUES (%(number)s, %(name)s, {NOW}, {NOW})"
    gone = f"DELETE FROM {history} WHERE version = %(number)s"

    def move(self, conn: Connection, script: Script, statements: tuple[str, ...], row: str) -> None:
        with conn.transaction():
            if script.transactional:
                execute(conn, statements)
            else:
                execute(conn, ("COMMIT", *statements, "BEGIN"))
            self.write_row(conn, script, row)


class Prisma(Replay):
    """The row is written before the DDL and finished after it, all by the session that holds the lock."""

    history = "public._prisma_migrations"
    reverts = False
    leaves = True
    table = (
        f"CREATE TABLE {history} (id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL,"
        " finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,"
        " started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)",
    )
    row = f"INSERT INTO {history} (id, checksum, migration_name) VALUES (%(id)s, 'sum', %(whole)s)"
    gone = ""

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        with self.session() as conn:
            conn.execute("SELECT pg_advisory_lock(72707369)")
            yield conn

    def move(self, conn: Connection, script: Script, statements: tuple[str, ...], row: str) -> None:
        values = {**self.values(script), "id": str(uuid.uuid4())}
        conn.execute(row.encode(), values)
        try:
            execute(conn, statements)
        except psycopg.Error:
            conn.execute(f"UPDATE {self.history} SET logs = 'failed' WHERE id = %(id)s".encode(), values)
            raise
        conn.execute(f"UPDATE {self.history} SET applied_steps_count = 1 WHERE id = %(id)s".encode(), values)
        conn.execute(f"UPDATE {self.history} SET finished_at = {NOW} WHERE id = %(id)s".encode(), values)

    def repair(self, number: int) -> ToolRun:  # noqa: ARG002  # it knows itself which
        resolve = (
            f"UPDATE {self.history} SET rolled_back_at = {NOW} WHERE finished_at IS NULL AND rolled_back_at IS NULL"
        )
        return self._run(lambda conn: conn.execute(resolve.encode()))

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        applied = (
            f"INSERT INTO {self.history} (id, checksum, finished_at, migration_name) VALUES ('r', 's', {NOW}, '9_m9_x')"
        )
        return {"resolve": lambda: self._run(lambda conn: conn.execute(applied.encode()))}


class ReplayedRails(Replay):
    """The lock is a sibling's, of the same user and program; ar_internal_metadata comes one transaction later."""

    history = "public.schema_migrations"
    application_name = "bin/rails"
    table = (
        f"CREATE TABLE {history} (version character varying NOT NULL PRIMARY KEY)",
        "CREATE TABLE public.ar_internal_metadata (key character varying NOT NULL PRIMARY KEY, value character varying,"
        " created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL)",
    )
    row = f"INSERT INTO {history} VALUES (%(version)s)"
    gone = f"DELETE FROM {history} WHERE version = %(version)s"

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        key = 2053462845 * zlib.crc32(str(self.parts["dbname"]).encode())
        with self.session() as conn, self.session() as sibling:
            sibling.execute("SELECT pg_try_advisory_lock(%s)", [key])
            yield conn


class ReplayedTern(Replay):
    """A number in a table without a key, under a lock of the session's own."""

    history = "public.schema_version"
    application_name = "tern"
    table = (f"CREATE TABLE {history} (version int4 NOT NULL)", f"INSERT INTO {history} VALUES (0)")
    row = f"UPDATE {history} SET version = %(number)s %% 100"
    gone = f"UPDATE {history} SET version = %(number)s %% 100 - 1"

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        with self.session() as conn:
            conn.execute("SELECT pg_advisory_lock(9628173550095224)")
            yield conn


class ReplayedSqitch(Replay):
    """DDL runs in a psql that has ended before the rows; the session with the lock writes those.

    Of each change that session begins a transaction, and locks `changes` in it, before it starts the psql.
    """

    history = "sqitch.events"
    application_name = ""
    together = False
    table = (
        "CREATE SCHEMA IF NOT EXISTS sqitch",
        "CREATE TABLE sqitch.changes (change_id text PRIMARY KEY, change text NOT NULL, project text NOT NULL)",
        f"CREATE TABLE {history} (event text NOT NULL, change_id text NOT NULL, change text NOT NULL, project text NOT NULL,"
        " note text NOT NULL DEFAULT '', requires text[] NOT NULL DEFAULT '{}', conflicts text[] NOT NULL DEFAULT '{}',"
        " tags text[] NOT NULL DEFAULT '{}', committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), committer_name"
        " text NOT NULL DEFAULT '', committer_email text NOT NULL DEFAULT '', planned_at timestamptz NOT NULL DEFAULT now(),"
        " planner_name text NOT NULL DEFAULT '', planner_email text NOT NULL DEFAULT '',"
        " PRIMARY KEY (change_id, committed_at))",
    )
    event = f"INSERT INTO {history} (event, change_id, change, project) VALUES ('{{}}', %(version)s, %(name)s, 'shop')"
    row = event.format("deploy")
    gone = event.format("revert")
    failed = event.format("fail")

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        with self.session() as conn:
            conn.execute("SELECT pg_advisory_lock(75474063)")
            yield conn

    def move(self, conn: Connection, script: Script, statements: tuple[str, ...], row: str) -> None:
        try:
            with conn.transaction():
                conn.execute("LOCK TABLE sqitch.changes IN EXCLUSIVE MODE")
                self._psql(script, statements)
                if row == self.row:
                    conn.execute(
                        "INSERT INTO sqitch.changes VALUES (%(version)s, %(name)s, 'shop')", self.values(script)
                    )
                else:
                    conn.execute("DELETE FROM sqitch.changes WHERE change_id = %(version)s", self.values(script))
                self.write_row(conn, script, row)
        except psycopg.Error:
            self.write_row(conn, script, self.failed)
            raise

    def _psql(self, script: Script, statements: tuple[str, ...]) -> None:
        with self.session("psql") as psql:
            if script.transactional:
                with psql.transaction():
                    execute(psql, statements)
            else:
                execute(psql, statements)

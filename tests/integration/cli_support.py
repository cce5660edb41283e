"""What the tests of the commands share: a small recorded history, and the program run as a user runs it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

import psycopg

from sandbox import fork_server

HOSTILE = 'evil\x1b[31m "quoted" [red]name'

HISTORY = """
INSERT INTO pggit.commits (hash, branch_id, kind, author, message, occurred_at, source_lsn, source_xid,
                           tree_hash, objects_changed, metadata, parent_commit_hash)
SELECT encode(sha256(n::text::bytea), 'hex'), 1, kind, 'ann', message,
       '2026-01-01 12:00+00'::timestamptz + n * '1 min'::interval,
       ('0/' || n)::pg_lsn, 700 + n, 'tree' || n, 1, metadata::jsonb,
       CASE WHEN n > 1 THEN encode(sha256((n - 1)::text::bytea), 'hex') END
FROM (VALUES (1, 'baseline', 'Baseline', '{}'),
             (2, 'migration', 'flyway: 1 first',
              '{"session": {"application_name": "PostgreSQL JDBC Driver", "pid": 42}}'),
             (3, 'out_of_band', 'ALTER TABLE', '{"session": {"application_name": "psql", "client_addr": "10.0.0.7"}}'))
     AS c (n, kind, message, metadata);
INSERT INTO pggit.external_migrations (migration_id, tool_name, migration_name, source, version, status, evidence,
                                       success, pggit_commit_id, execution_time, applied_at, checksum)
VALUES (1, 'flyway', 'first', 'public.flyway_schema_history', '1', 'applied', 'lock', true, 2, '12 ms',
        '2026-01-01 12:02+00', '-77'),
       (1, 'liquibase', 'one', 'public.databasechangelog', 'a:1', 'applied', 'baseline', true, 1, NULL, now(), NULL),
       (2, 'flyway', 'second', 'public.flyway_schema_history', '1.2', 'applied', NULL, true, NULL, NULL, now(), NULL),
       (5, 'flyway', 'fifth', 'public.flyway_schema_history', '5', 'failed', NULL, false, NULL, NULL, now(), NULL);
INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, part)
VALUES ('flyway', 'public.flyway_schema_history', 1, 2, 'lock', false),
       ('flyway', 'public.flyway_schema_history', 2, 3, 'window', true);
INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)
VALUES ('public.flyway_schema_history', 'flyway', 'flyway', 'public', 'flyway_schema_history', 'discovered');
INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description)
VALUES ('out_of_band', 'table', 'public.users', 'changed by hand');
INSERT INTO pggit_daemon.progress (slot_name, commit_lsn, end_lsn, head, context)
VALUES ('cli_test', '0/3', '0/3', encode(sha256('3'), 'hex'), '{}');
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str, dsn: str | None = None, **variables: str) -> Outcome:
    """Run the program as a user would; the environment holds nothing that it was not given."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | variables
    options = ("--dsn", dsn) if dsn is not None else ()
    done = fork_server.run([*arguments, *options], environment=environment, timeout=60)
    return Outcome(done.returncode, done.stdout, done.stderr)


def commit_hash(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def add_version(
    conn: psycopg.Connection[Any], identity: str, objid: int, definition: str, *, begin: int, end: int | None
) -> None:
    conn.execute(
        "INSERT INTO pggit_daemon.blob VALUES (sha256(convert_to(%(d)s, 'UTF8')), %(d)s::text, NULL, '{}')"
        " ON CONFLICT DO NOTHING",
        {"d": definition},
    )
    conn.execute(
        "INSERT INTO pggit_daemon.object_version"
        " (type, schema_name, identity, classid, objid, blob, from_commit, to_commit)"
        " VALUES ('table', 'public', %s, 1259, %s, sha256(convert_to(%s, 'UTF8')), %s, %s)",
        (identity, objid, definition, begin, end),
    )


def record(dsn: str) -> None:
    """Write three commits: users changes in 2, a table is renamed in 3, one is dropped in 3."""
    with psycopg.connect(dsn) as conn:
        conn.execute(HISTORY)
        add_version(conn, "public.users", 1, "CREATE TABLE public.users (\n    id integer\n);\n", begin=1, end=2)
        add_version(conn, "public.users", 1, "CREATE TABLE public.users (\n    id bigint\n);\n", begin=2, end=None)
        add_version(conn, "public.before", 2, "CREATE TABLE public.before ();\n", begin=1, end=3)
        add_version(conn, "public.after", 2, "CREATE TABLE public.after ();\n", begin=3, end=None)
        add_version(conn, f"public.{HOSTILE}", 3, f"CREATE TABLE {HOSTILE};\n", begin=1, end=3)

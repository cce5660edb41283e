"""What commits cost while four sessions run DDL at once: `python -m tests.bench.concurrent_ddl`.

The sessions run without a pause, each in a schema of its own, on a catalog that is full of dead rows and never
vacuumed, while the daemon follows. Transactions that ran at once may have described each other's objects with old
names, so the daemon reads such objects again. Out: CPU of the daemon and of its sessions in the server for each
commit, and the time of a refresh.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon
from tests.bench.backlog import CAUGHT_UP, counted

SESSIONS = 4
TABLES = 5
STATEMENTS = (
    "CREATE TABLE {s}.t{t} (id bigint PRIMARY KEY, name text NOT NULL DEFAULT 'x')",
    "CREATE INDEX ON {s}.t{t} (name)",
    "CREATE VIEW {s}.v{t} AS SELECT id, name FROM {s}.t{t}",
    "ALTER TABLE {s}.t{t} ADD COLUMN more int CHECK (more > 0)",
    "COMMENT ON TABLE {s}.t{t} IS 'c'",
    "ALTER TABLE {s}.t{t} RENAME COLUMN name TO title",
    "GRANT SELECT ON {s}.t{t} TO pg_monitor",
    "DROP TABLE {s}.t{t} CASCADE",
)
TRIGGERS = ("pggit_daemon_ddl", "pggit_daemon_drop")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=20.0, help="how long the sessions run DDL")
    arguments.add_argument("--dead-rows", type=int, default=20_000, help="tables made and dropped before")
    chosen = arguments.parse_args()
    with Cluster.start(durable=True) as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_database("bench")
        dsn = cluster.dsn("bench")
        _prepare(dsn, chosen.dead_rows)
        with Daemon(dsn, Path(folder), cold=True) as daemon:
            daemon.wait_caught_up()
            before = _commits(dsn)
            with counted(dsn, daemon.pid) as cost:
                sessions = [
                    threading.Thread(target=_session, args=[dsn, f"s{number}", time.monotonic() + chosen.seconds])
                    for number in range(SESSIONS)
                ]
                for session in sessions:
                    session.start()
                for session in sessions:
                    session.join()
                daemon.wait_caught_up(CAUGHT_UP)
                mine, server = cost()
            made = _commits(dsn) - before
            refreshes = [
                event["seconds"] * 1000 for event in daemon.events() if event.get("event") == "definitions_refreshed"
            ]
    print(
        f"{made} commits: CPU for each {(mine + server) / made * 1000:.2f} ms (aim: at most 10), of that the daemon's"
        f" {mine / made * 1000:.2f} ms; {len(refreshes)} refreshes of {statistics.median(refreshes or [0.0]):.1f} ms"
        f" (median), at most {max(refreshes, default=0.0):.1f} ms"
    )


def _prepare(dsn: str, dead_rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        install(conn)
        conn.execute("SET client_min_messages = error")
        for number in range(SESSIONS):
            conn.execute(f"CREATE SCHEMA s{number}".encode())
        for trigger in TRIGGERS:
            conn.execute(f"ALTER EVENT TRIGGER {trigger} DISABLE".encode())
        for _ in range(dead_rows):
            conn.execute("CREATE TABLE s0.dead (a int, b int, c text, d text, e text); DROP TABLE s0.dead")
        for trigger in TRIGGERS:
            conn.execute(f"ALTER EVENT TRIGGER {trigger} ENABLE ALWAYS".encode())


def _session(dsn: str, schema: str, end: float) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET client_min_messages = error")
        number = 0
        while time.monotonic() < end:
            for statement in STATEMENTS:
                conn.execute(statement.format(s=schema, t=number % TABLES).encode())
            number += 1


def _commits(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT count(*) FROM pggit.commits").fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    main()

"""What an open migration costs those who only read: `python -m tests.bench.subtransactions`.

A transaction that takes more than 64 numbers of subtransactions overflows what each snapshot holds of them, and whoever
reads rows that were written since must look up whose they are, one by one, in pg_subtrans. So a session runs DDL in
one transaction that stays open, others change rows, and another reads these. Out: lookups while it reads, without the
capture, with it, and, to show that such lookups are counted at all, with a savepoint for each statement.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster

ROWS = 500
READINGS = 20
LOOKUPS = "SELECT blks_hit + blks_read + blks_zeroed FROM pg_stat_slru WHERE name IN ('Subtrans', 'subtransaction')"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--statements", type=int, default=200, help="DDL statements of the open transaction")
    chosen = arguments.parse_args()
    # The statistics of a session reach the others at its end at the latest.
    with Cluster.start({"max_locks_per_transaction": "1000"}) as cluster:
        for name in ("without the capture", "with the capture", "with a savepoint for each statement"):
            database = name.replace(" ", "_")
            cluster.create_database(database)
            dsn = cluster.dsn(database)
            if name == "with the capture":
                with psycopg.connect(dsn) as conn:
                    install(conn)
            found = _lookups(dsn, chosen.statements, savepoints="savepoint" in name)
            print(f"lookups beside a transaction of {chosen.statements} DDL statements, {name}: {found}", flush=True)
    print("(aim with the capture: 0)")


def _lookups(dsn: str, statements: int, *, savepoints: bool) -> int:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"CREATE TABLE rows AS SELECT id FROM generate_series(1, {ROWS}) AS id".encode())
    with psycopg.connect(dsn) as migration:
        for number in range(statements):
            if savepoints:
                migration.execute("SAVEPOINT s")
            migration.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY)".encode())
        with psycopg.connect(dsn, autocommit=True) as conn:
            for number in range(ROWS):
                conn.execute("UPDATE rows SET id = id WHERE id = %s", [number + 1])
        before = _counted(dsn)
        with psycopg.connect(dsn, autocommit=True) as conn:
            for _ in range(READINGS):
                conn.execute("SELECT count(*) FROM rows")
        return _counted(dsn) - before


def _counted(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute(LOOKUPS).fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    main()

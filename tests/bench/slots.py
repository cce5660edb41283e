"""What a slot for each database costs a busy server: `python -m tests.bench.slots`.

Every slot decodes the WAL of the whole server, also of databases that it is not of. A private server has many
databases with a slot of the daemon's kind in each, streamed by pg_recvlogical with the daemon's own options, while
pgbench runs in a database of its own. Out, for each number of slots: CPU of the server's processes that stream, for
each transaction of pgbench and for each slot; and how many cores that is at 1,000 transactions a second.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from pggit_daemon.decode.wal2json import options
from pggit_daemon.model.transaction import TableName
from sandbox.cluster import Cluster

WATCHED = TableName("public", "flyway_schema_history")
SENDERS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'"
CLIENTS = 4
BEHIND = "SELECT bool_and(confirmed_flush_lsn >= %s::pg_lsn) FROM pg_replication_slots"
CAUGHT_UP = 600.0  # seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--slots", type=int, nargs="+", default=[1, 10, 50])
    arguments.add_argument("--transactions", type=int, default=10_000, help="of pgbench, for each number of slots")
    chosen = arguments.parse_args()
    most = max(chosen.slots)
    settings = {
        "max_wal_senders": str(most + 5),
        "max_replication_slots": str(most + 5),
        "max_connections": str(most + 50),
    }
    with Cluster.start(settings) as cluster:
        subprocess.run([cluster.bin / "pgbench", "-i", "-q", "-s", "5", cluster.dsn()], check=True, capture_output=True)
        for count in sorted(chosen.slots):
            _measure(cluster, count, chosen.transactions)


def _measure(cluster: Cluster, count: int, transactions: int) -> None:
    with _streams(cluster, count), psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        _caught_up(conn)
        pids = [row[0] for row in conn.execute(SENDERS).fetchall()]
        assert len(pids) == count
        before = sum(map(_seconds, pids))
        done = _pgbench(cluster, transactions)
        _caught_up(conn)
        spent = sum(map(_seconds, pids)) - before
    print(
        f"{count} slots: {spent / done * 1e6:.0f} us of CPU a transaction, {spent / done / count * 1e6:.1f} us for each"
        f" slot; at 1,000 transactions a second {spent / done * 1000:.2f} cores",
        flush=True,
    )


@contextmanager
def _streams(cluster: Cluster, count: int) -> Iterator[None]:
    """Make databases with a slot each that is read from; all end with the block."""
    wanted = [part for pair in options([WATCHED]).items() for part in ("-o", "=".join(pair))]
    program = [
        str(Path(cluster.bin) / "pg_recvlogical"),
        "-F",
        "1",
        "-s",
        "1",
        "--start",
        "-f",
        "/dev/null",
        "--no-loop",
    ]
    readers = []
    try:
        for number in range(count):
            name = f"slot_{number}"
            cluster.create_database(name)
            with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
                conn.execute("SELECT pg_create_logical_replication_slot(%s, 'wal2json')", [name])
            readers.append(
                subprocess.Popen([*program, "-d", cluster.dsn(name), "-S", name, *wanted], stderr=subprocess.DEVNULL)
            )
        with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
            deadline = time.monotonic() + CAUGHT_UP
            while len(conn.execute(SENDERS).fetchall()) < count and time.monotonic() < deadline:
                time.sleep(0.1)
        yield
    finally:
        for reader in readers:
            reader.terminate()
        for reader in readers:
            reader.wait()
        for number in range(len(readers)):
            with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
                _drop_slot(conn, f"slot_{number}")
            cluster.drop_database(f"slot_{number}")


def _drop_slot(conn: psycopg.Connection, name: str) -> None:
    free = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s AND NOT active"
    while conn.execute("SELECT FROM pg_replication_slots WHERE slot_name = %s", [name]).fetchone() is not None:
        if conn.execute(free, [name]).fetchone() is None:
            time.sleep(0.05)


def _pgbench(cluster: Cluster, transactions: int) -> int:
    each = transactions // CLIENTS
    options_ = ["-n", "-N", "-M", "prepared", f"-c{CLIENTS}", "-j1", f"-t{each}"]
    command = [str(cluster.bin / "pgbench"), *options_, cluster.dsn()]
    subprocess.run(command, check=True, capture_output=True)
    return each * CLIENTS


def _caught_up(conn: psycopg.Connection) -> None:
    """Wait until every slot has come to where the WAL ends now."""
    (target,) = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone() or ("0/0",)
    deadline = time.monotonic() + CAUGHT_UP
    while conn.execute(BEHIND, [target]).fetchone() != (True,) and time.monotonic() < deadline:
        conn.execute("SELECT pg_logical_emit_message(true, '', '')")
        time.sleep(0.2)


def _seconds(pid: int) -> float:
    """CPU seconds that a process has run, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


if __name__ == "__main__":
    main()

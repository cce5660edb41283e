"""What many databases in one process cost while nothing happens: `python -m tests.bench.fleet`.

A private server with so many databases, each with its slot and its recorded history, is followed by one daemon. Out:
its memory, its share of a core, the server's share, how many server processes it has there, how long it took to begin;
and, after that silence, the time from a statement's commit in one of them to the visible commit of ours.
Aims for 100 databases: at most 100 MB empty and 300 MB with 3,000 objects each, 2 % of a core, one server process each.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon

ROLE = "fleet_daemon"
TEMPLATE = "fleet_template"
DATABASE = '[[database]]\nname = "{name}"\ndsn = "{dsn}"\nslot = "{name}"\n'
# Each of these makes ten objects, of which two are files on the disk: many clones of them fit.
TEN = (
    "CREATE TABLE app.things_{n} (id bigint PRIMARY KEY, name text NOT NULL);"
    "CREATE VIEW app.names_of_{n} AS SELECT id, name FROM app.things_{n};"
)
FUNCTION = "CREATE FUNCTION app.compute_{n}_{m}(first integer, second text) RETURNS text LANGUAGE sql AS 'SELECT $2';"
BEGIN_AT = """
    UPDATE pggit_daemon.progress AS p SET slot_name = s.slot_name, commit_lsn = s.confirmed_flush_lsn,
        end_lsn = s.confirmed_flush_lsn, bound_lsn = s.confirmed_flush_lsn
    FROM pg_catalog.pg_replication_slots AS s WHERE s.slot_name = %s
"""
RECORDED = "SELECT count(*) FROM pggit.commits WHERE message LIKE '%%' || %s || '%%'"
MEASURED = 20  # databases in which something is done after the silence
SAMPLE = 0.5  # seconds
READY = 600.0  # seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--databases", type=int, default=100)
    arguments.add_argument("--objects", type=int, default=0, help="of each database")
    arguments.add_argument("--settle", type=float, default=90.0, help="seconds until measuring begins")
    arguments.add_argument("--seconds", type=float, default=60.0, help="how long CPU is measured")
    chosen = arguments.parse_args()
    room = {
        "max_connections": str(50 + 8 * chosen.databases),
        "max_wal_senders": str(10 + chosen.databases),
        "max_replication_slots": str(10 + chosen.databases),
        "max_locks_per_transaction": "1000",
        "autovacuum": "off",
    }
    with Cluster.start(room) as cluster, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _template(cluster, folder, chosen.objects)
        names = [f"fleet_{number}" for number in range(chosen.databases)]
        for one in names:
            _clone(cluster, one)
        config = folder / "config.toml"
        config.write_text("".join(DATABASE.format(name=one, dsn=_own(cluster, one)) for one in names))
        began = time.monotonic()
        daemon = Daemon(cluster.dsn(names[0]), folder, ["--config", str(config)], cold=True)
        daemon.start()
        try:
            daemon.wait_ready(READY)
            print(f"{chosen.databases} databases of {chosen.objects} objects:")
            print(f"  ready after {time.monotonic() - began:.1f} s, memory {_memory(daemon.pid):.0f} MB")
            time.sleep(chosen.settle)
            _idle(cluster, daemon, chosen.seconds, chosen.databases)
            before = _cpu(cluster, daemon)
            _latency([cluster.dsn(one) for one in names[:MEASURED]])
            after = _cpu(cluster, daemon)
            print(
                f"  each took, with all {chosen.databases} slots decoding it:"
                f" daemon {(after.daemon - before.daemon) / MEASURED * 1000:.0f} ms of CPU,"
                f" server {(after.server - before.server) / MEASURED * 1000:.0f} ms"
            )
            print(f"  memory then: {_memory(daemon.pid):.0f} MB")
            daemon.stop()
        finally:
            daemon.kill()


def _own(cluster: Cluster, database: str) -> str:
    return make_conninfo(cluster.dsn(database), user=ROLE)


def _template(cluster: Cluster, folder: Path, objects: int) -> None:
    """One database with its history, which all others are copies of."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {ROLE} LOGIN REPLICATION IN ROLE pg_read_all_data, pg_read_all_stats".encode())
    cluster.create_database(TEMPLATE)
    with psycopg.connect(cluster.dsn(TEMPLATE), autocommit=True) as conn:
        install(conn, daemon_role=ROLE)
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE; CREATE SCHEMA app")
        for number in range(objects // 10):
            functions = "".join(FUNCTION.format(n=number, m=m) for m in range(7))
            conn.execute((TEN.format(n=number) + functions).encode())
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS")
    with Daemon(cluster.dsn(TEMPLATE), folder, ["--dsn", _own(cluster, TEMPLATE)], name="template") as daemon:
        verified = lambda: any(event.get("event") == "verified" for event in daemon.events())  # noqa: E731
        daemon.wait_for(verified, "sure of its first commit", READY)
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("SELECT pg_drop_replication_slot('pggit_daemon')")


def _clone(cluster: Cluster, name: str) -> None:
    """A copy, with a slot from which its history goes on."""
    cluster.create_database(name, TEMPLATE)
    with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'wal2json')", [name])
        conn.execute(BEGIN_AT, [name])


def _idle(cluster: Cluster, daemon: Daemon, seconds: float, databases: int) -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        before, began, counts = _cpu(cluster, daemon), time.monotonic(), []
        while (passed := time.monotonic() - began) < seconds:
            row = conn.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [ROLE]).fetchone()
            counts.append(int(row[0]) if row else 0)
            time.sleep(SAMPLE)
        after = _cpu(cluster, daemon)
    print(f"  memory: {_memory(daemon.pid):.0f} MB")
    print(
        f"  CPU: daemon {(after.daemon - before.daemon) / passed:.2%} of a core,"
        f" server {(after.server - before.server) / passed:.2%} (with the sampling)"
    )
    print(
        f"  server processes: {statistics.mean(counts) / databases:.2f} for each database,"
        f" at most {max(counts) / databases:.2f}"
    )


def _latency(dsns: list[str]) -> None:
    delays = []
    for dsn in dsns:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("CREATE TABLE public.after_silence (id integer)")
            committed = time.perf_counter()
            while conn.execute(RECORDED, ["after_silence"]).fetchone() == (0,):
                time.sleep(0.0005)
            delays.append((time.perf_counter() - committed) * 1000)
    print(f"  first commit after silence: p50 {statistics.median(delays):.1f} ms, at most {max(delays):.1f} ms")


@dataclass(frozen=True, slots=True)
class _Cpu:
    """Seconds of a core used until now."""

    daemon: float
    server: float


def _cpu(cluster: Cluster, daemon: Daemon) -> _Cpu:
    assert cluster.pid is not None
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(cluster.pid)], check=True, capture_output=True, text=True
    ).stdout.split()
    server = _seconds(cluster.pid, ended=True) + sum(_seconds(int(child)) for child in children)
    return _Cpu(_seconds(daemon.pid), server)


def _seconds(pid: int, *, ended: bool = False) -> float:
    """What a process has used; with `ended`, and its children that are gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """Megabytes in the memory of the machine."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()

"""What the daemon costs and how fast it links beside a busy server: `python -m tests.bench.beside_load`.

A private server with fsync runs pgbench at a fixed rate; the real daemon follows it as a process.
Out: its share of a core with nothing to do but pass unrelated transactions by; and the time from the commit of a
migration (a table made and its history row, in one transaction) until another session sees the linked commit.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon

WARM_UP = 3.0  # seconds
PAUSE = 0.05  # seconds between migrations
CLIENTS = 8


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=int, default=4000, help="transactions of pgbench a second")
    arguments.add_argument("--seconds", type=float, default=15.0, help="how long CPU is measured")
    arguments.add_argument("--migrations", type=int, default=200)
    chosen = arguments.parse_args()
    with Cluster.start(durable=True) as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_database("bench")
        dsn = cluster.dsn("bench")
        _prepare(cluster, dsn)
        with Daemon(dsn, Path(folder), ["--config", str(_configuration(Path(folder), dsn))], cold=True) as daemon:
            print("idle server:")
            _latency(dsn, chosen.migrations, first=1)
            load = _load(cluster, dsn, chosen.rate, chosen.seconds + WARM_UP + chosen.migrations * 0.2)
            try:
                time.sleep(WARM_UP)
                print(f"beside pgbench at {chosen.rate} transactions a second:")
                _cpu(dsn, daemon.pid, chosen.seconds)
                _latency(dsn, chosen.migrations, first=chosen.migrations + 1)
            finally:
                load.terminate()
                load.wait()


def _prepare(cluster: Cluster, dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        install(conn)
        conn.execute("CREATE TABLE public.applied (id int PRIMARY KEY)")
    subprocess.run([cluster.bin / "pgbench", "-i", "-q", "-s", "10", dsn], check=True, capture_output=True)


def _configuration(folder: Path, dsn: str) -> Path:
    file = folder / "config.toml"
    source = '[[database.source]]\nname = "applied"\ntable = "public.applied"\ncolumns = { id = "id" }\n'
    file.write_text(f'[[database]]\nname = "bench"\ndsn = "{dsn}"\n{source}')
    return file


def _load(cluster: Cluster, dsn: str, rate: int, seconds: float) -> subprocess.Popen[bytes]:
    command = [str(cluster.bin / "pgbench"), "-n", "-N", "-M", "prepared", f"-c{CLIENTS}", "-j1"]
    command += [f"-R{rate}", f"-T{int(seconds) + 30}", dsn]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _cpu(dsn: str, pid: int, seconds: float) -> None:
    before, began, done = _ticks(pid), time.monotonic(), _transactions(dsn)
    time.sleep(seconds)
    passed = time.monotonic() - began
    share = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / passed
    rate = (_transactions(dsn) - done) / passed
    print(f"  CPU of the daemon: {share:.1%} of a core, at {rate:.0f} transactions a second")


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _transactions(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        conn.execute("SELECT pg_stat_clear_snapshot()")
        row = conn.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
        return int(row[0]) if row else 0


def _latency(dsn: str, count: int, *, first: int) -> None:
    delays = []
    linked = "SELECT pggit_commit_id FROM pggit.external_migrations WHERE source = 'applied' AND migration_id = %s"
    with psycopg.connect(dsn) as tool, psycopg.connect(dsn, autocommit=True) as other:
        for number in range(first, first + count):
            tool.execute(f"CREATE TABLE public.made_{number} (id int PRIMARY KEY)".encode())
            tool.execute("INSERT INTO public.applied VALUES (%s)", [number])
            tool.commit()
            committed = time.perf_counter()
            while (other.execute(linked, [number]).fetchone() or (None,))[0] is None:
                time.sleep(0.0002)
            delays.append((time.perf_counter() - committed) * 1000)
            time.sleep(PAUSE)
    cuts = statistics.quantiles(delays, n=100)
    print(f"  commit to visible link: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms ({count} migrations)")


if __name__ == "__main__":
    main()

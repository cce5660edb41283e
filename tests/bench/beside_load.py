"""What the daemon costs and how fast it links beside a busy server: `python -m tests.bench.beside_load`.

A private server with fsync runs pgbench at a fixed rate; the real daemon follows it as a process.
Out: its CPU with nothing to do but pass unrelated transactions by, how many messages of the server that were, and how
often it woke up for them; and the time from the commit of a migration (a table made and its history row, in one
transaction) until another session sees the linked commit. While migrations come the daemon looks more often, so CPU is
measured where none has come for a while, and again while they do.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from pggit_daemon.decode.plugins import PLUGINS
from pggit_daemon.install import install
from pggit_daemon.replication.pacing import ALERT
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon

WARM_UP = ALERT + 2  # seconds
PAUSE = 0.05  # seconds between migrations
CLIENTS = 8


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=int, default=4000, help="transactions of pgbench a second")
    arguments.add_argument("--seconds", type=float, default=15.0, help="how long CPU is measured")
    arguments.add_argument("--migrations", type=int, default=200)
    arguments.add_argument("--plugin", choices=PLUGINS, default="wal2json")
    chosen = arguments.parse_args()
    with Cluster.start(durable=True) as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_database("bench")
        dsn = cluster.dsn("bench")
        _prepare(cluster, dsn)
        with Daemon(
            dsn, Path(folder), ["--config", str(_configuration(Path(folder), dsn, chosen.plugin))], cold=True
        ) as daemon:
            print("idle server:")
            _latency(dsn, chosen.migrations, first=1)
            load = _load(cluster, dsn, chosen.rate, chosen.seconds + WARM_UP + chosen.migrations * 0.2)
            try:
                time.sleep(WARM_UP)
                print(f"beside pgbench at {chosen.rate} transactions a second:")
                with _Costs(dsn, daemon, "with nothing of ours"):
                    time.sleep(chosen.seconds)
                with _Costs(dsn, daemon, "while migrations come"):
                    _latency(dsn, chosen.migrations, first=chosen.migrations + 1)
            finally:
                load.terminate()
                load.wait()


def _prepare(cluster: Cluster, dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        install(conn)
        conn.execute("CREATE TABLE public.applied (id int PRIMARY KEY)")
    subprocess.run([cluster.bin / "pgbench", "-i", "-q", "-s", "10", dsn], check=True, capture_output=True)


def _configuration(folder: Path, dsn: str, plugin: str) -> Path:
    file = folder / "config.toml"
    source = '[[database.source]]\nname = "applied"\ntable = "public.applied"\ncolumns = { id = "id" }\n'
    file.write_text(f'[[database]]\nname = "bench"\ndsn = "{dsn}"\nplugin = "{plugin}"\n{source}')
    return file


def _load(cluster: Cluster, dsn: str, rate: int, seconds: float) -> subprocess.Popen[bytes]:
    command = [str(cluster.bin / "pgbench"), "-n", "-N", "-M", "prepared", f"-c{CLIENTS}", "-j1"]
    command += [f"-R{rate}", f"-T{int(seconds) + 30}", dsn]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class _Costs:
    """What the daemon used meanwhile. Its CPU is from the clock that the kernel keeps of each process."""

    def __init__(self, dsn: str, daemon: Daemon, when: str) -> None:
        self._dsn = dsn
        self._daemon = daemon
        self._when = when

    def __enter__(self) -> None:
        self._before = self._figures()

    def __exit__(self, *_exc: object) -> None:
        seconds, cpu, done, frames, reads, woken = (
            after - before for before, after in zip(self._before, self._figures(), strict=True)
        )
        print(
            f"  {self._when}: CPU of the daemon {cpu / seconds:.1%} of a core, at {done / seconds:.0f} transactions"
            f" a second; {frames / seconds:.0f} messages of the server in {reads / seconds:.0f} reads a second,"
            f" {woken / seconds:.0f} wake-ups a second of the process"
        )

    def _figures(self) -> tuple[float, ...]:
        threads = list(Path(f"/proc/{self._daemon.pid}/task").iterdir())
        cpu = time.clock_gettime(~self._daemon.pid << 3 | 2)  # of all its threads, those that have ended too
        return (
            time.monotonic(),
            cpu,
            _transactions(self._dsn),
            self._daemon.metric("pggit_stream_frames_total"),
            self._daemon.metric("pggit_stream_reads_total"),
            sum(map(_wake_ups, threads)),
        )


def _wake_ups(thread: Path) -> int:
    try:
        lines = (thread / "status").read_text().splitlines()
    except OSError:
        return 0  # it has just ended
    # Of one that ends meanwhile the file may be empty.
    return next((int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches")), 0)


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

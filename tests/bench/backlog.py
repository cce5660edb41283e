"""How fast a backlog is recorded, and what it takes: `python -m tests.bench.backlog`.

The daemon is away while DDL runs; then it comes back. Out, for each kind of backlog: how many a second are recorded,
CPU of the daemon and of its sessions in the server for each, and the daemon's peak of memory. Kinds: transactions of
one statement made by hand (two sizes: their ratio says whether the cost is linear), migrations of three statements and
a history row, and one transaction of many tables.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon

CAUGHT_UP = 1800  # seconds
STREAMING = "SELECT FROM pg_stat_replication WHERE application_name LIKE 'pggit-daemon%'"
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pggit-daemon%'"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds for all of a backlog: of the clock, of the daemon's CPU, of its sessions'; and the peak in MB."""

    count: int
    seconds: float
    daemon: float
    server: float
    peak: float

    def says(self, what: str, aim: str) -> str:
        each = 1000 / self.count
        return (
            f"{self.count} {what}: {self.count / self.seconds:.0f} a second{aim}; CPU for each: daemon"
            f" {self.daemon * each:.2f} ms, server {self.server * each:.2f} ms; peak of the daemon {self.peak:.0f} MB"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--statements", type=int, default=10_000, help="transactions made by hand")
    arguments.add_argument("--migrations", type=int, default=1_000)
    arguments.add_argument("--tables", type=int, default=3_000, help="in one transaction")
    arguments.add_argument("--only", choices=("statements", "migrations", "tables"))
    chosen = arguments.parse_args()
    settings = {"max_locks_per_transaction": "1000"}
    with Cluster.start(settings, durable=True) as cluster, tempfile.TemporaryDirectory() as folder:
        if chosen.only in {None, "statements"}:
            few = _backlog(cluster, Path(folder), "few", chosen.statements // 4, _statements)
            many = _backlog(cluster, Path(folder), "many", chosen.statements, _statements)
            print(few.says("statements by hand", ""))
            print(many.says("statements by hand", " (aim: at least 500)"))
            ratio = (many.daemon + many.server) / many.count / ((few.daemon + few.server) / few.count)
            print(f"CPU for each of {many.count} / of {few.count}: {ratio:.2f} (aim: at most 1.2, linear)")
        if chosen.only in {None, "migrations"}:
            made = _backlog(cluster, Path(folder), "migrations", chosen.migrations, _migrations)
            print(made.says("migrations of 3 statements", " (aim: at least 200)"))
        if chosen.only in {None, "tables"}:
            one = _backlog(cluster, Path(folder), "tables", chosen.tables, _tables)
            print(one.says("tables in one transaction", "") + f", in {one.seconds:.1f} s (aim: at most 150 MB)")


def _backlog(
    cluster: Cluster, folder: Path, name: str, count: int, make: Callable[[psycopg.Connection, int], None]
) -> Cost:
    cluster.create_database(name)
    dsn = cluster.dsn(name)
    with psycopg.connect(dsn) as conn:
        install(conn)
        conn.execute("CREATE TABLE public.applied (id int PRIMARY KEY)")
    config = folder / f"{name}.toml"
    source = '[[database.source]]\nname = "applied"\ntable = "public.applied"\ncolumns = { id = "id" }\n'
    config.write_text(f'[[database]]\nname = "{name}"\ndsn = "{dsn}"\nslot = "{name}"\n{source}')
    with Daemon(dsn, folder, ["--config", str(config)], name=name, cold=True) as daemon:
        daemon.wait_caught_up()
        daemon.stop()
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("SET client_min_messages = error")
            make(conn, count)
        print(f"  {name}: {count} made", flush=True)
        daemon.start()
        with psycopg.connect(dsn, autocommit=True) as conn:
            daemon.wait_for(lambda: conn.execute(STREAMING).fetchone() is not None, "streaming", CAUGHT_UP)
        with counted(dsn, daemon.pid) as cost:
            began = time.perf_counter()
            daemon.wait_caught_up(CAUGHT_UP)
            seconds = time.perf_counter() - began
            mine, server = cost()
        return Cost(count, seconds, mine, server, peak(daemon.pid))


def _statements(conn: psycopg.Connection, count: int) -> None:
    for number in range(count):
        body = f"CREATE OR REPLACE FUNCTION f{number % 100}() RETURNS int LANGUAGE sql AS 'SELECT {number}'"
        conn.execute(body.encode())


def _migrations(conn: psycopg.Connection, count: int) -> None:
    for number in range(count):
        with conn.transaction():
            conn.execute(f"CREATE TABLE m{number} (id int PRIMARY KEY, name text NOT NULL)".encode())
            conn.execute(f"CREATE INDEX ON m{number} (name)".encode())
            conn.execute(f"COMMENT ON TABLE m{number} IS 'made by a migration'".encode())
            conn.execute("INSERT INTO public.applied VALUES (%s)", [number + 1])


def _tables(conn: psycopg.Connection, count: int) -> None:
    with conn.transaction():
        for number in range(count):
            columns = "id bigint PRIMARY KEY, name text NOT NULL, made timestamptz DEFAULT now(), a int, b int"
            conn.execute(f"CREATE TABLE t{number} ({columns})".encode())


@contextmanager
def counted(dsn: str, pid: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """Give the CPU seconds since it began: of the daemon, and of its sessions that are there at the end."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        pids = [row[0] for row in conn.execute(SESSIONS).fetchall()]
        before = {one: cpu(one) for one in [pid, *pids]}

        def cost() -> tuple[float, float]:
            now = [row[0] for row in conn.execute(SESSIONS).fetchall()]
            return cpu(pid) - before[pid], sum(cpu(one) - before.get(one, 0.0) for one in now)

        yield cost


def cpu(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def peak(pid: int) -> float:
    """Peak resident memory in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


if __name__ == "__main__":
    main()

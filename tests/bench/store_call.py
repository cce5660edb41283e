"""What storing a commit costs: `python -m tests.bench.store_call`.

A private server with fsync; plans of migrations (a table and its history row in one transaction each) as the core makes
them, stored as the pipeline does, ahead of the server's disk: one by one, and as a backlog in pieces of 50. Out: CPU of
this process for a commit (what the daemon's own would be), CPU of the server's backend, and the time from call to
visible. Nothing else is measured: the stream is `tests.bench.beside_load`.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

from pggit_daemon.db.connections import STORING, connect
from pggit_daemon.install import install
from pggit_daemon.model.lsn import ZERO
from pggit_daemon.model.progress import Progress
from pggit_daemon.store.writer import Store
from sandbox.cluster import Cluster
from tests.unit.build import Flyway, Follower, Wal, flyway_source, who

WARM_UP = 50  # commits


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--commits", type=int, default=1000, help="of each kind of call")
    chosen = arguments.parse_args()
    with Cluster.start(durable=True) as cluster:
        cluster.create_database("bench")
        with psycopg.connect(cluster.dsn("bench")) as conn:
            install(conn)
        asyncio.run(_measure(cluster.dsn("bench"), chosen.commits))


async def _measure(dsn: str, commits: int) -> None:
    wal = Wal()
    flyway = Flyway(wal, who(1), who(2))
    for number in range(2 * commits + WARM_UP):
        migration = wal.begin(flyway.a)
        migration.create(f"public.t{number}")
        flyway.insert(migration)
        migration.commit()
    steps = Follower(flyway_source()).feed(*wal.transactions).steps
    conn = await connect(dsn, "bench")
    await conn.execute(STORING)
    server = _backend(conn)
    store = Store(conn, "bench")
    before, head = ZERO, None

    async def stored(some: list[Any]) -> None:
        nonlocal before, head
        head = next((step.commit.hash for step in reversed(some) if step.commit is not None), head)
        await store.put(some, Progress(some[-1].lsn, some[-1].lsn, head, "{}"), before)
        before = some[-1].lsn

    made = _by_commit(steps)
    for one in made[:WARM_UP]:
        await stored(one)
    backlog = made[WARM_UP + commits :]
    fifties = [[step for one in backlog[at : at + 50] for step in one] for at in range(0, len(backlog), 50)]
    await _timed("one by one", made[WARM_UP : WARM_UP + commits], stored, server)
    await _timed("50 in a call", fifties, stored, server)
    await conn.close()


def _by_commit(steps: Iterable[Any]) -> list[list[Any]]:
    """Each commit with what follows from it: its row, its link, the end of its transaction."""
    made: list[list[Any]] = []
    for step in steps:
        if step.commit is not None or not made:
            made.append([])
        made[-1].append(step)
    return made


async def _timed(
    name: str, calls: list[list[Any]], stored: Callable[[list[Any]], Any], server: Callable[[], float]
) -> None:
    commits = sum(step.commit is not None for call in calls for step in call)
    mine, backend, taken = time.process_time(), server(), []
    for call in calls:
        began = time.perf_counter()
        await stored(call)
        taken.append((time.perf_counter() - began) * 1000 / sum(step.commit is not None for step in call))
    mine, backend = (time.process_time() - mine) * 1000 / commits, (server() - backend) * 1000 / commits
    cuts = statistics.quantiles(taken, n=100)
    print(
        f"{name}: {mine:.2f} ms CPU of the client, {backend:.2f} ms CPU of the server a commit;"
        f" visible after p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms"
    )


def _backend(conn: psycopg.AsyncConnection[Any]) -> Callable[[], float]:
    stat = Path(f"/proc/{conn.info.backend_pid}/stat")

    def seconds() -> float:
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))

    return seconds


if __name__ == "__main__":
    main()

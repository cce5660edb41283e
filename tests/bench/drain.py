"""How fast a backlog of unrelated transactions is drained, against pg_recvlogical: `python -m tests.bench.drain`.

A private server runs pgbench behind a slot; copies of that slot drain the same WAL in turns, once with
pg_recvlogical and once with the real connection, assembler and feed in a process of its own.
Out: wall time of pg_recvlogical / ours (median of the rounds), the same of the CPU of client and walsender together,
which a busy machine changes less, our CPU per frame, and our memory.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import psycopg

from pggit_daemon.decode.assembler import Assembler
from pggit_daemon.decode.plugins import PLUGINS, decoder, options
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import TableName
from pggit_daemon.replication.connection import ReplicationConnection
from pggit_daemon.replication.feed import Feed
from sandbox.cluster import Cluster

WATCHED = TableName("public", "flyway_schema_history")
CLIENTS = 8


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--transactions", type=int, default=150_000)
    arguments.add_argument("--rounds", type=int, default=4)
    arguments.add_argument("--plugin", choices=PLUGINS, default="wal2json", help="ours; pg_recvlogical has wal2json")
    arguments.add_argument("--drain", nargs=3, metavar=("DSN", "SLOT", "END"), help="(inner) drain one slot")
    chosen = arguments.parse_args()
    if chosen.drain:
        print(json.dumps(asyncio.run(drain(chosen.plugin, *chosen.drain))))
    else:
        compare(chosen.plugin, chosen.transactions, chosen.rounds)


async def drain(plugin: str, dsn: str, slot: str, last: str) -> dict[str, float]:
    """Read the slot up to `end`; return seconds, CPU seconds, frames, and the peak of memory in MB."""
    begun, cpu = time.perf_counter(), time.process_time()
    empties, batches, end = 0, 0, LSN.parse(last)
    async with await ReplicationConnection.open(dsn) as connection:
        await connection.start(slot, LSN(0), options(plugin, [WATCHED]))
        assembler = Assembler(decoder(plugin, encoding=connection.encoding))
        async with Feed(connection, assembler, LSN(0)) as feed:
            asking = asyncio.create_task(_ask(feed))
            async for batch in feed.batches():
                empties += batch.empties
                batches += 1
                feed.acknowledge_idle(batch)
                if batch.received >= end:
                    break
            asking.cancel()
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "cpu": cpu, "frames": 2 * empties, "batches": batches, "peak_mb": peak}


async def _ask(feed: Feed) -> None:
    """Behind the last commit there may be WAL of which the server tells only when it is asked."""
    while True:
        await asyncio.sleep(0.25)
        feed.request_reply()


def compare(plugin: str, transactions: int, rounds: int) -> None:
    with Cluster.start() as cluster, psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE TABLE marker (); CREATE PUBLICATION pggit_daemon FOR TABLE marker")
        conn.execute("CREATE PUBLICATION pggit_daemon_keyed")
        pgbench(cluster, "-i", "-q", "-s", "10")  # before the slots, which would be read with a million rows more
        conn.execute("SELECT pg_create_logical_replication_slot('theirs', 'wal2json')")
        conn.execute("SELECT pg_create_logical_replication_slot('ours', %s)", [plugin])
        print(f"running {transactions} transactions of pgbench …", flush=True)
        # No fsync wait: the backlog is what counts, not how fast it came to be.
        pgbench(cluster, "-n", "-N", f"-c{CLIENTS}", "-j2", f"-t{transactions // CLIENTS}")
        row = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        theirs, ours = [], []
        costs: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        for number in range(rounds):
            # Who goes first changes, so that neither always finds the warmer caches.
            for mine in (number % 2 == 0, number % 2 == 1):
                origin = "ours" if mine else "theirs"
                slot = f"{origin}_{number}"
                conn.execute("SELECT pg_copy_logical_replication_slot(%s, %s)", [origin, slot])
                with Walsender(cluster, slot) as walsender:
                    if mine:
                        ours.append(our_drain(cluster, plugin, slot, row[0]))
                        client = ours[-1]["cpu"]  # without the start of the interpreter
                    else:
                        before = _children()
                        theirs.append(their_drain(cluster, slot, row[0]))
                        client = _children() - before
                costs[mine].append((client, walsender.seconds))
                conn.execute("SELECT pg_drop_replication_slot(%s)", [slot])
            print(
                f"round {number + 1}: pg_recvlogical {theirs[-1]:.2f} s, ours {ours[-1]['seconds']:.2f} s",
                flush=True,
            )
    report(theirs, ours)
    # What others of the machine do makes both dearer: the least is nearest to what it takes.
    (client, sender), (our_client, our_sender) = (map(min, zip(*costs[mine], strict=True)) for mine in (False, True))
    print(
        f"CPU of client + walsender: pg_recvlogical {client:.2f} + {sender:.2f} s, ours {our_client:.2f} +"
        f" {our_sender:.2f} s; pg_recvlogical / ours: {(client + sender) / (our_client + our_sender):.2f}"
    )


class Walsender:
    """CPU seconds of the walsender of a slot, which is looked at until it ends."""

    def __init__(self, cluster: Cluster, slot: str) -> None:
        self._dsn = cluster.dsn()
        self._slot = slot
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        query = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s"
        pid = None
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            while not self._over.wait(0.01):
                if pid is None:
                    (pid,) = conn.execute(query, [self._slot]).fetchone() or (None,)
                else:
                    with suppress(OSError):
                        self.seconds = time.clock_gettime(~pid << 3 | 2)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(theirs: list[float], ours: list[dict[str, float]]) -> None:
    ratio = statistics.median(theirs) / statistics.median(one["seconds"] for one in ours)
    frames = ours[0]["frames"]
    cpu = statistics.median(one["cpu"] / max(1, one["frames"]) for one in ours) * 1e6
    print(f"frames {frames:.0f}, in {statistics.median(one['batches'] for one in ours):.0f} batches")
    print(f"pg_recvlogical / ours: {ratio:.2f} (aim: at least 1.0 with wal2json, 3 with pgoutput)")
    if frames:
        print(f"CPU per frame: {cpu:.2f} µs")
    print(f"peak memory: {max(one['peak_mb'] for one in ours):.0f} MB (aim: at most 80)")


def pgbench(cluster: Cluster, *arguments: str) -> None:
    environment = os.environ | {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.port), "PGUSER": "postgres"}
    subprocess.run(["pgbench", *arguments, "postgres"], check=True, capture_output=True, env=environment)


def our_drain(cluster: Cluster, plugin: str, slot: str, end: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.drain", "--plugin", plugin, "--drain", cluster.dsn(), slot, end],
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def their_drain(cluster: Cluster, slot: str, end: str) -> float:
    """Run pg_recvlogical with the same options; its start takes some 10 ms of the measured time."""
    settings = [part for pair in options("wal2json", [WATCHED]).items() for part in ("-o", "=".join(pair))]
    begun = time.perf_counter()
    subprocess.run(
        [Path(cluster.bin) / "pg_recvlogical", "-d", cluster.dsn(), "-S", slot, "--start", "-f", "/dev/null",
         "--endpos", end, "--no-loop", *settings],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()

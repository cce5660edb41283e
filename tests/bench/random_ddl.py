"""Ten thousand steps of random DDL: `python -m tests.bench.random_ddl [steps] [seed]`.

Two sessions, transactions, savepoints; whenever no transaction is open, the record that the events make is held against
a snapshot of the catalog, object by object. Prints what was done, how many differences there were (aim: none), and the
shortest run that leads to the first one. The seed repeats it.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import random
import sys
import time

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from tests.random_ddl.machine import Arena, run

LENGTH = 60  # rules in a run, each of one to six steps


def main() -> int:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    with Cluster.start() as cluster:
        cluster.create_database("template")
        with psycopg.connect(cluster.dsn("template")) as conn:
            install(conn)
        arena = Arena.prepare(cluster, "template")
        started = time.monotonic()
        difference = ""
        rounds = 0
        while arena.counts.steps < wanted and not difference:
            try:
                left = wanted - arena.counts.steps
                run(arena, examples=min(10, 2 + left // LENGTH), steps=LENGTH, by_seed=seed + rounds)
            except AssertionError as exc:
                difference = str(exc)
            rounds += 1
        report(arena, time.monotonic() - started, difference)
    return 1 if difference else 0


def report(arena: Arena, seconds: float, difference: str) -> None:
    counts = arena.counts
    print(f"{counts.steps} steps, {counts.statements} statements, {counts.succeeded} succeeded", end="")
    print(f" ({100 * counts.succeeded / max(1, counts.statements):.0f} %), {counts.steps / seconds:.0f} steps/s")
    print(f"{counts.comparisons} comparisons of {counts.objects} objects, {counts.deferred} objects deferred")
    print(f"{len(counts.tags)} command tags: {', '.join(sorted(counts.tags))}")
    print(f"differences: {1 if difference else 0}")
    if difference:
        print(difference)


if __name__ == "__main__":
    sys.exit(main())

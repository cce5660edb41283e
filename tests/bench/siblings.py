"""What it costs a transaction with DDL to tell the sessions that look like its own: `python -m tests.bench.siblings`.

Where a tool is followed whose sessions have no application_name (yoyo), the first statement of each transaction of a
session without one also records the other sessions of its user. Two databases take the same CREATE TABLE in
transactions of their own, beside 0, 5 and 200 such sessions: one where no tool is followed, one where yoyo is. Prints
the backend's processor time for a statement, by the kernel's account, and with valgrind the instructions.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from tests.bench.ddl_overhead import CREATE, timed
from tests.bench.instructions import can_count, count, counting

BESIDE = (0, 5, 200)
WARM_UP = 10
COUNTED = 6
DATABASES = ("captured", "followed")
# As the daemon does when it begins to follow yoyo.
FOLLOW = (
    "INSERT INTO pggit_daemon.tool_application (name) VALUES ('')",
    "SELECT setval('pggit_daemon.tool_watch', 2)",
)


@contextmanager
def others(cluster: Cluster, database: str, number: int) -> Iterator[None]:
    """So many sessions that do nothing, of the same user, without a name."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(psycopg.connect(cluster.dsn(database), application_name=""))
        yield


def processor_time(cluster: Cluster, database: str, rounds: int, mark: str) -> float:
    with psycopg.connect(cluster.dsn(database), autocommit=True, prepare_threshold=None, application_name="") as conn:
        took = [timed(conn, CREATE.format(n=f"{mark}{n}")) for n in range(WARM_UP + rounds)]
    return statistics.median(took[WARM_UP:])


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with Cluster.start({"max_connections": "300"}) as cluster:
        for name in DATABASES:
            cluster.create_database(name)
            with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
                install(conn)
        with psycopg.connect(cluster.dsn("followed"), autocommit=True) as conn:
            for statement in FOLLOW:
                conn.execute(statement.encode())
        print(f"{'sessions beside':<18}{'captured':>12}{'followed':>12}{'adds':>10}   milliseconds of the processor")
        for number in BESIDE:
            found = []
            for name in DATABASES:
                with others(cluster, name, number):
                    found.append(processor_time(cluster, name, rounds, f"p{number}_"))
            print(f"{number:<18}{found[0]:>12.3f}{found[1]:>12.3f}{found[1] - found[0]:>10.3f}")
        if not can_count():
            print("Instructions are not counted: that needs valgrind.")
            return
        print(f"{'sessions beside':<18}{'captured':>12}{'followed':>12}{'adds':>10}   millions of instructions")
        with counting(cluster):
            for number in BESIDE:
                found = []
                for name in DATABASES:
                    with others(cluster, name, number):
                        statements = [CREATE.format(n=f"i{number}_{n}") for n in range(COUNTED)]
                        found.append(statistics.median(count(cluster, name, statements)[2:]) / 1e6)
                print(f"{number:<18}{found[0]:>12.2f}{found[1]:>12.2f}{found[1] - found[0]:>10.2f}")


if __name__ == "__main__":
    main()

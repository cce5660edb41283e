"""What the capture adds to one DDL statement: `python -m tests.bench.ddl_overhead [rounds]`.

Two databases of one server, one with pggit-daemon installed, take the same statements in turn, so that
whatever else the machine does hits both. Prints, for each kind of statement, the medians, what is added, and
the ratio. "after another" follows a statement in the same transaction; "new session" is the first event of a
backend, which plans everything anew. Aim: at most 0.5 ms for CREATE TABLE of 5 columns with a primary key.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster

CREATE = (
    "CREATE TABLE t{n} (id bigint PRIMARY KEY, name text NOT NULL, email varchar(200),"
    " made timestamptz DEFAULT now(), total numeric(10, 2))"
)
STATEMENTS = {
    # what is measured: the statement, where {n} counts
    "CREATE TABLE": CREATE,
    "ADD COLUMN": "ALTER TABLE t{n} ADD COLUMN extra integer",
    "CREATE INDEX": "CREATE INDEX ON t{n} (name)",
    "CREATE VIEW": "CREATE VIEW v{n} AS SELECT id, name FROM t{n} WHERE total > 0",
    "RENAME COLUMN": "ALTER TABLE t{n} RENAME COLUMN name TO full_name",
    "GRANT": "GRANT SELECT ON t{n} TO PUBLIC",
    "DROP TABLE": "DROP TABLE t{n} CASCADE",
}
AFTER_ANOTHER = "CREATE TABLE, after another"
NEW_SESSION = "CREATE TABLE, new session"
AIMS = {"CREATE TABLE": 0.5}  # milliseconds that may be added
NEW_SESSIONS = 20
WARM_UP = 10  # rounds in which plans and caches fill


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians in milliseconds."""

    statement: str
    without: float
    with_capture: float

    @property
    def added(self) -> float:
        return self.with_capture - self.without


def measure(rounds: int = 200) -> list[Figure]:
    """Run the statements `rounds` times on both databases."""
    times: dict[tuple[str, str], list[float]] = {}
    with Cluster.start() as cluster:
        for name in ("plain", "captured"):
            cluster.create_database(name)
        with psycopg.connect(cluster.dsn("captured")) as conn:
            install(conn)
        connections = {
            name: psycopg.connect(cluster.dsn(name), autocommit=True, prepare_threshold=None)
            for name in ("plain", "captured")
        }
        for n in range(WARM_UP + rounds):
            for word, statement in STATEMENTS.items():
                for name, conn in connections.items():
                    took = timed(conn, statement.format(n=n))
                    if n >= WARM_UP:
                        times.setdefault((word, name), []).append(took)
            for name, conn in connections.items():
                with conn.transaction():
                    conn.execute(CREATE.format(n=f"a{n}").encode())
                    times.setdefault((AFTER_ANOTHER, name), []).append(timed(conn, CREATE.format(n=f"b{n}")))
        for conn in connections.values():
            conn.close()
        for n in range(NEW_SESSIONS):
            for name in connections:
                with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
                    times.setdefault((NEW_SESSION, name), []).append(timed(conn, CREATE.format(n=f"c{n}")))
    return [
        Figure(word, statistics.median(times[word, "plain"]), statistics.median(times[word, "captured"]))
        for word in (*STATEMENTS, AFTER_ANOTHER, NEW_SESSION)
    ]


def timed(conn: psycopg.Connection[Any], statement: str) -> float:
    """Run a statement; return its milliseconds."""
    started = time.perf_counter()
    conn.execute(statement.encode())
    return (time.perf_counter() - started) * 1000


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{'statement':<28}{'without ms':>12}{'with ms':>12}{'added ms':>12}{'ratio':>8}{'aim':>8}")  # noqa: T201  the result
    for f in measure(rounds):
        print(  # noqa: T201  the result
            f"{f.statement:<28}{f.without:>12.3f}{f.with_capture:>12.3f}{f.added:>12.3f}"
            f"{f.with_capture / f.without:>8.2f}{AIMS.get(f.statement, ''):>8}"
        )


if __name__ == "__main__":
    main()

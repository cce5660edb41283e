"""What the capture adds to one DDL statement: `python -m tests.bench.ddl_overhead [rounds]`.

Three databases of one server take the same statements in turn, so that whatever else the machine does hits all:
one without anything, one with the least that any capture by event trigger does (it writes what the server names into a
table and reads no definition), one with pggit-daemon installed. Prints, for each kind of statement, the medians, what
that least adds, what we add, and our ratio. "after another" follows a statement in the same transaction; "new session"
is the first event of a backend, which plans everything anew.
Aim: at most 0.5 ms for CREATE TABLE of 5 columns with a primary key.
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
LEAST = """
    CREATE SCHEMA least;
    CREATE TABLE least.event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tag text, objects jsonb);
    CREATE FUNCTION least.record() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO least.event (tag, objects)
        SELECT tg_tag,
               jsonb_agg(jsonb_build_object('classid', c.classid, 'objid', c.objid, 'identity', c.object_identity))
        FROM pg_event_trigger_ddl_commands() AS c;
    END $$;
    CREATE EVENT TRIGGER least ON ddl_command_end EXECUTE FUNCTION least.record();
"""
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
    plain: float
    least: float
    captured: float


def measure(rounds: int = 200) -> list[Figure]:
    """Run the statements `rounds` times on both databases."""
    times: dict[tuple[str, str], list[float]] = {}
    with Cluster.start() as cluster:
        names = ("plain", "least", "captured")
        for name in names:
            cluster.create_database(name)
        with psycopg.connect(cluster.dsn("least")) as conn:
            conn.execute(LEAST.encode())
        with psycopg.connect(cluster.dsn("captured")) as conn:
            install(conn)
        connections = {
            name: psycopg.connect(cluster.dsn(name), autocommit=True, prepare_threshold=None) for name in names
        }
        for n in range(WARM_UP + rounds):
            # Who comes first changes: whoever follows finds warm what the other left.
            connections = {name: connections[name] for name in (*names[n % 3 :], *names[: n % 3])}
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
        Figure(word, *(statistics.median(times[word, name]) for name in names))
        for word in (*STATEMENTS, AFTER_ANOTHER, NEW_SESSION)
    ]


def timed(conn: psycopg.Connection[Any], statement: str) -> float:
    """Run a statement; return its milliseconds."""
    started = time.perf_counter()
    conn.execute(statement.encode())
    return (time.perf_counter() - started) * 1000


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{'statement':<28}{'plain ms':>10}{'least adds':>12}{'we add':>10}{'ratio':>8}{'aim':>6}")  # noqa: T201  the result
    for f in measure(rounds):
        print(  # noqa: T201  the result
            f"{f.statement:<28}{f.plain:>10.3f}{f.least - f.plain:>12.3f}{f.captured - f.plain:>10.3f}"
            f"{f.captured / f.plain:>8.2f}{AIMS.get(f.statement, ''):>6}"
        )


if __name__ == "__main__":
    main()

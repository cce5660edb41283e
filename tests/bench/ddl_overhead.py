"""What the capture adds to one DDL statement: `python -m tests.bench.ddl_overhead [rounds]`.

Three databases of one server take the same statements: one without anything, one with the least that any capture by
event trigger does (it writes what the server names into a table and reads no definition), one with pggit-daemon
installed. For each kind of statement it prints

- the processor time of the backend, by the kernel's account, so that waiting does not count: what the statement
  takes itself, what that least adds, what we add, and the aim;
- the same in instructions, counted by callgrind: the same on every machine and in every run. Needs valgrind.

"after another" follows a statement in the same transaction; "new session" is the first event of a backend, which plans
everything anew. Last comes what becomes of it in one transaction of 3,000 tables: the last 100 / the first 100.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from tests.bench.instructions import can_count, count, counting

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "COMMENT": "COMMENT ON TABLE t{n} IS 'words'",
    "GRANT": "GRANT SELECT ON t{n} TO PUBLIC",
    "CREATE VIEW": "CREATE VIEW v{n} AS SELECT id, name FROM t{n} WHERE total > 0",
    "CREATE FUNCTION": "CREATE FUNCTION f{n}(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a + 1'",
    "RENAME COLUMN": "ALTER TABLE t{n} RENAME COLUMN name TO full_name",
    "DROP TABLE": "DROP TABLE t{n} CASCADE",
}
DATABASES = ("plain", "least", "captured")
AFTER_ANOTHER = "CREATE TABLE, after another"
NEW_SESSION = "CREATE TABLE, new session"
AIMS_MS = {"CREATE TABLE": 0.8}  # milliseconds that may be added
AIMS = {  # millions of instructions that may be added
    "CREATE TABLE": 1.2,
    **dict.fromkeys(("ADD COLUMN", "CREATE INDEX", "COMMENT", "GRANT", "CREATE VIEW", "CREATE FUNCTION"), 1.0),
}
NEW_SESSIONS = 20
WARM_UP = 10  # rounds in which plans and caches fill
COUNTED = 6  # rounds under callgrind, of which the first ones fill plans and caches
COUNTED_WARM_UP = 3
MANY = 3000  # tables of one transaction
SLICE = 100


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians, of milliseconds or of millions of instructions."""

    statement: str
    plain: float
    least: float
    captured: float


def processor_time(cluster: Cluster, rounds: int) -> list[Figure]:
    times: dict[tuple[str, str], list[float]] = {}
    connections = {
        name: psycopg.connect(cluster.dsn(name), autocommit=True, prepare_threshold=None) for name in DATABASES
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
    return figures(times)


def instructions(cluster: Cluster) -> list[Figure]:
    counts: dict[tuple[str, str], list[float]] = {}
    with counting(cluster):
        for name in DATABASES:
            run = [
                (n, word, statement.format(n=f"i{n}")) for n in range(COUNTED) for word, statement in STATEMENTS.items()
            ]
            counted = count(cluster, name, [statement for _, _, statement in run])
            for (n, word, _), number in zip(run, counted, strict=True):
                if n == 0 and word == "CREATE TABLE":
                    counts[NEW_SESSION, name] = [number / 1e6]
                elif n >= COUNTED_WARM_UP:
                    counts.setdefault((word, name), []).append(number / 1e6)
    return figures(counts)


def growth(cluster: Cluster, name: str) -> float:
    """Processor time of the last 100 of 3,000 CREATE TABLE in one transaction, over that of the first 100."""
    with psycopg.connect(cluster.dsn(name)) as conn:
        marks = []
        for n in range(MANY):
            if n % SLICE == 0:
                marks.append(on_processor(conn))
            conn.execute(CREATE.format(n=f"m{n}").encode())
        marks.append(on_processor(conn))
        conn.rollback()
    return (marks[-1] - marks[-2]) / (marks[1] - marks[0])


def figures(measured: Mapping[tuple[str, str], list[float]]) -> list[Figure]:
    words = dict.fromkeys(word for word, _ in measured)
    return [Figure(word, *(statistics.median(measured[word, name]) for name in DATABASES)) for word in words]


def timed(conn: psycopg.Connection[Any], statement: str) -> float:
    """Run a statement; return the milliseconds that its backend was on a processor."""
    began = on_processor(conn)
    conn.execute(statement.encode())
    return on_processor(conn) - began


def on_processor(conn: psycopg.Connection[Any]) -> float:
    """Milliseconds for which the backend has run so far."""
    return int(Path(f"/proc/{conn.info.backend_pid}/schedstat").read_text().split()[0]) / 1e6


def show(unit: str, found: list[Figure], aims: Mapping[str, float]) -> None:
    print(f"{unit:<30}{'plain':>10}{'least adds':>12}{'we add':>10}{'ratio':>8}{'aim':>6}")
    for f in found:
        print(
            f"{f.statement:<30}{f.plain:>10.3f}{f.least - f.plain:>12.3f}{f.captured - f.plain:>10.3f}"
            f"{f.captured / f.plain:>8.2f}{aims.get(f.statement, ''):>6}"
        )
    print()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with Cluster.start({"max_locks_per_transaction": "1000"}) as cluster:
        for name in DATABASES:
            cluster.create_database(name)
        with psycopg.connect(cluster.dsn("least")) as conn:
            conn.execute(LEAST.encode())
        with psycopg.connect(cluster.dsn("captured")) as conn:
            install(conn)
        show("milliseconds of the processor", processor_time(cluster, rounds), AIMS_MS)
        if can_count():
            show("millions of instructions", instructions(cluster), AIMS)
        else:
            print("Instructions are not counted: that needs valgrind.\n")
        print(f"{MANY} CREATE TABLE in one transaction, the last {SLICE} / the first {SLICE} (aim 1.2):")
        print(", ".join(f"{name} {growth(cluster, name):.2f}" for name in DATABASES))


if __name__ == "__main__":
    main()

"""All benches, one after the other, with what each is to show: `make bench`, or `make bench SHORT=1` in some minutes.

Each prints ratios and times of this run and of this machine. The short ones take less of everything: their ratios mean
the same, their times are rougher. One alone: `python -m tests.bench.NAME`; its `--help` says what can be chosen.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bench:
    """`short`: arguments for a few minutes in all; None: left out then. `shows`: the rows, with their aims."""

    name: str
    shows: tuple[str, ...]
    short: tuple[str, ...] | None = ()
    arguments: tuple[str, ...] = ()


BENCHES = (
    Bench(
        "ddl_overhead",
        (
            "added to CREATE TABLE (5 columns and a key): at most 0.8 ms, 1.2 million instructions",
            "added to ADD COLUMN, CREATE INDEX, COMMENT, GRANT, CREATE VIEW, CREATE FUNCTION: at most 1.0 million each",
            "3,000 CREATE TABLE in one transaction, the last 100 / the first 100: at most 1.2",
        ),
        ("50",),
    ),
    Bench(
        "beside_load",
        (
            "commit to linked commit visible, beside 4,000 tps: p50 at most 3 ms, p99 at most 15 ms; idle p50 2 ms",
            "CPU of the daemon beside 4,000 unrelated tps: at most 2 % with wal2json",
        ),
        ("--seconds", "8", "--migrations", "100"),
    ),
    Bench(
        "beside_load",
        ("CPU of the daemon beside 4,000 unrelated tps: at most 0.5 % with pgoutput",),
        ("--seconds", "8", "--migrations", "100"),
        ("--plugin", "pgoutput"),
    ),
    Bench(
        "drain",
        ("drain of unrelated transactions, pg_recvlogical / ours: at least 1.0 with wal2json",),
        ("--transactions", "40000", "--rounds", "2"),
    ),
    Bench(
        "drain",
        ("drain of unrelated transactions, pg_recvlogical / ours: at least 3 with pgoutput",),
        ("--transactions", "40000", "--rounds", "2"),
        ("--plugin", "pgoutput"),
    ),
    Bench(
        "backlog",
        (
            "backlog of 10,000 DDL transactions by hand: at least 500 a second, linear",
            "backlog of 1,000 migrations, 3 statements each: at least 200 a second",
            "one transaction of 3,000 tables: at most 150 MB",
        ),
        ("--statements", "2000", "--migrations", "200"),
    ),
    Bench(
        "subtransactions",
        ("subtransaction lookups by other sessions beside an open transaction of 200 DDL statements: 0",),
    ),
    Bench(
        "large",
        ("a message or definition of 200 MB: at most 150 MB, and the daemon lives",),
    ),
    Bench(
        "concurrent_ddl",
        ("four sessions of DDL at once: at most 10 ms of CPU for each commit",),
        ("--seconds", "8", "--dead-rows", "3000"),
    ),
    Bench(
        "fleet",
        ("100 databases, empty, in one process: at most 100 MB, 2 % of a core and one server process each when idle",),
        ("--databases", "20", "--settle", "20", "--seconds", "15"),
    ),
    Bench(
        "fleet",
        ("100 databases of 3,000 objects: at most 300 MB",),
        ("--databases", "10", "--settle", "20", "--seconds", "15"),
        ("--objects", "3000"),
    ),
    Bench("slots", ("what a slot for each database costs the server: no aim, see docs/operations.md",)),
    Bench(
        "store_call",
        ("storing a commit with its link: at most 0.5 ms CPU of the client",),
        ("--commits", "200"),
    ),
    Bench(
        "open_claims",
        ("a transaction beside 20,000 open claims / beside none: at most 1.5",),
        ("--transactions", "100"),
    ),
    Bench(
        "history_size",
        ("with 10,000 objects and 10,000 commits / in an empty database: at most 2; verify 2 s, 60 MB",),
        ("--objects", "2000", "--commits", "1000", "--rounds", "50"),
    ),
    Bench(
        "siblings",
        ("added to a transaction with DDL where yoyo is followed, beside 200 sessions of its user: at most 1 ms",),
        ("50",),
    ),
    Bench("random_ddl", ("10,000 random steps: 0 differences between record and catalog",), None),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--short", action="store_true", help="in some minutes")
    arguments.add_argument("names", nargs="*", metavar="NAME", help="only these")
    chosen = arguments.parse_args()
    unknown = set(chosen.names) - {bench.name for bench in BENCHES}
    if unknown:
        arguments.error(f"no bench is called {', '.join(sorted(unknown))}")
    wanted = [bench for bench in BENCHES if not chosen.names or bench.name in chosen.names]
    failed = [bench.name for bench in wanted if not _run(bench, short=chosen.short)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _run(bench: Bench, *, short: bool) -> bool:
    """Run it, with its rows before; whether it ended well."""
    if short and bench.short is None:
        return True
    print(
        f"\n== {' '.join((bench.name, *bench.arguments))}", *(f"   {row}" for row in bench.shows), sep="\n", flush=True
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{bench.name}", *bench.arguments, *((bench.short or ()) if short else ())],
        check=False,
    )
    print(f"   ({time.monotonic() - began:.0f} s)", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()

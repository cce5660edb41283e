"""What a long history of a large schema costs: `python -m tests.bench.history_size`.

Two databases of one server, followed by one daemon: an empty one, and one with 10,000 objects and 10,000 commits. The
same statements go to both in turn: a new table, and a change of a function that was changed often. Out: the time from
a statement's commit to the visible commit of ours, and of the statement itself, each as full / empty; then a comparison
of all objects with the catalog: time and memory.
Aims: at most 2 for the commit; at most 2 s and 60 MB for the comparison.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon

DATABASE = """
[[database]]
name = "{name}"
dsn = "{dsn}"
slot = "bench_{name}"
"""
# Each of these makes four objects: a table, its key, an index and a view.
FOUR = (
    "CREATE TABLE app.t{n} (id bigint PRIMARY KEY, name text NOT NULL, made timestamptz DEFAULT now());"
    " CREATE INDEX ON app.t{n} (name); CREATE VIEW app.v{n} AS SELECT id, name FROM app.t{n} WHERE made > '2020-01-01';"
)
VERIFIED = """
    SELECT seconds, extract(epoch FROM finished_at - began_at) FROM pggit_daemon.verification WHERE began_at > %s
"""
MEASURED = {
    "new table": "CREATE TABLE app.measured_{n} (id bigint PRIMARY KEY, name text)",
    "changed function": "CREATE OR REPLACE FUNCTION app.f{few}() RETURNS int LANGUAGE sql AS 'SELECT -{n}'",
}
BATCH = 250
PAUSE = 0.01  # seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--objects", type=int, default=10_000)
    arguments.add_argument("--commits", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--only", choices=("commit", "verify"), help="leave the other measurement out")
    chosen = arguments.parse_args()
    with (
        Cluster.start(settings={"max_locks_per_transaction": "1000"}) as cluster,
        tempfile.TemporaryDirectory() as folder,
    ):
        dsns = {name: cluster.dsn(name) for name in ("empty", "full")}
        for name, dsn in dsns.items():
            cluster.create_database(name)
            with psycopg.connect(dsn) as conn:
                install(conn)
                conn.execute("CREATE SCHEMA app")
        _objects(dsns["full"], chosen.objects)
        config = Path(folder) / "config.toml"
        parts = [DATABASE.format(name=name, dsn=dsn) for name, dsn in dsns.items()]
        config.write_text("".join(parts))
        with Daemon(
            dsns["full"], Path(folder), ["--config", str(config), "--http", "127.0.0.1:0"], cold=True
        ) as daemon:
            _commits(dsns["full"], chosen.commits)
            daemon.wait_caught_up(600)
            if chosen.only != "verify":
                _cost(dsns, chosen.rounds)
                daemon.wait_caught_up(60)
            if chosen.only != "commit":
                _verify(dsns["full"], daemon)


def _objects(dsn: str, count: int) -> None:
    with psycopg.connect(dsn) as conn:
        # What was there before the history began: its capture is not what is measured.
        conn.execute("SET LOCAL client_min_messages = error")
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE")
        for first in range(0, count // 4, BATCH):
            made = range(first, min(first + BATCH, count // 4))
            conn.execute("".join(FOUR.format(n=n) for n in made).encode())
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS")


def _commits(dsn: str, count: int) -> None:
    began = time.perf_counter()
    with psycopg.connect(dsn, autocommit=True) as conn:
        for n in range(count):
            conn.execute(
                f"CREATE OR REPLACE FUNCTION app.f{n % 100}() RETURNS int LANGUAGE sql AS 'SELECT {n}'".encode()
            )
    print(f"{count} commits made in {time.perf_counter() - began:.0f} s", flush=True)


def _cost(dsns: dict[str, str], rounds: int) -> None:
    statement: dict[tuple[str, str], list[float]] = {(what, name): [] for what in MEASURED for name in dsns}
    commit: dict[tuple[str, str], list[float]] = {(what, name): [] for what in MEASURED for name in dsns}
    writers = {name: psycopg.connect(dsn, autocommit=True) for name, dsn in dsns.items()}
    readers = {name: psycopg.connect(dsn, autocommit=True) for name, dsn in dsns.items()}
    heads = {name: _head(conn) for name, conn in readers.items()}
    for n in range(rounds):
        for (what, text), name in itertools.product(MEASURED.items(), sorted(dsns, reverse=n % 2 == 0)):
            began = time.perf_counter()
            writers[name].execute(text.format(n=n, few=n % 10).encode())
            done = time.perf_counter()
            while (head := _head(readers[name])) == heads[name]:
                time.sleep(0.0002)
            heads[name] = head
            if n >= rounds // 10:
                statement[what, name].append((done - began) * 1000)
                commit[what, name].append((time.perf_counter() - done) * 1000)
            time.sleep(PAUSE)
    for conn in [*writers.values(), *readers.values()]:
        conn.close()
    for what in MEASURED:
        for measured, times, aim in (
            ("commit of ours", commit, " (aim: at most 2)"),
            ("statement itself", statement, ""),
        ):
            empty, full = times[what, "empty"], times[what, "full"]
            (empty_most, full_most) = (statistics.quantiles(some, n=20)[-1] for some in (empty, full))
            print(
                f"{what}, {measured}: empty {statistics.median(empty):.2f} ms, full {statistics.median(full):.2f} ms,"
                f" full / empty: {statistics.median(full) / statistics.median(empty):.2f}{aim};"
                f" 95 % within: empty {empty_most:.2f} ms, full {full_most:.2f} ms"
            )


def _head(conn: psycopg.Connection) -> int | None:
    row = conn.execute("SELECT max(id) FROM pggit.commits").fetchone()
    return row[0] if row else None


def _verify(dsn: str, daemon: Daemon) -> None:
    before = _peak(daemon.pid)
    command = [sys.executable, "-m", "pggit_daemon", "verify", "--dsn", dsn, "--json"]
    times = []
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        out, _err = process.communicate()
        document = json.loads(out)
        times.append(document["seconds"])
        assert document["differences"] == [], document["differences"][:3]
    peak = _command_peak(command)
    print(
        f"verify of {document['objects']} objects: {statistics.median(times):.2f} s (aim: at most 2),"
        f" peak memory of the command {peak:.0f} MB (aim: at most 60)"
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        (asked,) = conn.execute("SELECT pggit_daemon.ask_verification()").fetchone() or (None,)
        conn.execute("SELECT pggit_daemon.ping('verify', true)")
        while (row := conn.execute(VERIFIED, [asked]).fetchone()) is None:
            time.sleep(0.05)
        print(
            f"the same in the daemon: {row[0]:.2f} s of comparing within {row[1]:.2f} s,"
            f" peak memory of the daemon {before:.0f} MB before, {_peak(daemon.pid):.0f} MB after"
        )


def _command_peak(command: list[str]) -> float:
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def _peak(pid: int) -> float:
    """Peak resident memory in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


if __name__ == "__main__":
    main()

"""How many instructions a backend runs for a statement, counted by callgrind: the same on a busy machine.

In: a private cluster and statements. Out: for each statement the instructions of its backend from one
message of the client to the next. Called by `ddl_overhead`; needs valgrind, on whose processor a statement takes fifty
times as long.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.cluster import Cluster

START_TIMEOUT = 120.0  # seconds
# What a backend calls once for each message, and once more while it starts.
MESSAGE = "SetCurrentStatementStartTimestamp"
BEFORE_THE_FIRST = 2  # parts: until that call of the start, and until the first message


def can_count() -> bool:
    return shutil.which("valgrind") is not None


@contextmanager
def counting(cluster: Cluster) -> Iterator[None]:
    """Run the cluster's server under callgrind."""
    cluster.stop()
    server = subprocess.Popen(
        [
            *("valgrind", "--tool=callgrind", "-q", f"--dump-before={MESSAGE}"),
            f"--callgrind-out-file={cluster.folder}/counted.%p",
            *(cluster.bin / "postgres", "-D", cluster.data, "-p", str(cluster.port)),
        ],
        user=cluster.user,
        group=cluster.user,
        cwd=cluster.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                psycopg.connect(cluster.dsn("postgres")).close()
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.3)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(START_TIMEOUT)
        cluster.start_again()


def count(cluster: Cluster, database: str, statements: Sequence[str]) -> list[int]:
    """Run the statements in a session of their own; return the instructions of each, in their order."""
    with psycopg.connect(cluster.dsn(database), autocommit=True, prepare_threshold=None) as conn:
        pid = conn.info.backend_pid
        for statement in statements:
            conn.execute(statement.encode())
    last = cluster.folder / f"counted.{pid}"
    deadline = time.monotonic() + START_TIMEOUT
    while not (last.exists() and _counted(last.read_text(errors="replace"))) and time.monotonic() < deadline:
        time.sleep(0.1)  # the backend writes it when it ends
    parts = [last.with_name(f"{last.name}.{n}") for n in range(1, len(statements) + BEFORE_THE_FIRST)]
    return [_counted(part.read_text(errors="replace")) for part in (*parts, last)][BEFORE_THE_FIRST:]


def _counted(part: str) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", part, re.MULTILINE)
    return int(found[1]) if found else 0

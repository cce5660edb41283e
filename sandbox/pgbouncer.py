"""PgBouncer in transaction mode before a database: clients share the server's sessions, one transaction each.

In: a connection string. Out: the connection string that goes through it, while `with` lasts. Called by the
tests; `sandbox/setup.sh pgbouncer` installs the program.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sandbox.servers import server_user

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 20.0  # seconds
# Where Debian puts it is not on everybody's PATH.
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


class PgBouncerFailed(Exception):
    """It is not installed, or did not start."""


@contextmanager
def pgbouncer(dsn: str, *, sessions: int) -> Iterator[str]:
    """Give the connection string through a pool of so many sessions of the server."""
    program = shutil.which("pgbouncer", path=PLACES)
    if program is None:
        raise PgBouncerFailed("pgbouncer is not installed; on Debian and Ubuntu: apt-get install pgbouncer")
    parts = conninfo_to_dict(dsn)
    port = _free_port()
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": sessions,
        "ignore_startup_parameters": "extra_float_digits",
    }
    server = " ".join(f"{key}={parts[key]}" for key in ("host", "port", "user", "password") if parts.get(key))
    lines = ["[databases]", f"* = {server}", "[pgbouncer]", *(f"{key} = {value}" for key, value in options.items())]
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name, (Path(name) / "log").open("wb") as output:
        folder = Path(name)
        folder.chmod(0o755)  # for the user it runs as
        ini = folder / "pgbouncer.ini"
        ini.write_text("\n".join([*lines, ""]))
        process = subprocess.Popen([program, "-q", ini], stdout=output, stderr=output, cwd="/", user=server_user())
        try:
            through = make_conninfo(dsn, host="127.0.0.1", port=port)
            _wait_until_it_answers(through, process, folder / "log")
            yield through
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_answers(dsn: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise PgBouncerFailed(f"pgbouncer does not answer:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

"""A private PostgreSQL cluster in a temporary folder: for the tests, the demo and the benches.

In: the installed server programs (`servers.py`) and, if wanted, settings.
Out: a running server on a free port of 127.0.0.1 (and a socket in its folder), superuser `postgres`
without a password, logical decoding ready for wal2json. Nothing of it is left after `with`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

import psycopg

from sandbox.data_folder import fill, make_folder
from sandbox.databases import Databases
from sandbox.servers import find_server, server_user

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

START_TIMEOUT = 60.0  # seconds; a busy machine recovering from kill() needs some
STOP_TIMEOUT = 15.0  # seconds for a fast shutdown before it is made an immediate one

SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_connections": "100",
    "wal_sender_timeout": "'30s'",
    "max_prepared_transactions": "5",
    "log_line_prefix": "'%m [%p] %q%a@%d '",
    "log_lock_waits": "on",
    "logging_collector": "off",
    "autovacuum_naptime": "'1h'",
}

# For whoever can do without the data after a crash of the machine; a crash of the server loses nothing.
FAST = {"fsync": "off", "full_page_writes": "off"}


class ClusterFailed(Exception):
    """The server did not start; the message carries the end of its log."""


class Cluster(Databases):
    """One server. `with Cluster.start() as cluster: …` removes it at the end, also after a failure."""

    def __init__(self, settings: Mapping[str, str] | None = None, *, durable: bool = False) -> None:
        """Prepare; `settings` are written as they are (quote texts), `durable` keeps fsync on (for benches)."""
        self.bin = find_server()
        self.user = server_user()
        self.folder = make_folder(durable=durable)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.settings = SETTINGS | ({} if durable else FAST) | dict(settings or {})
        self._server: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, settings: Mapping[str, str] | None = None, *, durable: bool = False) -> Self:
        """Make a new cluster and start it."""
        cluster = cls(settings, durable=durable)
        try:
            cluster._initialise()
            cluster.start_again()
        except BaseException:
            cluster.remove()
            raise
        return cluster

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    # ------------------------------------------------------------------ the server's life

    def start_again(self) -> None:
        """Start the stopped server, on the same port as before unless somebody else has it now."""
        for _attempt in range(3):
            self.port = self.port if self.port and _is_free(self.port) else _free_port()
            if self._launch():
                return
        raise ClusterFailed(f"PostgreSQL did not start:\n{self.log_text()[-4000:]}")

    def stop(self) -> None:
        """Fast shutdown; an immediate one when that takes too long."""
        if not self._signal(signal.SIGINT, STOP_TIMEOUT):
            self.kill()

    def kill(self) -> None:
        """Immediate shutdown, as after a crash: the next start recovers from the WAL."""
        if not self._signal(signal.SIGQUIT, STOP_TIMEOUT):
            self._signal(signal.SIGKILL, STOP_TIMEOUT)

    def restart(self) -> None:
        self.stop()
        self.start_again()

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        self._leave()
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id; None while stopped."""
        return self._server.pid if self._server else None

    def log_text(self) -> str:
        """Return the server's log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # ------------------------------------------------------------------ inside

    def _initialise(self) -> None:
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        version = self._run("postgres", "--version").stdout
        fill(self.data, f"{version} {self.user}", lambda *arguments: self._run("initdb", *arguments))
        # The August 2026 releases refuse plugins that this list lacks; for older ones it is an unknown setting.
        known = self._run("postgres", "-D", self.data, "-C", "output_plugin_libraries", check=False)
        if known.returncode == 0:
            self.settings.setdefault("output_plugin_libraries", "'pgoutput, test_decoding, wal2json'")
        self.settings.setdefault("unix_socket_directories", f"'{self.folder}'")
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in self.settings.items())

    def _run(self, program: str, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.bin / program, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            user=self.user,
            group=self.user,
        )
        if check and done.returncode != 0:
            raise ClusterFailed(f"{program} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def _launch(self) -> bool:
        with self.log.open("ab") as log:
            # A session of its own, so that Ctrl-C in the terminal reaches us and not the server.
            self._server = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self.user,
                group=self.user,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while self._server.poll() is None and time.monotonic() < deadline:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        self.kill()
        return False

    def _signal(self, number: signal.Signals, timeout: float) -> bool:
        """Signal the postmaster and wait; True when it is gone."""
        if self._server is None:
            return True
        if self._server.poll() is None:
            self._server.send_signal(number)
        try:
            self._server.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        self._server = None
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

"""The daemon as a real process: started, waited for, stopped, killed.

In: the databases to follow. Out: a process whose log, pages and end can be looked at.
What it recorded is read back with `recorded.py`. Used by the demo and by the acceptance tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, nullcontext
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

from sandbox import fork_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

READY_TIMEOUT = 60.0  # seconds; a baseline of a big catalog on a busy machine
CAUGHT_UP_TIMEOUT = 60.0  # seconds without any progress of the slots; more than the grace time of a source
WAIT_TIMEOUT = 60.0  # seconds; all this waits for takes one or two on a quiet machine
STOP_TIMEOUT = 30.0  # seconds; the daemon itself promises 10
ASK_AGAIN = 0.2  # seconds after which a daemon that says nothing new in its log is asked again whether it is ready
OFTEN, SELDOM = 0.02, 0.2  # seconds between two looks at what is waited for, at first and after two seconds

OPEN = "SELECT count(*) FROM pggit_daemon.attribution WHERE kind IN ('claim', 'row')"
"""Commits that somebody may still claim, and history rows that wait for theirs."""


class DaemonFailed(AssertionError):
    """The daemon did not do what the test waited for; the message carries the end of its log."""


class Daemon:
    """`with Daemon(dsn, folder) as daemon: …` runs it; at the end it is stopped and must exit with 0.

    `arguments` replace `--dsn`, for a daemon with a configuration file. After `kill` or `stop`, `start` runs it again.
    It is forked from a process that has imported everything; with `cold` it is an interpreter of its own, as users
    start it.
    """

    def __init__(
        self, dsn: str, folder: Path, arguments: list[str] | None = None, *, name: str = "daemon", cold: bool = False
    ) -> None:
        self.dsn = dsn
        self.arguments = arguments if arguments is not None else ["--dsn", dsn]
        self.log_file = folder / f"{name}.log"
        self.cold = cold
        self._process: subprocess.Popen[bytes] | fork_server.ForkedProcess | None = None
        self._log_start = 0
        self._address: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        if kind is not None:
            self.kill()
            return
        code = self.stop()
        if code != 0:
            raise DaemonFailed(f"the daemon ended with {code}, not 0:\n{self.log_tail()}")

    # ------------------------------------------------------------------ the process

    def start(self) -> None:
        """Start it, without waiting for anything."""
        assert self._process is None, "the daemon is running already"
        self._log_start = self.log_size
        self._address = None
        command = ["run", *self.arguments, "--http", "127.0.0.1:0"]
        with self.log_file.open("ab") as log, Path(os.devnull).open() as nothing:
            start = _start_cold if self.cold else fork_server.start
            self._process = start(command, stdin=nothing.fileno(), stdout=log.fileno(), stderr=log.fileno())

    def stop(self) -> int:
        """SIGTERM, and the exit code; a daemon that does not end is killed and fails the test."""
        self.signal(signal.SIGTERM)
        return self.wait_end(STOP_TIMEOUT)

    def kill(self) -> None:
        """Kill it with SIGKILL: no goodbye to the server, no last write."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the daemon is not running"
        self._process.send_signal(number)

    def wait_end(self, timeout: float) -> int:
        """Wait until it ends by itself and return its exit code."""
        assert self._process is not None, "the daemon is not running"
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DaemonFailed(f"the daemon did not end within {timeout} s:\n{self.log_tail()}") from None
        self._process = None
        return code

    @property
    def runs(self) -> bool:
        return self._process is not None and self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """How it ended, by itself."""
        return self._process.poll() if self._process is not None else None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the daemon is not running"
        return self._process.pid

    # ------------------------------------------------------------------ waiting

    def wait_ready(self, timeout: float = READY_TIMEOUT) -> None:
        """Wait until /readyz says that every database is streamed."""
        self.wait_for(self.told_anew(lambda: self.page("/readyz")[0] == 200), "ready", timeout)

    def told_anew(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """Ask only where the log has grown, or now and then: asking costs a thousand times as much as looking there."""
        size, again = -1, 0.0

        def asked() -> bool:
            nonlocal size, again
            if size == self.log_size and time.monotonic() < again:
                return False
            size, again = self.log_size, time.monotonic() + ASK_AGAIN
            return ask()

        return asked

    def wait_caught_up(
        self,
        timeout: float = CAUGHT_UP_TIMEOUT,
        *,
        slot: str | None = None,
        session: psycopg.Connection[Any] | None = None,
    ) -> None:
        """Wait until everything that is committed now is stored and acknowledged, whosever it is.

        Of all slots of the database, or of one; looked for in this session (autocommit), or one of its own. How long
        a backlog takes tells of the machine: DaemonFailed only when the last slot has not moved for `timeout` seconds.
        """
        with nullcontext(session) if session is not None else psycopg.connect(self.dsn, autocommit=True) as conn:
            # A message outside of transactions is inserted and not yet written; the ping's commit writes it.
            (target,) = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ("",)
            # A commit of its own, so that the stream has something to bring even where nothing else happened.
            conn.execute("SELECT pggit_daemon.ping('', true)")
            acknowledged = (
                "SELECT bool_and(confirmed_flush_lsn >= %s::pg_lsn), min(confirmed_flush_lsn)"
                " FROM pg_replication_slots"
                " WHERE database = current_database() AND slot_name = coalesce(%s, slot_name)"
            )

            def look() -> tuple[Any, ...]:
                return conn.execute(acknowledged, [target, slot]).fetchone() or (None, None)

            seen = look()
            while seen[0] is not True:
                self.wait_for(partial(_is_other, look, seen), f"at {target}", timeout)
                seen = look()

    def wait_decided(self, timeout: float = CAUGHT_UP_TIMEOUT, *, slot: str | None = None) -> None:
        """Wait until everything that is committed now is stored, and known whose it is."""
        self.wait_caught_up(timeout, slot=slot)
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            self.wait_for(lambda: conn.execute(OPEN).fetchone() == (0,), "sure whose each commit is", timeout)

    def wait_for(self, reached: Callable[[], bool], what: str, timeout: float = WAIT_TIMEOUT) -> None:
        """Poll until `reached`; DaemonFailed when the daemon ends before or the time is over.

        The longer it takes, the seldomer: a look may cost both sides more than what they do meanwhile.
        """
        begun = time.monotonic()
        while not reached():
            if not self.runs:
                raise DaemonFailed(f"the daemon ended ({self.exit_code}) before it was {what}:\n{self.log_tail()}")
            if time.monotonic() > begun + timeout:
                raise DaemonFailed(f"the daemon is not {what} after {timeout} s:\n{self.log_tail()}")
            pause(begun)

    # ------------------------------------------------------------------ what it says

    def events(self) -> list[dict[str, Any]]:
        """Return the log's events since the last start; lines that are no JSON (a traceback) as `{"raw": …}`."""
        lines = self.log_file.read_bytes()[self._log_start :].decode(errors="replace").splitlines()
        return [json.loads(line) if line.startswith("{") and line.endswith("}") else {"raw": line} for line in lines]

    @property
    def log_size(self) -> int:
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def log_tail(self) -> str:
        return self.log_file.read_text(errors="replace")[-4000:] if self.log_file.exists() else ""

    def page(self, path: str) -> tuple[int, str]:
        """Get one of its pages: status and body; status 0 while it does not listen yet."""
        if self._address is None:
            listening = [event for event in self.events() if event.get("event") == "http_listening"]
            if not listening:
                return 0, ""
            self._address = listening[-1]["address"], listening[-1]["port"]
        with closing(HTTPConnection(*self._address, timeout=30)) as connection:
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            except (OSError, HTTPException):
                return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that carry these labels; 0 when there is none."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        total = 0.0
        for line in self.page("/metrics")[1].splitlines():
            sample, _space, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and all(label in sample for label in wanted):
                total += float(value)
        return total


def pggit(*arguments: str, cold: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command of `pggit-daemon` and return how it ended; `cold` as for `Daemon`."""
    if not cold:
        return fork_server.run(arguments)
    command = [sys.executable, "-m", "pggit_daemon", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def pause(begun: float) -> None:
    """Wait until the next look at what has been waited for since `begun` (of `time.monotonic`)."""
    time.sleep(min(SELDOM, max(OFTEN, (time.monotonic() - begun) / 10)))


def _is_other(look: Callable[[], object], seen: object) -> bool:
    return look() != seen


def _start_cold(arguments: list[str], *, stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pggit_daemon", *arguments]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)

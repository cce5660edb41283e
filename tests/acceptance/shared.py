"""One daemon for the scenes of a worker: each scene's database comes and goes by a reload of its configuration.

In: a database and its section of the configuration. Out: what a scene sees of the daemon: the log's lines, states and
metrics of its own database. A daemon that died fails the scene, with these lines, and the next scene gets a new one; so
it does after a scene that failed. Used by `conftest.py` for the scenes; whoever looks at a process, its end or its
signals has one of his own.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from sandbox.daemon import READY_TIMEOUT, STOP_TIMEOUT, Daemon, DaemonFailed

NOBODY = '[[database]]\nname = "nobody"\ndsn = "host=127.0.0.1 port=1 dbname=nobody"\n'
"""At least one database is followed, also between two scenes: one that cannot be reached, and has no slot."""
BROKEN = {"database_broken", "stop_timed_out", "reload_failed"}


class Shared:
    """The daemon, started with the first scene; one scene at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = folder / "config.toml"
        self._daemon: Daemon | None = None
        self._count = 0

    def follow(self, name: str, dsn: str, section: str) -> Share:
        """Have it follow this database as well, and wait until it does."""
        self._config.write_text(f"{NOBODY}\n{section}")
        if self._daemon is not None and not self._daemon.runs:
            self.kill()
        if self._daemon is None:
            self._count += 1
            whole = Daemon("", self._folder, ["--config", str(self._config)], name=f"shared_{self._count}")
            share = Share(self, whole, name, dsn)
            whole.start()
            self._daemon = whole
        else:
            share = Share(self, self._daemon, name, dsn)
            self._daemon.signal(signal.SIGHUP)
        try:
            share.wait_ready()
        except BaseException:
            self.kill()
            raise
        return share

    def leave(self) -> None:
        """Have it follow nothing."""
        self._config.write_text(NOBODY)
        assert self._daemon is not None
        self._daemon.signal(signal.SIGHUP)

    def kill(self) -> None:
        """Leave it to the next scene to start another one."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon = None

    def end(self) -> None:
        """Stop it; it must exit with 0."""
        if self._daemon is not None:
            self._daemon.__exit__(None, None, None)


class Share(Daemon):
    """What one scene sees of it. Its end is the end of the database in it, not of the process."""

    def __init__(self, shared: Shared, whole: Daemon, name: str, dsn: str) -> None:
        super().__init__(dsn, whole.log_file.parent, whole.arguments, name=whole.log_file.stem)
        self._shared = shared
        self._whole = whole
        self._name = name
        self._log_start = whole.log_size

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()

    def start(self) -> None:
        raise NotImplementedError("a scene that starts and ends its daemon has one of its own")

    def kill(self) -> None:
        """Leave nothing of it to the next scene."""
        self._shared.kill()

    def signal(self, number: signal.Signals) -> None:
        raise NotImplementedError(f"a scene that sends {number.name} has a daemon of its own")

    def stop(self) -> int:
        """Have the database taken out, wait until its slot is free, and remove that."""
        self._shared.leave()
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            slots = "FROM pg_replication_slots WHERE database = current_database()"
            deadline = time.monotonic() + STOP_TIMEOUT
            while conn.execute(f"SELECT {slots} AND active").fetchone() is not None:
                if not self.runs or time.monotonic() > deadline:
                    raise DaemonFailed(f"the database was not left:\n{self.log_tail()}")
                time.sleep(0.02)
            conn.execute(f"SELECT pg_drop_replication_slot(slot_name) {slots}")
        if not self.runs:
            raise DaemonFailed(f"the daemon ended ({self.exit_code}) during the scene:\n{self.log_tail()}")
        if broken := [event for event in self.events() if event.get("event") in BROKEN]:
            raise DaemonFailed(f"it went wrong meanwhile: {broken}")
        return 0

    def wait_ready(self, timeout: float = READY_TIMEOUT) -> None:
        self.wait_for(self.told_anew(lambda: self._state() == "streaming"), "ready", timeout)

    def events(self) -> list[dict[str, Any]]:
        """Those of its own database and of the process."""
        return [event for event in super().events() if event.get("database", self._name) == self._name]

    def log_tail(self) -> str:
        return "\n".join(str(event.get("raw") or json.dumps(event)) for event in self.events())[-4000:]

    def page(self, path: str) -> tuple[int, str]:
        return self._whole.page(path)

    def metric(self, name: str, **labels: str) -> float:
        return super().metric(name, **{"database": self._name} | labels)

    @property
    def runs(self) -> bool:
        return self._whole.runs

    @property
    def pid(self) -> int:
        return self._whole.pid

    @property
    def exit_code(self) -> int | None:
        return self._whole.exit_code

    def _state(self) -> str:
        page = self.page("/readyz")[1]
        return str(json.loads(page)["databases"].get(self._name, {}).get("state")) if page else ""

"""All databases of the process: which run, and what a new configuration changes.

In: the configuration, and an event that says stop. Out: nothing until then. Called by `runtime/process.py`.
Each database has a task of its own (`runtime/supervised.py`); nothing here waits for one of them, so that a database
that connects, hangs or ends holds up neither the others nor a reload. A configuration that is loaded again adds,
drops and restarts just the databases that it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pggit_daemon.config.model import Config
from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.db.server import Servers
from pggit_daemon.runtime.supervised import supervise
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import Health, State


@dataclass(slots=True)
class _Running:
    config: DatabaseConfig
    stop: asyncio.Event
    task: asyncio.Task[None]


class Supervisor:
    """What runs, by the database's name."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health
        self._servers = Servers()
        self._running: dict[str, _Running] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def serve(
        self, config: Config, *, reload: Callable[[], Config], news: asyncio.Event, stop: asyncio.Event
    ) -> None:
        """Follow all databases until `stop`; each finishes the transaction in hand.

        `news`: told to stop, or there is another configuration.
        """
        current = config
        self._apply(current)
        while not stop.is_set():
            await news.wait()
            news.clear()
            newest = reload()
            if newest is not current and not stop.is_set():
                current = newest
                self._apply(current)
        for one in self._running.values():
            one.stop.set()
        await asyncio.gather(*(one.task for one in self._running.values()), *self._ending)
        for name in self._running:
            self._health.database(name).enter(State.STOPPED)

    def _apply(self, config: Config) -> None:
        """Make what runs what the configuration says; what ends does so by itself."""
        wanted = {database.name: database for database in config.databases}
        ended: dict[str, asyncio.Task[None]] = {}
        for name in [name for name, one in self._running.items() if wanted.get(name) != one.config]:
            one = self._running.pop(name)
            one.stop.set()
            ended[name] = one.task
            if name not in wanted:
                self._forget(name)
                self._ending.add(one.task)
                one.task.add_done_callback(lambda task, name=name: self._ended(task, name))  # type: ignore[misc]
        for name, database in wanted.items():
            if name not in self._running:
                stop = asyncio.Event()
                self._metrics.database(name)
                work = supervise(
                    database,
                    self._metrics,
                    self._health.database(name),
                    self._servers.of(database.dsn),
                    stop,
                    after=ended.get(name),
                    stop_seconds=config.daemon.stop_timeout_seconds,
                )
                self._running[name] = _Running(database, stop, asyncio.create_task(work, name=name))

    def _ended(self, task: asyncio.Task[None], name: str) -> None:
        self._ending.discard(task)
        if name not in self._running:
            self._forget(name)  # what it said while it ended

    def _forget(self, name: str) -> None:
        self._health.forget(name)
        self._metrics.forget(name)

"""All databases of the process, each supervised on its own.

In: the configuration, and an event that says stop. Out: nothing until then. Called by `cli/run.py`.
One database that fails is tried again with growing waits and disturbs no other; a configuration that is
loaded again adds, drops and restarts just the databases that it changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pggit_daemon.config.model import Config
from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.errors import ConfigError, ConnectError, PggitDaemonError, PrerequisiteError, SlotInUse, SlotLost
from pggit_daemon.runtime.backoff import Backoff
from pggit_daemon.runtime.worker import Database
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import DatabaseHealth, Health, State

log = structlog.get_logger(__name__)

RELOAD_INTERVAL = 0.5
"""Seconds between looks at whether the configuration has changed."""

STANDBY = 1.0
"""Seconds, more or less, between looks at a slot that another process has: taking over must not be late."""

BEAT = 0.5
"""Seconds between signs of life while waiting to try again."""


@dataclass(slots=True)
class _Running:
    config: DatabaseConfig
    stop: asyncio.Event
    task: asyncio.Task[None]


async def serve(
    config: Config, *, reload: Callable[[], Config], stop: asyncio.Event, metrics: Metrics, health: Health
) -> None:
    """Follow all databases until `stop`; each finishes the transaction in hand."""
    running: dict[str, _Running] = {}
    current = config
    await _apply(current, running, metrics, health)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RELOAD_INTERVAL)
        newest = reload()
        if newest is not current and not stop.is_set():
            current = newest
            await _apply(current, running, metrics, health)
    await asyncio.gather(*(_end(one) for one in running.values()))
    for name in running:
        health.database(name).enter(State.STOPPED)


async def _apply(config: Config, running: dict[str, _Running], metrics: Metrics, health: Health) -> None:
    """Make what runs what the configuration says."""
    wanted = {database.name: database for database in config.databases}
    for name in [name for name, one in running.items() if wanted.get(name) != one.config]:
        await _end(running.pop(name))
        if name not in wanted:
            health.forget(name)
    for name, database in wanted.items():
        if name not in running:
            stop = asyncio.Event()
            metrics.database(name)
            task = asyncio.create_task(_supervise(database, metrics, health.database(name), stop), name=name)
            running[name] = _Running(database, stop, task)


async def _end(one: _Running) -> None:
    one.stop.set()
    await one.task


async def _supervise(config: DatabaseConfig, metrics: Metrics, health: DatabaseHealth, stop: asyncio.Event) -> None:
    """Follow one database; on any failure say what it was, wait, and try again."""
    database = Database(config, metrics, health)
    backoff = Backoff(random.random)
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        try:
            backoff.connected(loop.time())
            await database.follow(stop)
        except SlotInUse as exc:
            if health.state is not State.STANDBY:
                log.info("standing_by", database=config.name, reason=exc.message)
            health.enter(State.STANDBY, exc.message)
            await _pause(STANDBY * (0.5 + random.random()), stop, health)  # noqa: S311  (jitter)
        except PggitDaemonError as exc:
            reason = _reason(exc)
            delay = backoff.failed(loop.time())
            health.enter(State.FAILED, exc.message)
            metrics.restarts.labels(config.name, reason).inc()
            log.warning(
                "database_failed",
                database=config.name,
                reason=reason,
                error=exc.message,
                hint=exc.hint,
                retry_seconds=round(delay, 2),
            )
            await _pause(delay, stop, health)
        except Exception:  # a supervised task: one database's fault must not end the others
            delay = backoff.failed(loop.time())
            health.enter(State.FAILED, "an unexpected error; see the log")
            metrics.restarts.labels(config.name, "unexpected").inc()
            log.exception("database_broken", database=config.name, retry_seconds=round(delay, 2))
            await _pause(delay, stop, health)


async def _pause(delay: float, stop: asyncio.Event, health: DatabaseHealth) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + delay
    while not stop.is_set() and (rest := until - loop.time()) > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(rest, BEAT))
        health.beat()


def _reason(exc: PggitDaemonError) -> str:
    """A label of bounded choice for the metric."""
    for kind, label in (
        (SlotLost, "slot_lost"),
        (PrerequisiteError, "prerequisite"),
        (ConnectError, "connect"),
        (ConfigError, "config"),
    ):
        if isinstance(exc, kind):
            return label
    return "stream"

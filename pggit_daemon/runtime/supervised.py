"""One database, tried again and again until told to stop.

In: its configuration, and an event that says stop. Out: nothing until then; whatever goes wrong is a state, a metric
and a line of the log. Called by `runtime/supervisor.py`, as a task. A stop is waited for only while results are
written: whatever else the database is at (connecting, waiting for its slot or for a server that does not answer) is
broken off.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

import structlog

from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.db.guard import SESSIONS, Sessions
from pggit_daemon.db.server import Server
from pggit_daemon.errors import (
    AnotherVersion,
    ConfigError,
    ConnectError,
    PggitDaemonError,
    PrerequisiteError,
    ServerAway,
    SlotInUse,
    SlotLost,
    StoreError,
)
from pggit_daemon.runtime.backoff import Backoff
from pggit_daemon.runtime.worker import Database
from pggit_daemon.store.installation import another_version
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import DatabaseHealth, State
from pggit_daemon.telemetry.repeats import Repeats

log = structlog.get_logger(__name__)

STANDBY = 1.0
"""Seconds, more or less, between looks at a slot that another process has: taking over must not be late."""

ANOTHER_VERSION = 10.0
"""Seconds, more or less, between looks whether the schema is this version's (again); the log has it once an hour."""

HOURLY = 3600.0

BROKEN_OFF = 1.0
"""Seconds that a task may take to end once its connections are closed, and again once it is cancelled."""


async def supervise(
    config: DatabaseConfig,
    metrics: Metrics,
    health: DatabaseHealth,
    server: Server,
    stop: asyncio.Event,
    *,
    after: asyncio.Task[None] | None = None,
    stop_seconds: float,
) -> None:
    """Follow one database until `stop`; begin when the task `after`, which had its slot, has ended."""
    structlog.contextvars.bind_contextvars(database=config.name)
    if after is not None:
        await asyncio.wait([after])
    server.databases += 1
    sessions = Sessions(waits=health.waits)
    SESSIONS.set(sessions)
    database = Database(config, metrics, health, server)
    following = asyncio.create_task(_Attempts(config, metrics, health).run(database, stop))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not following.done() and database.writing:
            await asyncio.wait({following}, timeout=stop_seconds)
            if not following.done():
                # Nothing is lost: what is not committed is read from the slot again.
                log.warning("stop_timed_out", seconds=stop_seconds)
        if not following.done():
            sessions.break_off("told to stop")
            await asyncio.wait({following}, timeout=BROKEN_OFF)
        if not following.done():
            following.cancel()
            await asyncio.wait({following}, timeout=BROKEN_OFF)
    finally:
        stopping.cancel()
        server.databases -= 1
    if following.done() and not following.cancelled():
        following.result()


class _Attempts:
    """One attempt after the other, with the waits between."""

    def __init__(self, config: DatabaseConfig, metrics: Metrics, health: DatabaseHealth) -> None:
        self._config = config
        self._metrics = metrics
        self._health = health
        self._backoff = Backoff(random.random)
        self._repeats = Repeats()
        self._away = False
        self._loop = asyncio.get_running_loop()

    async def run(self, database: Database, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._backoff.connected(self._loop.time())
            try:
                await database.follow(stop)
            except SlotInUse as exc:
                delay = self._standby(exc)
            except PggitDaemonError as exc:
                delay = self._failed(await self._explained(exc, stop), stop)
            except Exception as exc:  # a supervised task: one database's fault must not end the others
                if stop.is_set():
                    return  # it was broken off
                found = await another_version(self._config.dsn)
                if found is not None:
                    delay = self._failed(found, stop)
                else:
                    delay = self._backoff.failed(self._loop.time())
                    self._health.enter(State.FAILED, "an unexpected error; see the log")
                    self._metrics.restarts.labels(self._config.name, "unexpected").inc()
                    if self._repeats.note(("unexpected", repr(exc)), self._loop.time()) is not None:
                        log.exception("database_broken", retry_seconds=round(delay, 2))
            else:
                delay = 0.0
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), delay)

    async def _explained(self, exc: PggitDaemonError, stop: asyncio.Event) -> PggitDaemonError:
        """What a function did not do as expected may be explained by its being another version's."""
        if stop.is_set() or isinstance(exc, AnotherVersion) or not isinstance(exc, StoreError | PrerequisiteError):
            return exc
        return await another_version(self._config.dsn) or exc

    def _standby(self, exc: SlotInUse) -> float:
        if self._health.state is not State.STANDBY:
            log.info("standing_by", reason=exc.message)
        self._health.enter(State.STANDBY, exc.message)
        return STANDBY * (0.5 + random.random())  # noqa: S311  (jitter)

    def _failed(self, exc: PggitDaemonError, stop: asyncio.Event) -> float:
        """Say what it was; return the seconds to wait."""
        if stop.is_set():
            return 0.0  # it was broken off
        now = self._loop.time()
        away = isinstance(exc, ServerAway)
        delay = self._backoff.away() if away else self._backoff.failed(now)
        waits_for_somebody = isinstance(exc, AnotherVersion)
        if waits_for_somebody:
            delay = ANOTHER_VERSION * (0.5 + random.random())  # noqa: S311  (jitter)
        self._health.enter(State.FAILED, exc.message)
        reason = _reason(exc)
        if not (away and self._away):
            self._metrics.restarts.labels(self._config.name, reason).inc()
        self._away = away
        left_out = self._repeats.note((reason, exc.message), now, HOURLY if waits_for_somebody else None)
        if left_out is not None:
            more = {"not_logged_before": left_out} if left_out else {}
            log.warning(
                "database_failed",
                reason=reason,
                error=exc.message,
                hint=exc.hint,
                retry_seconds=round(delay, 2),
                **more,
            )
        return delay


def _reason(exc: PggitDaemonError) -> str:
    """A label of bounded choice for the metric."""
    for kind, label in (
        (SlotLost, "slot_lost"),
        (PrerequisiteError, "prerequisite"),
        (ServerAway, "away"),
        (ConnectError, "connect"),
        (ConfigError, "config"),
    ):
        if isinstance(exc, kind):
            return label
    return "stream"

"""The metrics of one database that come from SQL, read again and again.

In: a way to connect, what the server tells of all its databases. Out: gauges; a log line when the capture breaks or is
repaired, or when the schema was upgraded beyond this program. A task of `worker.py`, which runs as long as the database
is followed. Where nothing was written in it, only the slot's gauges are set anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.db.activity import Activity, Gate
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.errors import COUNTED, NAME_STANDBYS, PggitDaemonError
from pggit_daemon.replication.feed import Feed
from pggit_daemon.runtime.publishing import Publishing
from pggit_daemon.sql import schema_version
from pggit_daemon.store.installation import RESTART, UPGRADED
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.metrics_poll import poll, show_slot
from pggit_daemon.telemetry.repeats import Repeats

log = structlog.get_logger(__name__)

HINT = "pggit-daemon init, as a superuser, repairs it"

LEFT_OUT = 29
"""How many readings in a row are left out where nothing was written in the database."""

LONGEST_KEPT = 30.0
"""Seconds for which the connection stays open between two readings, at most."""


class Polling:
    """Of one database."""

    def __init__(
        self,
        config: DatabaseConfig,
        metrics: Metrics,
        activity: Activity,
        open_: Callable[[], Awaitable[WatchedConnection]],
        publishing: Publishing,
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._activity = activity
        self._open = open_
        self._publishing = publishing
        self.feed: Feed | None = None
        """The stream under way: it hears whether the server counts it as a synchronous standby."""
        self._is_standby = False
        self._log = log.bind(database=config.name)
        self._upgraded: int | None = None  # the newer version that the schema was of
        self._broken: tuple[str, ...] = ()  # what of the capture was broken at the last look

    async def run(self) -> None:
        """Read until cancelled; a failure is a metric too."""
        interval, server = self._config.metrics_interval_seconds, self._activity.server
        link = OnDemand(self._open, kept=lambda: server.kept(min(1.5 * interval, LONGEST_KEPT), 0.0))
        gate, repeats = Gate(self._activity, most=LEFT_OUT), Repeats()
        try:
            while True:
                try:
                    await self._read(link, gate)
                    repeats.forget()
                except PggitDaemonError as exc:
                    if repeats.note(exc.message, asyncio.get_running_loop().time()) is not None:
                        self._log.warning("metrics_unreadable", error=exc.message, hint=exc.hint)
                await asyncio.sleep(interval)
        finally:
            link.close()
            self._metrics.unread(self._config.name)

    async def _read(self, link: OnDemand, gate: Gate) -> None:
        shut = not self._publishing.busy and await gate.is_shut()
        look = await self._activity.look()
        slot = look.slots.get(self._config.slot) if look is not None else None
        if slot is not None and slot.active_pid is not None:
            self._tell_standby(is_standby=slot.is_standby)
        if shut:
            # Nothing was written in the database: only its slot is otherwise, which the server tells for all of them.
            show_slot(slot, self._metrics, self._config.name)
            return
        async with self._activity.server.looking.turn(), link.use() as conn:
            installed = await poll(conn, self._metrics, self._config.name)
            self._tell_capture(installed.broken)
            self._tell_version(installed.version, conn.info.dbname)
            if self._publishing.busy or self._broken:
                await self._publishing.again(conn)
        gate.passed()

    def _tell_standby(self, *, is_standby: bool) -> None:
        if is_standby and not self._is_standby:
            self._log.warning("counted_as_synchronous_standby", effect=COUNTED, hint=NAME_STANDBYS)
        self._is_standby = is_standby
        if self.feed is not None:
            self.feed.named(is_standby=is_standby)

    def _tell_version(self, version: int | None, database: str) -> None:
        """That init of a newer version ran meanwhile: what works goes on, but only until the stream must start over."""
        upgraded = version if version is not None and version > schema_version() else None
        if upgraded is not None and upgraded != self._upgraded:
            error = UPGRADED.format(database, upgraded, schema_version())
            self._log.warning("schema_upgraded", error=error, hint=RESTART)
        self._upgraded = upgraded

    def _tell_capture(self, broken: tuple[str, ...]) -> None:
        """Whether statements are recorded at all: what is off, changed or missing of the capture."""
        if broken == self._broken:
            return
        self._broken = broken
        if broken:
            self._log.error("capture_broken", parts=list(broken), hint=HINT)
        else:
            self._log.info("capture_repaired")

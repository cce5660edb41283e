"""The worker as a process: what the signals, systemd and the loop share.

In: a way to read the configuration, and what the command line overrides. Out: `supervisor.py` running until it is told
to stop, with HTTP, logging and signs of life round it. Called by `cli/run.py`. The first SIGTERM or SIGINT lets the
transaction in hand finish; a second one ends the process at once with 128+n. SIGHUP reads the configuration again.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

import structlog

from pggit_daemon import __version__
from pggit_daemon.errors import ConfigError
from pggit_daemon.runtime.systemd import Notifier
from pggit_daemon.telemetry import Metrics, logging
from pggit_daemon.telemetry.health import Health
from pggit_daemon.web import server as http

if TYPE_CHECKING:
    from collections.abc import Callable

    from pggit_daemon.config import Config

_TICK_SECONDS = 0.5  # how often the signs of life are looked at
LAST_SECONDS = 3.0  # that a stop takes beyond the transaction in hand, where connections have to be broken off
LogLevel = Literal["debug", "info", "warning", "error"]

log = structlog.get_logger(__name__)


class Process:
    """One run of the worker: what the signals and the loop share."""

    def __init__(
        self,
        read: Callable[[], Config],
        *,
        reloadable: bool,
        level: LogLevel | None,
        address: tuple[str, int] | None,
    ) -> None:
        self._read, self._reloadable, self._level, self._address = read, reloadable, level, address
        self._config = read()
        self._stop, self._news = asyncio.Event(), asyncio.Event()
        self._signals = 0
        self._notifier = Notifier()
        self._metrics = Metrics()
        self._health = Health(stall_seconds=self._config.daemon.stall_seconds)
        self._told_ready = False
        self._refused: str | None = None

    async def run(self) -> None:
        """Serve until stopped."""
        from pggit_daemon.runtime.supervisor import Supervisor  # noqa: PLC0415  (the whole core: the quick commands do without)

        # What was imported stays: a full collection that looks at all of it stops the loop for a tenth of a second.
        gc.freeze()
        self._configure_logging()
        self._metrics.reloaded(successful=True, now=time.time())
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_unhandled)
        log.info("daemon_starting", version=__version__, databases=[d.name for d in self._config.databases])
        server = self._listen()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._loop.call_soon_threadsafe(self._on_reload))
        signs = asyncio.create_task(self._signs_of_life())
        serving = asyncio.create_task(
            Supervisor(self._metrics, self._health).serve(
                self._config, reload=self.current, news=self._news, stop=self._stop
            )
        )
        try:
            await self._finish(serving)
        finally:
            signs.cancel()
            self._notifier.stopping()
            if server is not None:
                server.close()
        log.info("daemon_stopped")

    def current(self) -> Config:
        """Return the newest configuration that was correct."""
        return self._config

    async def _finish(self, serving: asyncio.Task[None]) -> None:
        """Wait for the end; once told to stop, for as long as the configuration allows."""
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not serving.done():
            self._notifier.stopping()
            seconds = self._config.daemon.stop_timeout_seconds + LAST_SECONDS
            _end_at_last(seconds + LAST_SECONDS)
            await asyncio.wait({serving}, timeout=seconds)
        if not serving.done():
            log.warning("stop_timed_out", seconds=seconds)
            serving.cancel()
            await asyncio.wait({serving}, timeout=1)
            return
        await serving

    def _on_stop(self, number: int, _frame: object) -> None:
        # A plain handler, not the loop's: the second signal must end the process also while the loop is busy.
        self._signals += 1
        if self._signals > 1:
            sys.stderr.flush()
            os._exit(128 + number)
        self._loop.call_soon_threadsafe(self._begin_stop, signal.Signals(number).name)

    def _begin_stop(self, name: str) -> None:
        log.info("daemon_stopping", signal=name)
        self._stop.set()
        self._news.set()

    def _on_reload(self) -> None:
        """Take a new configuration if it is correct; otherwise go on with the old one."""
        self._notifier.reloading()
        if not self._reloadable:
            log.info("reload_skipped", reason="started with --dsn: there is no file to read")
        else:
            try:
                new = self._read()
            except ConfigError as exc:
                self._refused = exc.message.partition("\n")[0]
                self._metrics.reloaded(successful=False, now=time.time())
                log.error("reload_failed", error=exc.message, hint=exc.hint)  # noqa: TRY400  (a sentence)
            else:
                self._refused = None
                self._metrics.reloaded(successful=True, now=time.time())
                self._take(new)
        if self._told_ready:
            self._notifier.ready()

    def _take(self, new: Config) -> None:
        old, self._config = self._config, new
        self._news.set()
        self._health.stall_seconds = new.daemon.stall_seconds
        self._configure_logging()
        fixed = ("http_address", "http_port")
        if changed := [f"daemon.{key}" for key in fixed if getattr(new.daemon, key) != getattr(old.daemon, key)]:
            log.warning("reload_needs_restart", keys=changed)
        log.info("reloaded", databases=[d.name for d in new.databases])

    def _configure_logging(self) -> None:
        daemon = self._config.daemon
        logging.configure(self._level or daemon.log_level, daemon.log_format)

    def _listen(self) -> http.StatusServer | None:
        daemon = self._config.daemon
        if self._address is None and daemon.http_port == 0:
            return None
        host, port = self._address or (daemon.http_address, daemon.http_port)
        server = http.start(host, port, self._metrics, self._health)
        log.info("http_listening", address=server.address[0], port=server.address[1])
        return server

    async def _signs_of_life(self) -> None:
        """Turn with the loop, and tell systemd: READY once, WATCHDOG while the loop turns, a line of status.

        In the log, `daemon_started` is READY (a database may have been found unable to begin), and `daemon_ready` the
        first moment in which all of them are followed.
        """
        interval = self._notifier.watchdog_interval_seconds
        logged_ready = False
        logged_at, logged = -1e9, ""
        while True:
            self._health.turned()
            self._notifier.again()
            if not self._told_ready and self._health.started().ok:
                self._told_ready = True
                self._notifier.ready()
                log.info("daemon_started", not_ready=list(self._health.ready().failing))
            if not logged_ready and self._health.ready().ok:
                logged_ready = True
                log.info("daemon_ready")
            now = self._loop.time()
            if interval is not None and now - logged_at >= interval - _TICK_SECONDS:
                self._notifier.alive()
                logged_at = now
            text = self._health.summary()
            if self._refused is not None:
                text = f"the last reload was refused: {self._refused}; {text}"
            if text != logged:
                self._notifier.status(text)
                logged = text
            await asyncio.sleep(_TICK_SECONDS)


def _unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What no task catches is one event, and not asyncio's lines of text."""
    exc = context.get("exception")
    log.error("loop_error", error=str(context.get("message")), exc_info=exc if isinstance(exc, BaseException) else None)


def _end_at_last(seconds: float) -> None:
    """End the process when even that fails: a resolver or a driver may hold one of its threads for minutes."""

    def end() -> None:
        log.error("stop_forced", seconds=seconds)
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()

"""`run`: the worker.

In: the configuration, and what the command line overrides. Out: a process that follows the databases until a signal
ends it (`runtime/process.py`), and an exit code.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pggit_daemon.cli.options import ConfigOption, DsnOption, choose
from pggit_daemon.errors import PggitDaemonError
from pggit_daemon.query.references import UsageError

if TYPE_CHECKING:
    from pggit_daemon.runtime.process import LogLevel


def run(
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    http_option: Annotated[
        str | None,
        typer.Option(
            "--http",
            help="Listen here instead of where the configuration says; port 0 takes a free one and logs it.",
            metavar="HOST:PORT",
        ),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", help="debug, info, warning or error; wins over the configuration.")
    ] = None,
) -> None:
    """Follow the databases until a signal ends it."""
    # Imported here: other commands need no log, no metrics and no status pages.
    import structlog  # noqa: PLC0415

    from pggit_daemon.runtime.process import Process  # noqa: PLC0415
    from pggit_daemon.telemetry import logging  # noqa: PLC0415

    log = structlog.get_logger(__name__)
    for_people = logging.is_console("auto", sys.stderr)
    if not for_people:
        # Whoever reads the log finds there, too, why the configuration is wrong.
        logging.configure("info", "auto")
    try:
        level = _check_level(log_level)
        address = parse_address(http_option) if http_option is not None else None
        process = Process(lambda: choose(config, dsn), reloadable=dsn is None, level=level, address=address)
        asyncio.run(process.run())
    except PggitDaemonError as exc:
        if for_people:
            raise
        log.error("daemon_failed", error=exc.message, hint=exc.hint, exit_code=exc.exit_code)  # noqa: TRY400  (a sentence)
        raise typer.Exit(exc.exit_code) from exc
    except Exception as exc:
        if for_people:
            raise
        log.exception("daemon_failed", exit_code=1)
        raise typer.Exit(1) from exc


def parse_address(text: str) -> tuple[str, int]:
    """Read HOST:PORT; an IPv6 address stands in brackets."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    number = int(port) if port.isascii() and port.isdigit() else -1
    if not colon or not bare or (":" in bare and bare == host) or not 0 <= number <= 65_535:  # noqa: PLR2004  (ports)
        raise UsageError(f"--http {text}: allowed: HOST:PORT with a port from 0 to 65535, as 127.0.0.1:0 or [::1]:8432")
    return bare, number


def _check_level(text: str | None) -> LogLevel | None:
    match text:
        case None | "debug" | "info" | "warning" | "error":
            return text
        case _:
            raise UsageError(f"--log-level {text}: allowed: debug, info, warning, error")

"""Logging: constant event names with key-values, without secrets.

In: level and format of the configuration. Out: structlog, the standard library's loggers (asyncio, psycopg), Python's
warnings and whatever exception nobody catches, as one line per event on stderr: JSON under systemd and in pipes,
columns on a terminal. In the journal each line carries its priority. Called by `cli/` and the process; everything else
does `log = structlog.get_logger(__name__)` and `log.info("slot_created", slot=…)`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Literal, TextIO

import structlog

from pggit_daemon.config.redaction import HIDDEN, is_secret_key, redact, redact_dsn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "json", "console"]

PRIORITIES = {"critical": 2, "error": 3, "exception": 3, "warning": 4, "info": 6, "debug": 7}
"""Syslog's numbers for our levels, as journalctl -p takes them."""

LONGEST = 10_000
"""Characters of one value in the log."""


def configure(level: str, log_format: Format, *, stream: TextIO | None = None) -> None:
    """Set up logging for the process; again (on reload) replaces what was set up before."""
    out = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final = [redact_secrets, *_renderers(log_format, out)]
    if is_journal(out):
        # Right of the renderer there is but a text: the level is kept on its way.
        final = [*final[:-1], _with_priority(final[-1])]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,  # a reload must reach loggers that were made before it
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Other libraries' debug lines (psycopg's pool, asyncio's selector) would bury ours.
    root.setLevel(max(number, logging.INFO))
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def is_console(log_format: Format, stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a person reads the stream."""
    if log_format != "auto":
        return log_format == "console"
    return stream.isatty() and "JOURNAL_STREAM" not in environment


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the stream goes to systemd's journal, which says by device and inode which stream that is."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _with_priority(render: Processor) -> Processor:
    """Put syslog's <N> before each line, which the journal takes off again as the entry's PRIORITY."""

    def prefixed(logger: WrappedLogger, method: str, event: EventDict) -> str:
        priority = PRIORITIES.get(str(event.get("level")), 6)
        text = str(render(logger, method, event))
        return "\n".join(f"<{priority}>{line}" for line in text.splitlines())

    return prefixed


def _uncaught(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger(__name__).critical("uncaught_exception", exc_info=(kind, exc, trace))


def _unraisable(failed: sys.UnraisableHookArgs) -> None:
    structlog.get_logger(__name__).error("ignored_exception", where=repr(failed.object), exc_info=failed.exc_value)


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread is not None else None
    structlog.get_logger(__name__).error("thread_ended", thread=name, exc_info=failed.exc_value)


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide passwords: values under secret keys whole, others inside strings. Runs before the renderer."""
    return {key: _clean(key, value) for key, value in event.items()}


def shortened(text: str) -> str:
    """Leave out the middle of what is too long for a line: users' data may be of any length."""
    left_out = len(text) - LONGEST
    if left_out <= 0:
        return text
    half = LONGEST // 2
    return f"{text[:half]} … {left_out} characters … {text[-half:]}"


def _clean(key: str, value: object) -> object:
    if is_secret_key(key) and value is not None:
        return HIDDEN
    match value:
        case str():
            return redact_dsn(value) if key in {"dsn", "conninfo"} else redact(shortened(value))
        case dict():
            return {name: _clean(str(name), inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(key, inner) for inner in value]
        case BaseException():
            return redact(shortened(f"{type(value).__name__}: {value}"))
        case _:
            return value


def _renderers(log_format: Format, stream: TextIO) -> list[Processor]:
    # Tracebacks become text here and are redacted after, as an error's message may repeat a connection string.
    traceback: list[Processor] = [structlog.processors.format_exc_info, redact_secrets]
    if is_console(log_format, stream):
        return [*traceback, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    return [*traceback, structlog.processors.JSONRenderer(default=str, ensure_ascii=False)]

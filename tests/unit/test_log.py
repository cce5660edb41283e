"""What the log shows, and what it never shows."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from pggit_daemon.model.lsn import LSN
from pggit_daemon.telemetry import logging as log

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Give a place to log to, and put the process-wide settings back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_json_has_event_level_and_time(out: io.StringIO) -> None:
    """One JSON object a line, values that are not JSON as their text."""
    log.configure("info", "auto", stream=out)
    structlog.get_logger().info("slot_created", slot="s", lsn=LSN(0x16B374D848))
    (line,) = lines(out)
    assert (line["event"], line["level"], line["lsn"]) == ("slot_created", "info", "16/B374D848")
    assert line["timestamp"].endswith("Z")


def test_level_filters_and_a_second_configure_reaches_old_loggers(out: io.StringIO) -> None:
    """SIGHUP changes the level of loggers that exist already."""
    log.configure("warning", "json", stream=out)
    logger = structlog.get_logger()
    logger.info("quiet")
    log.configure("info", "json", stream=out)
    logger.info("heard")
    assert [line["event"] for line in lines(out)] == ["heard"]


def test_secrets_are_hidden_wherever_they_stand(out: io.StringIO) -> None:
    """No password leaves through a key, a string, a nested value, an exception or another library's logger."""
    log.configure("info", "json", stream=out)
    logger = structlog.get_logger()
    logger.info(
        "connecting",
        dsn="host=h password=hunter2 user=u",
        uri="postgresql://u:hunter2@h/d",
        **dict.fromkeys(["password"], "hunter2"),
        nested={"sslpassword": "hunter2", "list": ["password='hunter2 hunter2'"]},
        error=ValueError("password=hunter2"),
    )
    try:
        int("postgresql://u:hunter2@h/d")
    except ValueError:
        logger.exception("failed")
    logging.getLogger("psycopg").warning("ALTER ROLE x PASSWORD 'hunter2'")
    text = out.getvalue()
    assert "hunter2" not in text
    assert len(lines(out)) == 3
    assert "ValueError" in lines(out)[1]["exception"]
    assert lines(out)[2]["logger"] == "psycopg"


def test_the_journal_gets_priorities_and_others_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`journalctl -p warning` finds warnings. The journal says by device and inode which stream is its own."""
    with (tmp_path / "journal").open("w+") as stream:
        found = os.fstat(stream.fileno())
        for mine, prefix in ((found.st_ino, "<4>"), (found.st_ino + 1, "")):
            monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{mine}")
            log.configure("info", "auto", stream=stream)
            structlog.get_logger().warning("odd")
            stream.flush()
            assert Path(stream.name).read_text().splitlines()[-1].startswith(prefix + "{")
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        log.configure("debug", "console", stream=stream)
        stream.truncate(0)
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(structlog.get_logger(), level)("said", text="two\nlines")
        logging.getLogger("psycopg").error("from a library")
        stream.flush()
        lines = Path(stream.name).read_text().lstrip("\0").splitlines()
        assert [line[:3] for line in lines if "said" in line] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
        assert all(line.startswith("<") for line in lines)


def test_warnings_and_what_nobody_catches_are_events(out: io.StringIO) -> None:
    """No line of plain text among the JSON: not of Python's warnings, of threads, of destructors, of the end."""
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    try:
        logging.captureWarnings(capture=False)  # an earlier test's, which the runner has undone
        log.configure("info", "json", stream=out)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("password=hunter2 is old", DeprecationWarning, stacklevel=1)
        thread = threading.Thread(target=lambda: 1 / 0, name="odd")
        thread.start()
        thread.join()
        try:
            int("password=hunter2")
        except ValueError as exc:
            sys.excepthook(ValueError, exc, exc.__traceback__)
        found = lines(out)
        assert [line["event"] for line in found[1:]] == ["thread_ended", "uncaught_exception"]
        assert found[0]["logger"] == "py.warnings"
        assert "ZeroDivisionError" in found[1]["exception"]
        assert "hunter2" not in out.getvalue()
    finally:
        sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)


def test_console_only_on_a_terminal_outside_systemd() -> None:
    """`auto` writes for a person only where one reads."""
    assert log.is_console("auto", Terminal(), {})
    assert not log.is_console("auto", Terminal(), {"JOURNAL_STREAM": "8:1"})
    assert not log.is_console("auto", io.StringIO(), {})
    assert log.is_console("console", io.StringIO(), {})
    assert not log.is_console("json", Terminal(), {})


def test_console_lines_are_not_json(out: io.StringIO) -> None:
    """The console format shows the event and its values."""
    log.configure("info", "console", stream=out)
    structlog.get_logger().info("slot_created", slot="s")
    assert "slot_created" in out.getvalue()
    assert "slot=s" in out.getvalue()


def test_a_value_of_any_length_is_one_short_line_at_once(out: io.StringIO) -> None:
    """Data of users gets into errors; neither the disk nor the event loop pays for its length."""
    log.configure("info", "json", stream=out)
    began = time.monotonic()
    for word in ("x", "://a:", "password="):
        structlog.get_logger().info("odd", value=word * 500_000)
    assert time.monotonic() - began < 10
    assert all(len(line["value"]) < 11_000 for line in lines(out))

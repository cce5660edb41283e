"""The harness itself: a test that waits for a daemon that cannot work must fail, quickly and with the reason."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.harness import Daemon, DaemonFailed, pggit

if TYPE_CHECKING:
    from pathlib import Path


def test_a_daemon_that_ends_fails_the_wait_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("nonsense = 1\n")
    began = time.monotonic()
    with pytest.raises(DaemonFailed, match="nonsense"), Daemon("", tmp_path, ["--config", f"{tmp_path}/broken.toml"]):
        pytest.fail("a daemon with a broken configuration came up")
    assert time.monotonic() - began < 15


def test_commands_come_back_with_their_exit_code() -> None:
    assert pggit("--version").stdout.startswith("pggit-daemon ")
    assert pggit("show").returncode == 2

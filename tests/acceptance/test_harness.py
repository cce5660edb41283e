"""The harness itself: a test that waits for a daemon that cannot work must fail, quickly and with the reason."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.harness import Daemon, DaemonFailed, pggit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("cold", [False, True])
def test_a_daemon_that_ends_fails_the_wait_with_its_log(tmp_path: Path, *, cold: bool) -> None:
    (tmp_path / "broken.toml").write_text("nonsense = 1\n")
    broken = Daemon("", tmp_path, ["--config", f"{tmp_path}/broken.toml"], cold=cold)
    # That it ended is what is said, not that it was not ready in time.
    with pytest.raises(DaemonFailed, match=r"(?s)the daemon ended \(\d+\) before .*nonsense"), broken:
        pytest.fail("a daemon with a broken configuration came up")


def test_commands_come_back_with_their_exit_code() -> None:
    """Forked or not, a command is the same."""
    for arguments in (["--version"], ["show"]):
        forked, cold = pggit(*arguments), pggit(*arguments, cold=True)
        assert forked.returncode == cold.returncode
        assert forked.stdout == cold.stdout
        assert forked.stderr == cold.stderr.replace("python -m pggit_daemon", "pggit-daemon")
    assert pggit("--version").stdout.startswith("pggit-daemon ")
    assert pggit("show").returncode == 2


def test_a_forked_daemon_is_a_process_of_its_own(database: str, tmp_path: Path) -> None:
    """Its environment and log are its own, it ends by a signal or by itself, and can be started again."""
    daemon = Daemon(database, tmp_path)
    daemon.start()
    try:
        daemon.wait_for(lambda: daemon.page("/healthz")[0] == 200, "listening")
        pid = daemon.pid
        assert pid != os.getpid()
        daemon.signal(signal.SIGKILL)
        assert daemon.wait_end(10) == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        daemon.start()
        daemon.wait_for(lambda: daemon.page("/healthz")[0] == 200, "listening again")
        assert daemon.pid != pid
        assert daemon.stop() == 0
    finally:
        daemon.kill()

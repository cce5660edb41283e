"""The harness itself: a test that waits for a daemon that cannot work must fail, quickly and with the reason."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.acceptance.harness import Daemon, DaemonFailed, pggit
from tests.acceptance.scenes import Scene
from tests.acceptance.shared import Shared

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


def test_scenes_that_share_a_daemon_see_their_own_part(unfollowed: Scene, tmp_path: Path) -> None:
    """Log and metrics of its own; no slot is left. One that died fails the wait, and the next scene has another."""
    scene, shared = unfollowed, Shared(tmp_path)
    scene.shared = shared
    try:
        first = scene.follow()
        scene.script("CREATE TABLE made (id int)")
        scene.caught_up()
        assert first.metric("pggit_out_of_band_changes_total") == 1
        pid = first.pid
        assert first.stop() == 0
        with psycopg.connect(scene.dsn) as conn:
            slots = conn.execute("SELECT FROM pg_replication_slots WHERE database = current_database()").fetchall()
        assert slots == []

        second = scene.follow()
        assert second.pid == pid, "a scene that ends well leaves the daemon to the next"
        assert second.metric("pggit_out_of_band_changes_total") == 0
        [streaming] = [event for event in second.events() if event.get("event") == "streaming"]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(DaemonFailed, match=rf"(?s)the daemon ended \(-9\) before .*{streaming['position']}"):
            second.wait_for(lambda: False, "anything")
        third = scene.follow()
        assert third.pid != pid
        assert third.stop() == 0
        shared.end()
    finally:
        shared.kill()
        scene.daemon = None

"""sd_notify over real datagram sockets."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from pggit_daemon.runtime.systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Stand in for the service manager: what $NOTIFY_SOCKET says, and the socket that receives."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@pggit-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        receiver.settimeout(5)
        yield name, receiver


def test_messages_arrive_as_systemd_reads_them(manager: tuple[str, socket.socket]) -> None:
    """Each call is one datagram of assignments."""
    name, receiver = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.alive()
    notifier.status("two\nlines")
    notifier.stopping()
    notifier.reloading()
    received = [receiver.recv(200).decode() for _ in range(5)]
    assert received[:4] == ["READY=1", "WATCHDOG=1", "STATUS=two lines", "STOPPING=1"]
    first, second = received[4].split("\n")
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0


def test_silent_without_a_manager_or_with_one_that_is_gone(tmp_path: Path) -> None:
    """Outside systemd nothing happens; a vanished socket raises nothing."""
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


def test_a_manager_that_does_not_read_is_not_waited_for(manager: tuple[str, socket.socket]) -> None:
    """Its queue holds some messages; the loop of the process must not stand still for the next."""
    name, receiver = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    began = time.monotonic()
    for _ in range(2000):
        notifier.alive()
    notifier.ready()
    assert time.monotonic() - began < 20
    received = receiver.recv(200)
    notifier.again()
    while received != b"READY=1":
        assert received == b"WATCHDOG=1"
        received = receiver.recv(200)


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_interval_is_half_and_only_for_this_process(
    environment: dict[str, str], interval: float | None
) -> None:
    """WATCHDOG_PID of another process means that the watchdog is not ours."""
    assert Notifier(environment).watchdog_interval_seconds == interval

"""Reports to systemd how the process is doing (sd_notify).

In: $NOTIFY_SOCKET and $WATCHDOG_USEC of a `Type=notify` service. Out: datagrams. Without the variables every
call does nothing, and a socket that is gone is not an error: the service manager notices by itself.
Called by `cli/run.py`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


KEPT = 20  # messages for a manager that does not read


class Notifier:
    """The service manager, if there is one."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace, whose names begin with a zero byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._kept: list[str] = []
        self.watchdog_interval_seconds = _watchdog(environment)

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        # Type=notify-reload (systemd 253) tells the notifications of two reloads apart by the time.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def again(self) -> None:
        """Send what the manager had no room for. Called now and then."""
        kept, self._kept = self._kept, []
        for message in kept:
            self._send(message)

    def _send(self, message: str) -> None:
        """A manager whose queue is full is not waited for: that would stop the loop, and all databases with it."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(0)
            try:
                channel.sendto(message.encode(), self._address)
            except BlockingIOError:
                if message.startswith(("READY=", "RELOADING=", "STATUS=")):
                    self._kept = [*self._kept, message][-KEPT:]


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Seconds between signs of life: half of what systemd allows; None without a watchdog for this process."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or int(microseconds) == 0:
        return None
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000

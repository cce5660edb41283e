"""The frames of a stream, handed over at the pace that `pacing.py` sets.

In: a connection after START_REPLICATION. Out: frames as bytes, to whoever says how urgent they are. Called by
`connection.py`.

Most frames of a busy server only say that a transaction of others has passed by. They are handed over in callbacks of
the event loop and wake no task. Reading never waits inside psycopg: its wait cancels the server's command when it is
cancelled, which would end the stream. `read()` may be cancelled at any moment.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from pggit_daemon.errors import StreamError
from pggit_daemon.replication.copy import Copy
from pggit_daemon.replication.pacing import LONG, Pace, Pause, Urgency
from pggit_daemon.replication.protocol import Marks

if TYPE_CHECKING:
    from pggit_daemon.db.guard import Guard

GOODBYE = 1.0  # seconds to wait for the server's own end of the stream
SILENCE = 10.0  # seconds without a frame until somebody looks what the server is doing; it is asked for one each second

Take = Callable[[list[bytes]], Urgency]
"""Whoever frames are handed to says how urgent they are."""


class Frames:
    """Both directions of one stream; it does something from `begin` to `end`."""

    def __init__(self, conn: psycopg.AsyncConnection[object], guard: Guard) -> None:
        self._guard = guard
        self._copy = Copy(conn, guard, self._fail)
        self._loop = asyncio.get_running_loop()
        self._pace = Pace()
        self._done: asyncio.Future[None] | None = None
        self._take: Take = _nobody
        self._patience = 0.0
        self._handed = False
        self._next_look: asyncio.Handle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._listening: int | None = None
        self._low_water = 1
        self._interrupted = False

    def begin(self) -> None:
        """The stream has started."""
        self._copy.begin()

    def tell_apart(self, marks: Marks) -> None:
        """By what the transactions are known that are only to be counted."""
        self._copy.marks = marks

    async def read(self, take: Take, patience: float) -> None:
        """Hand frames over until somebody must see them, and no longer than `patience` seconds from the first.

        Returns after `interrupt`, too. StreamError when the stream has ended, and whatever `take` raises.
        """
        self._take, self._patience, self._handed = take, patience, False
        self._done = done = self._loop.create_future()
        self._guard.begin(SILENCE)
        try:
            self._look()
            # A reader that always finds frames must still let the other tasks run.
            if done.done():
                await asyncio.sleep(0)
            await done
        finally:
            self._guard.end()
            self._done = None
            self._rest()
        self._interrupted = False
        if self._copy.failure is not None and not self._handed:
            raise self._copy.failure

    def send(self, message: bytes) -> None:
        """Send a message; never waits and never raises: a connection that is broken says so at the next read."""
        self._copy.send(message)

    def interrupt(self) -> None:
        """Let a `read` that waits come back at once, with no frames if there are none."""
        self._interrupted = True
        self._finish()

    async def end(self) -> None:
        """End the stream, and wait a moment until the server has let go of the slot."""
        try:
            if self._copy.is_open:
                with suppress(psycopg.Error, StreamError, TimeoutError):
                    async with asyncio.timeout(GOODBYE):
                        await self._say_goodbye()
        finally:
            self._stop_listening()
        self._copy.stop()

    async def _say_goodbye(self) -> None:
        """End the copy from our side and wait for the server's last word."""
        self._copy.end()
        while self._copy.failure is None:
            with suppress(StreamError):
                await self.read(_nobody, GOODBYE)
        self._stop_listening()
        while not self._copy.has_ended():
            readable = asyncio.Event()
            self._listen(readable.set)
            try:
                await readable.wait()
            finally:
                self._stop_listening()

    # ------------------------------------------------------------------ looks

    def _look(self) -> None:
        """Take what has come, and wait for more where nobody must see it yet."""
        if self._done is None:
            self._stop_listening()  # nobody reads: the socket would report the same again and again
            return
        if self._done.done():
            return
        try:
            self._take_what_came()
        except Exception as exc:  # noqa: BLE001  (a callback: `read` raises it)
            self._done.set_exception(exc)

    def _take_what_came(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        haul = self._copy.arrived()
        urgency = self._hand_over(haul.frames) if haul.frames else Urgency.LATER
        if urgency.is_now or self._interrupted or self._copy.failure is not None:
            self._finish()
        elif haul.is_full:
            self._next_look = self._loop.call_soon(self._look)
        elif haul.frames and urgency is Urgency.LATER:
            self._gather(self._pace.looked(self._loop.time(), haul.messages))
        else:
            self._listen(self._look)

    def _hand_over(self, frames: list[bytes]) -> Urgency:
        if self._deadline is None:
            self._deadline = self._loop.call_later(self._patience, self._finish)
        urgency = self._take(frames)
        if urgency in {Urgency.OURS, Urgency.COMING}:
            self._pace.ours(self._loop.time())
        self._handed = True
        return urgency

    def _gather(self, pause: Pause | None) -> None:
        """Look again when enough has come, or a moment has passed; with no pause, when anything comes."""
        if pause is None:
            self._listen(self._look)
            return
        seconds = min(pause.seconds, self._patience / 10)
        if not self._listen(self._look, low_water=pause.size):
            self._stop_listening()
            seconds = min(seconds, LONG.seconds)  # the server may wait for room meanwhile
        self._next_look = self._loop.call_later(seconds, self._look)

    def _rest(self) -> None:
        """Look no more until the next `read`; the socket is listened to until something comes, as most follow soon."""
        for handle in (self._next_look, self._deadline):
            if handle is not None:
                handle.cancel()
        self._next_look = self._deadline = None

    def _fail(self) -> None:
        """The stream has failed: libpq may have closed the socket."""
        self._stop_listening()
        self._finish()

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    # ------------------------------------------------------------------ the socket

    def _listen(self, look: Callable[[], None], *, low_water: int = 1) -> bool:
        """Look when so many bytes have come; False where the socket knows no such limit, as one of Unix does not."""
        line = self._copy.socket if self._listening is None else self._listening
        if low_water != self._low_water:
            if not _set_low_water(line, low_water):
                return False
            self._low_water = low_water
        if self._listening is None:
            self._loop.add_reader(line, look)
            self._listening = line
        return True

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening = None


def _nobody(_frames: list[bytes]) -> Urgency:
    return Urgency.LATER


def _set_low_water(line: int, low_water: int) -> bool:
    """Set how many bytes make a socket readable."""
    with socket.socket(fileno=line) as borrowed:
        try:
            if borrowed.family == socket.AF_UNIX:
                return False
            borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)
        finally:
            borrowed.detach()
    return True

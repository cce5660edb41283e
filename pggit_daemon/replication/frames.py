"""The frames of a connection in the COPY_BOTH state, and messages back. The only file that works on `pgconn` there,
which psycopg does not document.

In: a connection after START_REPLICATION. Out: frames as bytes; the server's warnings among them, in their place.
Called by `connection.py`.

Reading never waits inside psycopg: its wait cancels the server's command when it is cancelled, which would end
the stream. `read()` may be cancelled at any moment, as frames are taken and returned without waiting between.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from pggit_daemon.errors import PggitDaemonError, StreamError
from pggit_daemon.replication import protocol
from pggit_daemon.replication.pacing import Pace
from pggit_daemon.replication.refusals import first_line

if TYPE_CHECKING:
    from pggit_daemon.db.guard import Guard

MAX_FRAMES = 4096  # one read takes no more, so that it cannot hold up the event loop
MAX_BYTES = 4 << 20
FULL_HAUL = 32  # frames of one look at the socket; fewer mean that it was emptied
GOODBYE = 1.0  # seconds to wait for the server's own end of the stream
SILENCE = 10.0  # seconds without a frame until somebody looks what the server is doing; it is asked for one each second


class Frames:
    """Both directions of one stream; it does something from `begin` to `end`."""

    def __init__(self, conn: psycopg.AsyncConnection[object], guard: Guard) -> None:
        self._guard = guard
        self._pgconn = conn.pgconn
        self._loop = asyncio.get_running_loop()
        self._pace = Pace()
        self._waiter: asyncio.Future[None] | None = None
        self._failure: PggitDaemonError | None = None
        self._streaming = False
        self._full = False
        self._interrupted = False
        self._warnings: list[str] = []
        conn.add_notice_handler(self._warned)

    def begin(self) -> None:
        """The stream has started."""
        self._streaming = True

    async def read(self) -> list[bytes]:
        """Return the next frames, none only after `interrupt`; StreamError when the stream has ended."""
        # A reader that always finds frames must still let the other tasks run.
        await asyncio.sleep(0 if self._full else self._pace.woken(self._loop.time()))
        while not (frames := self._take()):
            if self._failure is not None:
                raise self._failure
            if self._interrupted:
                self._interrupted = False
                break
            await self._readable()
        return frames

    def interrupt(self) -> None:
        """Let a `read` that waits come back at once, with no frames if there are none."""
        self._interrupted = True
        self._wake()

    def send(self, message: bytes) -> None:
        """Send a message; never waits and never raises: a connection that is broken says so at the next read."""
        if not self._streaming or self._failure is not None:
            return
        try:
            self._pgconn.put_copy_data(message)
            self._flush()
        except psycopg.Error as exc:
            self._fail(StreamError(f"the connection broke while sending: {first_line(exc)}"))

    async def end(self) -> None:
        """End the stream, and wait a moment until the server has let go of the slot."""
        if self._streaming and self._failure is None:
            with suppress(psycopg.Error, StreamError, TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await self._say_goodbye()
        self._streaming = False
        if self._pgconn.status == pq.ConnStatus.OK:
            self._loop.remove_writer(self._pgconn.socket)

    async def _say_goodbye(self) -> None:
        """End the copy from our side and wait for the server's last word: only then is the slot free."""
        self._pgconn.put_copy_end()
        self._flush()
        while self._failure is None:
            with suppress(StreamError):
                await self.read()
        while True:
            while self._pgconn.is_busy():
                await self._readable()
                self._pgconn.consume_input()
            if self._pgconn.get_result() is None:
                return

    # ------------------------------------------------------------------ the socket

    def _take(self) -> list[bytes]:
        """Take the frames that have arrived, without waiting; a failure is kept for the time after them."""
        frames: list[bytes] = []
        # Under TLS one look at the socket may leave a decrypted rest behind, and the socket silent about it.
        looks = 3 if self._pgconn.ssl_in_use else 1
        self._full = False
        try:
            while looks and not self._full and self._failure is None:
                self._pgconn.consume_input()
                if self._drain(frames) < FULL_HAUL:
                    looks -= 1
        except psycopg.Error as exc:
            self._fail(StreamError(f"the connection broke: {self._guard.reason or first_line(exc)}"))
        if frames:
            self._guard.heard()
        return frames

    def _drain(self, frames: list[bytes]) -> int:
        """Move libpq's complete frames to `frames`, up to the limits of one read; return how many."""
        before = len(frames)
        room = MAX_BYTES - sum(map(len, frames))
        get = self._pgconn.get_copy_data
        size, data = get(1)
        while size > 0:
            if self._warnings:
                # libpq hands a notice over on its way to the data behind it: it belongs right before these.
                frames.extend(protocol.warning(text) for text in self._warnings)
                self._warnings.clear()
            frame = bytes(data) if size <= protocol.MOST else protocol.shortened(data)
            frames.append(frame)
            room -= len(frame)
            if room <= 0 or len(frames) >= MAX_FRAMES:
                self._full = True
                break
            size, data = get(1)
        else:
            if size < 0:
                self._fail(self._ended())
        return len(frames) - before

    async def _readable(self) -> None:
        """Wait until the socket has something, or a failure is known."""
        waiter = self._waiter = self._loop.create_future()
        socket = self._pgconn.socket
        self._loop.add_reader(socket, self._wake)
        self._guard.begin(SILENCE)
        try:
            await waiter
        finally:
            self._guard.end()
            self._waiter = None
            self._loop.remove_reader(socket)

    def _warned(self, notice: psycopg.errors.Diagnostic) -> None:
        """Keep the plugin's warnings in their place in the stream: they stand for rows that it cannot show."""
        if self._streaming and notice.severity_nonlocalized == "WARNING":
            self._warnings.append(notice.message_primary or "")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _flush(self) -> None:
        """Send what libpq has buffered; what the socket does not take now is sent when it does."""
        if self._pgconn.flush():
            self._loop.add_writer(self._pgconn.socket, self._flush_rest)
        else:
            self._loop.remove_writer(self._pgconn.socket)

    def _flush_rest(self) -> None:
        try:
            self._flush()
        except psycopg.Error as exc:
            self._loop.remove_writer(self._pgconn.socket)
            self._fail(StreamError(f"the connection broke while sending: {first_line(exc)}"))

    def _fail(self, error: PggitDaemonError) -> None:
        self._failure = self._failure or error
        self._wake()

    def _ended(self) -> StreamError:
        """Say why the server ended the stream; must not wait, as the server may be gone."""
        pgconn = self._pgconn
        if not pgconn.is_busy():
            result = pgconn.get_result()
            if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
                error = psycopg.errors.error_from_result(result)
                return StreamError(f"the server ended the stream: {first_line(error)}")
        return StreamError("the server ended the stream")

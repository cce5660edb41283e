"""The copy that START_REPLICATION begins: frames out of libpq's buffer, messages back. The only file that works on
`pgconn` in that state (COPY_BOTH), which psycopg does not document.

In: a connection that streams. Out: frames as bytes, with the server's warnings among them, in their place. Never waits.
Called by `frames.py`, which knows when to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from pggit_daemon.errors import PggitDaemonError, StreamError, UndecodableError
from pggit_daemon.replication import protocol
from pggit_daemon.replication.refusals import first_line

if TYPE_CHECKING:
    from pggit_daemon.db.guard import Guard

MAX_FRAMES = 4096  # one look takes no more, so that it cannot hold up the event loop
MAX_BYTES = 4 << 20
FULL_HAUL = 32
FULL_BYTES = 8 << 10
"""Frames and bytes of one look at the socket; less means that it was emptied, as libpq has room for 16 KiB."""


class Copy:
    """Both directions. `failed` is called when `failure` becomes known, which may be while something is sent."""

    def __init__(self, conn: psycopg.AsyncConnection[object], guard: Guard, failed: Callable[[], None]) -> None:
        self._guard = guard
        self._pgconn = conn.pgconn
        self._loop = asyncio.get_running_loop()
        self._failed = failed
        self._streaming = False
        self._warnings: list[str] = []
        self.failure: PggitDaemonError | None = None
        self.is_full = False
        """Whether the last look left frames behind, as they were many."""
        conn.add_notice_handler(self._warned)

    @property
    def socket(self) -> int:
        return self._pgconn.socket

    @property
    def is_open(self) -> bool:
        """Whether it streams, as far as is known."""
        return self._streaming and self.failure is None

    def begin(self) -> None:
        """The stream has started."""
        self._streaming = True

    def send(self, message: bytes) -> None:
        """Send a message; never waits and never raises: a connection that is broken says so at the next read."""
        if not self.is_open:
            return
        try:
            self._pgconn.put_copy_data(message)
            self._flush()
        except psycopg.Error as exc:
            self.fail(StreamError(f"the connection broke while sending: {first_line(exc)}"))

    def end(self) -> None:
        """End the copy from our side; the server's last word is still to come."""
        self._pgconn.put_copy_end()
        self._flush()

    def has_ended(self) -> bool:
        """Whether the server has said its last word: only then is the slot free."""
        self._pgconn.consume_input()
        while not self._pgconn.is_busy():
            if self._pgconn.get_result() is None:
                return True
        return False

    def stop(self) -> None:
        """Send nothing any more."""
        self._streaming = False
        if self._pgconn.status == pq.ConnStatus.OK:
            self._loop.remove_writer(self._pgconn.socket)

    def arrived(self) -> list[bytes]:
        """Take the frames that have arrived, without waiting; a failure is kept for the time after them."""
        frames: list[bytes] = []
        # Under TLS one look at the socket may leave a decrypted rest behind, and the socket silent about it.
        looks = 3 if self._pgconn.ssl_in_use else 1
        self.is_full = False
        room = MAX_BYTES
        try:
            while looks and not self.is_full and self.failure is None:
                self._pgconn.consume_input()
                before, full = len(frames), room - FULL_BYTES
                room = self._drain(frames, room)
                if len(frames) - before < FULL_HAUL and room > full:
                    looks -= 1
        except psycopg.Error as exc:
            self.fail(StreamError(f"the connection broke: {self._guard.reason or first_line(exc)}"))
        if frames:
            self._guard.heard()
        return frames

    def _drain(self, frames: list[bytes], room: int) -> int:
        """Move libpq's complete frames to `frames`, up to the limits of one read; return for how many bytes is room."""
        get = self._pgconn.get_copy_data
        size, data = get(1)
        while size > 0:
            if self._warnings:
                # libpq hands a notice over on its way to the data behind it: it belongs right before these.
                frames.extend(protocol.warning(text) for text in self._warnings)
                self._warnings.clear()
            frames.append(bytes(data) if size <= protocol.MOST else protocol.shortened(data))
            room -= min(size, protocol.MOST)
            if room <= 0 or len(frames) >= MAX_FRAMES:
                self.is_full = True
                return room
            size, data = get(1)
        if size < 0:
            self.fail(self._ended())
        return room

    def _warned(self, notice: psycopg.errors.Diagnostic) -> None:
        """Keep the plugin's warnings in their place in the stream: they stand for rows that it cannot show."""
        if self._streaming and notice.severity_nonlocalized == "WARNING":
            self._warnings.append(notice.message_primary or "")

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
            self.fail(StreamError(f"the connection broke while sending: {first_line(exc)}"))

    def fail(self, error: PggitDaemonError) -> None:
        """Nothing more is to be expected, and why."""
        self.failure = self.failure or error
        self._failed()

    def _ended(self) -> StreamError:
        """Say why the server ended the stream; must not wait, as the server may be gone."""
        pgconn = self._pgconn
        if not pgconn.is_busy():
            result = pgconn.get_result()
            if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
                error = psycopg.errors.error_from_result(result)
                kind = UndecodableError if isinstance(error, psycopg.errors.UndefinedObject) else StreamError
                return kind(f"the server ended the stream: {first_line(error)}")
        return StreamError("the server ended the stream")

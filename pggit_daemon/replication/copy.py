"""The copy that START_REPLICATION begins: frames out of libpq's buffer, messages back. The only file that works on
`pgconn` in that state (COPY_BOTH), which psycopg does not document.

In: a connection that streams. Out: frames as bytes, with the server's warnings among them, in their place. Never waits.
Called by `frames.py`, which knows when to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from pggit_daemon.errors import PggitDaemonError, StreamEnded, StreamError, UndecodableError
from pggit_daemon.replication.drain import Haul, drain
from pggit_daemon.replication.protocol import Marks
from pggit_daemon.replication.refusals import first_line

if TYPE_CHECKING:
    from pggit_daemon.db.guard import Guard

FULL_HAUL = 32
FULL_BYTES = 8 << 10
"""Messages and bytes of one look at the socket; less means that it was emptied, as libpq has room for 16 KiB."""


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
        self.marks: Marks | None = None
        """By what transactions with nothing in them are known, which are only counted; None: they are no others."""
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

    def arrived(self) -> Haul:
        """Take what has arrived, without waiting; a failure is kept for the time after it."""
        haul = Haul()
        # Under TLS one look at the socket may leave a decrypted rest behind, and the socket silent about it.
        looks = 3 if self._pgconn.ssl_in_use else 1
        try:
            while looks and not haul.is_full and self.failure is None:
                self._pgconn.consume_input()
                messages, size = haul.messages, haul.size
                if not drain(self._pgconn.get_copy_data, haul, self.marks, self._warnings):
                    self.fail(self._ended())
                if haul.messages - messages < FULL_HAUL and haul.size - size < FULL_BYTES:
                    looks -= 1
        except psycopg.Error as exc:
            self.fail(StreamError(f"the connection broke: {self._guard.reason or first_line(exc)}"))
        if haul.messages:
            self._guard.heard()
        return haul

    def _warned(self, notice: psycopg.errors.Diagnostic) -> None:
        """Keep the plugin's warnings in their place in the stream: they stand for rows that it cannot show.

        libpq hands a notice over on its way to the message behind it.
        """
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
                kind = _KINDS.get(type(error), StreamError)
                return kind(f"the server ended the stream: {first_line(error)}")
            if result is not None:
                return StreamEnded("the server ended the stream")
        return StreamError("the server ended the stream")


_KINDS: Mapping[type[Exception], type[StreamError]] = {
    psycopg.errors.UndefinedObject: UndecodableError,
    psycopg.errors.AdminShutdown: StreamEnded,
}

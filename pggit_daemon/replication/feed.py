"""The stream as batches, and the acknowledgements.

In: a connection that streams, an assembler. Out: batches, one after the other. Called by the pipeline:

    async with Feed(connection, assembler, position) as feed:
        async for batch in feed.batches():
            …                                   # results stored: feed.acknowledge(durable)
            feed.acknowledge_idle(batch)        # nothing outstanding

Status goes out on a timer of its own, whatever the consumer does, so that the server never takes a long
computation for a dead receiver. What was acknowledged goes out soon and never moves back. A reply that the
server asks for goes out once the consumer has seen the batch and comes back for the next.

While the server is busy each status is followed by one that keeps it from telling us of each transaction that passes by
(`protocol.hush`). A reply is not: a server that shuts down waits for a true one. Nor is any where the server counts us
as a synchronous standby: it would log with each status that we have become one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from pggit_daemon.errors import StreamEnded
from pggit_daemon.model.lsn import LSN, Durable
from pggit_daemon.replication.pacing import Urgency

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pggit_daemon.decode.assembler import Assembler, Batch
    from pggit_daemon.replication.connection import ReplicationConnection

STATUS_INTERVAL = 2.0  # seconds
REPEAT = 10.0  # seconds until a status that says nothing new is sent again, unless the server wants it earlier
SOON = 0.005  # seconds: results that are durable are acknowledged within this
LATER = 0.2  # seconds: with nothing outstanding there is no hurry, and each status costs the server some work
PATIENCE = 1.0  # seconds until the consumer learns how far the server is, where that is all there is to learn
WAITED_FOR = 0.25  # seconds, the same where users' commits may wait for what we acknowledge
SPAN = 0.5  # seconds, at least, over which the growth of the WAL is measured
BUSY = 4096  # bytes of WAL a second, some ten small transactions, from which on the server should keep silent
URGES = 5  # requests in a row for a reply that we cannot give
URGE_PAUSE = 0.1  # seconds between the answers to them


class RenewalError(Exception):
    """The stream had better be another. `reason`: why, for the log; `after`: what it has passed that makes it so."""

    reason = "it had better be another"

    def __init__(self, after: str | None = None) -> None:
        super().__init__(self.reason if after is None else f"{self.reason}, after {after}")
        self.after = after


class SwollenError(RenewalError):
    """A record that was too large is behind us, and libpq keeps as much memory until the connection ends."""

    reason = "to free memory"


class RenamedError(RenewalError):
    """The server counts us as a synchronous standby, or no more: what we tell it must be otherwise from the start."""

    reason = "synchronous_standby_names is otherwise now"


class Urges:
    """Tells that the server wants to stop. Pure.

    A server that shuts down waits for its receivers to have everything and asks again as soon as we answer.
    In normal running our timer is quicker than its questions, so several in a row that we could not satisfy
    mean that it waits for us.
    """

    def __init__(self) -> None:
        self._row = 0

    def note(self, *, requested: bool, holding: bool) -> bool:
        """Note a batch; `holding`: acknowledged is less than received. True when the stream should end."""
        if not requested:
            # Work that goes on being delivered shows that the server does not wait for us alone.
            self._row = 0
            return False
        self._row = self._row + 1 if holding else 0
        return self._row >= URGES


class Flow:
    """Tells a busy server by how fast its WAL grows. Pure: the clock is passed in."""

    def __init__(self) -> None:
        self._since: tuple[float, LSN] | None = None
        self._is_busy = False

    @property
    def is_busy(self) -> bool:
        """Whether the server was busy when that was last measured."""
        return self._is_busy

    def note(self, received: LSN, now: float) -> None:
        """Note how far the stream is, at `now` seconds."""
        began, start = self._since or (now, received)
        if now - began >= SPAN:
            self._is_busy = received.value - start.value > BUSY * (now - began)
        if self._since is None or now - began >= SPAN:
            self._since = (now, received)


class Feed:
    """One streaming connection with its acknowledgements. Positions only move forward from `position`."""

    def __init__(
        self,
        connection: ReplicationConnection,
        assembler: Assembler,
        position: LSN,
        *,
        status_interval: float = STATUS_INTERVAL,
    ) -> None:
        self._connection = connection
        connection.tell_apart(assembler.marks)
        self._assembler = assembler
        self._acknowledged = position
        self._received = position
        self._ask = False
        self._awaited = False
        limit = connection.wal_sender_timeout
        self._interval = min(status_interval, limit / 4) if limit else status_interval
        self._repeat = max(self._interval, min(REPEAT, limit / 4) if limit else REPEAT)
        self._said: LSN | None = None
        self._renamed = False
        self._urges = Urges()
        self._flow = Flow()
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._send()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Report the last acknowledged position; the connection is the caller's to close."""
        if self._timer is not None:
            self._timer.cancel()
        self._connection.send_status(self._acknowledged, written=self._received, reply=False)
        self._timer = None

    @property
    def is_standby(self) -> bool:
        """Whether users' commits may wait for what we acknowledge."""
        return self._connection.is_standby

    def named(self, *, is_standby: bool) -> None:
        """Hear whether the server counts us as a synchronous standby now."""
        if is_standby is not self._connection.is_standby:
            self._renamed = True
            self._connection.interrupt()

    @property
    def acknowledged(self) -> LSN:
        return self._acknowledged

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Yield batches until the stream ends, a StreamError, or had better be another, a RenewalError."""
        while True:
            await self._connection.read(self._take, WAITED_FOR if self.is_standby else PATIENCE)
            batch = self._assembler.batch()
            self._received = max(self._received, batch.received)
            self._flow.note(self._received, asyncio.get_running_loop().time())
            yield batch
            if self._renamed:
                raise RenamedError
            large = self._assembler.oversize_at
            if large is not None and self._acknowledged > large:
                raise SwollenError(f"the record at {large}")
            holding = self._acknowledged < self._received
            if self._urges.note(requested=batch.reply_requested, holding=holding):
                raise StreamEnded("the server waits for this stream to end; it is probably shutting down")
            if batch.reply_requested:
                if holding:
                    await asyncio.sleep(URGE_PAUSE)  # it asks again at once: do not turn that into a busy loop
                self._send(is_reply=True)

    def _take(self, frames: list[bytes]) -> Urgency:
        """Take frames; an answer that somebody waits for is urgent whatever it says."""
        urgency = self._assembler.take(frames)
        if self._awaited and self._assembler.has_pulse:
            self._awaited = False
            return Urgency.OURS if urgency is Urgency.OURS else Urgency.ASKED
        return urgency

    def interrupt(self) -> None:
        """Have `batches` yield at once, an empty batch if nothing has come; so that its consumer can stop."""
        self._connection.interrupt()

    def acknowledge(self, durable: Durable) -> None:
        """Let the slot forget what lies before a durable result; sent within a few milliseconds."""
        self._advance(durable.lsn, SOON)

    def acknowledge_idle(self, batch: Batch, *, soon: bool = False) -> None:
        """Let the slot forget all that was received, or an idle database would keep its WAL for ever.

        To be called when no result is outstanding. `soon`: somebody waits for it.
        """
        self._advance(batch.received, SOON if soon else LATER)

    def request_reply(self) -> None:
        """Ask the server for a keepalive, which brings its clock and its position."""
        self._ask = self._awaited = True
        self._within(SOON)

    def _advance(self, lsn: LSN, delay: float) -> None:
        if lsn > self._acknowledged:
            self._acknowledged = lsn
            self._within(delay)

    def _within(self, delay: float) -> None:
        """Send a status in at most `delay` seconds; many requests in that time make one message."""
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timer.when() > loop.time() + delay:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_later(delay, self._send)

    def _send(self, *, is_reply: bool = False) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        hush = self._flow.is_busy and not is_reply and not self._connection.is_standby
        is_repeat = self._said == self._acknowledged
        if not (is_repeat and hush):
            self._connection.send_status(self._acknowledged, written=self._received, reply=self._ask and not hush)
        if hush:
            self._connection.hush(self._received, reply=self._ask)
        self._ask = False
        self._said = self._acknowledged
        self._timer = loop.call_later(self._repeat if is_repeat else self._interval, self._send)

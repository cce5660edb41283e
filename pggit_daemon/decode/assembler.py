"""From frames to committed transactions. Pure.

In: the frames of the stream, in order, as they come. Out: how urgent they are, and when somebody asks, all that came
since as a `Batch`. Called by `replication/feed.py`; one assembler serves one connection, because after a reconnect the
stream starts at a transaction's begin again.

Nearly all transactions of a busy server touch none of our tables and arrive as a begin and a commit with nothing
between. `replication/drain.py` counts most of them; of all that came since the last batch only the last commit is
parsed, for its position.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pggit_daemon.decode.plugin import MESSAGE_PREFIX, Commit, Decoder
from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.transaction import Change, Message, Transaction, UndecodableChange, Unreadable
from pggit_daemon.replication import protocol
from pggit_daemon.replication.pacing import Urgency
from pggit_daemon.replication.protocol import (
    KEEPALIVE,
    OVERSIZE,
    PASSED,
    WARNING,
    XLOG_DATA,
    XLOG_HEADER,
    Keepalive,
    Marks,
    Passed,
    data_start,
    keepalive,
    payload,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What the frames since the last batch held.

    `received` is how far the stream has been read without a gap: everything committed before it was in this
    batch or an earlier one. It may be acknowledged when nothing is waiting for its results.

    `stream_time` is the newest commit timestamp so far. `server_time` takes the clock of keepalives as well;
    a keepalive can come in the middle of a backlog, so the clock says how late it is and not that the stream
    has nothing older to bring. Both are None until the first commit (or keepalive).

    `messages` are the non-transactional ones: they belong to no transaction. `frames` came in so many `lots`.
    """

    transactions: tuple[Transaction, ...]
    messages: tuple[Message, ...]
    received: LSN
    stream_time: datetime | None
    server_time: datetime | None
    empties: int
    repeats: int
    reply_requested: bool
    in_transaction: bool
    frames: int
    lots: int


class Assembler:
    """Builds transactions out of the frames of one connection, which `decoder` reads.

    `after` is the commit position of the last transaction whose results are stored: what the server sends
    again up to there is dropped and counted as `repeats`.
    """

    def __init__(self, decoder: Decoder, *, after: LSN = ZERO) -> None:
        self._decoder = decoder
        self._after = after
        self._open = False
        self._begin = b""
        self._changes: list[Change] = []
        self._messages: list[Message] = []
        self._transactions: list[Transaction] = []
        self._repeats = 0
        self._received = ZERO
        self._stream_time: datetime | None = None
        self._server_time: datetime | None = None
        self._reply_requested = False
        self._empties = self._frames = self._lots = 0
        self._last_empty = b""
        self._last_pulse = b""
        self._pulsed = False
        self.oversize_at: LSN | None = None
        """Where the latest record was that was too large."""

    def feed(self, frames: Sequence[bytes]) -> Batch:
        """Take the next frames and return what they hold."""
        self.take(frames)
        return self.batch()

    @property
    def marks(self) -> Marks:
        """By what transactions with nothing in them are known."""
        return Marks.of(self._decoder.begin, self._decoder.commit)

    @property
    def has_pulse(self) -> bool:
        """Whether the server has said how far it is since the last batch, in a message for that alone."""
        return self._pulsed

    def take(self, frames: Sequence[bytes]) -> Urgency:
        """Take the next frames; ProtocolError when they do not fit together, and the stream must end."""
        self._lots += 1
        self._frames += len(frames)
        is_open = self._open
        begin, commit = self._decoder.begin, self._decoder.commit
        begins = slice(XLOG_HEADER, XLOG_HEADER + len(begin))  # as long as what commits begin with
        for frame in frames:
            head = frame[begins]
            if head == commit and frame[0] == XLOG_DATA:
                if not is_open:
                    raise ProtocolError("a commit came without its begin")
                is_open = False
                if self._changes:
                    self._complete(frame)
                else:
                    self._empties += 1
                    self._last_empty, self._last_pulse = frame, b""
            elif head == begin and frame[0] == XLOG_DATA:
                if is_open:
                    raise ProtocolError("a begin came inside an open transaction")
                is_open = True
                self._begin = frame
            else:
                self._other(frame, is_open=is_open)
        self._open = is_open
        if self._transactions or self._messages:
            return Urgency.OURS
        if self._changes:
            return Urgency.COMING
        return Urgency.ASKED if self._reply_requested else Urgency.LATER

    def _other(self, frame: bytes, *, is_open: bool) -> None:
        kind = frame[0] if frame else 0
        if kind == KEEPALIVE:
            # A busy server sends one with nearly every transaction; the last says all that the others did.
            self._reply_requested |= frame[-1] != 0
            self._pulsed = True
            if is_open:
                # The WAL's end lies before the commit or says nothing about it: hold.
                self._server_time = _newer(self._server_time, keepalive(frame).server_time)
            else:
                self._last_pulse = frame
        elif kind == PASSED:
            self._skip(protocol.read_passed(frame), is_open=is_open)
        elif kind == WARNING:
            self._warned(frame, is_open=is_open)
        elif kind == OVERSIZE:
            large = protocol.oversize(frame)
            self.oversize_at = large.start
            for change in self._decoder.oversize(large):
                self._change(change, is_open=is_open)
        else:
            for change in self._decoder.changes(payload(frame), data_start(frame)):
                self._change(change, is_open=is_open, frame=frame)

    def _skip(self, passed: Passed, *, is_open: bool) -> None:
        if is_open:
            raise ProtocolError("a begin came inside an open transaction")
        self._frames += 2 * passed.amount - 1
        self._empties += passed.amount
        self._begin, self._last_empty, self._last_pulse = passed.begin, passed.commit, b""

    def _change(self, change: Change, *, is_open: bool, frame: bytes = b"") -> None:
        if isinstance(change, Message) and not change.transactional:
            self._messages.append(change)
        elif is_open:
            self._changes.append(change)
        elif isinstance(change, Unreadable):
            # Only messages stand outside transactions: somebody sends odd ones, and it is not ours.
            self._messages.append(Message(change.lsn, transactional=False, prefix=MESSAGE_PREFIX, content=change.raw))
        else:
            raise ProtocolError(f"a change came outside a transaction: {frame[XLOG_HEADER:][:200]!r}")

    def _warned(self, frame: bytes, *, is_open: bool) -> None:
        """A row that the plugin cannot show; its place is filled in when the commit is known."""
        row = self._decoder.undecodable(frame[1:].decode("utf-8", "replace"))
        if is_open and row is not None:
            self._changes.append(row)

    def _complete(self, frame: bytes) -> None:
        found, self._changes = self._changes, []
        commit = self._passed(frame)
        self._last_empty = b""  # it lies before this one
        changes = tuple(_placed(change, commit.lsn, len(found) - index) for index, change in enumerate(found))
        if commit.lsn <= self._after:
            self._repeats += 1
        else:
            self._transactions.append(Transaction(commit.xid, commit.lsn, commit.end, commit.time, changes))

    def _passed(self, frame: bytes) -> Commit:
        """Move on to the end of a commit record: its own end, as the frame's length is none in the WAL."""
        commit = self._decoder.read_commit(payload(self._begin), payload(frame))
        self._received = max(self._received, commit.end)
        self._stream_time = _newer(self._stream_time, commit.time)
        self._server_time = _newer(self._server_time, commit.time)
        return commit

    def _pulse(self, pulse: Keepalive) -> None:
        self._received = max(self._received, pulse.wal_end)
        self._server_time = _newer(self._server_time, pulse.server_time)

    def batch(self) -> Batch:
        """All that came since the last batch."""
        if self._last_empty:
            self._passed(self._last_empty)
        if self._last_pulse:
            self._pulse(keepalive(self._last_pulse))
        batch = Batch(
            transactions=tuple(self._transactions),
            messages=tuple(self._messages),
            received=self._received,
            stream_time=self._stream_time,
            server_time=self._server_time,
            empties=self._empties,
            repeats=self._repeats,
            reply_requested=self._reply_requested,
            in_transaction=self._open,
            frames=self._frames,
            lots=self._lots,
        )
        self._transactions, self._messages, self._repeats, self._reply_requested = [], [], 0, False
        self._empties = self._frames = self._lots = 0
        self._last_empty, self._last_pulse, self._pulsed = b"", b"", False
        return batch


def _placed(change: Change, commit: LSN, before: int) -> Change:
    """Give an undecodable row a position of its own: records are larger than a byte, so it lies in its transaction."""
    return replace(change, lsn=LSN(commit.value - before)) if isinstance(change, UndecodableChange) else change


def _newer(known: datetime | None, seen: datetime) -> datetime:
    return seen if known is None or seen > known else known

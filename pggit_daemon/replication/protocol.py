"""The streaming replication protocol: frames of the server, status messages of ours. No I/O.

In: the bytes of one CopyData message. Out: its parts. Called by `decode/assembler.py` for each frame and by
`connection.py` to tell the server how far we are.

XLogData:  `w`, start of the data (8), end of the WAL (8), server clock (8), payload
Keepalive: `k`, end of the WAL (8), server clock (8), reply requested (1)
Status:    `r`, written (8), flushed (8), applied (8), our clock (8), reply requested (1)

Integers are big-endian; clocks count microseconds since 2000-01-01 UTC. A busy server sends more than
100,000 frames a second, so an XLogData frame stays the bytes it came as and is read by offset.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN

XLOG_DATA = ord("w")
KEEPALIVE = ord("k")
WARNING = ord("n")  # no message of the protocol: a warning of the server, put in its place among the frames
OVERSIZE = ord("o")  # nor is this: what is left of a frame that was too large
PASSED = ord("p")  # nor this: so many transactions had nothing for us
XLOG_HEADER = 25
"""Bytes before an XLogData frame's payload."""

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_POSITION = struct.Struct(">Q")
_KEEPALIVE = struct.Struct(">cQq?")
_STATUS = struct.Struct(">cQQQq?")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Keepalive:
    """The server is alive and has sent all it decoded up to `wal_end`.

    `server_time` is its clock now, also while it is still working through a backlog.
    """

    wal_end: LSN
    server_time: datetime
    reply_requested: bool


def data_start(frame: bytes) -> LSN:
    """Return where the WAL record of an XLogData frame starts (of a commit: where it ends)."""
    if len(frame) < XLOG_HEADER or frame[0] != XLOG_DATA:
        raise _malformed(frame)
    return LSN(_POSITION.unpack_from(frame, 1)[0])


def payload(frame: bytes) -> bytes:
    """Return what the output plugin wrote into an XLogData frame."""
    if len(frame) < XLOG_HEADER or frame[0] != XLOG_DATA:
        raise _malformed(frame)
    return frame[XLOG_HEADER:]


def keepalive(frame: bytes) -> Keepalive:
    """Read a keepalive frame."""
    if len(frame) != _KEEPALIVE.size or frame[0] != KEEPALIVE:
        raise _malformed(frame)
    _kind, wal_end, clock, reply = _KEEPALIVE.unpack(frame)
    return Keepalive(LSN(wal_end), from_clock(clock), reply)


def status(written: LSN, flushed: LSN, *, now: datetime, reply: bool) -> bytes:
    """Encode a standby status update; `flushed` is what the slot may forget, so applied is the same."""
    return _STATUS.pack(b"r", written.value, flushed.value, flushed.value, to_clock(now), reply)


AHEAD = 1 << 30
"""Bytes by which `hush` is ahead: more than a busy server writes between two of our status messages."""


def hush(received: LSN, *, now: datetime, reply: bool) -> bytes:
    """Encode a status update after which the server keeps silent about transactions that hold nothing for us.

    Otherwise it says after nearly each of them how far it is, as what has been written of it may be more than we know
    (`flush < sentPtr && write < sentPtr` in walsender.c). So this says that more is written than has been sent. Nobody
    may rely on that: with an invalid position for flushed, as pg_receivewal sends it, the server counts us as no
    synchronous standby, whatever `synchronous_standby_names` says, and the slot stays where it is.
    """
    return _STATUS.pack(b"r", received.value + AHEAD, 0, 0, to_clock(now), reply)


def from_clock(microseconds: int) -> datetime:
    """Read a clock of the protocol; ProtocolError outside the years that Python knows."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as exc:
        raise ProtocolError(f"the server's clock is out of range: {microseconds} µs after 2000-01-01") from exc


def to_clock(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND


def _malformed(frame: bytes) -> ProtocolError:
    return ProtocolError(f"malformed replication frame of {len(frame)} bytes: {frame[:40].hex(' ')}")


def warning(text: str) -> bytes:
    """A frame of our own, for a warning that came between two of the server's."""
    return bytes((WARNING,)) + text.encode()


@dataclass(frozen=True, slots=True)
class Marks:
    """How a plugin's records are told apart: at one place of an XLogData frame, by one byte."""

    at: int
    begin: int
    commit: int

    @classmethod
    def of(cls, begin: bytes, commit: bytes) -> Self:
        """How they start is alike up to the byte that tells them apart, as in those of any other record."""
        at = next(at for at, (one, other) in enumerate(zip(begin, commit, strict=True)) if one != other)
        return cls(XLOG_HEADER + at, begin[at], commit[at])


_PASSED = struct.Struct(">cII")


@dataclass(frozen=True, slots=True)
class Passed:
    """Transactions with nothing between begin and commit, one right behind the other; and the frames of the last."""

    amount: int
    begin: bytes
    commit: bytes


def passed(amount: int, begin: bytes | memoryview, commit: bytes | memoryview) -> bytes:
    """A frame of our own that stands for the frames of such transactions."""
    return b"".join((_PASSED.pack(bytes((PASSED,)), amount, len(begin)), begin, commit))


def read_passed(frame: bytes) -> Passed:
    """Read such a frame."""
    _kind, amount, size = _PASSED.unpack_from(frame)
    end = _PASSED.size + size
    return Passed(amount, frame[_PASSED.size : end], frame[end:])


MOST = 16 << 20
"""Bytes of a frame that is read whole: 16 MiB. JSON takes some ten times as much memory once it is parsed.

libpq hands a frame over when all of it has come, so a larger one is in memory once, in libpq's own buffer, whatever we
do with it; the server refuses values beyond 1 GiB.
"""

_HEAD = 4096  # bytes of a frame that was too large
_OVERSIZE = struct.Struct(">cQQ32s")


@dataclass(frozen=True, slots=True)
class Oversize:
    """What is known of a frame that was too large: where it starts, its size, its SHA-256, and its beginning."""

    start: LSN
    size: int
    digest: bytes
    head: bytes


def shortened(frame: memoryview) -> bytes:
    """A frame of our own that stands for one that is too large."""
    (start,) = _POSITION.unpack_from(frame, 1)
    whole = frame[XLOG_HEADER:]
    digest = hashlib.sha256(whole).digest()
    return _OVERSIZE.pack(bytes((OVERSIZE,)), start, len(whole), digest) + bytes(whole[:_HEAD])


def oversize(frame: bytes) -> Oversize:
    """Read such a frame."""
    _kind, start, size, digest = _OVERSIZE.unpack_from(frame)
    return Oversize(LSN(start), size, digest, frame[_OVERSIZE.size :])

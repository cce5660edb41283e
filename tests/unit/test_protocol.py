"""Frames of the streaming protocol: what is read is what was meant, and nothing malformed passes."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.errors import ProtocolError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.replication import protocol

U64 = st.integers(min_value=0, max_value=2**64 - 1)
MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants bounds without a zone


@given(U64, U64, MOMENTS, st.binary(max_size=300))
def test_data_frames_give_position_and_payload(start: int, end: int, moment: datetime, content: bytes) -> None:
    frame = struct.pack(">cQQq", b"w", start, end, protocol.to_clock(moment)) + content
    assert protocol.data_start(frame) == LSN(start)
    assert protocol.payload(frame) == content


@given(U64, MOMENTS, st.booleans())
def test_keepalives_are_read(end: int, moment: datetime, reply: bool) -> None:  # noqa: FBT001 - drawn
    frame = struct.pack(">cQq?", b"k", end, protocol.to_clock(moment), reply)
    assert protocol.keepalive(frame) == protocol.Keepalive(LSN(end), moment, reply)


@given(st.binary(min_size=0, max_size=24))
def test_a_data_frame_cut_in_its_header_is_refused(rest: bytes) -> None:
    frame = b"w" + rest[:23]
    for read in (protocol.data_start, protocol.payload):
        with pytest.raises(ProtocolError):
            read(frame)


@given(st.binary(max_size=60).filter(lambda rest: len(rest) != 17))
def test_a_keepalive_of_another_length_is_refused(rest: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.keepalive(b"k" + rest)


@pytest.mark.parametrize("frame", [b"", b"x" * 40, b"k" * 40, b"\x00" * 25])
def test_other_kinds_of_frame_are_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError, match="malformed"):
        protocol.payload(frame)


def test_a_clock_beyond_all_years_is_refused() -> None:
    with pytest.raises(ProtocolError, match="out of range"):
        protocol.keepalive(struct.pack(">cQq?", b"k", 1, 2**63 - 1, False))  # noqa: FBT003 - the wire's order


@given(U64, U64, MOMENTS, st.booleans())
def test_status_says_what_may_be_forgotten(written: int, flushed: int, moment: datetime, reply: bool) -> None:  # noqa: FBT001 - drawn
    message = protocol.status(LSN(written), LSN(flushed), now=moment, reply=reply)
    assert struct.unpack(">cQQQq?", message) == (b"r", written, flushed, flushed, protocol.to_clock(moment), reply)


def test_the_clock_starts_with_the_year_2000() -> None:
    assert protocol.to_clock(datetime(2000, 1, 2, tzinfo=UTC)) == timedelta(days=1) // timedelta(microseconds=1)

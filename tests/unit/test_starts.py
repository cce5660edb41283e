"""How many streams brought nothing, as the next one is told."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from pggit_daemon.errors import (
    ConnectError,
    PggitDaemonError,
    ProtocolError,
    StoreError,
    StreamEnded,
    StreamError,
    UndecodableError,
)
from pggit_daemon.model.lsn import LSN
from pggit_daemon.runtime.starts import Start


def caused(error: PggitDaemonError, cause: psycopg.Error) -> PggitDaemonError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("why", "brought_nothing"),
    [
        (StreamError("the connection broke: out of memory"), 1),
        (ProtocolError("a commit came without its begin"), 1),
        (ConnectError("the server closed the connection unexpectedly"), 1),
        (caused(ConnectError("the database could not be read"), errors.CrashShutdown()), 1),
        (caused(ConnectError("the database could not be read"), errors.AdminShutdown()), 0),
        (StreamEnded("the server ended the stream: terminating connection due to administrator command"), 0),
        (UndecodableError("publication does not exist"), 0),
        (StoreError("results could not be stored"), 0),
    ],
)
def test_a_stream_that_somebody_ended_did_not_break(why: PggitDaemonError, brought_nothing: int) -> None:
    start = Start(1, LSN(1), LSN(2), _is_counted=True)
    assert start.counts == 2
    start.ended(why)
    assert start.counts == 1 + brought_nothing


def test_a_stream_that_did_not_begin_is_none() -> None:
    start = Start(1, LSN(1), LSN(2))
    start.ended(StreamError("the connection broke"))
    assert start.counts == 1

"""What libpq says about a connection is told in one line that reads as one."""

from __future__ import annotations

import pytest
from psycopg import OperationalError

from pggit_daemon.db.refusals import libpq_said


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            'connection is bad: connection to server on socket "/s" failed: No such file\n\tIs it running?\n',
            'connection to server on socket "/s" failed: No such file · Is it running?',
        ),
        (
            'connection failed: connection to server at "::1", port 5 failed: FATAL:  no entry\n',
            'connection to server at "::1", port 5 failed: FATAL: no entry',
        ),
        ("connection timeout expired", "connection timeout expired"),
    ],
)
def test_each_line_is_told_apart_and_nothing_is_said_twice(said: str, line: str) -> None:
    assert libpq_said(OperationalError(said)) == line

"""Requests and messages: what is ours is read, what only looks like it is not."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.interpret.requests import REQUESTS, parse_message, parse_request
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import Message, RowChange, RowOp, Value

SECRET = "secret of the database"  # noqa: S105  # of no database
FAILURE = {
    "action": "end",
    "pid": 7,
    "backend_start": "2026-03-01T00:00:00+00:00",
    "user": "ann",
    "at": "2026-03-01T00:00:01+00:00",
    "arguments": {"migration_id": 5, "success": False},
}


def message(content: str) -> Message:
    return Message(LSN(9), transactional=False, prefix="pggit_daemon", content=content)


def signed(told: str, secret: str = SECRET) -> str:
    return f"{hashlib.sha256((secret + told + secret).encode()).hexdigest()} {told}"


def test_a_signed_message_is_ours() -> None:
    request = parse_message(message(signed(json.dumps(FAILURE))), SECRET)
    assert request is not None
    assert (request.request_id, request.action, request.lsn) == (None, "end", LSN(9))
    assert request.session == SessionKey.of(7, "2026-03-01T00:00:00+00:00")
    assert request.arguments["migration_id"] == 5


def test_one_changed_character_makes_it_a_forgery() -> None:
    told = json.dumps(FAILURE)
    assert parse_message(message(signed(told).replace(": 5", ": 6")), SECRET) is None
    assert parse_message(message(signed(told, "another secret")), SECRET) is None


@given(st.text(st.characters()))
def test_no_text_is_ours_by_chance(content: str) -> None:
    """Any role may send any text, lone surrogates included: nothing is raised."""
    assert parse_message(message(content), SECRET) is None
    assert parse_message(message("é" * 64 + f" {content}"), SECRET) is None


@pytest.mark.parametrize("arguments", ["[]", "null", "5", '"x"', "{"])
def test_a_row_that_is_none_of_ours(arguments: str) -> None:
    row: dict[str, Value] = {
        "id": 1,
        "recorded_at": "2026-03-01 00:00:00+00",
        "action": "link",
        "pid": 7,
        "backend_start": "2026-03-01 00:00:00+00",
        "user_name": "ann",
        "arguments": arguments,
    }
    with pytest.raises((TypeError, ValueError)):
        parse_request(RowChange(LSN(1), RowOp.INSERT, REQUESTS, row, {}))

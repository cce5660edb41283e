"""Sessions that fill the outbox at once wait for each other's pages, and never fail for that."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SESSIONS = 6
ROUNDS = 25

BODY = "CREATE OR REPLACE FUNCTION f{session}() RETURNS int LANGUAGE sql AS $$ SELECT 1 /* {filling} */ $$"
"""Some definition that is stored on pages of its own."""


def _at_once(work: Callable[[int], None]) -> list[BaseException]:
    failures: list[BaseException] = []

    def one(session: int) -> None:
        try:
            work(session)
        except psycopg.Error as exc:
            failures.append(exc)

    threads = [threading.Thread(target=one, args=[session]) for session in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.fixture
def hurried(installed_database: str) -> str:
    """Give a database whose triggers wait for a lock a millisecond at most, as if the disk were that much slower."""
    with psycopg.connect(installed_database) as conn:
        conn.execute("ALTER FUNCTION pggit_daemon.capture_ddl(text, text, text) SET lock_timeout = '1ms'")
    return installed_database


def test_ddl_of_many_sessions_waits_for_a_page_of_the_outbox(hurried: str) -> None:
    """A table that grows is locked for a moment, also for those who wait for locks only briefly."""
    filling = "".join(f"{number:x} " for number in range(60_000))

    def work(session: int) -> None:
        with psycopg.connect(hurried, autocommit=True) as conn:
            conn.execute("SET client_min_messages = error")
            for number in range(ROUNDS):
                conn.execute(BODY.format(session=session, filling=f"{number} {filling}").encode())

    assert _at_once(work) == []

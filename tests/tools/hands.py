"""People who change the schema while a tool is at work: another user, and the tool's own user and program.

In: a database. Out: nothing but the changes; every object's name begins with `hand_`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo

OTHERS = (("ada", "psql"), ("deploy", "psql"), ("ada", ""))
"""User and application_name of sessions that do not look like the tool's."""

PAUSE = 0.25  # seconds between statements of a hand

_numbers = itertools.count(1)


@contextmanager
def hands(dsn: str, looks: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Change the schema all the time while the body runs: one session after the other, each of another look."""
    stop = threading.Event()
    working = threading.Thread(target=_work, args=(dsn, tuple(looks), stop))
    if looks:
        working.start()
    try:
        yield
    finally:
        stop.set()
        if looks:
            working.join()


def _work(dsn: str, looks: Sequence[tuple[str, str]], stop: threading.Event) -> None:
    for user, application in itertools.cycle(looks):
        if stop.is_set():
            return
        number = next(_numbers)
        with psycopg.connect(make_conninfo(dsn, user=user, application_name=application), autocommit=True) as conn:
            conn.execute(f"CREATE TABLE public.hand_{number} (id int)".encode())
            stop.wait(PAUSE)
            conn.execute(f"ALTER TABLE public.hand_{number} ADD COLUMN note text".encode())
            stop.wait(PAUSE)

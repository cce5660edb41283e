"""People who change the schema while a tool is at work: another user, and the tool's own user and program.

In: a database, and the tool's history table, if they look at it. Out: nothing but the changes; every object's name
begins with `hand_`.
Where they are told of it, some look at it before, in the transaction of their change or in the same session, and rarely
lock it: the first session that looks as the tool does and reads its table is the one that may still be mistaken for it
(docs/architecture.md).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

OTHERS = (("ada", "psql"), ("deploy", "psql"), ("ada", ""))
"""User and application_name of sessions that do not look like the tool's."""

PAUSE = 0.25  # seconds between statements of a hand
CHANGES = (1, 3, 2)
"""Tables of a session, in turn: brief ones among longer. Its first DDL costs the server as much as five more."""

LOOKS: tuple[tuple[str, bool], ...] = (
    ("", False),
    ("SELECT count(*) FROM {}", True),
    ("", False),
    ("SELECT count(*) FROM {}", False),
    ("", False),
    ("SELECT * FROM {} FOR UPDATE NOWAIT", False),
    ("LOCK TABLE {} IN SHARE MODE NOWAIT", True),
)
"""How a hand looks at the history table before it changes anything, and whether in one transaction with that."""

NO_LOOK = (("", False),)

CANNOT_LOOK = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.LockNotAvailable,
)
_numbers = itertools.count(1)


@contextmanager
def hands(dsn: str, looks: Sequence[tuple[str, str]], history: str | None) -> Iterator[None]:
    """Change the schema all the time while the body runs: one session after the other, each of another look."""
    stop = threading.Event()
    working = threading.Thread(target=_work, args=(dsn, tuple(looks), history, stop))
    if looks:
        working.start()
    try:
        yield
    finally:
        stop.set()
        if looks:
            working.join()


def _work(dsn: str, looks: Sequence[tuple[str, str]], history: str | None, stop: threading.Event) -> None:
    reading = itertools.cycle(LOOKS if history is not None else NO_LOOK)
    for (user, application), changes in zip(itertools.cycle(looks), itertools.cycle(CHANGES), strict=False):
        with psycopg.connect(make_conninfo(dsn, user=user, application_name=application), autocommit=True) as conn:
            for look, together in itertools.islice(reading, changes):
                if stop.is_set():
                    return
                _change(conn, next(_numbers), look.format(history), stop, together=together)


def _change(conn: Connection, number: int, look: str, stop: threading.Event, *, together: bool) -> None:
    with conn.transaction() if together else nullcontext():
        _look(conn, look)
        conn.execute(f"CREATE TABLE public.hand_{number} (id int)".encode())
    stop.wait(PAUSE)
    conn.execute(f"ALTER TABLE public.hand_{number} ADD COLUMN note text".encode())
    stop.wait(PAUSE)


def _look(conn: Connection, statement: str) -> None:
    """A history table that is not there yet, is locked or is another user's stops nobody."""
    with suppress(*CANNOT_LOOK), conn.transaction():
        if statement:
            conn.execute(statement.encode())

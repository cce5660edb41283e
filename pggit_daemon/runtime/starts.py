"""What is done before a stream begins, for what the streams before it left.

In: a connection. Out: the stored progress on the server's disk; and where a stream ends again and again before anything
of it is stored, up to where it should do without messages. Called by `worker.py`.

With pgoutput any role may send us messages of nearly a gigabyte. libpq holds each whole, twice for a moment, which may
be more memory than the daemon is given: it is killed, starts again at the same place, and is killed again. Ours among
them are calls of the SQL API that outlive a rollback; everything else comes as rows. So after two starts that brought
nothing the server is asked for no messages, until the stream is behind all that was written by then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import psycopg
import structlog

from pggit_daemon.db.connections import translated
from pggit_daemon.decode.assembler import Batch
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.progress import Progress
from pggit_daemon.sql import load_queries

log = structlog.get_logger(__name__)

MANY = 2
"""Starts that brought nothing, after which messages are left out."""


class MessagesPassedError(Exception):
    """All that was to be read without messages is read: the stream had better begin again there, with them."""

    def __init__(self, received: LSN) -> None:
        super().__init__(str(received))
        self._received = received

    def passed(self, progress: Progress) -> Progress:
        """The progress to be stored: a stream that began before would bring what was left out."""
        return replace(progress, end=max(progress.end, self._received)).reserving


@dataclass(slots=True)
class Start:
    """A stream's beginning. `until`: what was on disk then. `messages`: whether they are asked for."""

    until: LSN
    messages: bool
    is_passed: bool = False
    """Whether the stream is beyond `until`."""

    def note(self, batch: Batch) -> None:
        """Note a batch of which everything is stored; MessagesPassedError when messages can be asked for again."""
        self.is_passed |= batch.received >= self.until
        if self.is_passed and not self.messages:
            raise MessagesPassedError(batch.received)


async def settle(conn: psycopg.AsyncConnection[Any]) -> None:
    """Have the stored progress on the server's disk, before a stream's first status acknowledges as far as it is.

    It may have been written ahead a moment ago, by this process or by one that was killed.
    """
    try:
        await conn.execute(load_queries("slot")["settle"].encode())
    except psycopg.Error as exc:
        raise translated(exc) from exc


async def count_start(conn: psycopg.AsyncConnection[Any], database: str, before: Start | None) -> Start | None:
    """Note that a stream begins; `before`: the one before it, where this process has begun it."""
    got_on = before is not None and before.is_passed
    try:
        cursor = await conn.execute(load_queries("slot")["count_start"].encode(), {"got_on": got_on})
        row = await cursor.fetchone()
    except psycopg.Error as exc:
        raise translated(exc) from exc
    if row is None:
        return None
    starts, end, until = row[0], row[1], LSN.parse(row[2])
    if starts > MANY:
        log.warning(
            "messages_left_out",
            database=database,
            starts=starts,
            after=end,
            until=str(until),
            reason="the stream ended each time before anything was stored; maybe a message takes too much memory",
            hint="a migration that was begun through the SQL API and rolled back there is not known;"
            " see pg_logical_emit_message in docs/operations.md",
        )
    return Start(until, messages=starts <= MANY)

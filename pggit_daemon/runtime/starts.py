"""What is done before a stream begins, for what the streams before it left.

In: a connection, before the stream begins and once it has. Out: the stored progress on the server's disk; and where a
stream ends again and again before anything of it is stored, up to where it should do without messages. Called by
`worker.py`.

With pgoutput any role may send us messages of nearly a gigabyte. libpq holds each whole, twice for a moment, which may
be more memory than the daemon is given: it is killed, starts again at the same place, and is killed again. Ours among
them are calls of the SQL API that outlive a rollback; everything else comes as rows. So after two starts that brought
nothing the server is asked for no messages, until the stream is behind all that was written by then. A stream that the
server refuses to begin is no start, nor is one that somebody ended, and one that came that far has got on, whether
something was to be stored or not.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import structlog

from pggit_daemon.db.on_demand import Lender
from pggit_daemon.db.refusals import translated
from pggit_daemon.decode.assembler import Batch
from pggit_daemon.errors import ConnectError, PggitDaemonError, StreamEnded, StreamError, UndecodableError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.progress import Progress
from pggit_daemon.replication.feed import RenewalError
from pggit_daemon.sql import load_queries

log = structlog.get_logger(__name__)

_QUERIES = load_queries("slot")

MANY = 2
"""Starts that brought nothing, after which messages are left out."""


class MessagesPassedError(RenewalError):
    """All that was to be read without messages is read: the stream had better begin again there, with them."""

    reason = "to read messages again"

    def __init__(self, received: LSN) -> None:
        super().__init__(str(received))
        self._received = received

    def passed(self, progress: Progress) -> Progress:
        """The progress to be stored: a stream that began before would bring what was left out."""
        return replace(progress, end=max(progress.end, self._received)).reserving


@dataclass(slots=True)
class Start:
    """A stream's beginning, behind `before` others that brought nothing. `until`: what was on disk then."""

    before: int
    after: LSN
    until: LSN
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the stream is beyond `until`."""
    _is_counted: bool = False
    _was_ended: bool = False

    @property
    def counts(self) -> int:
        """How many starts have brought nothing once this one has ended."""
        return self.before + (self._is_counted and not self._was_ended)

    @property
    def messages(self) -> bool:
        """Whether they are asked for."""
        return self.before < MANY

    async def count(self, link: Lender, database: str) -> None:
        """Note that the server has begun to stream, before anything of it is read."""
        if self._is_counted:
            return
        await _run(link, "count_start", starts=self.before + 1)
        self._is_counted = True
        if not self.messages:
            log.warning(
                "messages_left_out",
                database=database,
                starts=self.before + 1,
                after=str(self.after),
                until=str(self.until),
                reason="the stream ended each time before anything was stored; maybe a message takes too much memory",
                hint="a migration that was begun through the SQL API and rolled back there is not known;"
                " see pg_logical_emit_message in docs/operations.md",
            )

    def note(self, batch: Batch) -> None:
        """Note a batch of which everything is stored; MessagesPassedError when messages can be asked for again."""
        if self.passed.is_set() or batch.received < self.until:
            return
        self.passed.set()
        if not self.messages:
            raise MessagesPassedError(batch.received)

    def ended(self, why: PggitDaemonError) -> None:
        """Note how the stream has ended: a message that is too large breaks it, or the whole server."""
        breaks = isinstance(why, StreamError | ConnectError) and not isinstance(why, StreamEnded | UndecodableError)
        self._was_ended = not breaks or isinstance(why.__cause__, psycopg.errors.AdminShutdown)

    async def forget(self, link: Lender) -> None:
        """Wait until the stream has got on, and note that; a server that goes meanwhile ends the stream, too."""
        await self.passed.wait()
        with suppress(PggitDaemonError):
            await _run(link, "forget_starts")


async def settle(conn: psycopg.AsyncConnection[Any]) -> None:
    """Have the stored progress on the server's disk, before a stream's first status acknowledges as far as it is.

    It may have been written ahead a moment ago, by this process or by one that was killed.
    """
    await _execute(conn, "settle")


async def next_start(conn: psycopg.AsyncConnection[Any], last: Start | None) -> Start | None:
    """How the stream should begin; `last`: how this process began it before."""
    rows = await _execute(conn, "starts")
    if not rows:
        return None
    [(starts, after, until)] = rows
    before = min(starts, last.counts) if last is not None else starts
    return Start(before, LSN.parse(after), LSN.parse(until))


async def _run(link: Lender, name: str, **values: int) -> None:
    async with link.use() as conn:
        await _execute(conn, name, **values)


async def _execute(conn: psycopg.AsyncConnection[Any], name: str, **values: int) -> list[tuple[Any, ...]]:
    """Run one of the queries; its rows, if it has any."""
    try:
        cursor = await conn.execute(_QUERIES[name].encode(), values or None)
        return await cursor.fetchall() if cursor.description is not None else []
    except psycopg.Error as exc:
        raise translated(exc) from exc

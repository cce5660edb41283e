"""A replication connection: makes and drops slots, streams frames, sends status.

In: a connection string, a slot, a position, the plugin's options. Out: frames as bytes (`frames.py`). Called by
`replication/feed.py` and by whoever makes the slot. Errors come from `refusals.py`; one connection streams once and
is then closed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Self

import psycopg
from psycopg import pq, sql
from psycopg._encodings import pg2pyenc

from pggit_daemon.db import session
from pggit_daemon.db.connections import connect
from pggit_daemon.db.guard import Guard
from pggit_daemon.db.refusals import refused
from pggit_daemon.db.transport import transport
from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.errors import ConnectError, PggitDaemonError, ServerAway, StreamError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.replication import protocol
from pggit_daemon.replication import refusals as failures
from pggit_daemon.replication.frames import Frames, Take
from pggit_daemon.replication.protocol import Marks
from pggit_daemon.replication.slot import read_requirements, read_slot
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    OnNotice = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class CreatedSlot:
    """A new slot: decoding starts at `consistent_point`, the database as of there is seen under the snapshot.

    The snapshot lives until the next command on the connection that made the slot, or its end.
    """

    name: str
    consistent_point: LSN
    snapshot_name: str | None


class ReplicationConnection:
    """One walsender session. Made by `open`, ended by `close`, also as an async context."""

    def __init__(self, conn: WatchedConnection, guard: Guard, on_notice: OnNotice | None) -> None:
        """Take over an open connection; use `open` instead."""
        self._conn = conn
        self._frames = Frames(conn, guard)
        self.wal_sender_timeout: float | None = None
        self.is_standby = False
        """Whether the server counted it as a synchronous standby when it connected."""
        if on_notice is not None:
            conn.add_notice_handler(
                lambda notice: on_notice(
                    notice.severity_nonlocalized or "", notice.sqlstate or "", notice.message_primary or ""
                )
            )

    @classmethod
    async def open(cls, dsn: str, *, on_notice: OnNotice | None = None) -> Self:
        """Connect and pin the session's settings.

        `on_notice(severity, sqlstate, message)` gets the server's warnings, such as wal2json's for a row that
        it drops for lack of a replica identity. ServerAway while the server takes no connections, ConnectError
        where it refuses this one, PrerequisiteError where the role or the server lacks something.
        """
        try:
            conn = await WatchedConnection.connect(
                transport(dsn),
                autocommit=True,
                cursor_factory=psycopg.AsyncClientCursor,  # a walsender takes the simple query protocol only
                replication="database",
                fallback_application_name="pggit-daemon",
            )
        except psycopg.Error as exc:
            raise await _why_refused(dsn, exc) from exc
        conn.guard = Guard(conn, dsn)
        try:
            self = cls(conn, conn.guard, on_notice)
            await self._pin()
        except psycopg.Error as exc:
            await conn.close()
            raise ConnectError(f"cannot prepare the replication session: {failures.first_line(exc)}") from exc
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    @property
    def encoding(self) -> str:
        """Python's name of the database's encoding: plugins write in it."""
        return pg2pyenc(self._server_encoding.encode())

    @property
    def _server_encoding(self) -> str:
        return self._conn.info.parameter_status("server_encoding") or "UTF8"

    # ------------------------------------------------------------------ slots

    async def create_slot(
        self,
        name: str,
        plugin: str,
        *,
        snapshot: Literal["export", "nothing"],
        temporary: bool = False,
        timeout: float,  # noqa: ASYNC109 - the server must know it too
    ) -> CreatedSlot:
        """Make a logical slot; SlotError when the transactions that are open now do not end in `timeout` seconds.

        The server itself gives up on each of them by lock_timeout (statement_timeout does not hold for
        replication commands), so that an attempt whose client died leaves no walsender behind that pins WAL.
        """
        doing = f"create replication slot {name}"
        # The form without parentheses is understood by every server from 10 on; the newer one only from 15.
        command = sql.SQL("CREATE_REPLICATION_SLOT {name}{temporary} LOGICAL {plugin} {snapshot}").format(
            name=sql.Identifier(name),
            temporary=sql.SQL(" TEMPORARY" if temporary else ""),
            plugin=sql.Identifier(plugin),
            snapshot=sql.SQL("EXPORT_SNAPSHOT" if snapshot == "export" else "NOEXPORT_SNAPSHOT"),
        )
        try:
            async with asyncio.timeout(timeout):
                await self._set({"lock_timeout": f"{max(1, int(timeout * 1000))}ms"})
                cursor = await self._conn.execute(command)
                row = await cursor.fetchone()
        except TimeoutError as exc:
            raise failures.too_slow(doing) from exc
        except psycopg.Error as exc:
            raise await self._why(exc, doing, name, plugin) from exc
        if row is None:
            raise StreamError(f"cannot {doing}: the server returned no row")
        return CreatedSlot(name=row[0], consistent_point=LSN.parse(row[1]), snapshot_name=row[2])

    async def drop_slot(self, name: str) -> None:
        """Drop a slot; SlotInUse when somebody streams from it, SlotLost when there is none."""
        try:
            await self._conn.execute(sql.SQL("DROP_REPLICATION_SLOT {}").format(sql.Identifier(name)))
        except psycopg.Error as exc:
            raise await self._why(exc, f"drop replication slot {name}", name) from exc

    # ------------------------------------------------------------------ streaming

    async def start(self, slot: str, position: LSN, options: Mapping[str, str]) -> None:
        """Start to stream what was committed after `position` (or after what the slot has confirmed, if later)."""
        pairs = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(key), sql.SQL(_quoted(value))) for key, value in options.items()
        )
        command = sql.SQL("START_REPLICATION SLOT {slot} LOGICAL {position}{options}").format(
            slot=sql.Identifier(slot),
            position=sql.SQL(str(position)),
            options=sql.SQL(" ({})").format(pairs) if options else sql.SQL(""),
        )
        try:
            await self._set(
                {
                    "lock_timeout": "0",
                    # pgoutput converts: what another encoding has no character for would end the stream for ever.
                    "client_encoding": self._server_encoding,
                    # Else pgoutput tells of each transaction that it leaves out, where any standby is synchronous.
                    "synchronous_commit": "local",
                }
            )
            cursor = await self._conn.execute(command)
        except psycopg.Error as exc:
            raise await self._why(exc, f"stream from replication slot {slot}", slot) from exc
        result = cursor.pgresult
        if result is None or result.status != pq.ExecStatus.COPY_BOTH:
            raise StreamError(f"the server did not start to stream from replication slot {slot}")
        self._frames.begin()

    def tell_apart(self, marks: Marks) -> None:
        """By what the transactions are known that have nothing for us: `protocol.passed` stands for theirs."""
        self._frames.tell_apart(marks)

    async def read(self, take: Take, patience: float) -> None:
        """Hand frames to `take` until it says that somebody must see them, at most `patience` seconds from the first.

        Returns after `interrupt`, too. StreamError when the stream has ended, and whatever `take` raises.
        """
        await self._frames.read(take, patience)

    def interrupt(self) -> None:
        """Let a `read` that waits come back at once, with no frames if there are none."""
        self._frames.interrupt()

    def send_status(self, flushed: LSN, *, written: LSN | None = None, reply: bool) -> None:
        """Tell the server that everything before `flushed` may be forgotten; `reply` asks for a keepalive.

        Never waits and never raises: a connection that is broken says so at the next read.
        """
        self._frames.send(protocol.status(written or flushed, flushed, now=datetime.now(UTC), reply=reply))

    def hush(self, received: LSN, *, reply: bool) -> None:
        """Have the server keep silent about what holds nothing for us, until the next status; `reply` as above."""
        self._frames.send(protocol.hush(received, now=datetime.now(UTC), reply=reply))

    async def close(self) -> None:
        """End the stream, wait a moment until the server has let go of the slot, and close."""
        await self._frames.end()
        await self._conn.close()

    # ------------------------------------------------------------------ the session

    async def _pin(self) -> None:
        # No timeout may end the stream or the exported snapshot, and wal2json prints values under these settings.
        await self._conn.execute(
            session.statements(session.settings(self._conn.info.server_version, lock_timeout="0")).encode()
        )
        cursor = await self._conn.execute(load_queries("slot")["sender_settings"].encode())
        milliseconds, self.is_standby = await cursor.fetchone() or (0, False)
        self.wal_sender_timeout = milliseconds / 1000 if milliseconds else None

    async def _set(self, settings: Mapping[str, str]) -> None:
        """Set settings of the session, in one round trip."""
        await self._conn.execute(
            sql.SQL("; ").join(
                sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
                for name, value in settings.items()
            )
        )

    async def _why(self, exc: psycopg.Error, doing: str, slot: str, plugin: str | None = None) -> PggitDaemonError:
        """Translate a refusal, asking the server for what the SQLSTATE does not tell."""
        facts = needs = None
        with suppress(psycopg.Error):
            facts = await read_slot(self._conn, slot)
            needs = await read_requirements(self._conn)
        plugin = plugin or (facts.plugin if facts else None)
        return failures.translate(exc, doing=doing, slot=slot, facts=facts, needs=needs, plugin=plugin)


async def _why_refused(dsn: str, cause: psycopg.Error) -> PggitDaemonError:
    """Find out why a replication login failed: libpq gives no SQLSTATE, an ordinary login may tell."""
    why = refused(dsn, cause)
    if not isinstance(why, ServerAway):
        with suppress(PggitDaemonError, psycopg.Error):
            async with await connect(dsn, "check") as conn:
                return failures.refused_login(cause, await read_requirements(conn))
    return why


def _quoted(value: str) -> str:
    """Quote an option of START_REPLICATION: its grammar knows doubled quotes and no escapes."""
    return "'" + value.replace("'", "''") + "'"

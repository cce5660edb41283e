"""What a server says of a session of ours that is silent.

In: a connection, or where it leads and the pid of its backend. Out: what that backend is doing, asked in another
session, and whether so many looks in a row mean that the connection is lost. Called by `guard.py` for the daemon, and
by `query/connect.py` for the commands.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from enum import Enum
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from pggit_daemon.db import session
from pggit_daemon.sql import load_queries

SILENCE = 10.0
"""Seconds of silence after which the connection is suspect."""

LOOK_INTERVAL = 5.0
"""Seconds between looks."""

LOOK_TIMEOUT = 5
"""Seconds in which another session must answer."""


class Look(Enum):
    """What was seen beside a silent connection."""

    WORKING = "working"
    NOT_WORKING = "the server waits for us, and we for it"
    NO_ANSWER = "the server does not answer"
    REFUSED = "the server lets nobody else in"


LOST = {Look.NOT_WORKING: 2, Look.NO_ANSWER: 2, Look.REFUSED: 6}
"""Looks in a row with which a connection is given up. At the first a last result may be on its way, or the machine be
short of time; and a server whose connections are all taken refuses us and works all the same."""


class Verdict:
    """Counts looks in a row. Pure."""

    def __init__(self) -> None:
        self._last = Look.WORKING
        self._row = 0

    def lost(self, look: Look) -> bool:
        """Note a look; whether the connection is lost."""
        self._row = self._row + 1 if look is self._last else 1
        self._last = look
        return self._row >= LOST.get(look, self._row + 1)


def same_server(conn: psycopg.AsyncConnection[Any] | psycopg.Connection[Any], dsn: str) -> str:
    """Return a connection string for the very server of this connection, as `dsn` may name several."""
    info = conn.info
    return make_conninfo(
        dsn, host=info.host or None, hostaddr=info.hostaddr or None, port=info.port, connect_timeout=LOOK_TIMEOUT
    )


async def beside(dsn: str, pid: int) -> tuple[Look, str]:
    """Ask the server in another session what the session `pid` is doing, and whom it waits for."""
    try:
        async with asyncio.timeout(LOOK_TIMEOUT):
            conn = await psycopg.AsyncConnection.connect(
                make_conninfo(dsn, application_name="pggit-daemon watch"), autocommit=True
            )
    except (TimeoutError, psycopg.errors.ConnectionTimeout):
        return Look.NO_ANSWER, ""
    except psycopg.Error:
        return Look.REFUSED, ""
    # Not a timeout that cancels: psycopg would first ask the server to cancel, and wait for that.
    limit = asyncio.get_running_loop().call_later(LOOK_TIMEOUT, shut_down, conn)
    try:
        # Compiling the query for a server that compiles everything would take longer than its answer may.
        pins = session.settings(conn.info.server_version, lock_timeout="0")
        await conn.execute(session.statements(pins).encode())
        cursor = await conn.execute(load_queries("session")["beside"], {"pid": pid})
        row = await cursor.fetchone()
    except psycopg.OperationalError:
        return Look.NO_ANSWER, ""
    finally:
        limit.cancel()
        await conn.close()
    working, blockers = row or (False, [])
    who = "; ".join(f"{who} since {since}" if since else str(who) for who, since in blockers)
    return Look.WORKING if working else Look.NOT_WORKING, who


def shut_down(conn: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Shut the socket down: libpq then reports a connection that is closed, to whoever waits on it."""
    if not conn.closed:
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)

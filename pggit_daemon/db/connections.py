"""Ordinary connections of the worker, with the server's errors put into ours.

In: a connection string. Out: an asynchronous connection in autocommit with its session pinned and watched. Called by
the worker and by whoever reads or writes beside the stream; replication connections are
`replication/connection.py`'s business, which shares what stands in `transport`, `away` and `session.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.db import session
from pggit_daemon.db.guard import SESSIONS, Guard
from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.errors import ConnectError, PrerequisiteError, RightMissing, ServerAway

TRANSPORT: Mapping[str, str] = {
    "connect_timeout": "10",  # seconds
    # A host that is gone shows after 10 + 3 x 5 seconds, or when nothing was acknowledged for 30.
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}
"""What holds for every connection unless its connection string says otherwise."""

LOCK_TIMEOUT = "5s"
PING_TIMEOUT = 3
"""Seconds."""

STORING = (
    "SET pggit_daemon.storing = 'on'; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;"
    " SET lock_timeout = '10ms'"
)
"""For the connection that writes results.

It tells the trigger on external_migrations that these rows are the daemon's own. And what is written is looked up by
keys alone: a plan that was made while the tables were small must not read them whole when they have grown. A call that
has to wait for a lock is made again, carefully (sql/store/90_store.sql).
"""

CHECK_LOGIN = "check the connection string, pg_hba.conf and that the server runs; psql takes the same string"


async def connect(dsn: str, purpose: str, *, utc: bool = True) -> WatchedConnection:
    """Connect; ServerAway while the server takes no connections, ConnectError where it refuses this one.

    Without `utc` the time zone stays the server's, in which a history table's timestamps without one are meant.
    """
    try:
        with SESSIONS.get().connecting():
            conn = await WatchedConnection.connect(
                transport(dsn), autocommit=True, fallback_application_name=f"pggit-daemon {purpose}"
            )
    except psycopg.Error as exc:
        raise refused(dsn, exc) from exc
    conn.guard = Guard(conn, dsn)
    try:
        check_encoding(conn)
        pins = session.settings(conn.info.server_version, lock_timeout=LOCK_TIMEOUT, time_zone="UTC" if utc else None)
        await conn.execute(f"{session.statements(pins)}; {session.DURABLE}; {session.UNCHECKED}".encode())
    except psycopg.Error as exc:
        await conn.close()
        raise translated(exc) from exc
    except PrerequisiteError:
        await conn.close()
        raise
    return conn


async def connect_to_store(dsn: str) -> WatchedConnection:
    """Connect as `store/writer.py` needs it."""
    conn = await connect(dsn, "store", utc=False)
    try:
        await conn.execute(STORING)
    except psycopg.Error as exc:
        await conn.close()
        raise translated(exc) from exc
    return conn


def transport(dsn: str) -> str:
    """Add what holds for every connection of ours where the connection string does not say otherwise."""
    given = conninfo_to_dict(dsn)
    if timeout := os.environ.get("PGCONNECT_TIMEOUT"):
        given.setdefault("connect_timeout", timeout)
    wanted = {key: value for key, value in TRANSPORT.items() if given.get(key) is None}
    return make_conninfo(dsn, client_encoding=session.CLIENT_ENCODING, **wanted)


def libpq_said(exc: psycopg.Error) -> str:
    """Tell what libpq said in one line: without what psycopg puts in front, its lines told apart."""
    said = str(exc).removeprefix("connection failed: ").removeprefix("connection is bad: ")
    return " · ".join(" ".join(line.split()) for line in said.splitlines() if line.strip())


def refused(dsn: str, exc: psycopg.Error) -> ConnectError:
    """Say why a connection was not made: because the server takes none at all now, or because it refuses ours."""
    said = f"cannot connect: {libpq_said(exc)}"
    if isinstance(exc, psycopg.errors.ConnectionTimeout) or away(dsn):
        return ServerAway(said, hint="start the server, or wait for it; it is tried again all the time")
    return ConnectError(said, hint=CHECK_LOGIN)


def away(dsn: str) -> bool:
    """Whether the server takes no connections: nobody listens there, or it starts, recovers or stops (57P03).

    libpq's ping is the one way to learn an SQLSTATE before a session begins. It holds the interpreter for as long as it
    waits, also in a thread, so it is asked only after a connection that failed at once, where it answers at once, too.
    """
    string = make_conninfo(dsn, connect_timeout=PING_TIMEOUT).encode()
    return pq.PGconn.ping(string) in {pq.Ping.REJECT, pq.Ping.NO_RESPONSE}


def check_encoding(conn: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Raise PrerequisiteError for a database whose text nobody can read for certain."""
    name = conn.info.parameter_status("server_encoding") or session.CLIENT_ENCODING
    reason = session.unreadable_encoding(name)
    if reason is not None:
        raise PrerequisiteError(
            f"database {conn.info.dbname} has the encoding {name}: {reason}",
            hint="copy it with pg_dump into a database made with ENCODING 'UTF8' TEMPLATE template0",
        )


_GIVE_RIGHTS = "pggit-daemon init --dsn … --role ROLE (as a superuser)"


def translated(exc: psycopg.Error) -> ConnectError | PrerequisiteError:
    """What an error of a query of ours means, by its SQLSTATE."""
    said = exc.diag.message_primary or str(exc)
    match exc.sqlstate:
        case "42P01" | "3F000" | "42883" | "42703":
            return PrerequisiteError(
                f"the database side is not installed, or is an older version: {said}", hint="pggit-daemon init --dsn …"
            )
        case "42501":
            return right_missing(exc, f"a right is missing: {said}")
        case _:
            return ConnectError(f"the database could not be read: {exc.sqlstate or ''} {said}".strip())


def right_missing(exc: psycopg.Error, said: str, *, hint: str = _GIVE_RIGHTS) -> RightMissing:
    """Return the error for SQLSTATE 42501 with the hint that helps."""
    # The server's routine that found it, as the message is in the language of its lc_messages.
    if exc.diag.source_function == "check_enable_rls":
        return RightMissing(
            f"{said} (row security would hide rows, so nothing of the table counts as read)",
            hint="ALTER ROLE … BYPASSRLS; for the role that the daemon logs in as",
        )
    return RightMissing(said, hint=hint)

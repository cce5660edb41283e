"""What it means that a server refuses a connection or a query of ours, by SQLSTATE.

In: errors of psycopg, connections whose text must be readable. Out: our errors, with a hint. Called by the worker and
the commands.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from pggit_daemon.db import session
from pggit_daemon.errors import ConnectError, PrerequisiteError, RightMissing, ServerAway

PING_TIMEOUT = 3
"""Seconds."""

CHECK_LOGIN = "check the connection string, pg_hba.conf and that the server runs; psql takes the same string"


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

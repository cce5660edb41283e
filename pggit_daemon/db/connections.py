"""Ordinary connections of the worker, with the server's errors put into ours.

In: a connection string. Out: an asynchronous connection in autocommit with its session pinned. Called by
`runtime/supervisor.py`; replication connections are `replication/connection.py`'s business.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from pggit_daemon.errors import ConnectError, PrerequisiteError

CONNECT_TIMEOUT = 10
"""Seconds."""

# One spelling of every value, as on the replication connection; and no timeout of the role may end our work.
PINNED = (
    "SET DateStyle = ISO; SET IntervalStyle = postgres; SET extra_float_digits = 3; SET bytea_output = hex;"
    " SET search_path = pg_catalog, pg_temp; SET statement_timeout = 0; SET lock_timeout = '5s';"
    " SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning;"
    " SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'"
)


STORING = (
    "SET pggit_daemon.storing = 'on'; SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan"
)
"""For the connection that writes results.

It tells the trigger on external_migrations that these rows are the daemon's own. And what is written is looked up by
keys alone: a plan that was made while the tables were small must not read them whole when they have grown.
"""


async def connect(dsn: str, purpose: str, *, utc: bool = True) -> psycopg.AsyncConnection[Any]:
    """Connect; ConnectError where that fails.

    Without `utc` the time zone stays the server's, in which a history table's timestamps without one are meant.
    """
    try:
        conn = await psycopg.AsyncConnection.connect(
            make_conninfo(dsn, connect_timeout=CONNECT_TIMEOUT),
            autocommit=True,
            fallback_application_name=f"pggit-daemon {purpose}",
        )
        await conn.execute(PINNED + ("; SET TimeZone = 'UTC'" if utc else ""))
    except psycopg.Error as exc:
        raise ConnectError(
            f"cannot connect: {' '.join(str(exc).split())}",
            hint="check the connection string, pg_hba.conf and that the server runs; psql takes the same string",
        ) from exc
    return conn


def translated(exc: psycopg.Error) -> ConnectError | PrerequisiteError:
    """What an error of a query of ours means, by its SQLSTATE."""
    said = exc.diag.message_primary or str(exc)
    match exc.sqlstate:
        case "42P01" | "3F000" | "42883" | "42703":
            return PrerequisiteError(
                f"the database side is not installed, or is an older version: {said}", hint="pggit-daemon init --dsn …"
            )
        case "42501":
            return PrerequisiteError(
                f"a right is missing: {said}", hint="pggit-daemon init --dsn … --role ROLE (as a superuser)"
            )
        case _:
            return ConnectError(f"the database could not be read: {exc.sqlstate or ''} {said}".strip())

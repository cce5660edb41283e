"""Ordinary connections of the worker, with the server's errors put into ours.

In: a connection string. Out: an asynchronous connection in autocommit with its session pinned and watched. Called by
the worker and by whoever reads or writes beside the stream; replication connections are
`replication/connection.py`'s business, which shares `transport.py`, `refusals.py` and `session.py`.
"""

from __future__ import annotations

import psycopg

from pggit_daemon.db import session
from pggit_daemon.db.guard import SESSIONS, Guard
from pggit_daemon.db.refusals import check_encoding, refused, translated
from pggit_daemon.db.transport import transport
from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.errors import PrerequisiteError

LOCK_TIMEOUT = "5s"
STORING = (
    "SET pggit_daemon.storing = 'on'; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;"
    " SET lock_timeout = '10ms'"
)
"""For the connection that writes results.

It tells the trigger on external_migrations that these rows are the daemon's own. And what is written is looked up by
keys alone: a plan that was made while the tables were small must not read them whole when they have grown. A call that
has to wait for a lock is made again, carefully (sql/store/90_store.sql).
"""


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

"""How every connection of ours is made, unless its connection string says otherwise. No I/O.

In: a connection string. Out: one that says as well when a host counts as gone, and in which encoding we talk. Called by
whoever connects.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.db import session

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


def transport(dsn: str) -> str:
    """Add what holds for every connection of ours where the connection string does not say otherwise."""
    given = conninfo_to_dict(dsn)
    if timeout := os.environ.get("PGCONNECT_TIMEOUT"):
        given.setdefault("connect_timeout", timeout)
    wanted = {key: value for key, value in TRANSPORT.items() if given.get(key) is None}
    return make_conninfo(dsn, client_encoding=session.CLIENT_ENCODING, **wanted)

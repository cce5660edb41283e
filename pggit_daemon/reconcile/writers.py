"""What the transactions ran that wrote rows of a history table, as far as it is recorded and nobody's.

In: their numbers. Out: the commits of each. Used by `history_tables.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from pggit_daemon.db.refusals import translated
from pggit_daemon.reconcile.late_sources import Ran
from pggit_daemon.sql import load_queries


async def commits_of(conn: psycopg.AsyncConnection[Any], source: str, writers: Iterable[int | None]) -> dict[int, Ran]:
    """What they ran, by their numbers; also what is the source's own because no row of it came."""
    xids = sorted({xid for xid in writers if xid is not None})
    if not xids:
        return {}
    query = load_queries("reconcile")["commits_of_transactions"]
    try:
        cursor = await conn.execute(query, {"xids": xids, "source": source})
        return {xid: Ran(tuple(hashes), at, pending) for xid, hashes, at, pending in await cursor.fetchall()}
    except psycopg.Error as exc:
        raise translated(exc) from exc

"""Looks at sessions: whether they are at work, idle or gone, right after their DDL and after the row that may be its.

In: the correlator, which says whom it asks about; a connection on demand. Out: what was seen, given to the correlator.
Called by `pipeline.py` after each batch, with everything stored; it asks for nothing where nobody is asked about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.attribute.looking import Wanted
from pggit_daemon.db.connections import translated
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.sighting import Activity, Look
from pggit_daemon.sql import load_queries

_QUERY = load_queries("reconcile")["activity"]

INTERVAL = 0.05
"""Seconds between looks at the same sessions."""


class Looks:
    """`ask` has the server say how far it is, so that a quiet stream moves on and somebody looks again."""

    def __init__(self, link: OnDemand, correlator: Correlator, ask: Callable[[], None]) -> None:
        self._link = link
        self._correlator = correlator
        self._ask = ask
        self._looked_at = 0.0
        self._asking: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Ask for nothing more."""
        if self._asking is not None:
            self._asking.cancel()

    async def look(self) -> bool:
        """Look at those that are asked about, unless that was done a moment ago; whether it was."""
        wanted = self._correlator.to_look_at()
        if not wanted.sessions:
            return False
        now = asyncio.get_running_loop().time()
        is_due = wanted.at_once or now - self._looked_at >= INTERVAL
        if is_due:
            async with self._link.use() as conn:
                found = await activity(conn, wanted)
            self._looked_at = now
            self._correlator.looked_at(found)
        self._ask_in(INTERVAL)
        return is_due

    def _ask_in(self, delay: float) -> None:
        if self._asking is None:
            self._asking = asyncio.get_running_loop().call_later(delay, self._asks)

    def _asks(self) -> None:
        self._asking = None
        self._ask()


async def activity(conn: psycopg.AsyncConnection[Any], wanted: Wanted) -> Look:
    """What these sessions do, and others of their users. One whose process has come again as another has ended."""
    values = {
        "pids": sorted({one.pid for one in wanted.sessions}),
        "users": sorted(wanted.users),
        "tables": sorted(table.lower() for table in wanted.tables),
    }
    try:
        cursor = await conn.execute(_QUERY, values)
        [(began, rows, ended)] = await cursor.fetchall()
    except psycopg.Error as exc:
        raise translated(exc) from exc
    found: dict[SessionKey, Activity | None] = dict.fromkeys(wanted.sessions)
    others = {}
    hidden = set()
    for pid, start, user, application, state, *moments, writes in rows:
        statement, changed, transaction = map(_moment, moments)
        if start is None:
            hidden.add(pid)
            continue
        session = SessionKey.of(pid, start)
        shown = Activity(state, statement, changed, transaction, writes)
        if session in found:
            found[session] = shown
        else:
            others[session] = ((user, application), shown)
    found.update((one, Activity()) for one in wanted.sessions if one.pid in hidden)
    return Look(began, ended, found, others)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None

"""Looks at sessions: whether they are at work, idle or gone, right after their DDL and after the row that may be its.

In: the correlator, which says whom it asks about; a connection on demand. Out: what was seen, given to the correlator.
Called by `pipeline.py` for each batch; it asks for nothing where nobody is asked about.

A tool ends some milliseconds after its row, so a look begins as soon as a statement or a row has come, before it is
read and stored; the ones after it by a timer. What was seen is taken in between two batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime
from math import inf
from typing import Any

import psycopg

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.attribute.looking import Wanted
from pggit_daemon.db.on_demand import OnDemand, abandon
from pggit_daemon.db.refusals import translated
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.sighting import Activity, Look
from pggit_daemon.model.transaction import Transaction
from pggit_daemon.sql import load_queries

_QUERY = load_queries("reconcile")["activity"]

INTERVAL = 0.05
"""Seconds between looks at the same sessions."""


class Looks:
    """`ask` has the server say how far it is, so that a quiet stream moves on and somebody takes in what was seen."""

    def __init__(self, link: OnDemand, correlator: Correlator, ask: Callable[[], None]) -> None:
        self._link = link
        self._correlator = correlator
        self._ask = ask
        self._began_at = 0.0
        self._looking: asyncio.Task[Look] | None = None
        self._asking: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Ask for nothing more."""
        if self._asking is not None:
            self._asking.cancel()
        if self._looking is not None:
            abandon(self._looking)

    def came(self, transactions: Collection[Transaction]) -> None:
        """Begin a look where these have just come, and say so much of one that they will ask about it."""
        if transactions and self._looking is None:
            self._begin(self._correlator.to_look_at() | self._correlator.foreseen(transactions), pause=0)

    def begin(self, pause: float = INTERVAL) -> None:
        """Begin a look at those that are asked about, unless one was not taken in yet.

        Where nothing new must be known, not before `pause` seconds have passed.
        """
        if self._looking is None:
            self._begin(self._correlator.to_look_at(), pause)

    def _begin(self, wanted: Wanted, pause: float) -> None:
        now = asyncio.get_running_loop().time()
        if wanted.sessions and (wanted.at_once or now - self._began_at >= pause):
            self._began_at = now
            self._looking = asyncio.create_task(self._look(wanted))

    async def take_in(self) -> bool:
        """Take in the look that has begun, and another where that began too early; whether there was any.

        ConnectError where the server refused the connection: the next look is another.
        """
        found = False
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        for pause in (INTERVAL, inf):
            self.begin(pause)
            if self._looking is None:
                break
            try:
                look = await self._looking
            finally:
                self._looking = None
            self._correlator.looked_at(look)
            found = True
        if self._correlator.to_look_at().sessions:
            self._asking = asyncio.get_running_loop().call_later(INTERVAL, self._again)
        return found

    async def _look(self, wanted: Wanted) -> Look:
        async with self._link.use() as conn:
            return await activity(conn, wanted)

    def _again(self) -> None:
        self._asking = None
        self.begin()
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
    return Look(began, ended, found, others, wanted.users, wanted.moments)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None

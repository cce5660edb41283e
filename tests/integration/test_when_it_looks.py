"""Looks at sessions, on a real server: when they begin, and when what they showed is taken in."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import psycopg

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.attribute.looking import Wanted
from pggit_daemon.db.connections import connect
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.sighting import Look
from pggit_daemon.model.transaction import Transaction
from pggit_daemon.reconcile.looks import Looks

IDENTITY = "SELECT pid, backend_start::text, usename FROM pg_stat_activity WHERE pid = pg_backend_pid()"


@dataclass
class Asking:
    """Asks about the same sessions again and again; `news`: how often something new must be known of one. `soon` are
    those that a transaction will ask about.
    """

    sessions: frozenset[SessionKey]
    users: frozenset[str]
    news: int = 1
    taken: list[Look] = field(default_factory=list)
    soon: Wanted = field(default_factory=Wanted)

    def foreseen(self, transactions: Collection[Transaction]) -> Wanted:
        assert transactions
        return self.soon

    def to_look_at(self) -> Wanted:
        return Wanted(self.sessions, self.users, frozenset(), at_once=self.news > len(self.taken))

    def looked_at(self, look: Look) -> None:
        self.taken.append(look)


async def opened(dsn: str) -> tuple[psycopg.AsyncConnection[Any], SessionKey, str]:
    conn = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    row = await (await conn.execute(IDENTITY)).fetchone()
    assert row is not None
    return conn, SessionKey.of(row[0], row[1]), row[2]


def looks_of(dsn: str, asking: Asking) -> tuple[Looks, OnDemand]:
    link = OnDemand(lambda: connect(dsn, "reader"), kept=lambda: 60.0)
    return Looks(link, cast("Correlator", asking), lambda: None), link


async def test_a_look_is_of_the_moment_in_which_it_began(database: str) -> None:
    """Promise: whoever stores meanwhile, and takes the look in afterwards, sees who was there then."""
    conn, session, user = await opened(database)
    asking = Asking(frozenset({session}), frozenset({user}))
    looks, link = looks_of(database, asking)
    looks.begin()
    assert looks._looking is not None
    await looks._looking
    await conn.close()
    assert await looks.take_in()
    [look] = asking.taken
    assert look.found[session] is not None
    assert look.users == {user}
    looks.close()
    link.close()


async def test_one_that_began_before_something_new_is_followed_by_another_at_once(database: str) -> None:
    conn, session, user = await opened(database)
    asking = Asking(frozenset({session}), frozenset({user}), news=2)
    looks, link = looks_of(database, asking)
    looks.begin()
    looks.begin()
    assert await looks.take_in()
    first, second = asking.taken
    assert first.ended <= second.began
    assert not await looks.take_in(), "a moment later nobody looks again"
    looks.close()
    link.close()
    await conn.close()


TRANSACTION = Transaction(7, LSN(8), LSN(16), datetime(2026, 3, 1, tzinfo=UTC), ())


async def test_a_look_begins_before_the_transaction_is_read_that_asks_for_it(database: str) -> None:
    """Promise: who ended while it was read and stored was still seen, and together with those asked about before."""
    earlier, asked_before, user = await opened(database)
    conn, session, _ = await opened(database)
    asking = Asking(frozenset({asked_before}), frozenset({user}), news=0)
    asking.soon = Wanted(frozenset({session}), frozenset({user}), frozenset(), at_once=True)
    looks, link = looks_of(database, asking)
    looks.came([])
    assert looks._looking is None, "nothing has come"
    looks.came([TRANSACTION])
    assert looks._looking is not None
    await looks._looking
    await conn.close()
    assert await looks.take_in()
    look = asking.taken[0]
    assert look.found.keys() == {session, asked_before}
    assert look.found[session] is not None
    looks.close()
    link.close()
    await earlier.close()


async def test_nobody_is_looked_at_where_nobody_is_asked_about(database: str) -> None:
    """Promise: no connection is opened for it either."""
    asking = Asking(frozenset(), frozenset())
    looks, link = looks_of(database, asking)
    looks.begin()
    looks.came([TRANSACTION])
    assert looks._looking is None
    assert not await looks.take_in()
    assert not asking.taken
    assert link._conn is None
    looks.close()
    link.close()


async def test_one_that_is_under_way_ends_with_the_rest(database: str) -> None:
    """Promise: nothing is taken in any more, and nothing is left running."""
    conn, session, user = await opened(database)
    asking = Asking(frozenset({session}), frozenset({user}))
    looks, link = looks_of(database, asking)
    async with link.use():
        looks.begin()
        under_way = looks._looking
        assert under_way is not None
        looks.close()
    assert not asking.taken
    await asyncio.wait([under_way], timeout=30)
    assert under_way.cancelled()
    link.close()
    await conn.close()

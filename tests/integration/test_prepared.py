"""What runs past psycopg's cursors fails, ends and is given up as what runs through them."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from pggit_daemon.db.connections import connect
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.db.prepared import Prepared

SLEEP = Prepared("sleeps", "SELECT pg_sleep($1::float)::text")
DIVIDE = Prepared("divides", "SELECT 12 / $1::int, NULL::text")
LENGTH = Prepared("counts", "SELECT length($1::text)")


async def test_it_answers_and_goes_on_after_an_error(database: str) -> None:
    conn = await connect(database, "test")
    assert await DIVIDE.run(conn, b"4") == ["3", None]
    with pytest.raises(psycopg.errors.DivisionByZero) as caught:
        await DIVIDE.run(conn, b"0")
    assert caught.value.sqlstate == "22012"
    assert await DIVIDE.run(conn, b"6") == ["2", None]
    assert await (await conn.execute("SELECT 1")).fetchone() == (1,)
    await conn.close()


async def test_what_the_socket_does_not_take_at_once_is_sent(database: str) -> None:
    conn = await connect(database, "test")
    assert await LENGTH.run(conn, b"x" * (20 << 20)) == [str(20 << 20)]
    assert await LENGTH.run(conn, "…".encode() * 7) == ["7"]
    await conn.close()


async def test_a_connection_that_ends_meanwhile_is_an_error(database: str) -> None:
    conn = await connect(database, "test")
    under_way = asyncio.create_task(SLEEP.run(conn, b"30"))
    await asyncio.sleep(0.1)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        await under_way
    assert conn.closed


async def test_one_that_is_broken_off_says_why(database: str) -> None:
    conn = await connect(database, "test")
    assert conn.guard is not None
    under_way = asyncio.create_task(SLEEP.run(conn, b"30"))
    await asyncio.sleep(0.1)
    conn.guard.break_off("nobody wants it")
    with pytest.raises(psycopg.OperationalError, match="nobody wants it"):
        await under_way


async def test_one_that_is_cancelled_is_not_used_again(database: str) -> None:
    """Promise: whoever is cancelled leaves no half-read answer to the next."""
    link = OnDemand(lambda: connect(database, "test"), kept=lambda: 60.0)
    pids = []

    async def sleep(seconds: bytes) -> None:
        async with link.use() as conn:
            pids.append(conn.info.backend_pid)
            await SLEEP.run(conn, seconds)

    under_way = asyncio.create_task(sleep(b"30"))
    while not pids:  # noqa: ASYNC110  (a connection being made tells nobody)
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    await sleep(b"0")
    assert len(set(pids)) == 2
    link.close()

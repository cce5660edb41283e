"""A connection that is open while it is used, on a real server."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from pggit_daemon.db.connections import connect
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.db.prepared import Prepared
from pggit_daemon.db.watched import WatchedConnection
from pggit_daemon.errors import ConnectError

NAME = "pggit-daemon on demand"
OURS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"

SLEEP = Prepared("sleep", "SELECT pg_sleep($1::float8)")

Waits = Callable[[WatchedConnection], Awaitable[object]]


async def waits_in_psycopg(conn: WatchedConnection) -> object:
    return await conn.execute("SELECT pg_sleep(30)")


async def waits_past_psycopg(conn: WatchedConnection) -> object:
    return await SLEEP.run(conn, b"30")


def is_there(conn: WatchedConnection) -> bool:
    """Whether libpq's part of it is not freed yet."""
    return conn.pgconn.pgconn_ptr is not None  # type: ignore[attr-defined]  # of the C implementation


async def status(conn: WatchedConnection, wanted: psycopg.pq.TransactionStatus) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(30):
        while conn.info.transaction_status != wanted:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.01)


def link(dsn: str, kept: float = 60.0) -> OnDemand:
    return OnDemand(lambda: connect(dsn, "on demand"), kept=lambda: kept)


async def backend(on_demand: OnDemand, *, brief: bool = False) -> int:
    """The server process that a use meets."""
    async with on_demand.use(brief=brief) as conn:
        row = await (await conn.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


async def count(dsn: str, wanted: int) -> None:
    """Wait until so many of them are open."""
    async with asyncio.timeout(30), await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        while await (await conn.execute(OURS, [NAME])).fetchone() != (wanted,):  # noqa: ASYNC110  (the server tells nobody)
            await asyncio.sleep(0.01)


async def test_it_opens_with_the_first_use_and_closes_when_unused(database: str) -> None:
    """Promise: nothing is open before, one process while it is used again and again, none some time after."""
    on_demand = link(database, kept=1.5)
    await count(database, 0)
    assert len({await backend(on_demand) for _ in range(5)}) == 1
    await count(database, 1)
    await count(database, 0)
    await backend(on_demand)
    on_demand.close()
    await count(database, 0)


async def test_what_is_lost_between_two_uses_is_no_error(database: str) -> None:
    """Promise: the next use opens another."""
    on_demand = link(database)
    first = await backend(on_demand)
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(END, [NAME])
    await count(database, 0)
    assert await backend(on_demand) != first
    on_demand.close()


async def test_what_is_lost_in_use_is_told_to_who_uses_it(database: str) -> None:
    """Promise: a statement that may or may not have run is an error; the use after it is none."""
    on_demand = link(database)
    with psycopg.connect(database, autocommit=True) as other:
        async with on_demand.use() as conn:
            other.execute(END, [NAME])
            with pytest.raises(psycopg.OperationalError):
                await conn.execute("SELECT pg_sleep(5)")
    await backend(on_demand)
    on_demand.close()


async def test_a_brief_use_leaves_nothing_open(database: str) -> None:
    """Promise: what was opened for one statement in a long time is closed at once; what was open stays."""
    on_demand = link(database)
    await backend(on_demand, brief=True)
    await count(database, 0)
    kept = await backend(on_demand)
    assert await backend(on_demand, brief=True) == kept
    await count(database, 1)
    on_demand.close()


async def test_a_use_that_is_cancelled_leaves_no_transaction_behind(database: str) -> None:
    """Promise: whoever comes next meets a session at rest."""
    on_demand = link(database)

    async def use() -> None:
        async with on_demand.use() as conn, conn.transaction():
            await conn.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(use())
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.wait([task])
    async with on_demand.use() as conn:
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert await (await conn.execute("SELECT 1")).fetchone() == (1,)
    on_demand.close()


async def test_one_that_is_expected_is_open_before_it_is_used(database: str) -> None:
    """Promise: it opens while something else is done; what goes wrong with that is told to the use."""
    on_demand = link(database)
    on_demand.expect()
    on_demand.expect()
    await count(database, 1)
    await backend(on_demand)
    on_demand.close()
    await count(database, 0)
    broken = link(psycopg.conninfo.make_conninfo(database, dbname="not_there"))
    broken.expect()
    await asyncio.sleep(0.2)
    with pytest.raises(ConnectError, match="not_there"):
        await backend(broken)


async def test_two_users_take_turns(database: str) -> None:
    """Promise: nobody gets a connection that another one uses."""
    on_demand = link(database)
    inside = 0

    async def use() -> None:
        nonlocal inside
        async with on_demand.use() as conn:
            inside += 1
            assert inside == 1
            await conn.execute("SELECT pg_sleep(0.01)")
            inside -= 1

    await asyncio.gather(*(use() for _ in range(5)))
    on_demand.close()


async def test_one_that_cannot_be_opened_says_why(database: str) -> None:
    """Promise: the error is the one of connecting, and the next use tries again."""
    broken = link(psycopg.conninfo.make_conninfo(database, dbname="not_there"))
    for _ in range(2):
        with pytest.raises(ConnectError, match="not_there"):
            await backend(broken)


@pytest.mark.parametrize("waits", [waits_in_psycopg, waits_past_psycopg])
async def test_to_close_it_in_use_ends_the_wait_before_the_connection(database: str, waits: Waits) -> None:
    """Promise: whoever waits gets an error that says why, and nothing is freed that is worked on meanwhile.

    The number of the socket stays taken until then: another connection's would be watched for the one that is closed.
    """
    on_demand = link(database)
    lent: asyncio.Future[WatchedConnection] = asyncio.get_running_loop().create_future()

    async def use() -> None:
        async with on_demand.use() as conn:
            assert isinstance(conn, WatchedConnection)
            await SLEEP.run(conn, b"0")  # prepares it
            lent.set_result(conn)
            await waits(conn)

    task = asyncio.create_task(use())
    conn = await lent
    await status(conn, psycopg.pq.TransactionStatus.ACTIVE)
    on_demand.close()
    assert is_there(conn)
    with pytest.raises(psycopg.OperationalError, match="closed meanwhile"):
        await asyncio.wait_for(task, 30)
    assert not is_there(conn)


async def test_an_answer_that_has_come_is_read_before_it_is_closed(database: str) -> None:
    """Promise: nothing is freed before it is read, also where the loop has seen already that there is something."""
    on_demand = link(database)

    async def use() -> object:
        async with on_demand.use() as conn:
            taken.set_result(conn.pgconn.socket)
            return await (await conn.execute("SELECT pg_sleep(0.3)")).fetchone()

    taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(use())
    number = await taken
    await asyncio.sleep(0)
    while not select.select([number], [], [], 30)[0]:
        pass
    await asyncio.sleep(0)  # the loop looks at the socket; the task goes on in its next turn
    on_demand.close()
    assert await asyncio.wait_for(task, 30) == ("",)
    await count(database, 0)

"""What the databases of one server share: looks at it, and turns where connections would be many."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.db import activity, server
from pggit_daemon.db.activity import Activity, Gate
from pggit_daemon.db.server import PATIENCE, Look, Room, Server
from tests.stalling import StallingProxy

ROLE = "looking_daemon"


async def settle() -> None:
    """Let the other tasks come to where they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_at_the_same_time_gets_the_same_answer(database: str) -> None:
    """Promise: one query for all databases, whoever asks; an answer that is too old is asked for again."""
    one = Server()
    looks = await asyncio.gather(*(one.look(database, max_age=1) for _ in range(20)))
    assert looks[0] is not None
    assert all(look is looks[0] for look in looks)
    assert await one.look(database, max_age=60) is looks[0]
    assert await one.look(database, max_age=0) is not looks[0]


async def test_reading_changes_nothing_and_writing_does(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a gate stays shut through any number of reads, and opens with a row, a statement, a right of a role."""
    monkeypatch.setattr(activity, "QUIET", 0.2)
    monkeypatch.setattr(activity, "MAX_AGE", 0.0)
    one = Activity(Server(), database)
    one.database = str(psycopg.conninfo.conninfo_to_dict(database)["dbname"])
    gate = Gate(one)

    async def shut() -> None:
        """Look until the gate is shut, as a job does."""
        async with asyncio.timeout(60):
            while not await gate.is_shut():
                gate.passed()
                await asyncio.sleep(0.1)

    def run(*statements: str) -> None:
        with psycopg.connect(database, autocommit=True) as conn:  # its end tells the server what it has counted
            for statement in statements:
                conn.execute(statement.encode())

    run("CREATE TABLE t (id integer)", f"DROP ROLE IF EXISTS {ROLE}")
    try:
        for statement in (
            "INSERT INTO t VALUES (1)",
            "ALTER TABLE t ADD COLUMN name text",
            "COMMENT ON TABLE t IS 'seen'",
            f"CREATE ROLE {ROLE}",
            f"ALTER ROLE {ROLE} RENAME TO {ROLE}_2",
            f"GRANT pg_read_all_data TO {ROLE}_2",
        ):
            await shut()
            run("SELECT * FROM t, pg_class LIMIT 10", "SELECT count(*) FROM pg_stat_activity")
            await asyncio.sleep(0.5)
            assert await gate.is_shut()
            run(statement)
            async with asyncio.timeout(60):
                while await gate.is_shut():  # noqa: ASYNC110  (the server tells nobody)
                    await asyncio.sleep(0.1)
    finally:
        run(f"DROP ROLE IF EXISTS {ROLE}", f"DROP ROLE IF EXISTS {ROLE}_2")


async def test_a_gate_lets_every_so_many_th_look_through(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: what no counter tells of is found by the look that comes all the same."""
    monkeypatch.setattr(activity, "QUIET", 0.0)
    one = Activity(Server(), database)
    one.database = str(psycopg.conninfo.conninfo_to_dict(database)["dbname"])
    gate = Gate(one, most=2)
    answers = []
    for _ in range(7):
        answers.append(await gate.is_shut())
        if not answers[-1]:
            gate.passed()
    assert answers == [False, True, True, False, True, True, False]
    gate.failed()
    assert not await gate.is_shut()


async def test_a_server_that_says_nothing_is_not_waited_for(database: str) -> None:
    """Promise: nobody knows anything then, soon; and when it is back the looks come again."""
    with StallingProxy(int(str(psycopg.conninfo.conninfo_to_dict(database)["port"]))) as proxy:
        dsn = make_conninfo(database, port=proxy.port)
        one = Server()
        assert isinstance(await one.look(dsn, max_age=0), Look)
        proxy.stall()
        began = time.monotonic()
        assert await asyncio.gather(*(one.look(dsn, max_age=0) for _ in range(5))) == [None] * 5
        assert time.monotonic() - began < 3 * PATIENCE
        proxy.go_on()
        async with asyncio.timeout(60):
            while await one.look(dsn, max_age=0) is None:  # noqa: ASYNC110  (the server tells nobody)
                await asyncio.sleep(0.1)


async def test_a_server_that_is_not_there_is_no_error() -> None:
    """Promise: who asks looks for himself, and meets the error there."""
    assert await Server().look("host=127.0.0.1 port=1 dbname=x", max_age=0) is None


async def test_a_turn_that_takes_long_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: no more at a time than there is room; who hangs keeps nobody waiting for ever, nor makes room twice."""
    monkeypatch.setattr(server, "LONG", 0.2)
    room, inside, most = Room(2), 0, 0
    release = asyncio.Event()

    async def work() -> None:
        nonlocal inside, most
        async with room.turn():
            inside += 1
            most = max(most, inside)
            await release.wait()
            inside -= 1

    tasks = [asyncio.create_task(work()) for _ in range(4)]
    await settle()
    assert inside == 2
    async with asyncio.timeout(60):
        while inside < 4:  # noqa: ASYNC110  (the room tells nobody)
            await asyncio.sleep(0.02)
    release.set()
    await asyncio.gather(*tasks)
    release.clear()
    tasks = [asyncio.create_task(work()) for _ in range(4)]
    await settle()
    assert inside == 2
    release.set()
    await asyncio.gather(*tasks)
    assert most == 4

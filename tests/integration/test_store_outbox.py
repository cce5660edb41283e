"""Handled statements leave the outbox with the next call that waits for the server's disk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from pggit_daemon.db.connections import connect, connect_to_store
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.progress import Progress
from pggit_daemon.reconcile.barrier import Barrier
from pggit_daemon.reconcile.outbox import Outbox
from pggit_daemon.reconcile.visibility import Visibility
from pggit_daemon.store import writer
from pggit_daemon.store.writer import Store
from pggit_daemon.versioning.plan import Step


def step(*events: int) -> Step:
    return Step(None, (), (), events, datetime.now(UTC), None, ZERO)


def progress(at: int) -> Progress:
    return Progress(LSN(at), LSN(at), None, "{}")


def outbox(dsn: str) -> list[int]:
    with psycopg.connect(dsn) as conn:
        return [number for (number,) in conn.execute("SELECT id FROM pggit_daemon.ddl_event ORDER BY id").fetchall()]


def fill(dsn: str) -> list[int]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for number in range(4):
            conn.execute(f"CREATE TABLE public.t{number} ()".encode())
    return outbox(dsn)


def test_they_wait_for_the_call_that_is_durable(installed_database: str) -> None:
    there = fill(installed_database)

    async def act() -> None:
        conn = await connect_to_store(installed_database)
        store = Store(conn, "slot")
        await store.put([step(there[0]), step(there[1])], progress(1), ZERO)
        assert outbox(installed_database) == there
        assert store.due == set(there[:2])
        await store.apply([step(there[2])], progress(2), LSN(1))
        assert outbox(installed_database) == there[3:]
        assert store.due == set()
        await conn.close()

    asyncio.run(act())


def test_many_of_them_do_not_wait(installed_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_DUE", 2)
    there = fill(installed_database)

    async def act() -> None:
        conn = await connect_to_store(installed_database)
        store = Store(conn, "slot")
        await store.put([step(*there[:2])], progress(1), ZERO)
        await store.put([step(there[2])], progress(2), LSN(1))
        assert (outbox(installed_database), store.due) == (there[3:], set())
        await conn.close()

    asyncio.run(act())


def test_what_has_gone_already_is_tried_once(installed_database: str) -> None:
    """Promise: a row that the store and the first sweep both take out is not looked for again and again."""
    there = fill(installed_database)

    async def act() -> None:
        writing, reading = await connect_to_store(installed_database), await connect(installed_database, "test")
        store = Store(writing, "slot")
        barrier = Barrier(lambda: None)
        assert list(barrier.take(LSN(1 << 60))) == []
        outbox_job = Outbox(barrier, Visibility(), store)
        await store.put([step(*there[:2])], progress(1), ZERO)
        await outbox_job.run(reading)
        assert outbox(installed_database) == []
        await store.apply([], progress(2), LSN(1))
        assert store.left["handled_events"] == set(there[:2])
        outbox_job.look()
        await outbox_job.due()
        await outbox_job.run(reading)
        assert store.left["handled_events"] == set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outbox_job.due(), 0.3)
        await writing.close()
        await reading.close()

    asyncio.run(act())

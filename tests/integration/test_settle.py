"""What was written ahead is on the server's disk before a stream begins, as its first status acknowledges so far."""

from __future__ import annotations

import asyncio

import psycopg

from pggit_daemon.runtime.starts import settle
from tests.integration.api_write_support import Followed

ROUNDS = 20  # the server's WAL writer may be quicker now and then


def test_what_was_written_ahead_is_on_disk(api: Followed) -> None:
    async def behind() -> list[bool]:
        found = []
        async with await psycopg.AsyncConnection.connect(api.dsn, autocommit=True) as conn:
            for _ in range(ROUNDS):
                await conn.execute("SET synchronous_commit = off")
                await conn.execute("CREATE TABLE ahead (id integer); DROP TABLE ahead")
                await conn.execute("RESET synchronous_commit")
                cursor = await conn.execute("SELECT pg_current_wal_insert_lsn()")
                written = (await cursor.fetchone() or ("",))[0]
                await settle(conn)
                cursor = await conn.execute("SELECT pg_current_wal_flush_lsn() < %s", [written])
                found += [behind for (behind,) in await cursor.fetchall()]
        return found

    assert asyncio.run(behind()) == [False] * ROUNDS

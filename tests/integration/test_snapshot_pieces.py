"""The first commit's objects: read in pieces that give their locks back, and all as of one moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from pggit_daemon.db import catalog
from pggit_daemon.db.connections import connect
from pggit_daemon.model.objects import ObjectEvent, ObjectId
from pggit_daemon.reconcile import snapshot
from pggit_daemon.reconcile.snapshot import Found, read_snapshot
from pggit_daemon.replication.connection import ReplicationConnection

VIEWS = 60
LOCKS = (
    "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
    " AND relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
)


@pytest.fixture
def views(installed_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(snapshot, "PIECE", 10)
    monkeypatch.setattr(snapshot, "PAUSE", 0.1)
    with psycopg.connect(installed_database, autocommit=True) as conn:
        for number in range(VIEWS):
            conn.execute(f"CREATE TABLE t{number} (a int); CREATE VIEW v{number} AS SELECT a FROM t{number}".encode())
    return installed_database


@asynccontextmanager
async def exported(dsn: str) -> AsyncIterator[str]:
    """A snapshot that the making of a slot exports."""
    async with await ReplicationConnection.open(dsn) as replication:
        slot = f"pieces_{psycopg.conninfo.conninfo_to_dict(dsn)['dbname']}"
        made = await replication.create_slot(slot, "wal2json", snapshot="export", temporary=True, timeout=30)
        assert made.snapshot_name is not None
        yield made.snapshot_name


def names(found: Found) -> set[str]:
    return {one.key.identity for one in found.objects if one.key is not None and one.key.schema == "public"}


async def test_each_piece_gives_its_locks_back(views: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    real = catalog.read_objects

    async def watched(
        conn: psycopg.AsyncConnection[Any], oids: Iterable[ObjectId]
    ) -> tuple[list[ObjectEvent], dict[ObjectId, str]]:
        before = await (await conn.execute(LOCKS)).fetchone()
        read = await real(conn, oids)
        after = await (await conn.execute(LOCKS)).fetchone()
        held.extend(row[0] for row in (before, after) if row is not None)
        return read

    monkeypatch.setattr(catalog, "read_objects", watched)
    async with exported(views) as name, await connect(views, "test") as conn:
        found = await read_snapshot(conn, name, [])
    assert {f"public.v{number}" for number in range(VIEWS)} <= names(found)
    assert len(held) > 2 * VIEWS // 10
    assert max(held) == 0


async def test_all_pieces_see_the_same_moment(views: str) -> None:
    async with exported(views) as name, await connect(views, "test") as conn:
        with psycopg.connect(views, autocommit=True) as other:
            other.execute("CREATE TABLE later (a int); ALTER TABLE t1 RENAME TO renamed; DROP VIEW v2; DROP TABLE t2")
        found = await read_snapshot(conn, name, [])
    assert {"public.t1", "public.t2"} <= names(found)
    assert not names(found) & {"public.later", "public.renamed"}


async def test_what_others_have_locked_is_read_when_they_let_go(views: str) -> None:
    async with exported(views) as name, await connect(views, "test") as conn:
        with psycopg.connect(views) as other:
            other.execute("LOCK TABLE v7 IN ACCESS EXCLUSIVE MODE")
            reading = asyncio.create_task(read_snapshot(conn, name, []))
            await asyncio.sleep(0.5)
            assert not reading.done()
        found = await reading
    assert "public.v7" in names(found)
    assert not found.unread


async def test_what_stays_locked_is_left_to_the_comparison(views: str) -> None:
    async with exported(views) as name, await connect(views, "test") as conn:
        with psycopg.connect(views) as other:
            other.execute("LOCK TABLE v7 IN ACCESS EXCLUSIVE MODE")
            found = await read_snapshot(conn, name, [])
    assert "public.v6" in names(found)
    assert "public.v7" not in names(found)
    assert [why[:5] for why in found.unread.values()] == ["55P03"]

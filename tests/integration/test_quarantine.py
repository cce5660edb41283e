"""What cannot be recorded does not stop the history: it is found and put aside, and the catalog tells what it did."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.config.model import Database as DatabaseConfig
from pggit_daemon.db.server import Server
from pggit_daemon.errors import ConnectError, PggitDaemonError, RefusedError, StoreError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Message
from pggit_daemon.runtime import worker
from pggit_daemon.runtime.worker import Database
from pggit_daemon.store.poison import SHORT_RAW, PoisonError, blamed
from pggit_daemon.store.writer import Store
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import Health
from sandbox.daemon import WAIT_TIMEOUT
from tests.integration.api_write_support import Followed, following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sandbox.databases import Databases

REFUSAL = """
    ALTER TABLE pggit.commits ADD CONSTRAINT refused CHECK (kind <> 'out_of_band' OR message !~ 'poison')
"""
HEADS = "SELECT kind, message FROM pggit.commits WHERE kind <> 'baseline' ORDER BY id"
LIMIT = 3
"""Of what is stored alone behind a refused transaction, and of those that are kept whole: in life 100 each."""
MANY = 8
"""Transactions that are refused one after the other."""
WIDE = ", ".join(f"{'long' * 12}{number} integer" for number in range(200))
"""Columns enough for an event that is longer than what is kept of many."""

DIFFERS = """
    SELECT count(*) FROM pggit_daemon.differing(ARRAY(SELECT a FROM pggit_daemon.addresses_to_compare() AS a))
"""


def made(followed: Followed, *names: str) -> None:
    with followed.connect() as conn:
        for name in names:
            conn.execute(f"CREATE TABLE {name} (id integer)".encode())


def _settled(followed: Followed) -> bool:
    return followed.rows(DIFFERS) == [(0,)] and followed.rows("SELECT count(*) FROM pggit_daemon.ddl_event") == [(0,)]


def test_a_transaction_that_the_server_refuses(cluster: Databases, installed_template: str, tmp_path: Path) -> None:
    """Promise: in a backlog and live, only the refused one is missing, and a snapshot has what it made."""
    with following(cluster, installed_template, tmp_path, watch_interval_seconds=0.2) as followed:
        with followed.connect() as conn:
            conn.execute(REFUSAL.encode())
        followed.daemon.stop()
        made(followed, "a", "poison_1", "b", "c", "poison_2", "d")
        followed.daemon.start()
        followed.daemon.wait_for(lambda: followed.value("SELECT count(*) FROM pggit_daemon.quarantine") == 2, "past")
        made(followed, "e", "poison_3", "f")
        followed.daemon.wait_for(lambda: followed.value("SELECT count(*) FROM pggit_daemon.quarantine") == 3, "past")
        followed.daemon.wait_for(lambda: _settled(followed), "true again")
        kinds = followed.rows(HEADS)
        ordinary = [message for kind, message in kinds if kind != "snapshot"]
        assert ordinary == [f"out of band: CREATE TABLE public.{name}" for name in "abcdef"]
        found = " ".join(message for kind, message in kinds if kind == "snapshot")
        assert all(f"public.poison_{number}" in found for number in (1, 2, 3))
        quarantine = "SELECT kind, reason ~ 'refused', raw ~ 'poison' FROM pggit_daemon.quarantine"
        assert followed.rows(quarantine) == [("transaction", True, True)] * 3
        assert followed.daemon.metric("pggit_quarantined_transactions_total") >= 1
        assert followed.value("SELECT count(*) FROM pggit.conflicts") == 0


def test_what_no_snapshot_may_hold_is_said_to_differ(
    cluster: Databases, installed_template: str, tmp_path: Path
) -> None:
    """Promise: an object that the server refuses to store is never told to be as recorded."""
    with following(
        cluster, installed_template, tmp_path, watch_interval_seconds=0.2, verify_interval_seconds=1
    ) as followed:
        with followed.connect() as conn:
            conn.execute(b"ALTER TABLE pggit.commits ADD CONSTRAINT refused CHECK (message !~ 'poison')")
        made(followed, "poison", "good")
        known = {"event": "object_not_recorded", "difference": "table public.poison is in the catalog and not recorded"}
        followed.daemon.wait_for(
            lambda: any(known.items() <= event.items() for event in followed.daemon.events()), "sure"
        )
        followed.daemon.wait_for(
            lambda: followed.value("SELECT differing FROM pggit_daemon.verification") == 1, "true about it"
        )
        (good,) = [message for kind, message in followed.rows(HEADS) if kind == "out_of_band"]
        assert good == "out of band: CREATE TABLE public.good"


async def test_what_comes_behind_many_refused_ones_is_recorded(
    installed_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: however many there are; of the later ones only the beginning is kept. The worker runs in the test."""
    monkeypatch.setattr(worker, "SUSPECTS", LIMIT)
    monkeypatch.setattr(worker, "MOST_WHOLE", LIMIT)
    async with await psycopg.AsyncConnection.connect(installed_database, autocommit=True) as conn:
        await conn.execute(REFUSAL.encode())
        async with _worker(installed_database):
            await _until(conn, "SELECT count(*) FROM pggit.commits WHERE kind = 'baseline'")
        for name in (*(f"poison_{number}" for number in range(MANY)), "good"):
            await conn.execute(f"CREATE TABLE {name} ({WIDE})".encode())
        async with _worker(installed_database):
            good = "out of band: CREATE TABLE public.good"
            await _until(conn, f"SELECT count(*) FROM pggit.commits WHERE message = '{good}'")
        kept = await (await conn.execute("SELECT length(raw) FROM pggit_daemon.quarantine ORDER BY lsn")).fetchall()
    assert len(kept) == MANY
    assert all(length > SHORT_RAW for (length,) in kept[:LIMIT])
    assert kept[LIMIT:] == [(SHORT_RAW,)] * (MANY - LIMIT)


@asynccontextmanager
async def _worker(dsn: str) -> AsyncIterator[None]:
    config = DatabaseConfig.model_validate({"name": "app", "dsn": dsn, "slot": "many_refused"})
    stop = asyncio.Event()
    following = asyncio.create_task(Database(config, Metrics(), Health().database("app"), Server()).follow(stop))
    try:
        yield
    finally:
        stop.set()
        await following


async def _until(conn: psycopg.AsyncConnection[Any], one: str) -> None:
    """Wait until the query counts one."""
    async with asyncio.timeout(WAIT_TIMEOUT):
        while await (await conn.execute(one.encode())).fetchone() != (1,):  # noqa: ASYNC110  (the server tells nobody)
            await asyncio.sleep(0.05)


def test_a_plan_that_cannot_be_written_down_is_refused(installed_database: str) -> None:
    """So that its transaction is found and put aside, as with what the server refuses."""

    async def store() -> None:
        async with await psycopg.AsyncConnection.connect(installed_database, autocommit=True) as conn:
            await Store(conn).run([("forget", {"kind": [object()], "key": ["a"]})])

    with pytest.raises(RefusedError, match="TypeError: a plan cannot hold a object"):
        asyncio.run(store())


def test_a_name_longer_than_an_index_takes_is_no_poison(
    cluster: Databases, installed_template: str, tmp_path: Path
) -> None:
    """Promise: a function with 100 arguments of composite types with long names is an object as any other."""
    types = [f"t{number:03}_{'xyzw' * 14}" for number in range(100)]
    with following(cluster, installed_template, tmp_path) as followed:
        with followed.connect() as conn, conn.transaction():
            for name in types:
                conn.execute(f"CREATE TYPE {name} AS (a integer)".encode())
            conn.execute(f"CREATE FUNCTION wide({', '.join(types)}) RETURNS int LANGUAGE sql AS 'SELECT 1'".encode())
        with followed.connect() as conn:
            conn.execute(f"ALTER FUNCTION wide({', '.join(types)}) STABLE".encode())
            conn.execute("CREATE TABLE behind (id integer)")
        assert followed.commits()[-1] == "out_of_band: public.behind"
        versions = (
            "SELECT count(*) FROM pggit_daemon.object_version WHERE type = 'function' AND length(identity) > 6000"
        )
        assert followed.value(versions) == 2
        assert followed.value("SELECT count(*) FROM pggit_daemon.quarantine") == 0


@pytest.mark.parametrize(
    "error", [RefusedError("no"), ValueError("odd"), KeyError("x"), RecursionError(), RuntimeError("odd")]
)
def test_what_comes_of_the_transaction_is_its_fault(error: Exception) -> None:
    message = Message(LSN(1), transactional=False, prefix="p", content="c")
    with pytest.raises(PoisonError) as raised, blamed(message):
        raise error
    assert (raised.value.lsn, raised.value.__cause__) == (LSN(1), error)


@pytest.mark.parametrize("error", [StoreError("gone"), ConnectError("gone"), psycopg.OperationalError()])
def test_what_comes_of_the_connection_is_not(error: PggitDaemonError | psycopg.Error) -> None:
    with pytest.raises(type(error)), blamed(Message(LSN(1), transactional=False, prefix="p", content="c")):
        raise error

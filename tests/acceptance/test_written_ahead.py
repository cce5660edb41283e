"""Results are visible before they are on the server's disk; a server that dies in between costs nothing.

The server is shut down at once at thirty moments, most of them right behind a link that was visible. Its WAL writer is
held back, so that what did not wait for the disk is lost each time. The history to compare with is read afterwards by
another daemon from the same WAL (`replay.py`).
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from pggit_daemon.install import install
from pggit_daemon.model.lsn import LSN
from pggit_daemon.replication import feed
from sandbox.cluster import Cluster
from tests.acceptance.harness import Daemon
from tests.acceptance.recorded import assert_in_wal_order, migrations
from tests.acceptance.replay import SLOT, Tape, differences, everything

if TYPE_CHECKING:
    from pathlib import Path

CRASHES = 10  # of each of three servers, side by side: each waits until the daemon is ready again
BEFORE_EACH = 4  # migrations
LINKED = "SELECT pggit_commit_id FROM pggit.external_migrations WHERE migration_id = %s"
HISTORY = """
    CREATE TABLE public.flyway_schema_history (
        installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
        type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL,
        installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success bool NOT NULL)
"""
ROW = """
    INSERT INTO public.flyway_schema_history
    SELECT n, n, 'made', 'SQL', 'V' || n || '__made.sql', n, 'deploy', now(), 1, true FROM (VALUES (%s::int)) AS v (n)
"""
PROGRESS = "SELECT commit_lsn::text FROM pggit_daemon.progress"
ACKNOWLEDGED = f"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{SLOT}'"


@pytest.mark.long
@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_server_dies_before_results_are_on_its_disk(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  (moments, no secrets)
    with Cluster.start({"wal_writer_delay": "2s"}) as cluster:
        cluster.create_database("app")
        dsn = cluster.dsn("app")
        with psycopg.connect(dsn) as conn:
            install(conn)
            conn.execute(HISTORY)
        lost = 0
        with Daemon(dsn, tmp_path) as daemon:
            daemon.stop()
            tape = Tape.begin(dsn)
            daemon.start()
            for crash in range(CRASHES):
                daemon.wait_ready()
                seen, acknowledged = _migrate(dsn, range(crash * BEFORE_EACH + 1, (crash + 1) * BEFORE_EACH + 1))
                time.sleep(chance.choice((0, 0, 0.02, 0.3)) * chance.random())
                cluster.kill()
                cluster.start_again()
                assert cluster.dsn("app") == dsn, "the server came back on another port"
                with psycopg.connect(dsn) as conn:
                    if _lsn(conn, PROGRESS) < seen:
                        lost += 1
                        assert acknowledged < seen, "the slot may have forgotten what is lost"
            daemon.wait_ready()
            daemon.wait_decided(slot=SLOT)
            crashed = everything(dsn)
            assert lost > CRASHES / 3, "nothing was at stake"
            assert [(one.migration_id, one.evidence) for one in migrations(dsn)] == [
                (number, "transaction") for number in range(1, CRASHES * BEFORE_EACH + 1)
            ]
            assert not [event for event in daemon.events() if event.get("event") in {"slot_lost", "database_broken"}]
            assert_in_wal_order(dsn)
        again = tape.again(tape.start, tmp_path)
        assert differences(crashed, again) == []


def _migrate(dsn: str, numbers: range) -> tuple[LSN, LSN]:
    """Run migrations until the last is linked; how far the results go that others can see, and what the slot forgot."""
    with psycopg.connect(dsn) as tool, psycopg.connect(dsn, autocommit=True) as other:
        for number in numbers:
            tool.execute(f"CREATE TABLE public.made_{number} (id int PRIMARY KEY)".encode())
            tool.execute(ROW, [number])
            tool.commit()
        while (other.execute(LINKED, [numbers[-1]]).fetchone() or (None,))[0] is None:
            time.sleep(0.001)
        seen = _lsn(other, PROGRESS)
        time.sleep(10 * feed.SOON)
        return seen, _lsn(other, ACKNOWLEDGED)


def _lsn(conn: psycopg.Connection, query: LiteralString) -> LSN:
    (found,) = conn.execute(query).fetchone() or ("",)
    return LSN.parse(found)

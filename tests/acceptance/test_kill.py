"""Killed at any moment: the daemon, its connections, the server. Nothing lost, nothing twice, the same history.

The undisturbed history to compare with is read afterwards by another daemon from the same WAL (`replay.py`).
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sandbox.cluster import Cluster
from sandbox.flyway import Flyway
from tests.acceptance.crowd import Crowd, Hand, wrong_links
from tests.acceptance.harness import Daemon
from tests.acceptance.kills import Kills
from tests.acceptance.recorded import assert_in_wal_order, commits, migrations
from tests.acceptance.replay import SLOT, Tape, differences, everything

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 20


@pytest.mark.long
def test_kill_9_at_twenty_moments(installed_database: str, tmp_path: Path) -> None:
    """While two Flyways, Liquibase and a hand work, and while what they left is read."""
    seed = int(os.environ.get("PGGIT_TEST_SEED") or random.randrange(10**6))  # noqa: S311  (moments, no secrets)
    print(f"PGGIT_TEST_SEED={seed}")  # noqa: T201  (pytest shows it with a failure)
    chance = random.Random(seed)  # noqa: S311
    crowd = Crowd(
        installed_database,
        tmp_path,
        flyways=("one", "two"),
        liquibases=("lb",),
        hands=(Hand("hand", "psql"),),
        pause=0.15,
    )
    crowd.prepare()
    with Daemon(installed_database, tmp_path) as daemon:
        daemon.stop()
        tape = Tape.begin(installed_database)
        daemon.start()
        kills = Kills(daemon, KILLS, chance)
        crowd.run(beside=kills.next)
        while kills.left:
            kills.next()
        daemon.wait_ready()
        daemon.wait_decided(slot=SLOT)
        killed = everything(installed_database)
        assert daemon.log_file.read_text().count('"event": "streaming"') > KILLS // 4, "too many died before they read"
        assert wrong_links(crowd) == [], seed
        assert_in_wal_order(installed_database)
    assert differences(killed, tape.again(tape.start, tmp_path)) == [], seed


def test_its_connections_are_ended(installed_database: str, tmp_path: Path) -> None:
    """The walsender, the store's session and the reader's, each many times while work goes on."""
    crowd = Crowd(installed_database, tmp_path, flyways=("one",), hands=(Hand("hand", "psql"),), pause=0.15)
    crowd.prepare()
    victims = ["walsender", "pggit-daemon store", "pggit-daemon reader"]
    ended = dict.fromkeys(victims, 0)

    with (
        Daemon(installed_database, tmp_path) as daemon,
        psycopg.connect(installed_database, autocommit=True) as conn,
    ):
        daemon.stop()
        tape = Tape.begin(installed_database)
        daemon.start()
        daemon.wait_ready()

        def end_one() -> None:
            victim = victims[sum(ended.values()) % len(victims)]
            found = conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND (application_name = %s OR backend_type = %s)",
                [victim, victim],
            ).fetchall()
            ended[victim] += len(found)
            time.sleep(0.3 if found else 0.05)

        crowd.run(beside=end_one)
        assert all(ended.values()), ended
        daemon.wait_ready()
        daemon.wait_decided(slot=SLOT)
        disturbed = everything(installed_database)
        assert wrong_links(crowd) == []
        assert [event.get("exception", event) for event in daemon.events() if _unexpected(event)] == []
    assert differences(disturbed, tape.again(tape.start, tmp_path)) == []


def test_the_server_crashes(tmp_path: Path) -> None:
    """An immediate shutdown in the middle; what was committed is recorded once the server is back."""
    with Cluster.start() as cluster:
        cluster.create_database("app")
        dsn = cluster.dsn("app")
        _install(dsn)
        scripts = tmp_path / "sql"
        scripts.mkdir()
        for number in range(1, 4):
            (scripts / f"V{number}__step.sql").write_text(f"CREATE TABLE app.m{number:02}_a (id int PRIMARY KEY);")
        flyway = Flyway(dsn, scripts, schema="app")
        with Daemon(dsn, tmp_path) as daemon:
            flyway.migrate(target="2").check()
            cluster.kill()
            time.sleep(1)
            cluster.start_again()
            assert cluster.dsn("app") == dsn, "the server came back on another port"
            flyway.migrate().check()
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("CREATE TABLE by_hand (id int)")
            daemon.wait_ready()
            daemon.wait_decided()
            assert [(one.version, one.evidence, one.commit_id is not None) for one in migrations(dsn)][1:] == [
                (str(number), "lock", True) for number in range(1, 4)
            ]
            assert [one.kind for one in commits(dsn)][-4:] == ["migration"] * 3 + ["out_of_band"]
            assert daemon.metric("pggit_quarantined_records_total") == 0
            assert not [event for event in daemon.events() if event.get("event") in {"slot_lost", "database_broken"}]
            assert_in_wal_order(dsn)


def _unexpected(event: dict[str, Any]) -> bool:
    """An error that nobody translated: each end of a connection must be known for what it is."""
    return event.get("event") == "database_broken" or "raw" in event


def _install(dsn: str) -> None:
    from pggit_daemon.install import install  # noqa: PLC0415  (as in conftest.py: needed here only)

    with psycopg.connect(dsn) as conn:
        install(conn)

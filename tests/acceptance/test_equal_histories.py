"""One server's history, read by a daemon that was up throughout, stopped during the migrations, started after.

All three read the same WAL of one server (`replay.py`), and must come to the same commits with the same hashes, the
same links with the same evidence: what a daemon records does not depend on when it reads.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.flyway import Flyway
from sandbox.liquibase import Liquibase
from tests.acceptance.crowd import Crowd, Hand, flyway_scripts, liquibase_changelog, wrong_links
from tests.acceptance.harness import Daemon
from tests.acceptance.recorded import commits
from tests.acceptance.replay import SLOT, Saved, Tape, differences, everything, save

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
def test_the_same_history_whenever_it_is_read(installed_database: str, tmp_path: Path) -> None:
    """Two Flyways, a Liquibase and a hand at once; the daemon is stopped at nothing, at several moments, before all."""
    crowd = Crowd(
        installed_database,
        tmp_path,
        flyways=("one", "two"),
        liquibases=("lb",),
        hands=(Hand("hand", "psql"),),
        count=12,
        statements=12,
    )
    crowd.prepare()
    moments: list[Saved] = []

    def snap() -> None:
        moments.append(save(installed_database))
        time.sleep(0.25)

    with Daemon(installed_database, tmp_path) as daemon:
        daemon.stop()
        tape = Tape.begin(installed_database)
        daemon.start()
        daemon.wait_ready()
        crowd.run(beside=snap)
        daemon.wait_decided(slot=SLOT)
    throughout = everything(installed_database)
    assert wrong_links(crowd) == []
    assert differences(throughout, tape.again(tape.start, tmp_path)) == []
    between = [state for state in moments if state["pggit.commits"] != tape.start["pggit.commits"]]
    assert len(between) > 2
    for state in between[:: max(1, len(between) // 4)]:
        assert differences(throughout, tape.again(state, tmp_path)) == []
    assert wrong_links(crowd) == []
    with psycopg.connect(installed_database) as conn:
        assert conn.execute("SELECT count(DISTINCT hash) = count(*) FROM pggit.commits").fetchone() == (True,)


@pytest.mark.long
def test_what_was_dropped_before_it_was_read(installed_database: str, tmp_path: Path) -> None:
    """drop-all and clean take the tools' own tables away: one who comes after them must know them all the same."""
    changelog = liquibase_changelog(tmp_path / "public.sql", "public", 2, 0)
    liquibase = Liquibase(installed_database, changelog)
    flyway = Flyway(installed_database, flyway_scripts(tmp_path / "flyway", "app", 2, 0), schema="app")
    with Daemon(installed_database, tmp_path) as daemon:
        daemon.stop()
        tape = Tape.begin(installed_database)
        daemon.start()
        daemon.wait_ready()
        liquibase.update().check()
        flyway.migrate().check()
        daemon.wait_decided(slot=SLOT)
        daemon.stop()
        before = save(installed_database)
        daemon.start()
        daemon.wait_ready()
        liquibase.drop_all().check()
        flyway.clean().check()
        daemon.wait_decided(slot=SLOT)
    throughout = everything(installed_database)
    assert {commit.kind for commit in commits(installed_database)} == {"baseline", "migration", "tool"}
    for state in (before, tape.start):
        assert differences(throughout, tape.again(state, tmp_path)) == []

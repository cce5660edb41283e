"""One server's history, read by a daemon that was up throughout, stopped during the migrations, started after.

All three read the same WAL of one server (`replay.py`), and must come to the same commits with the same hashes, the
same links with the same evidence: what a daemon records does not depend on when it reads.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg

from tests.acceptance.crowd import Crowd, Hand, wrong_links
from tests.acceptance.harness import Daemon
from tests.acceptance.replay import SLOT, Saved, Tape, differences, everything, save

if TYPE_CHECKING:
    from pathlib import Path


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
        daemon.wait_caught_up(slot=SLOT)
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

"""Tools and hands at work at the same moment: every link right, every hand-made change out of band with its author.

All sessions are of one database user, as in most companies. The truth is in the names (`crowd.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.crowd import JDBC, Crowd, Hand, wrong_links
from tests.acceptance.harness import Daemon
from tests.acceptance.recorded import assert_in_wal_order, migrations

if TYPE_CHECKING:
    from pathlib import Path

PSQL = Hand("hand_psql", "psql")
JOB = Hand("hand_job", "nightly maintenance")
LOOKALIKE = Hand("hand_app", JDBC)
"""An application that makes tables through the tools' own driver, as their user, from their address."""


def test_flyway_beside_liquibase_and_two_hands(installed_database: str, tmp_path: Path) -> None:
    """20 migrations, 20 changesets, twice 20 statements by hand, all at once."""
    crowd = Crowd(installed_database, tmp_path, flyways=("one",), liquibases=("lb",), hands=(PSQL, JOB))
    with Daemon(installed_database, tmp_path) as daemon:
        crowd.prepare()
        crowd.run()
        daemon.wait_decided()
        assert wrong_links(crowd) == []
        assert_in_wal_order(installed_database)
        evidence = {(one.source, one.evidence) for one in migrations(installed_database) if one.status == "applied"}
        assert evidence == {("one.flyway_schema_history", "lock"), ("lb.databasechangelog", "bracket")}
        assert daemon.metric("pggit_out_of_band_changes_total") == 2 * (crowd.statements + 1) + 1


@pytest.mark.parametrize("mode", ["default", "group"])
def test_two_flyways_beside_two_hands(installed_database: str, tmp_path: Path, mode: str) -> None:
    """Two runs whose sessions look alike, each with its own lock, of which every statement sees both."""
    crowd = Crowd(installed_database, tmp_path, flyways=("one", "two"), hands=(PSQL, JOB))
    with Daemon(installed_database, tmp_path) as daemon:
        crowd.prepare()
        crowd.run({"group": "true"} if mode == "group" else None)
        daemon.wait_decided()
        assert wrong_links(crowd) == []
        assert_in_wal_order(installed_database)


def test_flyway_beside_a_lookalike(installed_database: str, tmp_path: Path) -> None:
    """A session that looks like Flyway's in everything but what it does: the order in the WAL tells them apart."""
    crowd = Crowd(installed_database, tmp_path, flyways=("one",), hands=(LOOKALIKE,))
    with Daemon(installed_database, tmp_path) as daemon:
        crowd.prepare()
        crowd.run()
        daemon.wait_decided()
        assert wrong_links(crowd) == []
        assert_in_wal_order(installed_database)

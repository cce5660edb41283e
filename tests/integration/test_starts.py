"""Starts that did not bring anything are counted where the stream had begun and ended, and no others.

The daemon runs as a process under the documented role, with pgoutput, where messages may be left out for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.test_large_messages import ROLE, Followed, follow

STARTS = "SELECT starts FROM pggit_daemon.progress"
FAILED = "SELECT count(*) FROM pggit.external_migrations WHERE migration_id = 1 AND NOT success"


@pytest.fixture
def followed(installed_database: str, tmp_path: Path) -> Iterator[Followed]:
    yield from follow(installed_database, tmp_path)


def fail_a_migration(followed: Followed) -> None:
    """One of which nothing but a message is left."""
    with psycopg.connect(followed.dsn) as conn:
        conn.execute("SELECT pggit.begin_migration(1, 'custom', 'rolled back')")
        conn.execute("CREATE TABLE gone (id int)")
        conn.execute("SELECT pggit.end_migration(1, success => false, error_message => 'it did not')")
        conn.rollback()


def assert_it_is_known(followed: Followed) -> None:
    followed.daemon.wait_decided()
    assert followed.logged("messages_left_out") == []
    assert followed.value(FAILED) == 1, followed.daemon.log_tail()


def test_a_start_that_got_on_is_not_counted_where_nothing_was_to_be_stored(followed: Followed) -> None:
    """Promise: a daemon that is killed again and again beside an idle database still reads its messages."""
    for _ in range(3):
        followed.daemon.wait_for(lambda: followed.value(STARTS) == 0, "behind what was there")
        followed.daemon.kill()
        followed.daemon.start()
        followed.daemon.wait_ready()
    followed.daemon.wait_for(lambda: followed.value(STARTS) == 0, "behind what was there")
    followed.daemon.kill()
    fail_a_migration(followed)
    followed.daemon.start()
    followed.daemon.wait_ready()
    assert_it_is_known(followed)


def test_a_stream_that_could_not_begin_is_no_start(followed: Followed) -> None:
    """Promise: the server may refuse the daemon's stream for as long as it likes, no message is left out for it."""
    followed.daemon.stop()
    with psycopg.connect(followed.dsn, autocommit=True) as conn:
        conn.execute(f"ALTER ROLE {ROLE} NOREPLICATION".encode())
        followed.daemon.start()
        followed.daemon.wait_for(lambda: len(followed.logged("database_failed")) > 0, "refused")
        fail_a_migration(followed)
        refused = "pggit_restarts_total"
        followed.daemon.wait_for(lambda: followed.daemon.metric(refused) > 3, "refused often")
        conn.execute(f"ALTER ROLE {ROLE} REPLICATION".encode())
    followed.daemon.wait_ready()
    assert_it_is_known(followed)


def test_a_stream_whose_results_cannot_be_stored_is_no_start(followed: Followed) -> None:
    """Promise: somebody may hold our tables locked for as long as he likes, no message is left out for it."""
    followed.daemon.wait_caught_up()
    with psycopg.connect(followed.dsn) as holding:
        holding.execute("LOCK TABLE pggit.commits IN SHARE MODE")
        with psycopg.connect(followed.dsn) as conn:
            conn.execute("CREATE TABLE waiting (id int)")
        followed.daemon.wait_for(lambda: followed.daemon.metric("pggit_restarts_total") > 3, "refused often")
        fail_a_migration(followed)
    assert_it_is_known(followed)

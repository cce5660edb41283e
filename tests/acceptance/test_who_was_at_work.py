"""A tool, and a hand that looks exactly like it and reads its history table: linked is only who wrote the row.

None of it depends on how quick the daemon is: a session that idles tells for ever when its last statement ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import BOTH_PLUGINS
from tests.acceptance.scenes import Scene

GRACE = 3
FINDINGS = "SELECT string_agg(message, ' ') FROM pggit.validate_migrations() WHERE status = 'unlinked'"


@contextmanager
def session(scene: Scene) -> Iterator[psycopg.Connection[Any]]:
    """Of the tool, or of somebody who looks so: without a name, and reading the history table first."""
    with psycopg.connect(scene.dsn, autocommit=True, application_name="") as conn:
        conn.execute("SELECT count(*) FROM schema_migrations")
        yield conn


def row(conn: psycopg.Connection[Any], version: int) -> None:
    conn.execute("INSERT INTO schema_migrations VALUES (%s)", [f"{version:014}"])


def ran_before(scene: Scene) -> int:
    """A run of dbmate, whose rows share a transaction with their DDL; the newest commit after it."""
    with psycopg.connect(scene.dsn, autocommit=True, application_name="") as conn:
        conn.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
        with conn.transaction():
            conn.execute("CREATE TABLE m1 (id int)")
            row(conn, 1)
    return scene.newest("pggit.commits")


@BOTH_PLUGINS
def test_the_session_that_wrote_the_row_is_linked(unfollowed: Scene) -> None:
    """An ordinary statement outside of a transaction, in a session that has only read the table."""
    scene = unfollowed
    scene.follow(grace_seconds=GRACE)
    before = ran_before(scene)
    with session(scene) as tool:
        tool.execute("CREATE INDEX m2_id ON m1 (id)")
        row(tool, 2)
        assert scene.commits(before) == ["migration 00000000000002/window: index public.m2_id"]


@pytest.mark.parametrize("stays", [True, False], ids=["stays", "leaves"])
def test_a_hand_before_a_migration_of_data_is_not_and_the_finding_says_why(unfollowed: Scene, *, stays: bool) -> None:
    """The first session of the tool's look that reads its table and runs DDL; then a migration that only changes data.

    Where it leaves, it does so half a second after its DDL and before the row: whether the daemon saw that or came
    later, nothing is linked.
    """
    scene = unfollowed
    scene.follow(grace_seconds=GRACE)
    before = ran_before(scene)
    with psycopg.connect(scene.dsn, autocommit=True) as conn:
        (user,) = conn.execute("SELECT current_user").fetchone() or ("",)
    with session(scene) as tool:
        tool.execute("SELECT pg_sleep(1.1)")  # what begins together is one program's
        with session(scene) as hand:
            hand.execute("CREATE TABLE mine (id int)")
            hand.execute("SELECT pg_sleep(0.5)")
            if stays:
                row(tool, 2)
                assert scene.commits(before) == [f"out_of_band {user}: table public.mine"]
        if not stays:
            row(tool, 2)
    assert scene.commits(before) == [f"out_of_band {user}: table public.mine"]
    told = scene.value(FINDINGS)
    assert "ran DDL just before it" in told, told
    assert not stays or "did nothing when it was written" in told

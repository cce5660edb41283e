"""Commits that are decoded before other sessions see them.

A commit is in the WAL a moment before it is visible, and for as long as a synchronous standby lets it wait. Here the
standby does not exist: the moment lasts until the wait is cancelled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from pggit_daemon.install import install
from sandbox.cluster import Cluster
from tests.acceptance.scenes import Scene, make_hand

HISTORY = (
    "CREATE TABLE databasechangelog (id varchar(255) NOT NULL, author varchar(255) NOT NULL,"
    " filename varchar(255) NOT NULL, dateexecuted timestamp NOT NULL, orderexecuted int NOT NULL,"
    " exectype varchar(10) NOT NULL, md5sum varchar(35), description varchar(255), comments varchar(255),"
    " tag varchar(255), liquibase varchar(20), contexts varchar(255), labels varchar(255), deployment_id varchar(10))"
)


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Scene]:
    """A scene on a server whose sessions wait for a standby if they ask to; the daemon's do not."""
    settings = {"synchronous_standby_names": "'nobody'", "synchronous_commit": "local"}
    with Cluster.start(settings) as cluster:
        cluster.create_database("scene")
        make_hand(cluster)
        with psycopg.connect(cluster.dsn("scene")) as conn:
            install(conn)
            conn.execute(HISTORY)
            conn.execute(
                "INSERT INTO databasechangelog (id, author, filename, dateexecuted, orderexecuted, exectype, md5sum)"
                " VALUES ('one', 'anna', 'c.sql', now(), 1, 'EXECUTED', '9:x')"
            )
        cluster.create_database("empty")
        scene = Scene(cluster, cluster.dsn("scene"), tmp_path, "empty")
        daemon = scene.follow()
        try:
            yield scene
        finally:
            daemon.stop()


@contextmanager
def invisible(scene: Scene, statement: str) -> Iterator[None]:
    """While the body runs, the statement is committed in the WAL and nobody sees it."""
    pids: list[int] = []
    started = threading.Event()

    def act() -> None:
        with psycopg.connect(scene.dsn, autocommit=True) as conn:
            pids.append(conn.info.backend_pid)
            conn.execute("SET synchronous_commit = on")
            started.set()
            conn.execute(statement)

    acting = threading.Thread(target=act)
    acting.start()
    started.wait()
    with psycopg.connect(scene.dsn, autocommit=True) as conn:
        waits = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"
        assert scene.daemon is not None
        scene.daemon.wait_for(lambda: bool(conn.execute(waits, pids).fetchall()), "beside a waiting commit")
        try:
            yield
        finally:
            conn.execute("SELECT pg_cancel_backend(%s)", pids)
            acting.join()


def test_ddl_is_recorded_and_its_event_goes_when_it_can_be_seen(waiting: Scene) -> None:
    """The outbox's row is not there yet when it is handled: it is taken out later, not left for ever."""
    with invisible(waiting, "CREATE TABLE a (id int)"):
        assert waiting.commits() == ["out_of_band postgres: table public.a"]
        with psycopg.connect(waiting.dsn) as conn:
            assert conn.execute("SELECT to_regclass('a')").fetchone() == (None,)
    waiting.check()


def test_a_row_that_is_inserted_by_hand_is_linked_when_it_can_be_seen(waiting: Scene) -> None:
    """Its request comes first, and must not be taken for done while the row is not there."""
    parked = "SELECT count(*) FROM pggit_daemon.parked"
    linked = "SELECT evidence, pggit_commit_id IS NOT NULL FROM pggit.external_migrations WHERE migration_id = 7"
    by_hand = "INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (7, 'custom')"
    assert waiting.daemon is not None
    with invisible(waiting, by_hand), psycopg.connect(waiting.dsn, autocommit=True) as conn:
        waiting.daemon.wait_for(lambda: conn.execute(parked).fetchone() == (1,), "a link that waits")
        assert conn.execute(linked).fetchall() == []
        # Nothing else waits for it.
        conn.execute("CREATE TABLE beside (id int)")
        waiting.daemon.wait_for(lambda: "table public.beside" in waiting.commits()[-1], "the commit beside it")
    with psycopg.connect(waiting.dsn, autocommit=True) as conn:
        waiting.daemon.wait_for(lambda: conn.execute(linked).fetchall() == [("manual", True)], "its link")
        assert conn.execute(parked).fetchone() == (0,)


def test_a_table_is_compared_when_it_shows_what_the_stream_has_brought(waiting: Scene) -> None:
    """An update that decoding cannot show is not taken for none because the table does not show it either yet."""
    with invisible(waiting, "UPDATE databasechangelog SET tag = 'v1'"), psycopg.connect(waiting.dsn) as conn:
        time.sleep(1.5)  # more than the daemon takes to look
        seen = "SELECT meaning FROM pggit_daemon.history_event WHERE operation <> 'insert' AND operation <> 'baseline'"
        assert conn.execute(seen).fetchall() == []
    assert waiting.events()[-1] == "tagged reconcile 1"


def test_what_takes_long_is_stored_piece_by_piece(waiting: Scene) -> None:
    """Transactions that overlap are read again, a second each while a commit cannot be seen: none waits for the last.

    All of them come to the daemon at once. One that is told to stop meanwhile ends between two, and repeats none.
    """
    assert waiting.daemon is not None
    names = [f"t{number}" for number in range(8)]
    with invisible(waiting, "CREATE TABLE a (id int)"), ExitStack() as sessions:
        overlapping = [sessions.enter_context(psycopg.connect(waiting.dsn)) for _name in names]
        for conn, name in zip(overlapping, names, strict=True):
            conn.execute(f"CREATE TABLE {name} (id int)".encode())
        for conn in overlapping:
            conn.commit()
        waiting.daemon.wait_for(lambda: is_recorded(waiting.dsn, "public.t3"), "at the fourth")
        assert not is_recorded(waiting.dsn, "public.t7")
        waiting.daemon.stop()
        assert not is_recorded(waiting.dsn, "public.t7")
    waiting.daemon.start()
    waiting.daemon.wait_ready()
    waiting.check()
    made = waiting.commits()
    # The one that cannot be seen ran beside them, too, and is not taken for dropped.
    assert [sum(f"public.{name}" in one for one in made) for name in ["a", *names]] == [1] * (len(names) + 1)


def is_recorded(dsn: str, table: str) -> bool:
    """Whether there is a commit of it by now, without waiting for the daemon."""
    with psycopg.connect(dsn) as conn:
        found = conn.execute("SELECT FROM pggit_daemon.object_version WHERE identity = %s", [table]).fetchall()
    return bool(found)

"""Deployments: a session's commits under one name, with auto_commit as without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from sandbox.databases import Databases
from tests.integration.api_write_support import Connection, Followed, following


@pytest.fixture(scope="module")
def shared(cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder = tmp_path_factory.mktemp("deployments")
    with following(cluster, installed_template, folder, reconcile_interval_seconds=1) as followed:
        yield followed


def create(conn: Connection, table: str) -> None:
    conn.execute(f"CREATE TABLE {table} (id integer)".encode())


def deployed(api: Followed, name: str) -> list[str]:
    """The messages of the commits of a deployment."""
    api.daemon.wait_caught_up()
    found = "SELECT commit_message FROM pggit.deployment_commits WHERE deployment_name = %s ORDER BY commit_id"
    return [row[0] for row in api.rows(found, name)]


def test_a_deployment_groups_what_its_session_does(api: Followed, conn: Connection) -> None:
    """Two CI jobs at once do not collide, and what comes before and behind is not in it."""
    create(conn, "before_a")
    deployment = conn.execute("SELECT pggit.begin_deployment('a')").fetchone()
    with api.connect() as other:
        other.execute("SELECT pggit.begin_deployment(deployment_name => 'b')")
        create(conn, "in_a")
        create(other, "in_b")
        create(conn, "in_a_too")
        conn.execute("SELECT pggit.end_deployment('well done', '{release,v5}')")
        create(conn, "behind_a")
        other.execute("SELECT pggit.end_deployment()")
    assert deployed(api, "a") == [
        "deployment a: CREATE TABLE public.in_a",
        "deployment a: CREATE TABLE public.in_a_too",
    ]
    assert deployed(api, "b") == ["deployment b: CREATE TABLE public.in_b"]
    assert len(api.commits()) == 5
    assert deployment is not None
    row = (
        "SELECT status, message, tags, started_by, ended_at IS NOT NULL FROM pggit.deployments WHERE deployment_id = %s"
    )
    assert api.rows(row, deployment[0]) == [("ended", "well done", ["release", "v5"], "postgres", True)]


def test_migrations_in_a_deployment_stay_migrations(api: Followed, conn: Connection) -> None:
    conn.execute("SELECT pggit.begin_deployment('with migrations', true)")
    create(conn, "by_deployment")
    with conn.transaction():
        conn.execute("SELECT pggit.begin_migration(501, 'custom', 'inside')")
        create(conn, "by_migration")
        conn.execute("SELECT pggit.end_migration(501)")
    conn.execute("SELECT pggit.end_deployment()")
    assert api.commits() == [
        "out_of_band: public.by_deployment",
        "migration custom:501/transaction: public.by_migration",
    ]
    assert len(deployed(api, "with migrations")) == 2


def test_auto_commit_merges_nothing(api: Followed, conn: Connection) -> None:
    conn.execute("SELECT pggit.begin_deployment('one', auto_commit => true)")
    create(conn, "one_a")
    create(conn, "one_b")
    conn.execute("DROP TABLE one_a")
    conn.execute("SELECT pggit.end_deployment()")
    assert api.commits() == ["out_of_band: public.one_a", "out_of_band: public.one_b", "out_of_band: public.one_a"]
    assert deployed(api, "one") == [
        "deployment one: CREATE TABLE public.one_a",
        "deployment one: CREATE TABLE public.one_b",
        "deployment one: DROP TABLE public.one_a",
    ]


def test_auto_commit_in_one_transaction(api: Followed, conn: Connection) -> None:
    with conn.transaction():
        conn.execute("SELECT pggit.begin_deployment('single', true)")
        create(conn, "single_a")
        create(conn, "single_b")
        conn.execute("SELECT pggit.end_deployment()")
    assert api.commits() == ["out_of_band: public.single_a, public.single_b"]


def test_auto_commit_keeps_the_order_of_others(api: Followed, conn: Connection) -> None:
    """Another's change stands at its place, and not in the deployment."""
    conn.execute("SELECT pggit.begin_deployment('crossed', true)")
    create(conn, "crossed_a")
    create(conn, "crossed_b")
    with api.connect() as other:
        other.execute("ALTER TABLE crossed_a ADD COLUMN other text")
    create(conn, "crossed_c")
    conn.execute("SELECT pggit.end_deployment()")
    assert api.commits() == [
        "out_of_band: public.crossed_a",
        "out_of_band: public.crossed_b",
        "out_of_band: public.crossed_a",
        "out_of_band: public.crossed_c",
    ]
    assert deployed(api, "crossed") == [f"deployment crossed: CREATE TABLE public.crossed_{one}" for one in "abc"]


def test_requests_of_others_part_nothing(api: Followed, conn: Connection) -> None:
    conn.execute("SELECT pggit.begin_deployment('beside', true)")
    create(conn, "beside_a")
    with api.connect() as other:
        other.execute("SELECT pggit.begin_migration(601, 'custom')")
        create(conn, "beside_b")
        conn.execute("SELECT pggit.end_deployment()")
        other.execute("SELECT pggit.end_migration(601)")
    assert api.commits() == ["out_of_band: public.beside_a", "out_of_band: public.beside_b"]
    assert api.without_ddl() == ["custom:601/none"]
    assert len(deployed(api, "beside")) == 2


def test_the_end_of_the_session_ends_what_it_left_open(api: Followed) -> None:
    """Nothing waits for a deployment whose session is gone; it is said to be abandoned."""
    with api.connect() as conn:
        conn.execute("SELECT pggit.begin_deployment('gone', true)")
        conn.execute("SELECT pggit.begin_migration(701, 'custom')")
        conn.execute("SELECT pggit.end_migration(701)")
        conn.execute("SELECT pggit.begin_migration(702, 'custom')")
        conn.execute(
            "DO $$ BEGIN PERFORM pggit.begin_migration(703, 'custom'); RAISE division_by_zero; EXCEPTION"
            " WHEN division_by_zero THEN NULL; END $$"
        )
    with api.connect() as conn:
        conn.execute("SELECT pggit.begin_deployment('gone too', true)")
        create(conn, "gone_a")
        create(conn, "gone_b")
    started = time.monotonic()
    assert api.commits() == ["out_of_band: public.gone_a", "out_of_band: public.gone_b"]
    assert api.without_ddl() == ["custom:701/none"]
    assert time.monotonic() - started < 15
    open_still = (
        "SELECT (SELECT count(*) FROM pggit.deployments WHERE status = 'open'),"
        " (SELECT count(*) FROM pggit_daemon.open_run)"
    )
    deadline = time.monotonic() + 60
    while api.rows(open_still) != [(0, 0)]:
        assert time.monotonic() < deadline, api.rows(open_still)
        with api.connect() as conn:
            conn.execute("SELECT pg_logical_emit_message(true, 'x', '')")
        time.sleep(0.2)
    assert api.value("SELECT status FROM pggit.deployments WHERE deployment_name = 'gone too'") == "abandoned"
    assert api.migration(702, "status") == ("started",)


def test_restarts_give_the_same_commits(cluster: Databases, installed_template: str, tmp_path: Path) -> None:
    """Killed in the middle of a deployment and of a migration: what is open stands in the database."""
    histories = []
    for killed in (False, True):
        folder = tmp_path / str(killed)
        folder.mkdir()
        with following(cluster, installed_template, folder) as followed, followed.connect() as conn:
            statements = [
                "SELECT pggit.begin_migration(1, 'custom', 'first')",
                "CREATE TABLE a (id integer)",
                "CREATE TABLE b (id integer)",
                "SELECT pggit.end_migration(1)",
                "SELECT pggit.begin_deployment('both', true)",
                "CREATE TABLE c (id integer)",
                "CREATE TABLE d (id integer)",
                "SELECT pggit.end_deployment()",
                "SELECT pggit.begin_migration(2, 'custom', 'second')",
                "CREATE TABLE e (id integer)",
            ]
            for statement in statements:
                conn.execute(statement.encode())
                if killed:
                    time.sleep(0.05)
                    followed.daemon.kill()
                    followed.daemon.start()
                    followed.daemon.wait_ready()
            with conn.transaction(force_rollback=True):
                conn.execute("SELECT pggit.end_migration(2, success => false, error_message => 'no')")
            found = followed.commits()
            histories.append((found, followed.rows("SELECT message FROM pggit.commits ORDER BY id")))
            assert followed.migration(2, "status", "error_message", "migration_name") == ("failed", "no", "second")
    assert histories[0] == histories[1]
    assert histories[0][0][1:] == [
        "migration custom:1/session+: public.a",
        "migration custom:1/session: public.b",
        "out_of_band: public.c",
        "out_of_band: public.d",
        "migration custom:2/session: public.e",
    ]


# ---------------------------------------------------------------- what is refused


def test_one_at_a_time(conn: Connection) -> None:
    conn.execute("SELECT pggit.begin_deployment('first')")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match='"first" is open') as raised:
        conn.execute("SELECT pggit.begin_deployment('second')")
    assert "end_deployment" in str(raised.value.diag.message_hint)
    conn.execute("SELECT pggit.end_deployment()")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="no deployment is open") as raised:
        conn.execute("SELECT pggit.end_deployment()")
    assert "begin_deployment" in str(raised.value.diag.message_hint)


def test_a_rolled_back_deployment_was_never_there(api: Followed, conn: Connection) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT pggit.begin_deployment('rolled back')")
    create(conn, "not_deployed")
    assert api.commits() == ["out_of_band: public.not_deployed"]
    assert api.value("SELECT count(*) FROM pggit.deployments WHERE deployment_name = 'rolled back'") == 0


@pytest.mark.parametrize("name", ["NULL", "''", "' '", "repeat('x', 10001)"])
def test_what_is_no_name(conn: Connection, name: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        conn.execute(f"SELECT pggit.begin_deployment({name})".encode())
    assert raised.value.diag.sqlstate == "22023"
    assert raised.value.diag.message_hint


def test_long_names_and_odd_tags(api: Followed, conn: Connection) -> None:
    conn.execute("SELECT pggit.begin_deployment(repeat('x', 10000), NULL)")
    create(conn, "long_name")
    conn.execute("SELECT pggit.end_deployment(repeat('m', 20000), ARRAY[NULL, '', 'a''b'])")
    assert api.commits() == ["out_of_band: public.long_name"]
    row = "SELECT length(message), tags FROM pggit.deployments WHERE length(deployment_name) = 10000"
    assert api.rows(row) == [(10000, [None, "", "a'b"])]

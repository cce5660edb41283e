"""A superuser deletes commits: whatever reads the history goes on, and says what is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox.daemon import Daemon, pggit
from sandbox.databases import Databases
from tests.integration.api_support import followed, history_table, migrate

Connection = psycopg.Connection[Any]

LINKED = "UPDATE pggit.external_migrations SET pggit_commit_id = NULL WHERE pggit_commit_id = %s"
CONFLICTS = "DELETE FROM pggit.conflicts WHERE commit_id = %s"
DELETED = "DELETE FROM pggit.commits WHERE id = %s RETURNING hash"


@pytest.fixture(scope="module")
def damaged(
    cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Connection, Daemon, list[str]]]:
    """A history without the commit of a migration, one made by hand, and the newest; and their hashes."""
    cluster.create_database("deleted_commits", installed_template)
    folder: Path = tmp_path_factory.mktemp("deleted")
    with followed(cluster.dsn("deleted_commits"), folder) as (conn, daemon):
        history_table(conn)
        migrate(conn, 1, "CREATE TABLE a (id int)")
        for table in ("b", "c"):
            conn.execute(f"CREATE TABLE {table} (id int)".encode())
        migrate(conn, 2, "ALTER TABLE b ADD v int")
        conn.execute("CREATE TABLE d (id int)")
        daemon.wait_decided()
        hashes = [delete(conn, word) for word in ("flyway: 1 %", "%public.c", "%public.d")]
        yield conn, daemon, hashes
    cluster.drop_database("deleted_commits")


def delete(conn: Connection, message: str) -> str:
    [(number,)] = conn.execute("SELECT id FROM pggit.commits WHERE message LIKE %s", [message]).fetchall()
    for statement in (LINKED, CONFLICTS):
        conn.execute(statement.encode(), [number])
    [(gone,)] = conn.execute(DELETED.encode(), [number]).fetchall()
    return str(gone)


def run(conn: Connection, *words: str) -> tuple[int, str, str]:
    done = pggit(*words, "--dsn", conn.info.dsn)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_finding_names_each_that_is_gone(damaged: tuple[Connection, Daemon, list[str]]) -> None:
    conn, _, hashes = damaged
    found = json.loads(run(conn, "findings", "--json")[1])["findings"]
    gone = {one["finding"]: one["message"] for one in found if one["status"] == "deleted_commit"}
    assert gone.keys() == {f"deleted_commit:{one}" for one in hashes}
    assert all("was deleted from pggit.commits" in message for message in gone.values())
    assert "(the newest one)" in gone[f"deleted_commit:{hashes[2]}"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("log",), 0, "flyway: 2"),
        (("show", "head"), 0, "flyway: 2"),
        (("show", "flyway:1"), 0, "no commit is linked to it"),
        (("diff", "flyway:1"), 5, "is not linked to a commit"),
        (("export", "flyway:1"), 5, "is not linked to a commit"),
        (("diff", "@1", "head"), 0, "created table public.c"),
        (("export", "head"), 0, "CREATE TABLE public.c"),
        (("status",), 0, "3 deleted_commit"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else None,
)
def test_what_reads_goes_on(
    damaged: tuple[Connection, Daemon, list[str]], words: tuple[str, ...], code: int, said: str
) -> None:
    """The schema of every commit that is there is whole, also by what the deleted ones changed."""
    found = run(damaged[0], *words)
    assert (found[0], said in found[1] + found[2]) == (code, True), found


def test_a_deleted_commit_is_none_by_its_number(damaged: tuple[Connection, Daemon, list[str]]) -> None:
    conn, _, hashes = damaged
    assert run(conn, "show", hashes[1][:12])[0] == 5
    assert run(conn, "export", hashes[1][:12])[0] == 5
    for query in (
        "SELECT * FROM pggit.migration_history",
        "SELECT * FROM pggit.analyze_migration_impact(1)",
        "SELECT * FROM pggit.migration_diff(1)",
        "SELECT * FROM pggit.drift()",
        "SELECT * FROM pggit.object_history('public.c')",
        "SELECT * FROM pggit.commit_changes",
        "SELECT pggit.schema_at('head')",
    ):
        conn.execute(query.encode())


def test_the_daemon_goes_on_behind_it(damaged: tuple[Connection, Daemon, list[str]]) -> None:
    """The next commit follows the one that is gone, so the finding stays; the record is still what the catalog says."""
    conn, daemon, hashes = damaged
    conn.execute("CREATE TABLE after (id int); DROP TABLE d")
    daemon.wait_decided()
    [(parent,)] = conn.execute("SELECT parent_commit_hash FROM pggit.commits ORDER BY id DESC LIMIT 1").fetchall()
    assert parent == hashes[2]
    assert run(conn, "verify")[0] == 0
    gone = conn.execute("SELECT finding FROM pggit.validate_migrations() WHERE status = 'deleted_commit'").fetchall()
    assert sorted(gone) == sorted((f"deleted_commit:{one}",) for one in hashes)
    assert [event for event in daemon.events() if event["level"] in {"warning", "error"}] == []

"""The record compared with the catalog: what fires no event trigger is found, and nothing else.

The daemon runs as a process on a real server. Comparisons of everything come by a timer that is far away, unless the
test is about it: what is found here is found by the watch, which looks at what was written.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from pggit_daemon.model.objects import Blob
from pggit_daemon.reconcile.verification import MOST_REST
from pggit_daemon.versioning.tree import blob_hash
from sandbox.daemon import Daemon, pause, pggit
from sandbox.recorded import Commit, commits
from tests.integration.reach_support import captured, run
from tests.integration.silent_changes import SILENT, SilentChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = """
[[database]]
name = "app"
dsn = "{dsn}"
slot = "verify_{name}"
verify_interval_seconds = {verify}
watch_interval_seconds = {watch}
"""
FAR = 3600.0
PATIENCE = 3 * MOST_REST
"""Seconds. A watch rests fifty times as long as its last look took; on a busy machine that is as long as it may."""
DIFFERENT = 6

_numbers = itertools.count(1)


def follow(dsn: str, folder: Path, *, verify: float = FAR, watch: float = 0.2) -> Daemon:
    config = folder / "config.toml"
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    config.write_text(CONFIG.format(dsn=dsn, name=name, verify=verify, watch=watch))
    return Daemon(dsn, folder, ["--config", str(config)])


def wait(reached: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    begun = time.monotonic()
    while not (found := reached()):
        assert time.monotonic() < begun + seconds, "it did not come in time"
        pause(begun)
    return found


def last(dsn: str, kind: str = "snapshot") -> Commit | None:
    newest = commits(dsn)[-1]
    return newest if newest.kind == kind else None


def conflicts(conn: psycopg.Connection[Any]) -> list[tuple[str, str, str]]:
    return conn.execute(
        "SELECT conflict_type, object_type, object_identifier FROM pggit.list_conflicts() ORDER BY 2, 3"
    ).fetchall()


def is_true(conn: psycopg.Connection[Any]) -> bool:
    """Whether record and catalog are the same."""
    return conn.execute(
        "SELECT count(*) FROM pggit_daemon.differing(ARRAY(SELECT a FROM pggit_daemon.addresses_to_compare() a))"
    ).fetchone() == (0,)


def is_known_to(conn: psycopg.Connection[Any], silent: SilentChange) -> bool:
    """Whether this server is newer than those on which the change is silent."""
    return silent.until is not None and conn.info.server_version // 10000 > silent.until


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database, autocommit=True) as conn:
        yield conn


@pytest.fixture
def roles(conn: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    number = next(_numbers)
    names = (f"verify_old_{number}", f"verify_new_{number}")
    for name in names:
        conn.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield names
    for name in [*names, f"{names[0]}_renamed"]:
        if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None:
            conn.execute(sql.SQL("DROP OWNED BY {0} CASCADE; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.mark.parametrize(
    "blob",
    [
        Blob("CREATE TABLE t ();\n", None, ()),
        Blob("", "", ()),
        Blob("ä€𝄞\n", "ALTER TABLE t ADD CHECK (true);\n", ("schema public", 'type public."Größe"')),
    ],
)
def test_the_server_addresses_a_definition_as_we_do(conn: psycopg.Connection[Any], blob: Blob) -> None:
    """Promise: what the server compares with is the address that the daemon stored."""
    row = conn.execute(
        "SELECT pggit_daemon.blob_hash(%s, %s, %s)", [blob.definition, blob.later, list(blob.depends)]
    ).fetchone()
    assert row == (blob_hash(blob),)


def test_reassign_owned_is_found(
    installed_database: str, conn: psycopg.Connection[Any], roles: tuple[str, str], tmp_path: Path
) -> None:
    """Promise: it fires nothing, and within moments it is a snapshot commit and a conflict for each object."""
    old, new = (sql.Identifier(role) for role in roles)
    with follow(installed_database, tmp_path) as daemon:
        conn.execute("CREATE TABLE t (id serial); CREATE VIEW v AS SELECT id FROM t")
        conn.execute(sql.SQL("ALTER TABLE t OWNER TO {0}; ALTER VIEW v OWNER TO {0}").format(old))
        daemon.wait_caught_up()
        conn.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(old, new))
        found = wait(lambda: last(installed_database))
        assert found.changed == ("sequence public.t_id_seq", "table public.t", "view public.v")
        assert found.metadata["found_by"] == "watch"
        assert is_true(conn)
        assert conflicts(conn) == [
            ("tree_differs", "sequence", "public.t_id_seq"),
            ("tree_differs", "table", "public.t"),
            ("tree_differs", "view", "public.v"),
        ]
        assert daemon.metric("pggit_verifications_total", result="different") == 1
        assert daemon.metric("pggit_verification_differences_total") == len(found.changed)
        status = pggit("status", "--dsn", installed_database)
        assert "objects of the catalog at" in status.stdout
        assert "3 were not as recorded" in status.stdout


def test_a_renamed_role_is_found(
    installed_database: str, conn: psycopg.Connection[Any], roles: tuple[str, str], tmp_path: Path
) -> None:
    """Promise: nothing of this database was written, and still every definition that names the role is renewed."""
    old = sql.Identifier(roles[0])
    with follow(installed_database, tmp_path) as daemon:
        conn.execute(sql.SQL("CREATE TABLE t (id int); GRANT SELECT ON t TO {}").format(old))
        conn.execute(sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT ON TABLES TO PUBLIC").format(old))
        daemon.wait_caught_up()
        conn.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(old, sql.Identifier(f"{roles[0]}_renamed")))
        found = wait(lambda: last(installed_database))
        assert found.metadata["found_by"] == "names"
        assert "table public.t" in found.changed
        assert f"default acl for role {roles[0]}_renamed on tables" in found.changed
        assert is_true(conn)


def test_an_edited_catalog_is_found_with_all_that_it_changes(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: a name written into pg_class changes those that use it, though nothing of them was written."""
    with follow(installed_database, tmp_path) as daemon:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t")
        daemon.wait_caught_up()
        conn.execute("UPDATE pg_class SET relname = 'edited' WHERE relname = 't'")
        found = wait(lambda: last(installed_database))
        assert {"table public.edited", "view public.v"} <= set(found.changed)
        assert is_true(conn)


def test_a_deleted_comment_is_found_by_timer(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: what leaves no trace to look at is found when everything is compared."""
    with follow(installed_database, tmp_path, verify=0.5, watch=FAR) as daemon:
        conn.execute("CREATE TABLE t (id int); COMMENT ON TABLE t IS 'x'")
        daemon.wait_caught_up()
        conn.execute("DELETE FROM pg_description WHERE objoid = 't'::regclass")
        found = wait(lambda: last(installed_database))
        assert (found.changed, found.metadata["found_by"]) == (("table public.t",), "timer")


@pytest.mark.parametrize("name", [name for name in SILENT if name != "a comment taken out of the catalog"])
def test_each_silent_change_is_found(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path, name: str
) -> None:
    """Promise: whatever changes the schema and fires nothing is recorded within moments, without the timer."""
    silent = SILENT[name]
    reach = captured(installed_database)
    next(reach)
    with follow(installed_database, tmp_path) as daemon:
        try:
            for statement in silent.before:
                run(conn, statement)
            daemon.wait_caught_up()
            wait(lambda: is_true(conn))
            known = len(commits(installed_database))
            for statement in silent.change:
                run(conn, statement)
            wait(lambda: is_true(conn))
            changed = {key for commit in commits(installed_database)[known:] for key in commit.changed}
            if silent.commits and silent.keys != ("*",) and not is_known_to(conn, silent):
                assert set(silent.keys) <= changed
        finally:
            for statement in silent.undo:
                run(conn, statement)
    with contextlib.suppress(StopIteration):
        next(reach)


def test_an_index_that_was_rebuilt_and_dropped_at_once_is_dropped_by_that_statement(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: the drop names an id that nobody told of; the name says which index it is."""
    with follow(installed_database, tmp_path, watch=FAR) as daemon:
        conn.execute("CREATE TABLE t (id int); CREATE INDEX t_i ON t (id)")
        daemon.wait_caught_up()
        conn.execute("REINDEX INDEX CONCURRENTLY t_i")
        conn.execute("DROP INDEX t_i")
        daemon.wait_caught_up()
        newest = commits(installed_database)[-1]
        assert (newest.kind, newest.changed) == ("out_of_band", ("index public.t_i",))
        assert is_true(conn)


def test_what_is_put_back_resolves_its_conflict(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: a conflict whose cause is gone does not wait for a hand."""
    with follow(installed_database, tmp_path) as daemon:
        conn.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        daemon.wait_caught_up()
        conn.execute("UPDATE pg_proc SET provolatile = 'i' WHERE proname = 'f'")
        wait(lambda: conflicts(conn) == [("tree_differs", "function", "public.f()")])
        conn.execute("UPDATE pg_proc SET provolatile = 'v' WHERE proname = 'f'")
        wait(lambda: conflicts(conn) == [])


def test_a_change_while_nobody_looked_is_found_at_the_start(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: the next process takes up from the last comparison, however far its timer is."""
    with follow(installed_database, tmp_path) as daemon:
        conn.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        daemon.wait_caught_up()
        wait(lambda: daemon.metric("pggit_verifications_total", result="same") >= 1)
        assert daemon.stop() == 0
        conn.execute("UPDATE pg_proc SET procost = 7 WHERE proname = 'f'")
        daemon.start()
        assert wait(lambda: last(installed_database)).changed == ("function public.f()",)


def test_a_rebuilt_index_stays_what_it_is(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: REINDEX CONCURRENTLY gives an index another id; that is no commit, and its later drop is seen."""
    with follow(installed_database, tmp_path) as daemon:
        conn.execute("CREATE TABLE t (id int); CREATE INDEX t_i ON t (id)")
        daemon.wait_caught_up()
        before = commits(installed_database)
        conn.execute("REINDEX INDEX CONCURRENTLY t_i")
        wait(lambda: is_true(conn))
        assert commits(installed_database) == before
        conn.execute("DROP INDEX t_i")
        daemon.wait_caught_up()
        assert commits(installed_database)[-1].changed == ("index public.t_i",)
        assert is_true(conn)


def test_no_false_alarm_while_statements_run(installed_database: str, tmp_path: Path) -> None:
    """Promise: however comparisons and the statements of two sessions fall together, nothing is found."""
    with (
        follow(installed_database, tmp_path, verify=0.01, watch=0.01) as daemon,
        psycopg.connect(installed_database) as one,
        psycopg.connect(installed_database, autocommit=True) as two,
    ):
        for number in range(60):
            one.execute(f"CREATE TABLE one_{number} (id int PRIMARY KEY, name text)".encode())
            one.execute(f"CREATE VIEW seen_{number} AS SELECT * FROM one_{number}".encode())
            two.execute("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT %s'" % number)  # noqa: UP031
            one.execute(f"ALTER TABLE one_{number} RENAME TO two_{number}".encode())
            one.commit()
        daemon.wait_caught_up()
        assert {commit.kind for commit in commits(installed_database)} == {"baseline", "out_of_band"}
        assert daemon.metric("pggit_verifications_total", result="same") > 1


def test_what_others_have_locked_is_not_waited_for(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: a view whose table is locked cannot be read; it is told, and nobody waits."""
    with follow(installed_database, tmp_path) as daemon:
        conn.execute("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t")
        daemon.wait_caught_up()
        with psycopg.connect(installed_database) as other:
            other.execute("LOCK TABLE t")
            done = pggit("verify", "--dsn", installed_database, "--json")
            other.rollback()
        document = json.loads(done.stdout)
        assert (done.returncode, document["differences"]) == (0, [])
        assert [one["identity"] for one in document["unreadable"]] == ["public.v"]


def test_the_command_tells_and_has_it_recorded(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: exit 0 where all is as recorded; otherwise 6, the object by name, and the commit that came of it."""
    with follow(installed_database, tmp_path, watch=FAR) as daemon:
        conn.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        daemon.wait_caught_up()
        same = pggit("verify", "--dsn", installed_database)
        assert (same.returncode, ", 0 differ" in same.stdout) == (0, True), same.stderr
        conn.execute("UPDATE pg_proc SET provolatile = 'i' WHERE proname = 'f'")
        told = pggit("verify", "--dsn", installed_database, "--dry-run")
        assert (told.returncode, "function public.f() is not defined as recorded" in told.stdout) == (DIFFERENT, True)
        recorded = pggit("verify", "--dsn", installed_database)
        commit = commits(installed_database)[-1]
        assert recorded.returncode == DIFFERENT
        assert f"recorded as commit {commit.hash[:12]}" in recorded.stdout
        assert commit.changed == ("function public.f()",)


def test_the_command_is_never_certain_without_the_daemon(
    installed_database: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Promise: what the daemon has not read yet is no difference; the command says so, also where nothing differs."""
    with follow(installed_database, tmp_path) as daemon:
        assert "note" not in pggit("verify", "--dsn", installed_database).stderr
        assert daemon.stop() == 0
        same = pggit("verify", "--dsn", installed_database, "--json")
        assert (same.returncode, json.loads(same.stdout)["differences"]) == (0, [])
        assert same.stderr.startswith("note: nobody reads the slot verify_"), same.stderr
        assert f"note: {json.loads(same.stdout)['note']}\n" == same.stderr
        conn.execute("CREATE TABLE later (id int)")
        done = pggit("verify", "--dsn", installed_database, "--timeout", "0.5")
        assert done.returncode == 1
        assert "table public.later is in the catalog and not recorded" in done.stderr
        daemon.start()
        daemon.wait_ready()
        assert pggit("verify", "--dsn", installed_database).returncode == 0


HANGING = """
    CREATE TABLE gate ();
    CREATE OR REPLACE FUNCTION pggit_daemon.addresses_to_compare() RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql STABLE SET lock_timeout = 0 AS $$
    BEGIN
        PERFORM FROM public.gate;
        RETURN QUERY SELECT a.classid, a.objid FROM pggit_daemon.addresses() AS a;
    END $$
"""
HANGS = "SELECT count(*) FROM pg_catalog.pg_locks WHERE relation = 'gate'::regclass AND NOT granted"
COMPARED = "SELECT count(finished_at) FROM pggit_daemon.verification WHERE began_at > coalesce(asked_at, '-infinity')"


def test_no_commit_waits_for_a_comparison(
    installed_database: str, tmp_path: Path, conn: psycopg.Connection[Any]
) -> None:
    """While a comparison goes on, the stream does; and so does the end of the daemon."""
    conn.execute(HANGING.encode())
    with psycopg.connect(installed_database) as other, follow(installed_database, tmp_path) as daemon:
        wait(lambda: conn.execute(COMPARED).fetchone() == (1,))
        other.execute("LOCK TABLE gate")
        conn.execute("SELECT pggit_daemon.ask_verification()")
        wait(lambda: conn.execute(HANGS).fetchone() == (1,))
        conn.execute("CREATE TABLE t (a int)")
        wait(lambda: commits(installed_database)[-1].kind == "out_of_band")
        assert conn.execute(HANGS).fetchone() == (1,)
        assert daemon.stop() == 0
        wait(lambda: conn.execute(HANGS).fetchone() == (0,))
        daemon.start()
        wait(lambda: conn.execute(HANGS).fetchone() == (1,))
        other.rollback()
        wait(lambda: conn.execute(COMPARED).fetchone() == (1,))
        assert is_true(conn)

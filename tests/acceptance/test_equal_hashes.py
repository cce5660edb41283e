"""One WAL that lacks definitions, read live, late and in pieces: every commit of it has the same hashes.

What the capture leaves out (locked by others, too many, too large, invisible) or describes under a stale snapshot is
read from the catalog, where a later reader finds something else; and what comparing finds depends on when it looks. All
of that is recorded, and no hash may depend on it.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.acceptance.harness import Daemon, pggit
from tests.acceptance.kills import Kills
from tests.acceptance.replay import SLOT, Tape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Connection = psycopg.Connection[Any]

BEFORE = """
    CREATE TABLE t (a int); CREATE TABLE locked (a int); CREATE TABLE owned (a int);
    CREATE VIEW v AS SELECT t.a FROM t JOIN locked USING (a);
    CREATE VIEW w AS SELECT t.a AS b FROM t JOIN locked USING (a);
    CREATE SCHEMA many; CREATE SCHEMA s; CREATE TABLE s.first (a int); CREATE TABLE s.second (a int);
    DO $$ BEGIN FOR i IN 1..520 LOOP EXECUTE format('CREATE TABLE many.t%s ()', i); END LOOP; END $$
"""
LARGE = "CREATE OR REPLACE FUNCTION large() RETURNS text LANGUAGE sql AS $$ SELECT '{}' $$"

OF_THE_WAL = """
    SELECT source_lsn::text, hash, tree_hash, summary FROM pggit.commits
    WHERE kind <> 'snapshot' AND NOT coalesce((metadata -> 'only_recorded')::boolean, false) ORDER BY id
"""
BESIDE = "SELECT count(*) FROM pggit.commits WHERE kind = 'snapshot'"


@pytest.fixture
def roles(installed_database: str) -> Iterator[tuple[str, str]]:
    name = psycopg.conninfo.conninfo_to_dict(installed_database)["dbname"]
    one, other = f"{name}_one", f"{name}_other"
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {one}; CREATE ROLE {other}; ".encode())
        yield one, other
        conn.execute(f"DROP OWNED BY {one}, {other} CASCADE; DROP ROLE {one}, {other}".encode())


def fetched(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query.encode()).fetchall()


@pytest.mark.long
def test_hashes_cover_what_the_wal_says(installed_database: str, roles: tuple[str, str], tmp_path: Path) -> None:
    """Promise: each commit of the WAL has one hash, whenever it is read; and live, the record is the catalog's."""
    dsn = installed_database
    seed = int(os.environ.get("PGGIT_TEST_SEED") or random.randrange(10**6))  # noqa: S311  (moments, no secrets)
    print(f"PGGIT_TEST_SEED={seed}")  # noqa: T201  (pytest shows it with a failure)
    with psycopg.connect(dsn, autocommit=True) as conn, Daemon(dsn, tmp_path) as daemon:
        conn.execute(BEFORE.encode())
        daemon.wait_decided(slot=SLOT)
        daemon.stop()
        tape = Tape.begin(dsn)
        daemon.start()
        daemon.wait_ready()
        work(dsn, conn, daemon, roles)
        assert pggit("verify", "--dsn", dsn).returncode == 0
    live = fetched(dsn, OF_THE_WAL)
    assert fetched(dsn, BESIDE) >= [(2,)]
    assert fetched(dsn, "SELECT count(*) FROM pggit.commits WHERE recorded_tree <> tree_hash") > [(0,)]
    assert fetched(dsn, "SELECT count(*) FROM pggit_daemon.logged_otherwise WHERE type = 'unread'") > [(0,)]
    assert len({row[1] for row in live}) == len(live) > 15
    tape.again(tape.start, tmp_path)
    assert fetched(dsn, OF_THE_WAL) == live
    chance = random.Random(seed)  # noqa: S311
    for _ in range(3):
        tape.again(tape.start, tmp_path, pieces=lambda daemon: cut(daemon, chance))
        assert fetched(dsn, OF_THE_WAL) == live, seed


def cut(daemon: Daemon, chance: random.Random) -> None:
    kills = Kills(daemon, 4, chance)
    while kills.left:
        kills.next()


def work(dsn: str, conn: Connection, daemon: Daemon, roles: tuple[str, str]) -> None:
    """Let statements leave definitions out, for every reason, and others tell of some of those objects afterwards."""
    one, other_role = roles
    found = fetched(dsn, BESIDE)

    def found_beside() -> None:
        nonlocal found
        daemon.wait_for(lambda: fetched(dsn, BESIDE) > found, "finding what no event said", timeout=120)
        found = fetched(dsn, BESIDE)

    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
        conn.execute("ALTER TABLE t RENAME COLUMN a TO aa")
        conn.execute("ALTER TABLE t RENAME TO tt")
        daemon.wait_caught_up(slot=SLOT)  # and cannot read the views either
        other.rollback()
    found_beside()
    conn.execute("COMMENT ON VIEW v IS 'told again'")
    conn.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA many TO {one}".encode())
    conn.execute("ALTER SCHEMA many RENAME TO crowd")
    for text in ("x" * 1_100_000, "x" * 1_100_000, "y" * 1_100_000):
        conn.execute(LARGE.format(text).encode())
    conn.execute("ALTER FUNCTION large() RENAME TO big")
    with psycopg.connect(dsn) as beside:
        # Described as s.first, which by then is r.first; and the same once more, where nothing follows.
        beside.execute("ALTER TABLE s.first ADD COLUMN b int")
        conn.execute("ALTER SCHEMA s RENAME TO r")
        beside.commit()
        conn.execute("ALTER TABLE r.first ADD COLUMN later int")
        beside.execute("ALTER TABLE r.second ADD COLUMN b int")
        conn.execute("ALTER SCHEMA r RENAME TO q")
        beside.commit()
        beside.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        beside.execute("SELECT 1")
        conn.execute("CREATE TABLE unseen (a int)")
        beside.execute("ALTER TABLE unseen ADD COLUMN b int")
        beside.commit()
    conn.execute(f"ALTER TABLE owned OWNER TO {one}".encode())
    daemon.wait_caught_up(slot=SLOT)
    conn.execute(f"REASSIGN OWNED BY {one} TO {other_role}".encode())
    found_beside()
    conn.execute(f"ALTER TABLE owned OWNER TO {one}".encode())  # as the WAL knows it already
    conn.execute("DROP VIEW w; DROP FUNCTION big(); DROP TABLE crowd.t519; CREATE TABLE last (a int)")
    daemon.wait_decided(slot=SLOT)

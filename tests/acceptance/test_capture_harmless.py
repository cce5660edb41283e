"""No migration fails or waits because of us: the real Flyway where the capture cannot do its work.

tests/integration/test_capture_safety.py has the single statements; here it is whole migrations, in the mode in which
Flyway's second connection depends on the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.flyway import NO_LOCK, Flyway
from tests.acceptance.harness import Daemon
from tests.acceptance.recorded import commits, migrations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MIGRATIONS = 10
LOCK_TIMEOUT = 0.020  # seconds: what the capture waits at most, for each event

OUR_TABLES = (
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('pggit', 'pggit_daemon')"
)


def scripts(folder: Path) -> Path:
    """Write migrations that note the time before and after each statement of theirs."""
    tick = "INSERT INTO tick VALUES (DEFAULT);\n"
    (folder / "V0__clock.sql").write_text("CREATE TABLE tick (at timestamptz DEFAULT clock_timestamp());")
    for number in range(1, MIGRATIONS + 1):
        statements = (
            f"CREATE TABLE t{number} (id int PRIMARY KEY);\n",
            f"ALTER TABLE t{number} ADD note text;\n",
            f"CREATE VIEW v{number} AS SELECT * FROM t{number};\n",
        )
        (folder / f"V{number}__step.sql").write_text(tick + tick.join(statements) + tick)
    return folder


def check_migrated(conn: psycopg.Connection) -> list[float]:
    """Everything is there; return how long each statement took (seconds).

    The quickest of thirty tells what the capture waits: the others wait for the machine, too.
    """
    rows = conn.execute("SELECT count(*), bool_and(success) FROM flyway_schema_history WHERE version <> '0'").fetchone()
    assert rows == (MIGRATIONS, True)
    views = conn.execute(
        "SELECT count(*) FROM pg_views WHERE schemaname = 'public' AND viewname ~ '^v[0-9]'"
    ).fetchone()
    assert views == (MIGRATIONS,)
    times = [row[0].timestamp() for row in conn.execute("SELECT at FROM tick ORDER BY at").fetchall()]
    each = range(0, len(times), 4)
    return [after - before for n in each for before, after in zip(times[n : n + 3], times[n + 1 : n + 4], strict=True)]


@pytest.mark.parametrize("mode", [{}, NO_LOCK], ids=["default", "lock=false"])
def test_with_the_outbox_locked(installed_database: str, tmp_path: Path, mode: Mapping[str, str]) -> None:
    """Each statement waits for the capture's own lock_timeout, once, and not for the lock."""
    with psycopg.connect(installed_database) as locker, psycopg.connect(installed_database, autocommit=True) as conn:
        locker.execute("LOCK TABLE pggit_daemon.ddl_event IN ACCESS EXCLUSIVE MODE")
        Flyway(installed_database, scripts(tmp_path)).migrate(**mode).check()
        took = check_migrated(conn)
    assert LOCK_TIMEOUT / 2 < min(took) < 4 * LOCK_TIMEOUT
    assert max(took) < 5  # a machine that others use too


def test_with_an_insert_that_fails(installed_database: str, tmp_path: Path) -> None:
    """Nothing can be written, not even that it failed."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("ALTER TABLE pggit_daemon.ddl_event ADD CHECK (false) NOT VALID")
        Flyway(installed_database, scripts(tmp_path)).migrate().check()
        took = check_migrated(conn)
    assert min(took) < 4 * LOCK_TIMEOUT


@pytest.mark.parametrize("what", ["tables", "functions", "schemas"])
def test_without_what_is_ours(installed_database: str, tmp_path: Path, what: str) -> None:
    """Somebody dropped our tables, our helper functions, or all of it."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        if what == "tables":
            for (table,) in conn.execute(OUR_TABLES).fetchall():
                conn.execute(f"DROP TABLE IF EXISTS {table} CASCADE".encode())
        elif what == "functions":
            found = conn.execute(
                "SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'pggit_daemon'::regnamespace"
                " AND prorettype <> 'event_trigger'::regtype"
            ).fetchall()
            for (function,) in found:
                conn.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE".encode())
        else:
            conn.execute("DROP SCHEMA pggit, pggit_daemon CASCADE")
        Flyway(installed_database, scripts(tmp_path)).migrate().check()
        assert min(check_migrated(conn)) < 4 * LOCK_TIMEOUT


def changed(dsn: str) -> set[str]:
    return {name for commit in commits(dsn) for name in commit.changed}


def test_what_the_capture_missed_is_found_again(installed_database: str, tmp_path: Path) -> None:
    """With a daemon that follows: the schema, the history table and its rows, though no event told of them."""
    with Daemon(installed_database, tmp_path) as daemon, psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute(
            "ALTER TABLE pggit_daemon.ddl_event ADD CONSTRAINT too_full CHECK (kind = 'capture_failed') NOT VALID"
        )
        (tmp_path / "sql").mkdir()
        Flyway(installed_database, scripts(tmp_path / "sql")).migrate().check()
        conn.execute("ALTER TABLE pggit_daemon.ddl_event DROP CONSTRAINT too_full")
        daemon.wait_caught_up()
        missed = {f"table public.t{number}" for number in range(1, MIGRATIONS + 1)}
        # In one comparison or in two: the first may have begun before the last migration ran.
        daemon.wait_for(lambda: missed <= changed(installed_database), "comparing")
        assert commits(installed_database)[-1].kind == "snapshot"
        assert daemon.metric("pggit_capture_failures_total") > 0
        for number in range(1, MIGRATIONS + 1):
            (tmp_path / "sql" / f"V{number + 100}__more.sql").write_text(f"CREATE TABLE more{number} (id int);")
        Flyway(installed_database, tmp_path / "sql").migrate().check()
        daemon.wait_caught_up()
        daemon.wait_for(lambda: len(migrations(installed_database)) > 2 * MIGRATIONS, "comparing the rows")
        linked = {one.version: one.evidence for one in migrations(installed_database)}
        assert {version for version, evidence in linked.items() if evidence == "lock"} >= {"101", "110"}
        assert set(linked) >= {str(number) for number in range(MIGRATIONS + 1)}

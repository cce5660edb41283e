"""What the events did not say is found by comparing, and only what really differs.

The daemon runs as a process on a real server; captures are made to fail as they would in life.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg

from sandbox.daemon import Daemon, pause
from sandbox.recorded import commits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = """
[[database]]
name = "app"
dsn = "{dsn}"
slot = "upkeep_{name}"
reconcile_interval_seconds = 0.5
verify_interval_seconds = {verify}
"""


def _daemon(dsn: str, folder: Path, verify: float) -> Daemon:
    config = folder / "config.toml"
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    config.write_text(CONFIG.format(dsn=dsn, name=name, verify=verify))
    return Daemon(dsn, folder, ["--config", str(config)])


def _wait(reached: Callable[[], bool], seconds: float = 60) -> None:
    begun = time.monotonic()
    while not reached():
        assert time.monotonic() < begun + seconds, "it did not come in time"
        pause(begun)


def test_ddl_that_no_event_told_of_becomes_a_snapshot(installed_database: str, tmp_path: Path) -> None:
    """Promise: with the triggers off, a change is found by comparing and recorded as such."""
    with _daemon(installed_database, tmp_path, 0.5), psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE")
        conn.execute("CREATE TABLE public.unseen (id int PRIMARY KEY)")
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS")
        _wait(lambda: commits(installed_database)[-1].kind == "snapshot")
        found = commits(installed_database)[-1]
        assert found.changed == ("table constraint unseen_pkey on public.unseen", "table public.unseen")
        time.sleep(1.2)  # two more comparisons
        assert commits(installed_database)[-1] == found


def test_a_failed_capture_is_made_good_at_once(installed_database: str, tmp_path: Path) -> None:
    """Promise: a capture that failed is followed by a comparison, without waiting for the timer."""
    with _daemon(installed_database, tmp_path, 3600), psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("ALTER FUNCTION pggit_daemon.describe(oid, oid) RENAME TO describe_gone")
        conn.execute("CREATE TABLE public.half_seen (id int)")
        conn.execute("ALTER FUNCTION pggit_daemon.describe_gone(oid, oid) RENAME TO describe")
        _wait(
            lambda: "table public.half_seen" in {name for made in commits(installed_database) for name in made.changed}
        )


def test_comparing_while_ddl_runs_finds_nothing(installed_database: str, tmp_path: Path) -> None:
    """Promise: no false alarm, however the comparison and the statements fall together."""
    with (
        _daemon(installed_database, tmp_path, 0.01) as daemon,
        psycopg.connect(installed_database, autocommit=True) as conn,
    ):
        for number in range(60):
            conn.execute(f"CREATE TABLE public.busy_{number} (id int)".encode())
            conn.execute(f"ALTER TABLE public.busy_{number} ADD COLUMN name text".encode())
        daemon.wait_caught_up()
        kinds = {commit.kind for commit in commits(installed_database)}
        assert kinds == {"baseline", "out_of_band"}

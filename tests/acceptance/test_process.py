"""The daemon as a process beside its databases: it ends when told, takes a new configuration, and holds nobody up.

tests/integration/test_cli_run.py has readiness, the second signal, systemd and the log; here is what needs a history.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.model.transaction import TableName
from sandbox.cluster import Cluster
from tests.acceptance.crowd import JDBC, Crowd, Hand, wrong_links
from tests.acceptance.harness import Daemon, pggit
from tests.acceptance.recorded import assert_in_wal_order, commits, migrations
from tests.unit.build import flyway_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

QUICK = 8.0  # seconds; the daemon promises 10
SECRET = "hunter2-correct-horse"  # noqa: S105  (what the test looks for)
HISTORY = """
    CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200),
        type varchar(20), script varchar(1000), checksum int, installed_by varchar(100),
        installed_on timestamp DEFAULT now(), execution_time int, success bool)
"""


def end_quickly(daemon: Daemon) -> None:
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < QUICK
    assert "stop_timed_out" not in [event.get("event") for event in daemon.events()]


class Half:
    """A Flyway that stopped half way: it holds the lock, its DDL is committed, its row is not."""

    def __init__(self, dsn: str) -> None:
        self.holder = psycopg.connect(make_conninfo(dsn, application_name=JDBC))
        classid, objid = flyway_key(TableName("public", "flyway_schema_history"))
        self.holder.execute("SELECT pg_advisory_xact_lock(%s)", [classid << 32 | objid])
        with psycopg.connect(make_conninfo(dsn, application_name=JDBC)) as worker:
            worker.execute("CREATE TABLE half (id int)")
            self.holder.execute(
                "INSERT INTO flyway_schema_history (installed_rank, version, type, success)"
                " VALUES (1, '1', 'SQL', true)"
            )

    def finish(self) -> None:
        self.holder.commit()
        self.holder.close()


def waiting(daemon: Daemon) -> bool:
    return daemon.metric("pggit_pending_commits") >= 1


def test_sigterm_in_the_middle_of_a_run(installed_database: str, tmp_path: Path) -> None:
    """It ends with 0 each time, and after the last start nothing is missing."""
    crowd = Crowd(installed_database, tmp_path, flyways=("one",), hands=(Hand("hand", "psql"),), pause=0.1)
    crowd.prepare()
    rounds = 0

    def restart() -> None:
        nonlocal rounds
        rounds += 1
        daemon.wait_ready()
        time.sleep(0.2)
        end_quickly(daemon)
        daemon.start()

    with Daemon(installed_database, tmp_path) as daemon:
        crowd.run(beside=restart)
        daemon.wait_ready()
        daemon.wait_decided()
        assert rounds >= 2
        assert wrong_links(crowd) == []
        assert_in_wal_order(installed_database)


def test_sigterm_while_something_waits_for_its_row(installed_database: str, tmp_path: Path) -> None:
    """The wait is not sat out; it goes on after the start, and the row finds its DDL."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute(HISTORY)
    with Daemon(installed_database, tmp_path, cold=True) as daemon:
        half = Half(installed_database)
        daemon.wait_for(lambda: waiting(daemon), "waiting")
        end_quickly(daemon)
        daemon.start()
        daemon.wait_ready()
        daemon.wait_for(lambda: waiting(daemon), "waiting again")
        half.finish()
        daemon.wait_caught_up()
        assert [(one.version, one.evidence) for one in migrations(installed_database)] == [("1", "lock")]
        assert commits(installed_database)[-1].changed == ("table public.half",)


def test_a_fast_shutdown_is_not_held_up(tmp_path: Path) -> None:
    """Neither by an idle stream nor by one in which something waits; afterwards it goes on by itself."""
    with Cluster.start() as cluster:
        cluster.create_database("app")
        dsn = cluster.dsn("app")
        assert pggit("init", "--dsn", dsn).returncode == 0
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(HISTORY)
        with Daemon(dsn, tmp_path) as daemon:
            for pending in (False, True):
                if pending:
                    half = Half(dsn)
                    daemon.wait_for(lambda: waiting(daemon), "waiting")
                    half.holder.close()
                began = time.monotonic()
                cluster.stop()
                assert time.monotonic() - began < QUICK, "pending" if pending else "idle"
                assert daemon.page("/healthz")[0] == 200
                cluster.start_again()
                assert cluster.dsn("app") == dsn
                daemon.wait_for(lambda: daemon.page("/readyz")[0] == 503, "noticing") if not pending else None
                daemon.wait_ready()
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("CREATE TABLE after_it (id int)")
            daemon.wait_caught_up()
            assert commits(dsn)[-1].changed == ("table public.after_it",)
            assert not [event for event in daemon.events() if event.get("event") == "database_broken"]


# ------------------------------------------------------------------ several databases


@pytest.fixture
def two(cluster: Databases, installed_template: str) -> Iterator[dict[str, str]]:
    """Two installed databases by name."""
    names = ("proc_a", "proc_b")
    for name in names:
        cluster.create_database(name, installed_template)
    try:
        yield {name: cluster.dsn(name) for name in names}
    finally:
        for name in names:
            cluster.drop_database(name)


def configure(path: Path, databases: dict[str, str]) -> None:
    path.write_text(
        "".join(f'[[database]]\nname = "{name}"\nslot = "{name}"\ndsn = "{dsn}"\n' for name, dsn in databases.items())
    )


def states(daemon: Daemon) -> dict[str, str]:
    page = daemon.page("/readyz")[1]
    return {name: one["state"] for name, one in json.loads(page)["databases"].items()} if page else {}


def test_reload_adds_and_removes_databases(two: dict[str, str], tmp_path: Path) -> None:
    """The one that stays is not touched; a bad file changes nothing; what was removed can come back."""
    config = tmp_path / "config.toml"
    only = {"proc_a": two["proc_a"]}
    configure(config, only)
    with Daemon(two["proc_a"], tmp_path, ["--config", str(config)]) as daemon:
        for wanted in (two, only, two):
            configure(config, wanted)
            daemon.signal(signal.SIGHUP)
            daemon.wait_for(lambda wanted=wanted: states(daemon) == dict.fromkeys(wanted, "streaming"), "reloaded")  # type: ignore[misc]
        config.write_text("[[database]]\nname = 1\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(lambda: any(event.get("event") == "reload_failed" for event in daemon.events()), "refusing it")
        assert states(daemon) == dict.fromkeys(two, "streaming")
        for dsn in two.values():
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("CREATE TABLE made (id int)")
        for name, dsn in two.items():
            daemon.dsn = dsn
            daemon.wait_caught_up(slot=name)
            assert [one.kind for one in commits(dsn)] == ["baseline", "out_of_band"]
        starts = [event for event in daemon.events() if event.get("event") == "streaming"]
        assert [event["database"] for event in starts].count("proc_a") == 1


def test_one_database_that_fails_does_not_disturb_the_other(two: dict[str, str], tmp_path: Path) -> None:
    """One cannot be reached, one has its store blocked; the third is recorded as ever, and the end comes in time."""
    config = tmp_path / "config.toml"
    nowhere = "host=127.0.0.1 port=1 dbname=x connect_timeout=2"
    configure(config, {**two, "nowhere": nowhere})
    daemon = Daemon(two["proc_a"], tmp_path, ["--config", str(config)])
    daemon.start()
    try:
        daemon.wait_for(lambda: list(states(daemon).values())[:2] == ["streaming"] * 2, "streaming both")
        with psycopg.connect(two["proc_b"]) as blocker, psycopg.connect(two["proc_b"], autocommit=True) as user:
            blocker.execute("LOCK TABLE pggit.commits IN ACCESS EXCLUSIVE MODE")
            user.execute("CREATE TABLE waits (id int)")
            with psycopg.connect(two["proc_a"], autocommit=True) as conn:
                conn.execute("CREATE TABLE goes_on (id int)")
            daemon.wait_caught_up(slot="proc_a")
            assert commits(two["proc_a"])[-1].changed == ("table public.goes_on",)
            assert states(daemon)["nowhere"] == "failed"
        daemon.dsn = two["proc_b"]
        daemon.wait_caught_up(slot="proc_b")
        assert commits(two["proc_b"])[-1].changed == ("table public.waits",)
        end_quickly(daemon)
    finally:
        daemon.kill()


def test_no_password_is_seen_anywhere(installed_database: str, tmp_path: Path) -> None:
    """Not in the log, a metric, a page, the server's list of sessions or the process list, whatever happens to it."""
    config = tmp_path / "config.toml"
    configure(config, {"app": make_conninfo(installed_database, password=SECRET)})
    with (
        Daemon(installed_database, tmp_path, ["--config", str(config)]) as daemon,
        psycopg.connect(installed_database, autocommit=True) as conn,
    ):
        conn.execute("CREATE TABLE made (id int)")
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        config.write_text(config.read_text() + "nonsense = 1\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(
            lambda: {"database_failed", "reload_failed"} <= {str(event.get("event")) for event in daemon.events()},
            "complaining",
            10,
        )
        daemon.wait_ready()
        seen = "".join(daemon.page(path)[1] for path in ("/metrics", "/healthz", "/readyz"))
        seen += repr(conn.execute("SELECT * FROM pg_stat_activity").fetchall())
        with open(f"/proc/{daemon.pid}/cmdline") as arguments:  # noqa: PTH123
            seen += arguments.read()
    assert SECRET not in seen + daemon.log_file.read_text()


def test_two_stops_at_once_leave_one_after_the_other(installed_database: str, tmp_path: Path) -> None:
    """A daemon and its stand-by told to stop together: both end with 0, whoever has the slot."""
    with Daemon(installed_database, tmp_path, name="a") as one, Daemon(installed_database, tmp_path, name="b") as two:
        ends = [threading.Thread(target=end_quickly, args=[daemon]) for daemon in (one, two)]
        for end in ends:
            end.start()
        for end in ends:
            end.join()

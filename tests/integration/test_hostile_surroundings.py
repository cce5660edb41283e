"""What others do to history tables, to the slot and with messages neither stops the record nor invents anything.

The daemon runs as a process under the documented role, which is no superuser. Its intervals are short, so that a test
waits for a comparison and not for a timer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install
from sandbox.daemon import Daemon
from sandbox.recorded import commits, migrations

ROLE = "beside_daemon"
CONFIG = """
[[database]]
name = "app"
dsn = "{dsn}"
slot = "{slot}"
reconcile_interval_seconds = 0.5
watch_interval_seconds = 0.5
verify_interval_seconds = 3600.0
"""
SOURCE = """
[[database.source]]
name = "{name}"
table = "public.{name}"
[database.source.columns]
id = "version"
"""
TABLE = "CREATE TABLE {name} (version bigint PRIMARY KEY)"


class Followed:
    """A database with its daemon."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.slot = f"beside_{psycopg.conninfo.conninfo_to_dict(dsn)['dbname']}"
        config = folder / "config.toml"
        sources = "".join(SOURCE.format(name=name) for name in ("ops", "later"))
        config.write_text(CONFIG.format(dsn=make_conninfo(dsn, user=ROLE), slot=self.slot) + sources)
        self.daemon = Daemon(dsn, folder, ["--config", str(config)])

    def run(self, *statements: str) -> None:
        """Run statements in one transaction."""
        with psycopg.connect(self.dsn) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def value(self, query: str) -> Any:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            (found,) = conn.execute(query.encode()).fetchone() or (None,)
        return found

    def applied(self) -> list[tuple[int, str]]:
        """Id and status of the migrations of the source `ops`."""
        return [(one.migration_id, one.status) for one in migrations(self.dsn) if one.source == "ops"]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.daemon.events() if one.get("event") == event]

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        self.daemon.wait_for(reached, what)


@pytest.fixture
def unfollowed(installed_database: str, tmp_path: Path) -> Followed:
    """Installed, the source's table there with one migration; the daemon is not started."""
    with psycopg.connect(installed_database) as conn:
        install(conn, daemon_role=ROLE)
        conn.execute(TABLE.format(name="ops").encode())
        conn.execute("INSERT INTO ops VALUES (1)")
        conn.execute(f"GRANT SELECT ON ops TO {ROLE}".encode())
    return Followed(installed_database, tmp_path)


@pytest.fixture
def followed(unfollowed: Followed) -> Iterator[Followed]:
    with unfollowed.daemon:
        yield unfollowed


def test_a_table_under_row_security_is_unreadable_and_nothing_of_it_deleted(followed: Followed) -> None:
    """It is told once, rows go on being recorded, and a policy that shows every row mends it."""
    followed.run("ALTER TABLE ops ENABLE ROW LEVEL SECURITY")
    state = "SELECT state FROM pggit_daemon.source WHERE name = 'ops'"
    followed.wait(lambda: followed.value(state) == "unreadable", "unable to read")
    followed.run("CREATE TABLE a (id int)", "INSERT INTO ops VALUES (2)")
    followed.daemon.wait_caught_up()
    time.sleep(1.2)  # two more comparisons
    assert followed.applied() == [(1, "applied"), (2, "applied")]
    assert len(followed.logged("source_unreadable")) == 1
    assert "BYPASSRLS" in followed.logged("source_unreadable")[0]["hint"]
    assert followed.daemon.metric("pggit_source_readable", source="ops") == 0
    followed.run(f"CREATE POLICY all_of_it ON ops FOR SELECT TO {ROLE} USING (true)")
    followed.wait(lambda: followed.daemon.metric("pggit_source_readable", source="ops") == 1, "readable again")
    assert followed.applied() == [(1, "applied"), (2, "applied")]


def test_a_right_that_is_taken_away_and_given_back(followed: Followed) -> None:
    """Promise: without the right to read it a table says nothing; with it, what happened meanwhile is found."""
    followed.run(f"REVOKE SELECT ON ops FROM {ROLE}")
    followed.wait(lambda: bool(followed.logged("source_unreadable")), "unable to read")
    followed.run("CREATE TABLE a (id int)", "INSERT INTO ops VALUES (2)")
    followed.daemon.wait_caught_up()
    followed.run(f"GRANT SELECT ON ops TO {ROLE}")
    followed.wait(lambda: followed.daemon.metric("pggit_source_readable", source="ops") == 1, "readable again")
    assert followed.applied() == [(1, "applied"), (2, "applied")]
    assert not followed.logged("database_failed")


def test_a_locked_history_table_delays_nothing_else(followed: Followed) -> None:
    """Promise: others may hold any lock on it, for as long as they like: what happens is recorded meanwhile."""
    with psycopg.connect(followed.dsn) as holder:
        holder.execute("LOCK TABLE ops IN ACCESS EXCLUSIVE MODE")
        followed.wait(lambda: bool(followed.logged("source_unreadable")), "in front of the lock")
        for number in range(3):
            began = time.monotonic()
            followed.run(f"CREATE TABLE t{number} (id int)")
            followed.daemon.wait_caught_up()
            assert time.monotonic() - began < 30
    followed.wait(lambda: followed.daemon.metric("pggit_source_readable", source="ops") == 1, "readable again")
    assert [one.changed for one in commits(followed.dsn)[1:]] == [(f"table public.t{n}",) for n in range(3)]
    assert not followed.logged("database_failed")


def test_a_configured_table_that_is_not_there_yet_is_waited_for(followed: Followed) -> None:
    """It is no error, the baseline does not fail on it, and its first row is a migration."""
    followed.wait(lambda: bool(followed.logged("source_waiting")), "waiting for a table")
    assert followed.logged("source_waiting")[0]["source"] == "later"
    followed.run(TABLE.format(name="later"))
    followed.run("CREATE TABLE a (id int)", "INSERT INTO later VALUES (7)")
    followed.daemon.wait_caught_up()
    found = [(one.migration_id, one.evidence) for one in migrations(followed.dsn) if one.source == "later"]
    assert found == [(7, "transaction")]
    assert not followed.logged("database_failed")
    assert not followed.logged("job_failed")


def test_a_slot_that_was_made_again_leaves_a_gap(unfollowed: Followed) -> None:
    """Whoever made it: the record says that something is missing, and what the catalog holds of it."""
    with unfollowed.daemon:
        unfollowed.daemon.wait_caught_up()
    unfollowed.run("CREATE TABLE unread (id int)", "INSERT INTO ops VALUES (2)")
    with psycopg.connect(unfollowed.dsn, autocommit=True) as conn:
        conn.execute("SELECT pg_drop_replication_slot(%s)", [unfollowed.slot])
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'wal2json')", [unfollowed.slot])
    with unfollowed.daemon:
        unfollowed.daemon.wait_caught_up()
    assert [(one.kind, one.changed) for one in commits(unfollowed.dsn)[1:]] == [("gap", ("table public.unread",))]
    assert unfollowed.applied() == [(1, "applied"), (2, "applied")]


def test_restarts_leave_no_gap(unfollowed: Followed) -> None:
    """However it ended, and whatever passed that was none of ours: its own slot is never taken for another."""
    for ending in ("stop", "kill", "stop"):
        unfollowed.daemon.start()
        unfollowed.daemon.wait_ready()
        with psycopg.connect(unfollowed.dsn, autocommit=True) as conn:
            for _ in range(20):
                conn.execute("SELECT pg_logical_emit_message(true, 'theirs', repeat('x', 20000))")
        unfollowed.daemon.wait_caught_up()
        unfollowed.daemon.stop() if ending == "stop" else unfollowed.daemon.kill()
    with unfollowed.daemon:
        assert [one.kind for one in commits(unfollowed.dsn)] == ["baseline"]


def test_an_idle_database_writes_nothing(followed: Followed) -> None:
    """What we write ourselves is nothing to acknowledge, or each acknowledgement would bring the next."""
    followed.wait(lambda: bool(followed.logged("verified")), "done with its first comparison")
    followed.daemon.wait_caught_up()
    written: list[int] = []
    while not written or (written[-1] >= 1000 and len(written) < 10):  # the server cleans up after other tests, too
        before = followed.value("SELECT pg_current_wal_insert_lsn()::text")
        time.sleep(2.0)
        written.append(followed.value(f"SELECT pg_current_wal_insert_lsn() - '{before}'::pg_lsn"))
    assert written[-1] < 1000, written


def test_messages_of_others_never_arrive(followed: Followed) -> None:
    """Any role may send one of any size: none of it is read, none of it is believed."""
    peak = memory(followed.daemon)
    with psycopg.connect(followed.dsn, autocommit=True) as conn:
        for prefix in ("pggit_daemon", "pggit_daemon.sync", "pggit_daemon."):
            conn.execute("SELECT pg_logical_emit_message(false, %s, repeat('x', 40000000))", [prefix])
            conn.execute("SELECT pg_logical_emit_message(true, %s, repeat('x', 40000000))", [prefix])
    followed.run("CREATE TABLE a (id int)")
    followed.daemon.wait_caught_up()
    assert memory(followed.daemon) - peak < 20_000
    assert followed.daemon.metric("pggit_forged_messages_total") == 0
    assert followed.value("SELECT count(*) FROM pggit_daemon.quarantine") == 0


def test_a_record_that_is_too_large_is_put_aside_with_its_head(followed: Followed) -> None:
    """It is not parsed, and the row is found where the table is compared."""
    followed.run("ALTER TABLE ops ADD COLUMN script text")
    followed.run("CREATE TABLE a (id int)", "INSERT INTO ops VALUES (2, repeat('x', 20000000))")
    followed.daemon.wait_caught_up()
    raw, reason = followed.value("SELECT ARRAY[raw, reason] FROM pggit_daemon.quarantine")
    assert raw.startswith('{"action":"I"')
    assert len(raw) < 5000
    assert "is too large; its SHA-256 is" in reason
    assert commits(followed.dsn)[-1].changed == ("table public.a",)
    followed.wait(lambda: followed.applied() == [(1, "applied"), (2, "applied")], "done comparing")


def test_the_memory_for_a_record_that_is_too_large_is_given_back(followed: Followed) -> None:
    """Promise: once it is acknowledged, and once only, the stream starts over; what comes after it is recorded."""
    followed.run("ALTER TABLE ops ADD COLUMN script text")
    followed.daemon.wait_caught_up()
    before = memory(followed.daemon, "VmRSS")
    followed.run("INSERT INTO ops VALUES (2, repeat('x', 100000000))")
    followed.wait(lambda: bool(followed.logged("stream_renewed")), "streaming anew")
    followed.run("CREATE TABLE a (id int)")
    followed.daemon.wait_caught_up()
    followed.wait(lambda: memory(followed.daemon, "VmRSS") - before < 40_000, "small again")
    assert memory(followed.daemon) - before > 100_000
    assert len(followed.logged("stream_renewed")) == 1
    assert commits(followed.dsn)[-1].changed == ("table public.a",)


def test_a_snapshot_that_the_server_refuses_is_taken_without_the_object_at_fault(followed: Followed) -> None:
    """Promise: what cannot be recorded stops neither the stream nor what else was found."""
    followed.wait(lambda: bool(followed.logged("verified")), "done with its first comparison")
    followed.run("ALTER TABLE pggit_daemon.object_version ADD CHECK (identity <> 'public.bad')")
    followed.run("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE")
    followed.run("CREATE TABLE bad (id int)", "CREATE TABLE good_a (id int)", "CREATE TABLE good_b (id int)")
    followed.run("ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS")

    def recorded() -> set[str]:
        return {name for one in commits(followed.dsn)[1:] for name in one.changed}

    followed.wait(lambda: {"table public.good_a", "table public.good_b"} <= recorded(), "past what is refused")
    followed.run("CREATE TABLE after_it (id int)")
    followed.daemon.wait_caught_up()
    assert "table public.after_it" in recorded()


def memory(daemon: Daemon, what: str = "VmHWM") -> int:
    """The most memory that it ever held, in KiB; VmRSS: that it holds now."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0])

"""Which output plugin the slot gets, and that the history is the same with each of them.

Scenes of other files that are marked with `BOTH_PLUGINS` run with each, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox.tools import Script
from tests.acceptance.conftest import BOTH_PLUGINS, RealTool
from tests.acceptance.crowd import Crowd, Hand, wrong_links
from tests.acceptance.harness import Daemon
from tests.acceptance.kills import Kills
from tests.acceptance.recorded import assert_in_wal_order, commits
from tests.acceptance.replay import SLOT, Tape, differences, everything
from tests.acceptance.scenes import Scene
from tests.acceptance.test_bad_input import failing

KILLS = 6
SCRIPTS = (
    Script("m1_users", ("CREATE TABLE m1_users (id serial PRIMARY KEY)",), ("DROP TABLE m1_users",)),
    Script("m2_orders", ("CREATE TABLE m2_orders (buyer int REFERENCES m1_users)",), ("DROP TABLE m2_orders",)),
)
ONLY_PGOUTPUT = """
    COPY (SELECT) TO PROGRAM 'mkdir -p /tmp/{folder} && ln -sf "{libraries}/pgoutput.so" /tmp/{folder}/';
    ALTER DATABASE {database} SET dynamic_library_path = '/tmp/{folder}'
"""


@BOTH_PLUGINS
def test_alembic(scene: Scene, real_tool: RealTool) -> None:
    """It moves one row by updating it, in its first run in the transaction that makes its table; then back again."""
    project = real_tool("alembic", scene.dsn)
    project.add(*SCRIPTS)
    project.up().check()
    project.down().check()
    assert [line.partition(":")[0] for line in scene.commits()] == [
        "tool",
        "migration m1_users/transaction",
        "migration m2_orders/transaction",
        "rollback m2_orders/transaction",
    ]
    assert [line.rpartition(" ")[0] for line in scene.events()] == [
        "applied insert",
        "applied update",
        "rolled_back update",
    ]


@BOTH_PLUGINS
def test_the_sql_api(scene: Scene) -> None:
    """A migration that ends well, and one that fails: its end outlives the rollback as a message."""
    scene.script("SELECT pggit.begin_migration(1, 'custom', 'good')", "CREATE TABLE a (id int)",
                 "SELECT pggit.end_migration(1, 'custom')")  # fmt: skip
    with psycopg.connect(scene.dsn) as conn:
        conn.execute("SELECT pggit.begin_migration(2, 'custom', 'bad')")
        conn.execute("CREATE TABLE b (id int)")
        conn.execute("SELECT pggit.end_migration(2, 'custom', false, 'oh')")
        conn.rollback()
    scene.script("CREATE TABLE c (id int)")
    assert scene.commits() == ["migration 1/transaction 2/none: table public.a", "out_of_band postgres: table public.c"]
    assert [line.split()[0] + " " + line.split()[3] for line in scene.migrations()] == ["1 applied", "2 failed"]


@pytest.mark.long
def test_killed_under_pgoutput(installed_database: str, tmp_path: Path) -> None:
    """Nothing lost, nothing twice: the same history as when the same WAL is read undisturbed."""
    crowd = Crowd(
        installed_database, tmp_path, flyways=("one",), liquibases=("lb",), hands=(Hand("hand", "psql"),), pause=0.1
    )
    crowd.prepare()
    chance = random.Random(KILLS)  # noqa: S311
    with Daemon(installed_database, tmp_path, configured(installed_database, tmp_path, "pgoutput")) as daemon:
        daemon.stop()
        tape = Tape.begin(installed_database)
        daemon.start()
        crowd.run(beside=Kills(daemon, KILLS, chance).next)
        daemon.wait_ready()
        daemon.wait_decided(slot=SLOT)
        killed = everything(installed_database)
        assert wrong_links(crowd) == []
        assert_in_wal_order(installed_database)
    assert differences(killed, tape.again(tape.start, tmp_path)) == []


def test_auto_goes_from_one_to_the_other_and_no_further(installed_database: str, tmp_path: Path) -> None:
    """Without wal2json pgoutput; an existing slot's plugin stays, and another one in the configuration is an error."""
    automatic = configured(installed_database, tmp_path, "auto")
    with only_pgoutput(installed_database):
        with failing(installed_database, tmp_path, configured(installed_database, tmp_path, "wal2json")) as (_, said):
            assert "no output plugin wal2json" in said["error"]
        with Daemon(installed_database, tmp_path, automatic, name="first") as daemon:
            daemon.wait_caught_up()
    assert plugin_of_slot(installed_database) == "pgoutput"
    with Daemon(installed_database, tmp_path, automatic, name="second") as daemon:
        daemon.wait_caught_up()
    with failing(installed_database, tmp_path, configured(installed_database, tmp_path, "wal2json")) as (_, said):
        assert "was made with plugin pgoutput, and the configuration says wal2json" in said["error"]
        assert 'plugin = "auto"' in said["hint"]
    assert [one.kind for one in commits(installed_database)] == ["baseline"]


def test_auto_takes_wal2json_where_it_is(scene: Scene) -> None:
    """And makes nothing in the database for it."""
    with psycopg.connect(scene.dsn) as conn:
        assert conn.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)
        slots = conn.execute("SELECT plugin FROM pg_replication_slots WHERE database = current_database()").fetchall()
    assert slots == [("wal2json",)]


def test_a_publication_that_is_dropped(installed_database: str, tmp_path: Path) -> None:
    """What was written meanwhile cannot be decoded: a gap commit closes it, also where somebody made it again."""
    arguments = configured(installed_database, tmp_path, "pgoutput")
    with Daemon(installed_database, tmp_path, arguments) as daemon, psycopg.connect(installed_database) as conn:
        conn.autocommit = True
        conn.execute("DROP PUBLICATION pggit_daemon; CREATE TABLE a (id int)")
        daemon.wait_for(lambda: kinds(installed_database).count("gap") == 1, "closing the gap")
        conn.execute("CREATE TABLE b (id int)")
        daemon.wait_caught_up()
        daemon.stop()
        conn.execute("DROP PUBLICATION pggit_daemon_keyed; CREATE TABLE c (id int)")
        conn.execute("CREATE PUBLICATION pggit_daemon_keyed WITH (publish = 'update, delete')")
        daemon.start()
        daemon.wait_for(lambda: kinds(installed_database).count("gap") == 2, "closing the gap")
        daemon.wait_ready()
    assert kinds(installed_database) == ["baseline", "gap", "out_of_band", "gap"]


# ------------------------------------------------------------------ help


def configured(dsn: str, folder: Path, plugin: str) -> list[str]:
    """The arguments of a daemon with this plugin, and the usual slot."""
    config = folder / f"{plugin}.toml"
    config.write_text(f'[[database]]\nname = "app"\ndsn = "{dsn}"\nplugin = "{plugin}"\n')
    return ["--config", str(config)]


@contextmanager
def only_pgoutput(dsn: str) -> Iterator[None]:
    """The database's sessions find no other plugin: as on a server where none is installed."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        found = conn.execute("SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'").fetchone()
        assert found is not None
        name = conn.info.dbname
        folder = f"pggit_plugins_{conn.info.port}_{name}"
        conn.execute(ONLY_PGOUTPUT.format(folder=folder, libraries=found[0], database=name).encode())
        try:
            yield
        finally:
            conn.execute(f"ALTER DATABASE {name} RESET dynamic_library_path".encode())
            conn.execute(f"COPY (SELECT) TO PROGRAM 'rm -r /tmp/{folder}'".encode())


def plugin_of_slot(dsn: str) -> Any:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT plugin FROM pg_replication_slots WHERE slot_name = %s", [SLOT]).fetchone()
    return row and row[0]


def kinds(dsn: str) -> list[str]:
    return [one.kind for one in commits(dsn)]

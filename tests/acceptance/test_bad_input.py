"""What the daemon meets in the wild: servers that lack something, slots that are gone, rows and names beyond reason.

Each: a clear error that names what mends it, or the row recorded as it is; nothing lost, no crash loop.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sandbox.cluster import Cluster
from sandbox.flyway import Flyway
from tests.acceptance.harness import Daemon, pggit
from tests.acceptance.recorded import assert_in_wal_order, commits, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sandbox.databases import Databases

FLYWAY_TABLE = """
    CREATE TABLE {} (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200), type varchar(20),
        script varchar(1000), checksum int, installed_by varchar(100), installed_on timestamp DEFAULT now(),
        execution_time int, success bool)
"""


@contextmanager
def failing(dsn: str, folder: Path, arguments: list[str] | None = None) -> Iterator[tuple[Daemon, dict[str, Any]]]:
    """Run a daemon that cannot work, give its first complaint; it must go on trying, ever more slowly, and end well."""
    daemon = Daemon(dsn, folder, arguments)
    daemon.start()
    try:
        daemon.wait_for(lambda: bool(complaints(daemon)), "complaining")
        yield daemon, complaints(daemon)[0]
        assert not [event for event in daemon.events() if event.get("event") == "database_broken" or "raw" in event]
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def complaints(daemon: Daemon) -> list[dict[str, Any]]:
    return [event for event in daemon.events() if event.get("event") == "database_failed"]


def make(conn: psycopg.Connection, statement: str, *names: str) -> None:
    """Run a statement with quoted names in it."""
    conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


# ------------------------------------------------------------------ the server lacks something


def test_nobody_listens(tmp_path: Path) -> None:
    """Said once, and tried again all the time."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        dsn = f"host=127.0.0.1 port={port.getsockname()[1]} dbname=x user=postgres"
        with failing(dsn, tmp_path) as (daemon, said):
            assert "cannot connect" in said["error"]
            assert "start the server" in said["hint"]
            assert said["retry_seconds"] > 0, "it tries without a pause"
            assert len(complaints(daemon)) == 1
            port.listen()
            port.settimeout(20)
            port.accept()[0].close()


def test_no_such_database_and_no_init(database: str, tmp_path: Path) -> None:
    """First without the database, then without our schemas: each says what to do, and then it works by itself."""
    with failing(make_conninfo(database, dbname="nowhere"), tmp_path) as (_daemon, said):
        assert '"nowhere" does not exist' in said["error"]
    daemon = Daemon(database, tmp_path)
    daemon.start()
    try:
        daemon.wait_for(lambda: bool(complaints(daemon)), "complaining")
        assert "not installed" in complaints(daemon)[0]["error"]
        assert "pggit-daemon init" in complaints(daemon)[0]["hint"]
        assert pggit("init", "--dsn", database).returncode == 0
        daemon.wait_ready()
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def test_a_role_without_rights_is_told_which(installed_database: str, tmp_path: Path) -> None:
    """Each named by the error before it: all rights, which init gives, and REPLICATION, which somebody took away."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        make(conn, "DROP ROLE IF EXISTS {}", "Wor ker")
        make(conn, "CREATE ROLE {} LOGIN", "Wor ker")
        try:
            dsn = make_conninfo(installed_database, user="Wor ker")
            with failing(dsn, tmp_path) as (_daemon, said):
                assert "a right is missing" in said["error"]
                assert "--role" in said["hint"]
            assert pggit("init", "--dsn", installed_database, "--role", "Wor ker").returncode == 0
            make(conn, "ALTER ROLE {} NOREPLICATION", "Wor ker")
            with failing(dsn, tmp_path) as (_daemon, said):
                assert said["error"] == "the role Wor ker may not replicate"
                assert said["hint"] == 'ALTER ROLE "Wor ker" REPLICATION;'
            conn.execute(said["hint"])
            with Daemon(dsn, tmp_path) as daemon:
                conn.execute("CREATE TABLE by_hand (id int)")
                daemon.wait_caught_up()
                assert [one.kind for one in commits(installed_database)] == ["baseline", "out_of_band"]
        finally:
            make(conn, "DROP OWNED BY {} CASCADE", "Wor ker")
            make(conn, "DROP ROLE {}", "Wor ker")


def test_wal_level_is_not_logical(tmp_path: Path) -> None:
    with Cluster.start({"wal_level": "replica"}) as cluster:
        cluster.create_database("app")
        assert pggit("init", "--dsn", cluster.dsn("app")).returncode == 0
        told = pggit("status", "--dsn", cluster.dsn("app")).stdout
        assert "logical decoding needs wal_level = logical, the server runs with replica" in told
        assert "hint: ALTER SYSTEM SET wal_level = 'logical'; and restart the server" in told
        with failing(cluster.dsn("app"), tmp_path) as (daemon, said):
            daemon.wait_for(lambda: "daemon_started" in daemon.log_tail(), "started")
            [started] = [event for event in daemon.events() if event["event"] == "daemon_started"]
            assert started["not_ready"]
            assert "daemon_ready" not in daemon.log_tail()
            assert "the server runs with replica" in said["error"]
            assert "ALTER SYSTEM SET wal_level = 'logical'" in said["hint"]


def test_the_plugin_is_missing(installed_database: str, tmp_path: Path) -> None:
    """As the server sees it: no such file in its library path."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        make(conn, "ALTER DATABASE {} SET dynamic_library_path = '/nonexistent'", conn.info.dbname)
        with failing(installed_database, tmp_path) as (_daemon, said):
            # No other one either: what is said is how to get the first.
            assert "no output plugin wal2json" in said["error"]
            assert "apt-get install postgresql-" in said["hint"]
        make(conn, "ALTER DATABASE {} RESET dynamic_library_path", conn.info.dbname)
        with Daemon(installed_database, tmp_path):
            assert [one.kind for one in commits(installed_database)] == ["baseline"]


# ------------------------------------------------------------------ the slot


def test_a_second_daemon_stands_by_and_takes_over(installed_database: str, tmp_path: Path) -> None:
    with Daemon(installed_database, tmp_path, name="first") as first:
        with Daemon(installed_database, tmp_path, name="second") as second:
            assert json.loads(second.page("/readyz")[1])["databases"].popitem()[1]["state"] == "standby"
            assert [event["level"] for event in second.events() if event.get("event") == "standing_by"] == ["info"]
            with psycopg.connect(installed_database, autocommit=True) as conn:
                conn.execute("CREATE TABLE one (id int)")
                first.wait_caught_up()
                first.kill()
                conn.execute("CREATE TABLE two (id int)")
            second.wait_for(lambda: '"streaming"' in second.page("/readyz")[1], "streaming")
            second.wait_caught_up()
            assert not complaints(second)
        assert [one.changed for one in commits(installed_database)][1:] == [
            ("table public.one",),
            ("table public.two",),
        ]
    assert_in_wal_order(installed_database)


def test_a_slot_that_went_away_is_a_gap(installed_database: str, tmp_path: Path) -> None:
    """What happened meanwhile is found by comparing, with the migrations; then history goes on."""
    with psycopg.connect(installed_database, autocommit=True) as conn:
        make(conn, FLYWAY_TABLE, "history")
        with Daemon(installed_database, tmp_path) as daemon:
            daemon.stop()
            conn.execute("SELECT pg_drop_replication_slot('pggit_daemon')")
            conn.execute("CREATE TABLE unseen (id int)")
            conn.execute("INSERT INTO history (installed_rank, version, success) VALUES (1, '1', true)")
            daemon.start()
            daemon.wait_ready()
            conn.execute("CREATE TABLE seen (id int)")
            daemon.wait_caught_up()
            [lost] = [event for event in daemon.events() if event.get("event") == "slot_lost"]
            assert lost["level"] == "error"
            assert daemon.metric("pggit_commits_total", kind="gap") == 1
    baseline, gap, after = commits(installed_database)
    assert (baseline.kind, gap.kind, after.kind) == ("baseline", "gap", "out_of_band")
    assert gap.changed == ("table public.unseen",)
    assert after.changed == ("table public.seen",)
    assert [(one.version, one.evidence, one.commit_id) for one in migrations(installed_database)] == [
        ("1", "snapshot", gap.id)
    ]


def test_a_slot_that_was_invalidated_is_a_gap(tmp_path: Path) -> None:
    with Cluster.start({"max_slot_wal_keep_size": "'1MB'", "min_wal_size": "'32MB'"}) as cluster:
        cluster.create_database("app")
        dsn = cluster.dsn("app")
        assert pggit("init", "--dsn", dsn).returncode == 0
        with Daemon(dsn, tmp_path) as daemon, psycopg.connect(dsn, autocommit=True) as conn:
            daemon.stop()
            conn.execute("CREATE TABLE unseen (id int)")
            for _round in range(4):
                conn.execute("SELECT pg_switch_wal()")
                conn.execute("CREATE TABLE filler AS SELECT 1")
                conn.execute("DROP TABLE filler")
                conn.execute("CHECKPOINT")
            assert conn.execute("SELECT wal_status FROM pg_replication_slots").fetchone() == ("lost",)
            daemon.start()
            daemon.wait_ready()
            conn.execute("CREATE TABLE seen (id int)")
            daemon.wait_caught_up()
            assert [one.kind for one in commits(dsn)] == ["baseline", "gap", "out_of_band"]
            assert commits(dsn)[1].changed == ("table public.unseen",)


def test_another_databases_slot_is_left_alone(cluster: Databases, installed_database: str, tmp_path: Path) -> None:
    """Two databases of one server under the default slot's name: the second must neither read nor drop the first's."""
    cluster.create_database("other_one")
    try:
        with psycopg.connect(cluster.dsn("other_one"), autocommit=True) as other:
            other.execute("SELECT pg_create_logical_replication_slot('pggit_daemon', 'wal2json')")
            with failing(installed_database, tmp_path) as (_daemon, said):
                assert "of database other_one" in said["error"]
                assert "slot = " in said["hint"]
            left = other.execute("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'pggit_daemon'")
            assert left.fetchone() == (1,)
    finally:
        cluster.drop_database("other_one")


# ------------------------------------------------------------------ odd tables, rows and names


def test_a_history_table_that_lost_a_column_goes_on(installed_database: str, tmp_path: Path) -> None:
    """A column less, NULLs where the tool never writes them, the table renamed and made again: all is recorded."""
    with Daemon(installed_database, tmp_path) as daemon, psycopg.connect(installed_database, autocommit=True) as conn:
        make(conn, FLYWAY_TABLE, "history")
        row = "INSERT INTO history (installed_rank, version, success) VALUES (%s, %s, %s)"
        conn.execute(row, [1, "1", True])
        conn.execute("ALTER TABLE history DROP COLUMN description")
        conn.execute(row, [2, "2", True])
        conn.execute(row, [3, None, None])
        conn.execute("ALTER TABLE history DROP CONSTRAINT history_pkey, ALTER installed_rank DROP NOT NULL")
        conn.execute("INSERT INTO history DEFAULT VALUES")
        conn.execute("ALTER TABLE history RENAME TO history_old")
        make(conn, FLYWAY_TABLE, "history")
        conn.execute(row, [4, "4", False])
        daemon.wait_caught_up()
        found = {(one.version, one.success, one.commit_id is not None) for one in migrations(installed_database)}
        assert {("1", True, True), ("2", True, True), (None, True, True), ("4", False, True)} <= found
        seen = conn.execute("SELECT count(*) FROM pggit_daemon.history_event WHERE operation = 'insert'").fetchone()
        assert seen == (5,)
        assert not complaints(daemon)


HOSTILE_NAMES = (
    'Quo"ted',
    "with space",
    "dot.ted",
    "new\nline",
    "back\\slash, comma*",
    "ü" * 31 + "x",
    "😀" * 15 + "abc",
    "'; DROP TABLE x; --",
    "%s {} $1",
)


def test_hostile_names(installed_database: str, tmp_path: Path) -> None:
    """As schemas, tables, history tables and columns; the real Flyway in a schema of such a name."""
    with Daemon(installed_database, tmp_path) as daemon, psycopg.connect(installed_database, autocommit=True) as conn:
        for name in HOSTILE_NAMES:
            make(conn, "CREATE SCHEMA {}", name)
            make(conn, "CREATE TABLE {}.{} ({} int PRIMARY KEY)", name, name, name)
            make(conn, FLYWAY_TABLE.replace("{}", "{}.{}"), name, f"h{name}"[:40])
            make(conn, "INSERT INTO {}.{} VALUES (1, '1', 'd', 'SQL', 's', 1, 'me')", name, f"h{name}"[:40])
            with conn.transaction():
                make(conn, "CREATE VIEW {}.v AS SELECT {} FROM {}.{}", name, name, name, name)
                make(conn, "INSERT INTO {}.{} (installed_rank, version, success) VALUES (2, '2', true)",
                     name, f"h{name}"[:40])  # fmt: skip
        scripts = tmp_path / "sql"
        scripts.mkdir()
        (scripts / 'V1__it\'s "here".sql').write_text("CREATE TABLE made (id int);")
        Flyway(installed_database, scripts, schema="Fly way.ä").migrate().check()
        daemon.wait_caught_up()
        assert not complaints(daemon)
        sources = {one.source for one in migrations(installed_database)}
        assert len(sources) == len(HOSTILE_NAMES) + 1
        by_id = {one.id: one for one in commits(installed_database)}
        linked = [one for one in migrations(installed_database) if one.version == "2"]
        assert len(linked) == len(HOSTILE_NAMES)
        for one in linked:
            assert one.evidence == "transaction"
            [view] = by_id[one.commit_id or 0].changed
            assert view.startswith("view ")
        [flyway] = [one for one in migrations(installed_database) if one.source.startswith("Fly way.ä.")][-1:]
        assert by_id[flyway.commit_id or 0].changed == ('table "Fly way.ä".made',)
        assert_same_as_catalog(conn)
        for command in (("status",), ("log",), ("show", "1", "--tool", "flyway", "--source", flyway.source)):
            assert pggit(*command, "--dsn", installed_database).returncode == 0, command
        assert daemon.page("/metrics")[0] == 200


def assert_same_as_catalog(conn: psycopg.Connection) -> None:
    """The recorded objects are what the catalog says, byte by byte."""
    recorded = "SELECT v.type, v.identity, b.definition FROM pggit_daemon.object_version v"
    recorded += " JOIN pggit_daemon.blob b ON b.sha256 = v.blob WHERE v.to_commit IS NULL"
    now = "SELECT type, identity, definition FROM pggit_daemon.snapshot()"
    assert conn.execute(f"({recorded}) EXCEPT ({now})".encode()).fetchall() == []
    assert conn.execute(f"({now}) EXCEPT ({recorded})".encode()).fetchall() == []


HOSTILE_VALUES: Mapping[str, Any] = {
    "huge number": "9" * 131_000,
    "fraction": "0." + "1" * 16_000,
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x80\u2028",
    "NUL escapes": "\\u0000 \\x00 \\0 %00",
    "very long": "x" * 2_000_000,
    "quotes": "'\"`$$\\",
    "JSON": '{"action":"C","xid":1}',
    "not a character": "\ufffe\uffff\U0010ffff",
    "empty": "",
}


def test_hostile_values(installed_database: str, tmp_path: Path) -> None:
    """In every text column, and as ids: recorded exactly as they are."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[database]]\nname = "db"\ndsn = "{installed_database}"\nreconcile_interval_seconds = 0.1\n'
        '[[database.source]]\nname = "own"\n'
        'table = "public.own"\ncolumns = { id = "id", name = "title", checksum = "hash", applied_by = "who" }\n'
        '[[database.source]]\nname = "num"\ntable = "public.num"\ncolumns = { id = "id" }\n'
    )
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE own (id text, title text, hash text, who text)")
        conn.execute("CREATE TABLE num (id numeric, note float8)")
        with Daemon(installed_database, tmp_path, ["--config", str(config)]) as daemon:
            for value in HOSTILE_VALUES.values():
                conn.execute("INSERT INTO own VALUES (%s, %s, %s, %s)", [value, value, value, value])
            for number in ("9" * 100_000, "-1", "0", "1.5", "NaN", "1e400", "12345678901234567890"):
                conn.execute("INSERT INTO num VALUES (%s::numeric, 'infinity')", [number])
            daemon.wait_caught_up()
            time.sleep(1)  # comparisons of the tables with what came through the stream find nothing
            assert (
                conn.execute(
                    "SELECT DISTINCT operation FROM pggit_daemon.history_event WHERE operation <> 'insert'"
                ).fetchall()
                == []
            )
            assert not complaints(daemon)
            kept = conn.execute("SELECT new_columns->>'title' FROM pggit_daemon.history_event WHERE source = 'own'")
            assert [row[0] for row in kept.fetchall()] == list(HOSTILE_VALUES.values())
            named = {one.name for one in migrations(installed_database) if one.source == "own"}
            assert named == set(HOSTILE_VALUES.values())
            assert len([one for one in migrations(installed_database) if one.source == "num"]) == 7
            assert conn.execute("SELECT count(*) FROM pggit_daemon.quarantine").fetchone() == (0,)


GARBAGE = (
    "5",
    '"text"',
    "[1]",
    "[{}]",
    '[{"op":"explode"}]',
    '[{"op":"set","classid":1,"objid":2}]',
    '[{"op":"set","classid":1,"objid":2,"type":"table","schema":5,"identity":"x","definition":7,"later":null}]',
    '[{"op":"drop","classid":-1,"objid":99999999999999999999,"type":"table","schema":"x","identity":"x"}]',
    '[{"op":"set","classid":1,"objid":2,"type":"x","schema":null,"identity":"x","definition":"","later":1}]',
    '[{"op":"set","classid":1,"objid":2,"type":"x","schema":null,"identity":"x","definition":"","depends":[[]]}]',
    "[" * 3000 + "]" * 3000,
)


def test_a_garbage_row_in_the_outbox_is_quarantined(installed_database: str, tmp_path: Path) -> None:
    """Only a superuser can write one. It is kept, counted and logged; what stands before and after it is handled."""
    insert = (
        "INSERT INTO pggit_daemon.ddl_event (recorded_at, kind, command_tag, pid, application_name, session_user_name,"
        " current_user_name, objects, locks) VALUES (now(), 'ddl', 'GARBAGE', 1, '', '', '', %s, %s)"
    )
    with Daemon(installed_database, tmp_path) as daemon, psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE before (id int)")
        for garbage in GARBAGE:
            conn.execute(insert, [garbage, None])
        conn.execute(insert, ["[]", '{"not": "a list"}'])
        conn.execute(insert, [f'[{{"op":"{"x" * 100_000}"}}]', None])
        conn.execute("CREATE TABLE after (id int)")
        daemon.wait_caught_up()
        assert not complaints(daemon)
        many = len(GARBAGE) + 2
        assert conn.execute("SELECT count(*) FROM pggit_daemon.quarantine").fetchone() == (many,)
        assert daemon.metric("pggit_quarantined_records_total") == many
        assert len([event for event in daemon.events() if event.get("event") == "record_quarantined"]) == many
        assert [one.changed for one in commits(installed_database)][1:] == [
            ("table public.before",),
            ("table public.after",),
        ]


def test_a_store_that_refuses_is_tried_again_ever_more_slowly(installed_database: str, tmp_path: Path) -> None:
    """Somebody put a trigger on our table that raises: no loop, nothing lost, and it goes on once that is gone."""
    with Daemon(installed_database, tmp_path) as daemon, psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'nothing new'; END $$"
        )
        daemon.wait_caught_up()
        began = time.monotonic()
        conn.execute("CREATE TRIGGER refuse BEFORE INSERT ON pggit.commits FOR EACH ROW EXECUTE FUNCTION refuse()")
        conn.execute("CREATE TABLE by_hand (id int)")
        daemon.wait_for(lambda: daemon.metric("pggit_restarts_total") >= 4, "trying again")
        assert daemon.metric("pggit_restarts_total") / (time.monotonic() - began) < 4
        assert "nothing new" in complaints(daemon)[0]["error"]
        conn.execute("DROP TRIGGER refuse ON pggit.commits")
        daemon.wait_ready()
        daemon.wait_caught_up()
        assert [one.changed for one in commits(installed_database)][2:] == [("table public.by_hand",)]
        assert conn.execute("SELECT count(*) FROM pggit_daemon.quarantine").fetchone() == (0,)

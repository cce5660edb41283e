"""What becomes of an installation: disabled, changed, restored elsewhere, replicated; and who keeps which right."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install, installed_version, plan, replicated_by, uninstall, upgrade
from pggit_daemon.sql import SqlFile, steps
from sandbox.daemon import Daemon, pggit
from sandbox.servers import find_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

Connection = psycopg.Connection[Any]

ANOTHER_TRIGGER = """
    DROP EVENT TRIGGER pggit_daemon_ddl;
    CREATE EVENT TRIGGER pggit_daemon_ddl ON ddl_command_end EXECUTE FUNCTION pggit_daemon.on_sql_drop();
    ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS
"""
ANOTHER_FUNCTION = """
    CREATE OR REPLACE FUNCTION pggit_daemon.on_ddl_command_end() RETURNS event_trigger LANGUAGE plpgsql
        AS 'BEGIN RETURN; END'
"""
STATE = "SELECT part, problem FROM pggit_daemon.capture_state()"


@pytest.fixture
def conn(installed_database: str) -> Iterator[Connection]:
    with psycopg.connect(installed_database, autocommit=True) as connection:
        yield connection


def test_an_upgrade_is_no_news_of_its_own(conn: Connection) -> None:
    """The capture is at work while its functions are made anew: it has nothing to tell, and fails at nothing."""
    conn.execute("UPDATE pggit_daemon.repeatable SET sha256 = 'of an earlier version'")
    install(conn)
    assert conn.execute("SELECT command_tag, failure FROM pggit_daemon.ddl_event").fetchall() == []
    assert conn.execute(STATE).fetchall() == []


def test_an_upgrade_is_whole(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """What init itself makes anew is as it should be, whatever step comes next."""
    known = steps()
    for number in (9998, 9999):
        more = SqlFile(f"{number}_more.sql", f"CREATE TABLE pggit_daemon.more_{number} (a int PRIMARY KEY);")
        known = (*known, more)
        monkeypatch.setattr(upgrade, "steps", lambda known=known: known)
        conn.execute("UPDATE pggit_daemon.repeatable SET sha256 = 'of an earlier version'")
        assert install(conn).changed
        assert conn.execute(STATE).fetchall() == []
        assert not install(conn).changed


def test_a_new_installation_is_whole(conn: Connection) -> None:
    assert conn.execute(STATE).fetchall() == []
    assert plan(conn).startswith("-- Nothing to do")


@pytest.mark.parametrize(
    ("harm", "part", "problem"),
    [
        ("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE", "event trigger pggit_daemon_ddl", "is disabled"),
        (
            "ALTER EVENT TRIGGER pggit_daemon_drop ENABLE",
            "event trigger pggit_daemon_drop",
            "does not fire in every session",
        ),
        ("DROP EVENT TRIGGER pggit_daemon_rewrite", "event trigger pggit_daemon_rewrite", "is missing"),
        (
            ANOTHER_TRIGGER,
            "event trigger pggit_daemon_ddl",
            "was made otherwise",
        ),
        (
            ANOTHER_FUNCTION,
            "function pggit_daemon.on_ddl_command_end()",
            "was changed",
        ),
        (
            "DROP FUNCTION pggit_daemon.read_dropped(boolean)",
            "function pggit_daemon.read_dropped(boolean)",
            "is missing",
        ),
        (
            "REVOKE INSERT ON pggit_daemon.ddl_event FROM pggit_capture",
            "role pggit_capture",
            "lacks INSERT on pggit_daemon.ddl_event",
        ),
    ],
)
def test_what_is_disabled_dropped_or_changed_is_named_and_mended(
    conn: Connection, harm: str, part: str, problem: str
) -> None:
    conn.execute(harm.encode())
    assert (part, problem) in [(row[0].replace("pg_catalog.", ""), row[1]) for row in conn.execute(STATE).fetchall()]
    assert install(conn).changed
    assert conn.execute(STATE).fetchall() == []
    assert not install(conn).changed


def test_the_capture_outlives_the_installers_right(database: str) -> None:
    """Who installs may be a superuser for that moment only: functions and event triggers belong to others."""
    with psycopg.connect(database, autocommit=True) as postgres:
        postgres.execute("DROP ROLE IF EXISTS installs_once; CREATE ROLE installs_once LOGIN SUPERUSER")
        try:
            with psycopg.connect(make_conninfo(database, user="installs_once"), autocommit=True) as installer:
                install(installer)
            postgres.execute("ALTER ROLE installs_once NOSUPERUSER")
            postgres.execute(
                "CREATE SCHEMA hidden; CREATE DOMAIN hidden.d AS int CONSTRAINT c CHECK (VALUE > 0);"
                "ALTER DOMAIN hidden.d DROP CONSTRAINT c; CREATE TABLE hidden.t (a hidden.d);"
                "CREATE SUBSCRIPTION s CONNECTION 'host=h password=word' PUBLICATION p WITH (connect = false);"
                "DROP TABLE hidden.t"
            )
            assert postgres.execute(STATE).fetchall() == []
            said = postgres.execute("SELECT kind, failure FROM pggit_daemon.ddl_event ORDER BY id").fetchall()
            assert {kind for kind, _ in said} == {"ddl", "drop"}
            assert {failure for _, failure in said} == {None}
        finally:
            postgres.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
            postgres.execute("DROP SUBSCRIPTION s")
            uninstall(postgres)
            postgres.execute("DROP OWNED BY installs_once; DROP ROLE installs_once")


# ------------------------------------------------------------------ restored elsewhere


@pytest.fixture(scope="module")
def restored_template(cluster: Databases, installed_template: str) -> Iterator[str]:
    """Give a database made of a dump of another one's schema: triggers live, our tables without a row."""
    cluster.create_database("dumped_schema", installed_template)
    dsn = cluster.dsn("dumped_schema")
    with psycopg.connect(dsn) as conn:
        conn.execute("CREATE TABLE public.orders (id int PRIMARY KEY)")
    command = [str(find_server() / "pg_dump"), "--schema-only", "-d", dsn]
    dumped = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    cluster.drop_database("dumped_schema")
    cluster.create_database("restored_template")
    script = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", cluster.dsn("restored_template")]
    subprocess.run(script, input=dumped, text=True, capture_output=True, check=True)
    yield "restored_template"
    cluster.drop_database("restored_template")


@pytest.fixture
def restored(cluster: Databases, restored_template: str) -> Iterator[Connection]:
    """Give a database that was restored so."""
    cluster.create_database("restored_schema", restored_template)
    try:
        with psycopg.connect(cluster.dsn("restored_schema"), autocommit=True) as connection:
            yield connection
    finally:
        cluster.drop_database("restored_schema")


def test_init_repairs_a_database_restored_from_a_dump_of_the_schema(restored: Connection) -> None:
    assert installed_version(restored) is None
    report = install(restored)
    assert report.steps == ()
    assert installed_version(restored) == report.to_version
    assert restored.execute(STATE).fetchall() == []
    assert restored.execute("SELECT name FROM pggit.branches").fetchall() == [("main",)]
    assert restored.execute("SELECT count(*) FROM pggit_daemon.secret").fetchone() == (1,)
    restored.execute("CREATE TABLE public.more (id int)")
    assert restored.execute("SELECT command_tag FROM pggit_daemon.ddl_event").fetchall() == [("CREATE TABLE",)]
    assert not install(restored).changed


# What an earlier version's dump had not.
OLDER = """
    DROP FUNCTION pggit_daemon.bookkeeping_copy();
    DROP TABLE pggit_daemon.acknowledgement, pggit_daemon.tool_lock, pggit_daemon.tool_application,
        pggit_daemon.tool_shape CASCADE;
    DROP SEQUENCE pggit_daemon.session_start, pggit_daemon.tool_watch;
    ALTER TABLE pggit_daemon.source DROP COLUMN objid, DROP COLUMN number_order;
    ALTER TABLE pggit_daemon.ddl_event DROP COLUMN IF EXISTS used_histories;
    ALTER TABLE pggit_daemon.history_event DROP COLUMN note;
    ALTER TABLE pggit_daemon.progress DROP COLUMN starts, DROP COLUMN chain;
    DROP TABLE pggit_daemon.logged_otherwise;
    DROP INDEX pggit_daemon.history_event_gone;
"""


def test_init_repairs_such_a_dump_of_an_earlier_version(restored: Connection) -> None:
    """That has no copy of the bookkeeping: its steps are known by what they left, and those since run."""
    restored.execute(OLDER.encode())
    report = install(restored)
    assert [name[:10] for name in report.steps][:2] == ["steps/0012", "steps/0013"]
    assert restored.execute(STATE).fetchall() == []
    assert not install(restored).changed
    assert uninstall(restored).left == ()
    assert restored.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pggit%'").fetchall() == []


def test_a_database_restored_so_says_what_it_is(restored: Connection, tmp_path: Path) -> None:
    """`run` names it with what repairs it, again and again without a crash; `status` tells it; `verify` ends with 4."""
    dsn = restored.info.dsn
    assert ("installation", "was restored from a dump of the schema alone") in restored.execute(STATE).fetchall()
    verified = pggit("verify", "--dsn", dsn)
    assert (verified.returncode, "pggit-daemon init, as a superuser" in verified.stderr) == (4, True), verified
    assert "restored from a dump of the schema alone" in pggit("status", "--dsn", dsn).stdout
    daemon = Daemon(dsn, tmp_path)
    daemon.start()
    try:
        daemon.wait_for(lambda: "restored from a dump" in daemon.log_tail(), "telling what is wrong")
        assert "repairs it" in daemon.log_tail()
        assert "Traceback" not in daemon.log_tail()
        install(restored)
        daemon.wait_ready()
    finally:
        daemon.kill()
        restored.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def test_a_capture_that_is_switched_off_gets_a_line_in_the_log(conn: Connection, tmp_path: Path) -> None:
    """Once, with what is off and what mends it, and once again when it is mended; `verify` ends with 4 meanwhile."""
    config = tmp_path / "config.toml"
    config.write_text(f'[[database]]\nname = "app"\ndsn = "{conn.info.dsn}"\nmetrics_interval_seconds = 1\n')

    def told(event: str) -> list[dict[str, Any]]:
        return [one for one in daemon.events() if one.get("event") == event]

    with Daemon(conn.info.dsn, tmp_path, ["--config", str(config)]) as daemon:
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE")
        daemon.wait_for(lambda: bool(told("capture_broken")), "telling that it is off")
        assert told("capture_broken")[0]["parts"] == ["event trigger pggit_daemon_ddl is disabled"]
        assert "init" in told("capture_broken")[0]["hint"]
        assert pggit("verify", "--dsn", conn.info.dsn).returncode == 4
        assert "pggit_daemon_ddl is disabled" in pggit("status", "--dsn", conn.info.dsn).stdout
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS")
        daemon.wait_for(lambda: bool(told("capture_repaired")), "telling that it is on")
        assert len(told("capture_broken")) == 1
        assert pggit("verify", "--dsn", conn.info.dsn).returncode == 0
    conn.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def test_uninstall_removes_what_such_a_dump_brought_along(restored: Connection) -> None:
    assert uninstall(restored).left == ()
    left = restored.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pggit%'").fetchall()
    assert left == []
    assert restored.execute("SELECT count(*) FROM pg_event_trigger").fetchone() == (0,)
    assert restored.execute("SELECT to_regclass('public.orders') IS NOT NULL").fetchone() == (True,)


# ------------------------------------------------------------------ publications FOR ALL TABLES


def test_every_table_of_ours_has_a_replica_identity(conn: Connection) -> None:
    bare = conn.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c"
        " WHERE c.relnamespace IN ('pggit'::regnamespace, 'pggit_daemon'::regnamespace) AND c.relkind IN ('r', 'p')"
        " AND NOT (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid"
        " AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END))"
    ).fetchall()
    assert bare == []


def test_statements_go_on_under_a_publication_for_all_tables(conn: Connection) -> None:
    conn.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    conn.execute("INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (1, 'x')")
    conn.execute("UPDATE pggit.external_migrations SET success = false")
    conn.execute("DELETE FROM pggit.external_migrations")
    conn.execute("CREATE TABLE t (a int PRIMARY KEY); DROP TABLE t")
    conn.execute("DELETE FROM pggit_daemon.ddl_event")


def test_the_statement_that_leaves_us_out_of_a_publication_works(conn: Connection) -> None:
    conn.execute("CREATE SCHEMA app; CREATE TABLE app.t (a int PRIMARY KEY); CREATE TABLE public.u (a int PRIMARY KEY)")
    conn.execute("CREATE PUBLICATION every_thing FOR ALL TABLES WITH (publish = 'insert, update')")
    [(name, statement)] = replicated_by(conn)
    assert name == "every_thing"
    conn.execute(statement.encode())
    assert replicated_by(conn) == ()
    published = conn.execute("SELECT schemaname || '.' || tablename FROM pg_publication_tables ORDER BY 1").fetchall()
    assert published == [("app.t",), ("public.u",)]
    row = conn.execute("SELECT pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication").fetchone()
    assert row == (True, True, False, False)


# ------------------------------------------------------------------ who records migrations


def test_the_owner_of_the_database_and_named_roles_become_migrators(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        name = conn.info.dbname
        conn.execute("DROP ROLE IF EXISTS owns_it, deploys; CREATE ROLE owns_it LOGIN; CREATE ROLE deploys LOGIN")
        conn.execute(f'ALTER DATABASE "{name}" OWNER TO owns_it'.encode())
        try:
            assert "deploys" in plan(conn, migrators=("deploys",))
            install(conn, migrators=("deploys",))
            for role in ("owns_it", "deploys"):
                with psycopg.connect(make_conninfo(database, user=role), autocommit=True) as migrator:
                    migrator.execute("SELECT pggit.begin_migration(1, 'custom'); SELECT pggit.end_migration(1)")
            uninstall(conn)
        finally:
            conn.execute(f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER'.encode())
            conn.execute("DROP ROLE owns_it; DROP ROLE deploys")


def test_a_migrator_that_does_not_exist_is_an_error(conn: Connection) -> None:
    with pytest.raises(Exception, match="no_such_role"):
        install(conn, migrators=("no_such_role",))


# ------------------------------------------------------------------ cancels


@pytest.mark.parametrize(
    "function",
    [
        "read_flat(tag text, since bigint, said text) RETURNS text",
        "read_ddl(tag text, since bigint, one_by_one boolean) RETURNS jsonb",
        "harmless_statement(tag text) RETURNS text",
        "tool_locks() RETURNS jsonb",
    ],
)
def test_a_cancel_that_an_extension_raises_is_none_of_the_users(conn: Connection, function: str) -> None:
    """As plpgsql_check does in its passive mode: the statement goes on, and the outbox says what happened."""
    conn.execute(
        f"CREATE OR REPLACE FUNCTION pggit_daemon.{function} LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'the check found errors' USING ERRCODE = 'query_canceled'; END $$".encode()
    )
    conn.execute("CREATE TABLE pgmigrations (a int)")
    conn.execute("CREATE TABLE t (a int, CHECK (a > 0))")
    assert conn.execute("SELECT to_regclass('t') IS NOT NULL").fetchone() == (True,)


# What runs between a statement and its row in the outbox; what reads definitions has its own ways out.
AROUND_THE_INSERT = """
    SELECT p.proname FROM pg_proc AS p
     WHERE p.pronamespace = 'pggit_daemon'::regnamespace
       AND (p.proname ~ '^(on|capture)_' OR p.proname = ANY ('{prepare_event,write_event,record_event,record_failure}'))
       AND p.prosrc ~ %s
"""


def test_what_runs_around_the_insert_assigns_no_field_of_a_record(conn: Connection) -> None:
    """plpgsql_check in a passive mode takes that for an error, and where `write_event` stands nothing catches it."""
    some = conn.execute(AROUND_THE_INSERT, [r"INSERT INTO pggit_daemon\.ddl_event"]).fetchall()
    assert some == [("write_event",)]
    assigned = r"\m[a-z_]+\.[a-z_]+ :=|(?<!INSERT )\mINTO [a-z_]+\.[a-z_]+"
    assert conn.execute(AROUND_THE_INSERT, [assigned]).fetchall() == []


def test_a_timeout_of_the_user_ends_his_statement(conn: Connection) -> None:
    conn.execute(
        "CREATE OR REPLACE FUNCTION pggit_daemon.read_flat(tag text, since bigint, said text) RETURNS text"
        " LANGUAGE plpgsql AS $$ BEGIN IF tag = 'CREATE TABLE' THEN PERFORM pg_sleep(30); END IF; RETURN NULL; END $$"
    )
    conn.execute("SET statement_timeout = '300ms'")
    with pytest.raises(errors.QueryCanceled):
        conn.execute("CREATE TABLE t (a int)")


def test_a_statement_takes_no_number_of_a_subtransaction(conn: Connection) -> None:
    """Others would have to look each of them up, in a cache that overflows, as long as the transaction is open."""
    with conn.transaction():
        conn.execute("CREATE TABLE t (a int PRIMARY KEY)")
        conn.execute("ALTER TABLE t ADD b int")
        conn.execute("CREATE VIEW v AS SELECT a FROM t")
        top = conn.execute("SELECT pg_current_xact_id()::text::bigint").fetchall()[0][0]
        conn.execute("DROP VIEW v")
        xids = conn.execute("SELECT DISTINCT xmin::text::bigint FROM pggit_daemon.ddl_event").fetchall()
    assert xids == [(top % 2**32,)]


HISTORY = """
    CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version text, description text, type text,
        script text, checksum int, installed_by text, installed_on timestamp, execution_time int, success boolean)
"""
TAKEN = "INSERT INTO pggit_daemon.request OVERRIDING SYSTEM VALUE"
REST = "now(), 'x', 0, now(), 'x', '{}'"


def test_an_integrated_history_table_takes_no_such_number_either(conn: Connection) -> None:
    conn.execute(HISTORY.encode())
    conn.execute("SELECT pggit.integrate_flyway()")
    with conn.transaction():
        conn.execute("INSERT INTO flyway_schema_history VALUES (1)")
        top = conn.execute("SELECT pg_current_xact_id()::text::bigint").fetchall()[0][0]
        conn.execute("UPDATE flyway_schema_history SET version = '1'")
        xids = conn.execute("SELECT xmin::text::bigint, action FROM pggit_daemon.request").fetchall()
    assert xids == [(top % 2**32, "session")] * 2


@pytest.mark.parametrize(
    "harm",
    [
        "ALTER TABLE pggit_daemon.request ADD CHECK (id < 0)",
        "ALTER TABLE pggit_daemon.request ADD more int NOT NULL",
        "REVOKE INSERT ON pggit_daemon.request FROM pggit_api",
        "DROP TABLE pggit_daemon.request CASCADE",
        f"CREATE UNIQUE INDEX ON pggit_daemon.request ((1)); {TAKEN} SELECT 1, {REST}",
        f"{TAKEN} SELECT n, {REST} FROM generate_series(1, 9) AS n",
    ],
)
def test_a_tools_row_goes_in_whatever_became_of_the_outbox(conn: Connection, harm: str) -> None:
    conn.execute(HISTORY.encode())
    conn.execute("SELECT pggit.integrate_flyway()")
    conn.execute(harm.encode())
    # Nor does an error that we catch end a session that wants to end with its first error.
    conn.execute("SET exit_on_error = on")
    conn.execute("INSERT INTO flyway_schema_history VALUES (1)")
    assert conn.execute("SELECT count(*) FROM flyway_schema_history").fetchone() == (1,)

"""Whatever a database, a role or the server has set: migrations are linked, and the record is the catalog.

Each group is set for users, for the daemon, for `init` and for the other commands alike, as ALTER DATABASE does. The
daemon runs as its documented role.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.db import session
from pggit_daemon.db.connections import connect
from pggit_daemon.errors import PrerequisiteError
from sandbox.cluster import Cluster
from tests.acceptance.harness import Daemon, pggit
from tests.acceptance.recorded import commits, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

ROLE = "settings_daemon"
HISTORY = """
    CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version text, description text, type text,
        script text, checksum int, installed_by text, installed_on timestamp DEFAULT now(), execution_time int,
        success bool)
"""
MIGRATION = r"""
    BEGIN;
    CREATE TABLE priced (id int PRIMARY KEY, price money DEFAULT '1.50', at timestamptz DEFAULT '2026-03-04 05:06:07+00',
        rest interval DEFAULT '1 day 02:03', raw bytea DEFAULT '\x00ff', ratio double precision DEFAULT 0.1,
        names text[] DEFAULT '{NULL,"null","a\\b"}', note text DEFAULT E'back\\slash ''quoted''');
    CREATE VIEW cheap AS SELECT id, price AS "Price" FROM priced WHERE note IS NOT NULL;
    CREATE FUNCTION twice(a int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN a * 2; END $f$;
    COMMENT ON TABLE priced IS 'what it''s worth';
    INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, installed_by, success)
        VALUES (1, '1', 'prices', 'SQL', 'V1__prices.sql', 'me', true);
    COMMIT;
"""

ODD = {
    "spelling": {
        "DateStyle": "German, DMY",
        "IntervalStyle": "iso_8601",
        "TimeZone": "Asia/Kathmandu",
        "bytea_output": "escape",
        "extra_float_digits": "-15",
        "lc_monetary": "C",
        "xmlbinary": "hex",
        "xmloption": "document",
        "client_encoding": "LATIN1",
        "quote_all_identifiers": "on",
    },
    "strings": {
        "standard_conforming_strings": "off",
        "escape_string_warning": "off",
        "backslash_quote": "on",
        "array_nulls": "off",
        "transform_null_equals": "on",
    },
    "transactions": {
        "default_transaction_isolation": "serializable",
        "default_transaction_deferrable": "on",
        "synchronous_commit": "off",
    },
    "read only": {"default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on"},
    "timeouts": {
        "statement_timeout": "900ms",
        "lock_timeout": "100ms",
        "idle_in_transaction_session_timeout": "800ms",
        "idle_session_timeout": "800ms",
    },
    "names": {"search_path": "shop, pg_temp", "row_security": "off", "client_min_messages": "error"},
    "chatty": {"client_min_messages": "debug5", "check_function_bodies": "off", "log_statement": "all"},
    "plans": {
        "jit": "on",
        "jit_above_cost": "0",
        "plan_cache_mode": "force_custom_plan",
        "enable_indexscan": "off",
        "enable_indexonlyscan": "off",
        "enable_bitmapscan": "off",
        "enable_nestloop": "off",
        "work_mem": "64kB",
        "join_collapse_limit": "1",
        "from_collapse_limit": "1",
        "cursor_tuple_fraction": "0.01",
        "max_parallel_workers_per_gather": "4",
        "force_parallel_mode": "on",
        "geqo_threshold": "2",
    },
    "plpgsql": {
        "plpgsql.extra_errors": "all",
        "plpgsql.extra_warnings": "all",
        "plpgsql.variable_conflict": "use_column",
        "plpgsql.print_strict_params": "on",
        "plpgsql.check_asserts": "off",
    },
    "storage": {
        "default_table_access_method": "heap",
        "default_toast_compression": "pglz",
        "temp_tablespaces": "",
        "gin_fuzzy_search_limit": "1",
        "exit_on_error": "on",
        "vacuum_cost_delay": "100",
    },
}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def role(cluster: Databases) -> Iterator[str]:
    """The daemon's role, which is no superuser."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {ROLE} LOGIN REPLICATION IN ROLE pg_read_all_data, pg_read_all_stats")
        yield ROLE
        conn.execute(f"DROP ROLE {ROLE}")


def set_for(dsn: str, target: sql.Composable, values: dict[str, str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        known = {row[0] for row in conn.execute("SELECT lower(name) FROM pg_settings").fetchall()}
        for name, value in values.items():
            if name.lower() not in known and "." not in name:
                assert name == "force_parallel_mode"  # debug_parallel_query from 16 on
                continue
            parts = sql.SQL(", ").join(sql.Literal(part.strip()) for part in value.split(","))
            conn.execute(sql.SQL("ALTER {} SET {} = {}").format(target, sql.SQL(name), parts))


def follow_a_migration(dsn: str, folder: Path, role: str) -> None:
    """Init, run, one migration as its users' sessions run it, and all that must come of it."""
    done = pggit("init", "--dsn", dsn, "--role", role)
    assert done.returncode == 0, done.stderr
    name = conninfo_to_dict(dsn)["dbname"]
    config = folder / "config.toml"
    own = make_conninfo(dsn, user=role)
    config.write_text(f'[[database]]\nname = "app"\nslot = "{name}"\ndsn = "{own}"\nwatch_interval_seconds = 0.5\n')
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")
        conn.execute(HISTORY)
        conn.execute(sql.SQL("GRANT SELECT ON flyway_schema_history TO {}").format(sql.Identifier(role)))
    with Daemon(make_conninfo(dsn, options="-c idle_session_timeout=0"), folder, ["--config", str(config)]) as daemon:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("SET default_transaction_read_only = off; SET check_function_bodies = on")
            conn.execute(MIGRATION)
            conn.execute("ALTER TABLE priced ADD COLUMN by_hand int")
            conn.execute("DROP VIEW cheap")
        daemon.wait_caught_up(slot=name)
        bad = [event for event in daemon.events() if event.get("level") in {"warning", "error"} or "raw" in event]
        assert bad == []
        assert daemon.metric("pggit_capture_failures_total") == 0
    clean = make_conninfo(dsn, options="-c client_encoding=UTF8")
    (one,) = migrations(clean)
    assert (one.version, one.evidence) == ("1", "transaction")
    kinds = [commit.kind for commit in commits(clean)]
    assert (kinds[:1], kinds[-3:]) == (["baseline"], ["migration", "out_of_band", "out_of_band"])
    compared = pggit("verify", "--dsn", own)
    assert (compared.returncode, ", 0 differ" in compared.stdout) == (0, True), compared.stdout + compared.stderr
    exported = pggit("export", "--dsn", own, "head")
    assert "what it''s worth" in exported.stdout, exported.stderr


@pytest.mark.parametrize("group", ODD)
def test_settings_of_a_database(group: str, cluster: Databases, database: str, tmp_path: Path, role: str) -> None:
    """Users, daemon and commands all meet them."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA shop")
        conn.execute("ALTER DATABASE {} SET search_path = public".format(conn.info.dbname))
        target = sql.SQL("DATABASE {}").format(sql.Identifier(conn.info.dbname))
    set_for(database, target, ODD[group])
    if group == "names":
        # The tables of the test stand where the path leads.
        database = make_conninfo(database, options="-c search_path=public")
    follow_a_migration(database, tmp_path, role)


def test_settings_of_the_role(cluster: Databases, database: str, tmp_path: Path, role: str) -> None:
    """All of them at once, for the daemon alone."""
    everything = {name: value for group in ODD.values() for name, value in group.items()}
    set_for(database, sql.SQL("ROLE {}").format(sql.Identifier(role)), everything)
    try:
        follow_a_migration(database, tmp_path, role)
    finally:
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(role)))


def test_settings_of_the_server(tmp_path: Path) -> None:
    """All of them at once, for everybody; those of one session alone come from the command line of users."""
    everything = {name: value for group in ODD.values() for name, value in group.items()}
    own = {"client_encoding", "search_path", "default_transaction_read_only", "exit_on_error", "log_statement"}
    settings = {name: f"'{value}'" for name, value in everything.items() if name not in own}
    with Cluster.start(settings) as server:
        server.create_database("app")
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute(f"CREATE ROLE {ROLE} LOGIN REPLICATION IN ROLE pg_read_all_data, pg_read_all_stats")
        follow_a_migration(server.dsn("app"), tmp_path, ROLE)


async def test_every_pin_holds(cluster: Databases, database: str) -> None:
    """What the list says is what the session has, for the reader and for the store."""
    for utc in (True, False):
        async with await connect(database, "test", utc=utc) as conn:
            pins = session.settings(conn.info.server_version, lock_timeout="5s", time_zone="UTC" if utc else None)
            for name, value in pins.items():
                row = await (await conn.execute("SELECT current_setting(%s)", [name])).fetchone()
                assert row == (value,), name


@pytest.mark.parametrize(("encoding", "name"), [("LATIN1", "été"), ("EUC_JP", "日本"), ("WIN1251", "цена")])
def test_encodings_of_the_server(encoding: str, name: str, cluster: Databases, tmp_path: Path, role: str) -> None:
    """Names with letters of their own are followed like all others."""
    dbname = f"encoded_{next(_numbers)}"
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {dbname} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        dsn = make_conninfo(cluster.dsn(dbname), client_encoding="UTF8")
        follow_a_migration(dsn, tmp_path, role)
        with Daemon(dsn, tmp_path, ["--config", str(tmp_path / "config.toml")]) as daemon:
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute(f'CREATE TABLE "{name}" (id int)')
            daemon.wait_caught_up(slot=dbname)
        assert commits(dsn)[-1].changed == (f'table public."{name}"',)
    finally:
        cluster.drop_database(dbname)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "MULE_INTERNAL"])
async def test_encodings_that_nobody_can_read(encoding: str, cluster: Databases) -> None:
    """Init says so before it changes anything, and so does the daemon."""
    dbname = f"encoded_{next(_numbers)}"
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {dbname} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        done = pggit("init", "--dsn", cluster.dsn(dbname))
        assert (done.returncode, f"has the encoding {encoding}" in done.stderr) == (4, True), done.stderr
        with pytest.raises(PrerequisiteError, match=encoding):
            await connect(cluster.dsn(dbname), "test")
    finally:
        cluster.drop_database(dbname)

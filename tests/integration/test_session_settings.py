"""Whatever a database, a role or the server has set: migrations are linked, and the record is the catalog.

Each group is set for users, for the daemon, for `init` and for the other commands alike, as ALTER DATABASE does. The
daemon runs as its documented role.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.db import session
from pggit_daemon.db.connections import connect
from pggit_daemon.errors import PggitDaemonError
from sandbox.cluster import Cluster
from tests.acceptance.harness import Daemon, pggit
from tests.acceptance.recorded import commits, migrations
from tests.integration import api_support

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

ROLE = "settings_daemon"
HISTORY = api_support.HISTORY.format(schema="public")
MIGRATION = r"""
    BEGIN;
    CREATE TABLE priced (id int PRIMARY KEY, price money DEFAULT '1.50',
        at timestamptz DEFAULT '2026-03-04 05:06:07+00',
        rest interval DEFAULT '1 day 02:03', raw bytea DEFAULT decode('00ff', 'hex'),
        ratio double precision DEFAULT 0.1,
        names text[] DEFAULT '{NULL,"null","a\\b"}', note text DEFAULT E'back\\slash ''quoted''');
    CREATE VIEW cheap AS SELECT id, price AS "Price" FROM priced WHERE note IS NOT NULL;
    CREATE FUNCTION twice(a int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN a * 2; END $f$;
    COMMENT ON TABLE priced IS 'what it''s worth';
    INSERT INTO flyway_schema_history
        (installed_rank, version, description, type, script, installed_by, execution_time, success)
        VALUES (1, '1', 'prices', 'SQL', 'V1__prices.sql', 'me', 3, true);
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
LETTERS = {"UTF8": "t", "LATIN1": "été", "EUC_JP": "日本", "WIN1251": "цена"}
"""Encodings of databases, with a name that needs them."""
TOGETHER = {
    "UTF8": ("spelling", "names", "plpgsql", "storage"),
    "LATIN1": ("strings", "transactions", "chatty"),
    "EUC_JP": ("read only", "timeouts"),
    "WIN1251": ("plans",),
}
"""Which groups a database of each encoding has: none of them hides what another one does."""

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


def follow_migrations(folder: Path, databases: dict[str, str], role: str) -> dict[str, list[Any]]:
    """Init, run, a migration in each as its users' sessions run it; what is wrong then, by database.

    All at once in one daemon, which is quicker than one after the other, and its own test of many databases.
    """
    config = folder / "config.toml"
    names = {case: str(conninfo_to_dict(dsn)["dbname"]) for case, dsn in databases.items()}
    own = {case: make_conninfo(dsn, user=role) for case, dsn in databases.items()}
    config.write_text(
        "".join(
            f'[[database]]\nname = "{names[case]}"\nslot = "{names[case]}"\ndsn = "{own[case]}"\n'
            "watch_interval_seconds = 0.5\n"
            for case in databases
        )
    )
    for dsn in databases.values():
        done = pggit("init", "--dsn", dsn, "--role", role)
        assert done.returncode == 0, done.stderr
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("SET default_transaction_read_only = off")
            conn.execute(HISTORY)
            conn.execute(sql.SQL("GRANT SELECT ON flyway_schema_history TO {}").format(sql.Identifier(role)))
    with Daemon(next(iter(databases.values())), folder, ["--config", str(config)]) as daemon:
        for case, dsn in databases.items():
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("SET default_transaction_read_only = off; SET check_function_bodies = on")
                conn.execute(MIGRATION)
                conn.execute("ALTER TABLE priced ADD COLUMN by_hand int")
                conn.execute(f"CREATE {table_of(case)} (id int)")
        for case, dsn in databases.items():
            daemon.dsn = make_conninfo(dsn, options="-c idle_session_timeout=0")
            daemon.wait_caught_up(slot=names[case])
        events = [event for event in daemon.events() if event.get("level") in {"warning", "error"} or "raw" in event]
        assert daemon.metric("pggit_capture_failures_total") == 0
    wrong = {case: [event for event in events if event.get("database") == names[case]] for case in databases}
    assert sum(map(len, wrong.values())) == len(events), events
    return {case: found for case, dsn in databases.items() if (found := wrong[case] + _wrong(case, dsn, own[case]))}


def table_of(case: str) -> str:
    """The table that is made by hand, in the letters of the database's encoding."""
    letters = LETTERS.get(case, "t")
    return "table public." + (letters if letters.isascii() else f'"{letters}"')


def _wrong(case: str, dsn: str, own: str) -> list[Any]:
    # What the test reads afterwards is not what the settings are for.
    clean = make_conninfo(dsn, client_encoding="UTF8", options="-c statement_timeout=0 -c lock_timeout=0")
    linked = [(one.version, one.evidence) for one in migrations(clean)]
    recorded = [(commit.kind, commit.changed) for commit in commits(clean)]
    kinds = [kind for kind, _changed in recorded]
    compared, exported = pggit("verify", "--dsn", own), pggit("export", "--dsn", own, "head")
    checks = {
        "linked": linked == [("1", "transaction")],
        "kinds": (kinds[:1], kinds[-3:]) == (["baseline"], ["migration", "out_of_band", "out_of_band"]),
        "letters": recorded[-1][1] == (table_of(case),),
        "verified": compared.returncode == 0 and ", 0 differ" in compared.stdout,
        "exported": "what it''s worth" in exported.stdout,
    }
    said = (linked, recorded, compared.stdout + compared.stderr, exported.stderr)
    return [(check, said) for check, holds in checks.items() if not holds]


@pytest.mark.long
def test_settings_and_encodings_of_databases(cluster: Databases, tmp_path: Path, role: str) -> None:
    """Users, daemon and commands all meet them."""
    databases = {}
    try:
        for encoding, groups in TOGETHER.items():
            name = f"settings_{next(_numbers)}"
            with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
                admin.execute(
                    f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
                )
            databases[encoding] = cluster.dsn(name)
            values = {name: value for group in groups for name, value in ODD[group].items()}
            set_for(cluster.dsn(name), sql.SQL("DATABASE {}").format(sql.Identifier(name)), values)
            if encoding != "UTF8":
                databases[encoding] = make_conninfo(databases[encoding], client_encoding="UTF8")
            if "names" in groups:
                # The tables of the test stand where the path leads.
                databases[encoding] = make_conninfo(databases[encoding], options="-c search_path=public")
        assert follow_migrations(tmp_path, databases, role) == {}
    finally:
        for dsn in databases.values():
            cluster.drop_database(str(conninfo_to_dict(dsn)["dbname"]))


def test_settings_of_the_role(database: str, tmp_path: Path, role: str) -> None:
    """All of them at once, for the daemon alone."""
    everything = {name: value for group in ODD.values() for name, value in group.items()}
    set_for(database, sql.SQL("ROLE {}").format(sql.Identifier(role)), everything)
    try:
        assert follow_migrations(tmp_path, {"app": database}, role) == {}
    finally:
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(role)))


def test_settings_of_the_server(tmp_path: Path) -> None:
    """All of them at once, for everybody; without those that stop the test's own sessions."""
    everything = {name: value for group in ODD.values() for name, value in group.items()}
    own = {"client_encoding", "search_path", "default_transaction_read_only", "exit_on_error", "log_statement"}
    settings = {name: f"'{value}'" for name, value in everything.items() if name not in own}
    with Cluster.start(settings) as server:
        server.create_database("app")
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute(f"CREATE ROLE {ROLE} LOGIN REPLICATION IN ROLE pg_read_all_data, pg_read_all_stats")
        assert follow_migrations(tmp_path, {"app": server.dsn("app")}, ROLE) == {}


async def test_plpgsql_check_leaves_our_sessions_alone(database: str) -> None:
    """Promise: in its passive modes, which superusers alone may change; whoever else logs in is checked as before."""
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as conn:
        # Without the library it is a setting like any other.
        conn.execute(f"ALTER DATABASE {name} SET plpgsql_check.mode = 'every_start'".encode())
    assert pggit("init", "--dsn", database, "--role", "unchecked").returncode == 0
    for dsn in (database, make_conninfo(database, user="unchecked")):
        async with await connect(dsn, "store") as ours:
            assert await (await ours.execute("SHOW plpgsql_check.mode")).fetchone() == ("disabled",)
    with psycopg.connect(database, autocommit=True) as conn:
        assert conn.execute("SHOW plpgsql_check.mode").fetchone() == ("every_start",)
        conn.execute("COMMENT ON ROLE unchecked IS 'it was there before init'")
        assert pggit("uninstall", "--yes", "--dsn", database).returncode == 0
        assert conn.execute("SELECT FROM pg_db_role_setting WHERE setrole = 'unchecked'::regrole").fetchall() == []
        conn.execute("DROP ROLE unchecked")


async def test_every_pin_holds(database: str) -> None:
    """What the list says is what the session has, for the reader and for the store."""
    for utc in (True, False):
        async with await connect(database, "test", utc=utc) as conn:
            pins = session.settings(conn.info.server_version, lock_timeout="5s", time_zone="UTC" if utc else None)
            for name, value in pins.items():
                row = await (await conn.execute("SELECT current_setting(%s)", [name])).fetchone()
                assert row == (value,), name


@pytest.mark.parametrize(
    ("encoding", "code", "error"),
    [("SQL_ASCII", 4, "has the encoding SQL_ASCII"), ("MULE_INTERNAL", 3, "between UTF8 and MULE_INTERNAL")],
)
async def test_encodings_that_nobody_can_read(encoding: str, code: int, error: str, cluster: Databases) -> None:
    """Init says so before it changes anything, and so does the daemon."""
    dbname = f"encoded_{next(_numbers)}"
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {dbname} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        done = pggit("init", "--dsn", cluster.dsn(dbname))
        assert (done.returncode, error in done.stderr) == (code, True), done.stderr
        with pytest.raises(PggitDaemonError, match=error):
            await connect(cluster.dsn(dbname), "test")
    finally:
        cluster.drop_database(dbname)

"""All SECURITY DEFINER functions of the catalog: as whom they run, and that nobody can make them run his own code.

A stranger and the daemon's role prepare what they can: temporary objects that shadow the catalog's, operators, casts,
hostile rows, a hostile search_path, their own roles for names. Then each function is called, and who ran a trap is
written down by the trap itself: it may only ever have been the one who set it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from pggit_daemon.install import install

if TYPE_CHECKING:
    from collections.abc import Iterator

Connection = psycopg.Connection[Any]

DAEMON, STRANGER = "definer_daemon", "definer_stranger"

DEFINERS = """
    SELECT p.oid::regprocedure::text, p.proname, pg_get_userbyid(p.proowner), r.rolsuper, p.prorettype::regtype::text,
           p.proargtypes::oid[]::regtype[]::text[], p.proconfig
      FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner
     WHERE p.pronamespace IN ('pggit'::regnamespace, 'pggit_daemon'::regnamespace) AND p.prosecdef
     ORDER BY 1
"""
# What a role may leave lying about for others to step into. {trap} is in a schema of its own, which it puts in front.
TRAPS = """
    CREATE TABLE {schema}.sprung (by_whom text);
    GRANT ALL ON {schema}.sprung TO PUBLIC;
    CREATE FUNCTION {schema}.trap() RETURNS int LANGUAGE plpgsql AS
        $f$ BEGIN INSERT INTO {schema}.sprung VALUES (current_user); RETURN 1; END $f$;
    CREATE FUNCTION {schema}.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS
        $f$ BEGIN PERFORM {schema}.trap(); RETURN true; END $f$;
    CREATE FUNCTION {schema}.trap(oid, oid) RETURNS boolean LANGUAGE plpgsql AS
        $f$ BEGIN PERFORM {schema}.trap(); RETURN true; END $f$;
    CREATE OPERATOR {schema}.= (LEFTARG = text, RIGHTARG = text, FUNCTION = {schema}.trap);
    CREATE OPERATOR {schema}.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = {schema}.trap);
    CREATE FUNCTION {schema}.current_setting(text) RETURNS text LANGUAGE plpgsql AS
        $f$ BEGIN PERFORM {schema}.trap(); RETURN ''; END $f$;
    CREATE FUNCTION {schema}.to_regprocedure(text) RETURNS regprocedure LANGUAGE plpgsql AS
        $f$ BEGIN PERFORM {schema}.trap(); RETURN NULL; END $f$;
    CREATE TYPE {schema}.odd AS (a int);
    CREATE FUNCTION {schema}.as_text({schema}.odd) RETURNS text LANGUAGE plpgsql AS
        $f$ BEGIN PERFORM {schema}.trap(); RETURN ''; END $f$;
    CREATE CAST ({schema}.odd AS text) WITH FUNCTION {schema}.as_text({schema}.odd) AS IMPLICIT;
    CREATE FUNCTION pg_temp.trap() RETURNS oid LANGUAGE plpgsql AS
        $f$ BEGIN INSERT INTO {schema}.sprung VALUES (current_user); RETURN 1; END $f$;
    CREATE TEMP VIEW trapped AS SELECT pg_temp.trap() AS oid, 'x'::name AS relname;
    CREATE TEMP VIEW pg_class AS SELECT pg_temp.trap() AS oid, 'x'::name AS relname;
    CREATE TEMP VIEW pg_proc AS SELECT pg_temp.trap() AS oid, 'x'::name AS proname;
    CREATE TEMP VIEW ddl_event AS SELECT pg_temp.trap() AS id;
    GRANT SELECT ON trapped, pg_class, pg_proc, ddl_event TO PUBLIC;
"""
# Rows that the daemon's role may write, with names and classes that lead to its own objects.
ROWS = """
    INSERT INTO pggit.commits (hash, branch_id, kind) VALUES ('hostile', 1, 'snapshot');
    INSERT INTO pggit_daemon.blob VALUES ('\\x01', E'CREATE TABLE x ();\\n', NULL, '{}');
    INSERT INTO pggit_daemon.object_version (type, schema_name, identity, classid, objid, blob, from_commit)
        SELECT 'table', 'public', 'public.hostile', 'trapped'::regclass, 1, '\\x01', id FROM pggit.commits LIMIT 1;
    INSERT INTO pggit_daemon.object_version (type, schema_name, identity, classid, objid, blob, from_commit)
        SELECT 'view', '; SELECT pg_temp.trap()', 'pg_temp.trap()', 'pg_temp.pg_class'::regclass, 2, '\\x01', id
          FROM pggit.commits LIMIT 1;
    INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)
        VALUES ('pg_temp.trapped', 'flyway', 'flyway', 'pg_temp', 'trapped', 'config');
    INSERT INTO pggit.external_migrations (migration_id, tool_name, source, version)
        VALUES (1, 'flyway', 'pg_temp.trapped', ''');SELECT pg_temp.trap();--');
    INSERT INTO pggit.conflicts (conflict_type, description) VALUES ('tree_differs', 'pg_temp.trap()');
"""
VALUES = {
    "oid": "'trapped'::regclass::oid",
    "xid8": "'3'::xid8",
    "bigint": "1",
    "integer": "1",
    "text": "'pg_temp.trapped'",
    "regclass": "'trapped'::regclass",
    "text[]": "ARRAY['pg_temp.trap()']",
    "boolean": "true",
    "interval": "interval '0'",
    "jsonb": '\'{"a": "pg_temp.trap()"}\'',
}


@pytest.fixture
def conn(installed_database: str) -> Iterator[Connection]:
    with psycopg.connect(installed_database, autocommit=True) as connection:
        for role in (DAEMON, STRANGER):
            connection.execute(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN".encode())
        install(connection, daemon_role=DAEMON)
        yield connection
        for role in (DAEMON, STRANGER):
            connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def test_each_runs_as_the_least_role_that_can_do_it(conn: Connection) -> None:
    """The event triggers and the API as NOLOGIN roles; as a superuser only what makes triggers on others' tables."""
    owners = {name: (owner, superuser) for _, name, owner, superuser, *_ in conn.execute(DEFINERS).fetchall()}
    listed = dict(conn.execute("SELECT name, owner FROM pggit_daemon.definers()").fetchall())
    assert listed.keys() <= owners.keys()
    assert {name for name, (_, superuser) in owners.items() if superuser} == {
        "integrate",
        "remove_integration",
        "on_history_table",
        "on_partition",
        "publish",
        "on_publishable_ddl",
        "on_unlogging",
    }
    for name, (owner, superuser) in owners.items():
        assert superuser or owner == listed.get(name, "pggit_api"), name
    roles = conn.execute(
        "SELECT rolname, rolsuper OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,"
        " ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members AS m WHERE m.member = r.oid ORDER BY 1)"
        " FROM pg_roles AS r WHERE rolname IN ('pggit_api', 'pggit_capture') ORDER BY 1"
    ).fetchall()
    assert roles == [
        ("pggit_api", False, ["pg_read_all_stats"]),
        ("pggit_capture", False, ["pg_read_all_data", "pg_read_all_stats"]),
    ]
    written = conn.execute(
        "SELECT r, c.oid::regclass::text, p FROM unnest('{pggit_api,pggit_capture}'::name[]) AS r, pg_class AS c,"
        " unnest('{INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER}'::text[]) AS p"
        " WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND has_table_privilege(r, c.oid, p) ORDER BY 1, 2, 3"
    ).fetchall()
    assert written == [
        ("pggit_api", "pggit.conflicts", "UPDATE"),
        ("pggit_api", "pggit_daemon.acknowledgement", "DELETE"),
        ("pggit_api", "pggit_daemon.acknowledgement", "INSERT"),
        ("pggit_api", "pggit_daemon.request", "INSERT"),
        ("pggit_capture", "pggit_daemon.ddl_event", "INSERT"),
    ]


def test_each_pins_what_its_caller_could_change(conn: Connection) -> None:
    for signature, _name, owner, _super, result, _types, config in conn.execute(DEFINERS).fetchall():
        if owner == "pggit_capture" and result == "event_trigger":
            # They tell the user's search_path, so they have none of their own, and name everything with its schema.
            assert config is None, signature
        else:
            assert "search_path=pg_catalog, pg_temp" in config, signature
            assert "row_security=off" in config, signature
            assert "standard_conforming_strings=on" in config, signature


@pytest.mark.parametrize("role", [STRANGER, DAEMON])
def test_nobody_makes_one_run_his_own_code(conn: Connection, role: str) -> None:
    """Each is called, or fires; `sprung` names whoever ran one of the traps: never the owner of a function."""
    conn.execute(f"CREATE SCHEMA {role} AUTHORIZATION {role}; GRANT CREATE ON SCHEMA public TO {role}".encode())
    conn.execute(f"GRANT pggit_migrator TO {role}".encode())  # the most that a user may be
    called = []
    with psycopg.connect(make_conninfo(conn.info.dsn, user=role), autocommit=True) as hostile:
        hostile.execute(TRAPS.format(schema=role).encode())
        if role == DAEMON:
            hostile.execute(ROWS.encode())
        hostile.execute(f"SET search_path = {role}, pg_temp, pg_catalog, public".encode())
        hostile.execute("SET row_security = off; SET standard_conforming_strings = off")
        for signature, name, _owner, _super, result, types, _config in conn.execute(DEFINERS).fetchall():
            if result in {"trigger", "event_trigger"}:
                continue
            arguments = ", ".join(f"{VALUES[kind]}::{kind}" for kind in types)
            schema = "pggit_daemon" if signature.startswith("pggit_daemon.") else "pggit"
            call = sql.SQL(f"SELECT count(*) FROM {schema}.{name}({arguments})")
            try:
                hostile.execute(call)
            except errors.Error as exc:
                # It may well refuse: what counts is who ran what.
                assert exc.sqlstate is not None, signature  # noqa: PT017  (a lost connection would prove nothing)
            called.append(signature)
        hostile.execute(
            "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version text, description text,"
            " type text, script text, checksum int, success boolean)"
        )
        hostile.execute(f"SELECT pggit.integrate_flyway('{role}')".encode())
        hostile.execute("INSERT INTO flyway_schema_history VALUES (1)")
        hostile.execute(
            "CREATE VIEW v AS SELECT * FROM flyway_schema_history; ALTER TABLE flyway_schema_history ADD x odd"
        )
        hostile.execute("DROP VIEW v; ALTER TABLE flyway_schema_history ALTER version TYPE varchar(9)")
        hostile.execute("INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (77, 'pg_temp.trap()')")
        hostile.execute("SELECT pggit.begin_migration(5, 'custom', '''); SELECT pg_temp.trap(); --')")
        hostile.execute("SELECT pggit.end_migration(5)")
    assert len(called) > 20
    sprung = conn.execute(f"SELECT DISTINCT by_whom FROM {role}.sprung".encode()).fetchall()
    assert sprung in ([], [(role,)])
    assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [role]).fetchone() == (False,)
    assert conn.execute("SELECT count(*) FROM pggit_daemon.ddl_event WHERE failure IS NOT NULL").fetchone() == (0,)

"""Installing over an existing pgGit 0.2.x, and removing again: its data is what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.errors import InstallError
from pggit_daemon.install import install, uninstall

if TYPE_CHECKING:
    from collections.abc import Iterator

# The shapes that pgGit 0.2.1 leaves behind, with rows, and its event triggers, which write into its tables.
PGGIT = """
CREATE SCHEMA pggit;
CREATE TYPE pggit.branch_status AS ENUM ('ACTIVE', 'MERGED', 'DELETED', 'CONFLICTED', 'STALE');
CREATE TABLE pggit.branches (
    id serial PRIMARY KEY, name text UNIQUE NOT NULL, parent_branch_id integer REFERENCES pggit.branches (id),
    head_commit_hash text, status pggit.branch_status DEFAULT 'ACTIVE', created_at timestamp DEFAULT now(),
    merged_at timestamp, metadata jsonb);
CREATE TABLE pggit.commits (
    id serial PRIMARY KEY, hash text UNIQUE NOT NULL, branch_id integer NOT NULL REFERENCES pggit.branches (id),
    parent_commit_hash text, message text, author text, authored_at timestamp, committer text,
    committed_at timestamp, tree_hash text, object_hashes jsonb, metadata jsonb);
CREATE TABLE pggit.external_migrations (
    migration_id bigint PRIMARY KEY, tool_name text NOT NULL, migration_name text, checksum text,
    pggit_commit_id integer REFERENCES pggit.commits (id), pggit_version_start uuid, pggit_version_end uuid,
    applied_at timestamptz DEFAULT now(), applied_by text DEFAULT current_user, execution_time interval,
    success boolean DEFAULT true, error_message text);
CREATE TABLE pggit.history (id serial PRIMARY KEY, what text);
INSERT INTO pggit.branches (name, head_commit_hash) VALUES ('main', 'bbb'), ('feature', NULL);
INSERT INTO pggit.commits (id, hash, branch_id, message) VALUES (40, 'aaa', 1, 'old one'), (41, 'bbb', 1, 'old two');
INSERT INTO pggit.external_migrations (migration_id, tool_name, pggit_commit_id, checksum)
    VALUES (1, 'flyway', 40, 'c1'), (20240101001, 'custom', NULL, NULL);
CREATE FUNCTION pggit.begin_migration(migration_id bigint, tool_name text, migration_name text) RETURNS uuid
    LANGUAGE plpgsql AS $$ BEGIN RETURN pggit.get_current_version(); END $$;
CREATE FUNCTION pggit.validate_migrations(tool_name text) RETURNS TABLE (migration_id bigint, status text)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT m.migration_id, tool_name FROM pggit.external_migrations m; END $$;
CREATE FUNCTION pggit.list_conflicts(status_filter text DEFAULT 'unresolved')
    RETURNS TABLE (conflict_id uuid, conflict_type text, object_type text, object_identifier text,
                   created_at timestamp, description text)
    LANGUAGE sql AS $$ SELECT NULL::uuid, ''::text, ''::text, ''::text, NULL::timestamp, ''::text WHERE false $$;
CREATE VIEW pggit.migration_history AS
    SELECT m.migration_id, m.tool_name, c.message FROM pggit.external_migrations m
      LEFT JOIN pggit.commits c ON c.id = m.pggit_commit_id;
CREATE FUNCTION pggit.analyze_migration_impact(migration_id bigint)
    RETURNS TABLE (object_type text, object_name text, operation text, impact_level text)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT 'a', 'b', 'c', 'd' FROM pggit.version_history; END $$;
CREATE FUNCTION pggit.export_migration_schema(migration_id bigint, output_path text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql AS $$ BEGIN RETURN pggit.get_schema_at_commit(migration_id); END $$;
COMMENT ON TABLE pggit.commits IS 'what it said before';
COMMENT ON COLUMN pggit.migration_history.migration_id IS 'of the view';
COMMENT ON FUNCTION pggit.list_conflicts(text) IS 'of the function';
REVOKE ALL ON FUNCTION pggit.validate_migrations(text) FROM PUBLIC;
CREATE FUNCTION pggit.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO pggit.history (what) VALUES (tg_tag); END $$;
CREATE TABLE pggit.objects (id serial PRIMARY KEY, object_type text, full_name text, is_active boolean DEFAULT true);
CREATE FUNCTION pggit.on_enhanced_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO pggit.objects (object_type, full_name)
        SELECT c.object_type, c.object_identity FROM pg_event_trigger_ddl_commands() c;
    END $$;
CREATE FUNCTION pggit.on_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE pggit.objects o SET is_active = false
          FROM pg_event_trigger_dropped_objects() d WHERE d.object_identity = o.full_name;
    END $$;
CREATE FUNCTION pggit.end_migration(
    migration_id bigint, checksum text DEFAULT NULL, success boolean DEFAULT true, error_message text DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pggit.get_current_version(); END $$;
CREATE FUNCTION pggit.link_migration(migration_id bigint, description text, tool_name text) RETURNS void
    LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE FUNCTION pggit.integrate_flyway(schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE FUNCTION pggit.integrate_liquibase(schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE plpgsql AS $$ BEGIN PERFORM format('%s %s', schema_name); END $$;
CREATE FUNCTION pggit.begin_deployment(deployment_name text, auto_commit boolean DEFAULT false) RETURNS uuid
    LANGUAGE sql AS $$ SELECT gen_random_uuid() $$;
CREATE FUNCTION pggit.end_deployment(message text DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS text
    LANGUAGE sql AS $$ SELECT 'done'::text $$;
CREATE EVENT TRIGGER pggit_ddl_trigger ON ddl_command_end EXECUTE FUNCTION pggit.on_ddl();
CREATE EVENT TRIGGER pggit_drop_trigger ON sql_drop EXECUTE FUNCTION pggit.on_drop();
CREATE EVENT TRIGGER pggit_enhanced_ddl_trigger ON ddl_command_end EXECUTE FUNCTION pggit.on_enhanced_ddl();
CREATE EVENT TRIGGER pggit_enhanced_drop_trigger ON sql_drop EXECUTE FUNCTION pggit.on_drop();
CREATE EVENT TRIGGER pggit_metrics_trigger ON ddl_command_end EXECUTE FUNCTION pggit.on_ddl();
"""

DATA = {
    "branches": "SELECT id, name, parent_branch_id, head_commit_hash, status, created_at, metadata FROM pggit.branches"
    " ORDER BY id",
    "commits": "SELECT id, hash, branch_id, parent_commit_hash, message, author, metadata FROM pggit.commits"
    " ORDER BY id",
    "migrations": "SELECT migration_id, tool_name, checksum, pggit_commit_id, applied_at, success"
    " FROM pggit.external_migrations ORDER BY 1",
}
SHAPE = """
SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'pggit'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)), true
  FROM pg_proc p WHERE p.pronamespace = 'pggit'::regnamespace
UNION ALL SELECT k.conname, pg_get_constraintdef(k.oid), true
  FROM pg_constraint k WHERE k.connamespace = 'pggit'::regnamespace
UNION ALL SELECT c.relname, pg_get_viewdef(c.oid), true
  FROM pg_class c WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind = 'v'
UNION ALL SELECT p.oid::regprocedure::text, r.rolname, has_function_privilege(r.oid, p.oid, 'EXECUTE')
  FROM pg_proc p, pg_roles r WHERE p.pronamespace = 'pggit'::regnamespace AND r.rolname = 'pg_monitor'
UNION ALL SELECT 'usage', r.rolname, has_schema_privilege(r.oid, 'pggit', 'USAGE')
  FROM pg_roles r WHERE r.rolname = 'pg_monitor'
UNION ALL SELECT d.objoid::text || d.objsubid, d.description, true FROM pg_description d
 WHERE d.objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'pggit'::regnamespace AND relkind = 'r'
                     UNION ALL SELECT 'pggit'::regnamespace)
UNION ALL SELECT p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc'), true
  FROM pg_proc p WHERE p.pronamespace = 'pggit'::regnamespace
UNION ALL SELECT c.relname, col_description(c.oid, 1), true
  FROM pg_class c WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind = 'v'
UNION ALL SELECT evtname, evtenabled::text, true FROM pg_event_trigger
ORDER BY 1, 2
"""


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(PGGIT.encode())
        yield connection


def data(conn: psycopg.Connection[Any]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: conn.execute(query.encode()).fetchall() for name, query in DATA.items()}


def shape(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return conn.execute(SHAPE.encode()).fetchall()


def test_rows_and_ids_stay(conn: psycopg.Connection[Any]) -> None:
    before = data(conn)
    install(conn)
    assert data(conn) == before
    # What the old key forbade: two tools that both have a migration 1.
    conn.execute("INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (1, 'liquibase')")
    assert conn.execute("INSERT INTO pggit.branches (name) VALUES ('next') RETURNING id").fetchone() == (3,)
    made = conn.execute("INSERT INTO pggit.commits (hash, branch_id) VALUES ('new', 1) RETURNING id").fetchone()
    assert made == (42,), "new commits follow those that brought ids of their own"
    assert install(conn).changed is False


def test_uninstall_brings_back_what_was_there(conn: psycopg.Connection[Any]) -> None:
    """Columns, functions, views and the key are the old ones; what the daemon wrote is gone, the rest stays."""
    old_data, old_shape = data(conn), shape(conn)
    install(conn)
    conn.execute(
        "INSERT INTO pggit.commits (hash, branch_id, kind) VALUES ('ours', 1, 'migration');"
        "UPDATE pggit.branches SET head_commit_hash = 'ours' WHERE id = 1;"
        "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, source_lsn, pggit_commit_id)"
        " SELECT 1, 'liquibase', 'public.databasechangelog', '0/1', id FROM pggit.commits WHERE hash = 'ours';"
        "UPDATE pggit.external_migrations SET pggit_commit_id = (SELECT id FROM pggit.commits WHERE hash = 'ours')"
        " WHERE migration_id = 20240101001"
    )
    assert shape(conn) != old_shape

    report = uninstall(conn)

    assert report.left == ()
    assert any(name.startswith("function pggit.begin_migration") for name in report.restored)
    assert shape(conn) == old_shape
    assert data(conn) == old_data
    assert conn.execute("SELECT to_regnamespace('pggit_daemon')").fetchone() == (None,)


def test_a_key_that_cannot_come_back_is_an_error(conn: psycopg.Connection[Any]) -> None:
    install(conn)
    conn.execute("INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (1, 'liquibase')")
    before = shape(conn), data(conn)
    with pytest.raises(InstallError, match=r"migration_id\)=\(1\) is duplicated"):
        uninstall(conn)
    assert (shape(conn), data(conn)) == before


def test_broken_functions_are_replaced_by_ones_that_work(conn: psycopg.Connection[Any]) -> None:
    """Other results, other arguments, other columns: each public name has one meaning afterwards, and it works."""
    install(conn)
    assert conn.execute("SELECT status FROM pggit.validate_migrations('custom')").fetchall() == [
        ("unlinked",),
        ("pending",),
    ]
    assert conn.execute("SELECT * FROM pggit.analyze_migration_impact(1)").fetchall() == []
    assert conn.execute("SELECT * FROM pggit.list_conflicts()").fetchall() == []
    assert conn.execute("SELECT commit_message FROM pggit.migration_history WHERE migration_id = 1").fetchone() == (
        "old one",
    )


def test_what_rests_on_a_function_that_must_go_is_named(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE VIEW public.open_conflicts AS SELECT * FROM pggit.list_conflicts()")
    before = shape(conn)
    with pytest.raises(InstallError, match=r"view public\.open_conflicts depends on function") as caught:
        install(conn)
    assert "pggit.list_conflicts(text) must be replaced" in str(caught.value)
    assert shape(conn) == before

-- The writing functions as schema pggit has them. They run with their caller's rights, so they give none to anybody: who is
-- no member of pggit_migrator gets an error that says how to become one, and could not call what they call.

-- In schema pggit, as strangers have no way into pggit_daemon.
CREATE OR REPLACE FUNCTION pggit.require_migrator(called text) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_has_role('pggit_migrator', 'USAGE') THEN
        RAISE EXCEPTION 'role % may not call pggit.%: it is no member of pggit_migrator', current_user, called
            USING ERRCODE = '42501', HINT = format('As a superuser: GRANT pggit_migrator TO %I;', current_user);
    END IF;
END $$;
COMMENT ON FUNCTION pggit.require_migrator(text) IS
    'Raises 42501, with the GRANT that is missing as its hint, where the caller is no member of pggit_migrator.';

CREATE OR REPLACE FUNCTION pggit.begin_migration(
    migration_id bigint, tool_name text DEFAULT 'flyway', migration_name text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('begin_migration');
    RETURN pggit_daemon.begin_migration(migration_id, tool_name, migration_name);
END $$;
COMMENT ON FUNCTION pggit.begin_migration(bigint, text, text) IS
    'Start tracking a migration: what this session changes until pggit.end_migration is the migration''s. Returns the deployment''s id.';

CREATE OR REPLACE FUNCTION pggit.end_migration(
    migration_id bigint, checksum text DEFAULT NULL, success boolean DEFAULT true, error_message text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('end_migration');
    PERFORM pggit_daemon.end_migration(migration_id, checksum, success, error_message);
END $$;
COMMENT ON FUNCTION pggit.end_migration(bigint, text, boolean, text) IS
    'Complete a migration that this session has begun. A failure (success => false) is recorded even if the transaction is rolled back.';

CREATE OR REPLACE FUNCTION pggit.link_migration(
    migration_id bigint, description text DEFAULT NULL, tool_name text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('link_migration');
    PERFORM pggit_daemon.link_migration(migration_id, description, tool_name);
END $$;
COMMENT ON FUNCTION pggit.link_migration(bigint, text, text) IS
    'Link a migration that is recorded without a commit, or record one that happened elsewhere. In a transaction that ran DDL, the commit is that transaction''s.';

CREATE OR REPLACE FUNCTION pggit.begin_deployment(deployment_name text, auto_commit boolean DEFAULT false) RETURNS uuid
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('begin_deployment');
    RETURN pggit_daemon.begin_deployment(deployment_name, auto_commit);
END $$;
COMMENT ON FUNCTION pggit.begin_deployment(text, boolean) IS
    'Group the commits that this session makes until pggit.end_deployment. With auto_commit they become one commit at the end.';

CREATE OR REPLACE FUNCTION pggit.end_deployment(message text DEFAULT NULL, tags text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('end_deployment');
    PERFORM pggit_daemon.end_deployment(message, tags);
END $$;
COMMENT ON FUNCTION pggit.end_deployment(text, text[]) IS
    'End the deployment of this session, with a message and tags.';

CREATE OR REPLACE FUNCTION pggit.integrate_flyway(schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('integrate_flyway');
    PERFORM pggit_daemon.integrate('flyway', schema_name);
END $$;
COMMENT ON FUNCTION pggit.integrate_flyway(text) IS
    'Have every row of Flyway''s history table in this schema name its session (evidence session). The table may be still to come.';

CREATE OR REPLACE FUNCTION pggit.integrate_liquibase(schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('integrate_liquibase');
    PERFORM pggit_daemon.integrate('liquibase', schema_name);
END $$;
COMMENT ON FUNCTION pggit.integrate_liquibase(text) IS
    'Have every row of Liquibase''s history table in this schema name its session, and give the table REPLICA IDENTITY FULL. The table may be still to come.';

CREATE OR REPLACE FUNCTION pggit.remove_integration(tool_name text, schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('remove_integration');
    PERFORM pggit_daemon.remove_integration(tool_name, schema_name);
END $$;
COMMENT ON FUNCTION pggit.remove_integration(text, text) IS
    'Undo integrate_flyway or integrate_liquibase; the replica identity stays as it is.';

CREATE OR REPLACE FUNCTION pggit.integrate(history regclass) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('integrate');
    PERFORM pggit_daemon.integrate(history);
END $$;
COMMENT ON FUNCTION pggit.integrate(regclass) IS
    'Have every row of a history table, of whatever tool, name its session (evidence session); a table without a key gets REPLICA IDENTITY FULL.';

CREATE OR REPLACE FUNCTION pggit.remove_integration(history regclass) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('remove_integration');
    PERFORM pggit_daemon.remove_integration(history);
END $$;
COMMENT ON FUNCTION pggit.remove_integration(regclass) IS
    'Undo integrate(table); the replica identity stays as it is.';

CREATE OR REPLACE FUNCTION pggit.resolve_conflict(conflict_id bigint, resolution text) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('resolve_conflict');
    PERFORM pggit_daemon.resolve_conflict(conflict_id, resolution);
END $$;
COMMENT ON FUNCTION pggit.resolve_conflict(bigint, text) IS
    'Resolve a conflict by hand, with a word about how. One that is resolved already stays as it is.';

CREATE OR REPLACE FUNCTION pggit.acknowledge_finding(finding text, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('acknowledge_finding');
    PERFORM pggit_daemon.acknowledge_finding(finding, reason);
END $$;
COMMENT ON FUNCTION pggit.acknowledge_finding(text, text) IS
    'Take note of a finding of validate_migrations(), by its last column, with a word about why it may stay: it is shown no more, and its alert ends.';

CREATE OR REPLACE FUNCTION pggit.reopen_finding(finding text) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pggit.require_migrator('reopen_finding');
    PERFORM pggit_daemon.reopen_finding(finding);
END $$;
COMMENT ON FUNCTION pggit.reopen_finding(text) IS
    'Take an acknowledgement back.';

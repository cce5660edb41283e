-- Who may use what, by the contract's list, and as whom our own functions run. Roles belong to the whole cluster: several
-- databases share them, and the comment tells that we made them.

DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT * FROM (VALUES ('pggit_reader', 'reads the history'),
                              ('pggit_migrator', 'records migrations and resolves conflicts'),
                              ('pggit_capture', 'the event triggers run as this role'),
                              ('pggit_api', 'the functions of schema pggit run as this role')) AS v (name, what)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = made.name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', made.name);
                EXECUTE format('COMMENT ON ROLE %I IS %L', made.name, 'made by pggit-daemon: ' || made.what);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database was quicker
            END;
        END IF;
        -- When a session of another role began, and as whom it came, is shown to these only.
        IF made.name IN ('pggit_capture', 'pggit_api') AND NOT pg_has_role(made.name, 'pg_read_all_stats', 'USAGE') THEN
            EXECUTE format('GRANT pg_read_all_stats TO %I', made.name);
        END IF;
        -- The catalogs, also those that are closed to everybody, by the server or by an administrator.
        IF made.name = 'pggit_capture' AND NOT pg_has_role(made.name, 'pg_read_all_data', 'USAGE') THEN
            EXECUTE format('GRANT pg_read_all_data TO %I', made.name);
        END IF;
    END LOOP;
END $$;

-- What is SECURITY INVOKER gives no right to who calls it. In one statement and before all others: the capture is at work
-- meanwhile, and some of its functions may just have been made anew.
GRANT USAGE ON SCHEMA pggit_daemon TO pggit_capture, pggit_api;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_daemon TO pggit_capture, pggit_api;

GRANT USAGE ON SCHEMA pggit TO PUBLIC;
-- What migrators call runs with their own rights and calls what only they may call; export_migration_schema likewise.
-- They get no right to any table there.
GRANT USAGE ON SCHEMA pggit_daemon TO pggit_reader, pggit_migrator;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pggit_daemon FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pggit_daemon.migration_script(bigint, text), pggit_daemon.write_file(text, text, bigint),
    pggit_daemon.impact_level(text, text, text, text, boolean) TO pggit_reader, pggit_migrator;
GRANT EXECUTE ON FUNCTION pggit_daemon.begin_migration(bigint, text, text),
    pggit_daemon.end_migration(bigint, text, boolean, text), pggit_daemon.link_migration(bigint, text, text),
    pggit_daemon.begin_deployment(text, boolean), pggit_daemon.end_deployment(text, text[]),
    pggit_daemon.integrate(text, text), pggit_daemon.remove_integration(text, text),
    pggit_daemon.integrate(regclass), pggit_daemon.remove_integration(regclass),
    pggit_daemon.resolve_conflict(bigint, text) TO pggit_migrator;
GRANT SELECT ON pggit.migration_history, pggit.commit_changes, pggit.deployment_commits, pggit.external_migrations,
    pggit.commits, pggit.branches, pggit.deployments, pggit.conflicts TO pggit_reader, pggit_migrator;
GRANT EXECUTE ON FUNCTION pggit_daemon.acknowledge_finding(text, text), pggit_daemon.reopen_finding(text) TO pggit_migrator;
-- A rollback is recorded by an INSERT: of what a user knows, never of what the daemon finds out.
REVOKE INSERT ON pggit.external_migrations FROM pggit_migrator;
GRANT INSERT (migration_id, tool_name, migration_name, checksum, pggit_version_start, pggit_version_end, applied_at,
              applied_by, execution_time, success, error_message, version) ON pggit.external_migrations TO pggit_migrator;

-- The capture writes one table, and reads it to know what this transaction has recorded.
GRANT SELECT, INSERT ON pggit_daemon.ddl_event TO pggit_capture;
GRANT SELECT ON pggit_daemon.tool_lock, pggit_daemon.tool_application, pggit_daemon.source TO pggit_capture;
GRANT USAGE ON SEQUENCE pggit_daemon.ddl_event_id_seq TO pggit_capture;
GRANT USAGE, UPDATE ON SEQUENCE pggit_daemon.session_start, pggit_daemon.tool_watch TO pggit_capture;
-- The functions of schema pggit read the history, and write what calls leave behind.
GRANT SELECT ON ALL TABLES IN SCHEMA pggit, pggit_daemon TO pggit_api;
GRANT INSERT ON pggit_daemon.request TO pggit_api;
GRANT USAGE ON SEQUENCE pggit_daemon.request_id_seq TO pggit_api;
GRANT INSERT, DELETE ON pggit_daemon.acknowledgement TO pggit_api;
GRANT UPDATE ON pggit.conflicts TO pggit_api;

-- One statement for many functions: each fires the event triggers, also those of other extensions.
DO $$
DECLARE
    ours record;
BEGIN
    FOR ours IN
        SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid) AS signatures,
               CASE WHEN c.audience = 'reader' THEN 'pggit_reader, pggit_migrator'
                    -- Everybody: the function itself gives no right, and tells a stranger what is missing.
                    WHEN p.prosecdef THEN 'pggit_migrator' ELSE 'PUBLIC' END AS callers
          FROM pggit_daemon.contract() AS c
          JOIN pg_catalog.pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'pggit'::regnamespace
           AND pg_catalog.pg_get_function_arguments(p.oid) = c.arguments
         GROUP BY callers
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, pggit_reader, pggit_migrator', ours.signatures);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', ours.signatures, ours.callers);
    END LOOP;
END $$;

-- Whom each SECURITY DEFINER function runs as. `superuser`: the one who made the cluster, as no lesser role can do what
-- it does; none of these takes a name from a table that the daemon's role may write. Everything else runs as pggit_api.
CREATE OR REPLACE FUNCTION pggit_daemon.definers() RETURNS TABLE (name text, owner text, why text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES
        ('on_ddl_command_end', 'pggit_capture', 'writes the outbox'),
        ('on_ddl_command_start', 'pggit_capture', 'writes the outbox when it fails'),
        ('on_sql_drop', 'pggit_capture', 'writes the outbox'),
        ('on_table_rewrite', 'pggit_capture', 'writes the outbox'),
        ('harmless_connection', 'pggit_capture', 'reads pg_subscription.subconninfo'),
        ('harmless_mapping_options', 'pggit_capture', 'reads pg_user_mapping'),
        ('written_in_closed_catalogs', 'pggit_capture', 'reads pg_user_mapping and pg_subscription'),
        ('integrate', 'superuser', 'makes triggers on tables of others, and an event trigger'),
        ('remove_integration', 'superuser', 'drops them'),
        ('on_history_table', 'superuser', 'makes triggers on tables of others'),
        ('on_partition', 'superuser', 'gives partitions of others a replica identity'),
        ('publish', 'superuser', 'makes publications of tables of others, and event triggers'),
        ('on_publishable_ddl', 'superuser', 'changes the publications'),
        ('on_unlogging', 'superuser', 'changes the publications')
$$;

-- Of what runs with others' rights, each role calls only what it needs.
DO $$
DECLARE
    ours record;
BEGIN
    FOR ours IN
        SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid) AS signatures, r.name AS role
          FROM pg_catalog.pg_proc AS p
         CROSS JOIN unnest('{pggit_capture,pggit_api}'::name[]) AS r (name)
         WHERE p.pronamespace = 'pggit_daemon'::regnamespace AND p.prokind = 'f' AND p.prosecdef
           AND pg_get_userbyid(p.proowner) <> r.name
         GROUP BY r.name
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM %I', ours.signatures, ours.role);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION pggit_daemon.harmless_connection(oid), pggit_daemon.harmless_mapping_options(oid),
    pggit_daemon.written_in_closed_catalogs(xid8) TO pggit_capture;

DO $$
DECLARE
    ours  record;
    -- Who made the cluster. Before version 16 it may have lost its right, and then it is whoever installs.
    first name := coalesce((SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10 AND rolsuper), current_user);
BEGIN
    FOR ours IN
        SELECT p.oid::regprocedure AS signature, pg_get_userbyid(p.proowner) AS now, p.proconfig,
               CASE coalesce(d.owner, 'pggit_api') WHEN 'superuser' THEN first ELSE coalesce(d.owner, 'pggit_api') END AS owner
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
          LEFT JOIN pggit_daemon.definers() AS d ON d.name = p.proname
         WHERE (n.nspname = 'pggit_daemon'
                OR n.nspname = 'pggit' AND p.proname IN (SELECT c.name FROM pggit_daemon.contract() AS c))
           AND p.prokind = 'f' AND p.prosecdef
    LOOP
        IF ours.owner <> ours.now THEN
            EXECUTE format('ALTER FUNCTION %s OWNER TO %I', ours.signature, ours.owner);
        END IF;
        -- A table of ours under row security would be read in part; so it is an error. And our own SQL is read as it is
        -- written, whatever the session says of backslashes. The trigger functions of the capture have no settings of
        -- their own, so that the user's search_path is seen in them.
        IF ours.proconfig IS NOT NULL THEN
            EXECUTE format('ALTER FUNCTION %s SET row_security = off SET standard_conforming_strings = on', ours.signature);
        END IF;
    END LOOP;
END $$;

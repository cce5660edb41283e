-- The contract of schema pggit: every public function and view with its exact shape, and who may use it. The privileges
-- are given by this list (90_privileges.sql). Functions and views of these names with another shape, as those of
-- pgGit 0.2.x, are dropped here, to be made anew by the files that follow: CREATE OR REPLACE cannot change a shape.

-- The tool of a migration that names none: as the default of begin_migration, which users know.
CREATE OR REPLACE FUNCTION pggit_daemon.default_tool() RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT 'flyway' $$;

-- audience: reader = pggit_reader and pggit_migrator, migrator = pggit_migrator; whoever else calls one of the latter
-- gets an error that says how to become one, from the function that is for all.
CREATE OR REPLACE FUNCTION pggit_daemon.contract()
    RETURNS TABLE (name text, arguments text, result text, audience text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES
        ('begin_migration', 'migration_id bigint, tool_name text DEFAULT ''flyway''::text, migration_name text DEFAULT NULL::text',
         'uuid', 'migrator'),
        ('end_migration', 'migration_id bigint, checksum text DEFAULT NULL::text, success boolean DEFAULT true, error_message text DEFAULT NULL::text',
         'void', 'migrator'),
        ('link_migration', 'migration_id bigint, description text DEFAULT NULL::text, tool_name text DEFAULT NULL::text',
         'void', 'migrator'),
        ('begin_deployment', 'deployment_name text, auto_commit boolean DEFAULT false', 'uuid', 'migrator'),
        ('end_deployment', 'message text DEFAULT NULL::text, tags text[] DEFAULT ''{}''::text[]', 'void', 'migrator'),
        ('integrate_flyway', 'schema_name text DEFAULT ''public''::text', 'void', 'migrator'),
        ('integrate_liquibase', 'schema_name text DEFAULT ''public''::text', 'void', 'migrator'),
        ('integrate', 'history regclass', 'void', 'migrator'),
        ('remove_integration', 'history regclass', 'void', 'migrator'),
        ('remove_integration', 'tool_name text, schema_name text DEFAULT ''public''::text', 'void', 'migrator'),
        ('validate_migrations', 'tool_name text DEFAULT NULL::text',
         'TABLE(migration_id bigint, status text, message text, tool_name text, source text, version text, finding text)',
         'reader'),
        ('acknowledge_finding', 'finding text, reason text', 'void', 'migrator'),
        ('reopen_finding', 'finding text', 'void', 'migrator'),
        ('acknowledged_findings', '',
         'TABLE(finding text, status text, message text, reason text, acknowledged_by text, '
         'acknowledged_at timestamp with time zone)', 'reader'),
        ('analyze_migration_impact', 'migration_id bigint, tool_name text DEFAULT NULL::text',
         'TABLE(object_type text, object_name text, operation text, impact_level text, tool text, source text)', 'reader'),
        ('analyze_migration_impact', 'migration text, tool_name text DEFAULT NULL::text',
         'TABLE(object_type text, object_name text, operation text, impact_level text, tool text, source text)', 'reader'),
        ('export_migration_schema', 'migration_id bigint, output_path text DEFAULT NULL::text, tool_name text DEFAULT NULL::text',
         'text', 'reader'),
        ('schema_at', 'commit text', 'text', 'reader'),
        ('schema_at', 'commit integer', 'text', 'reader'),
        ('diff', 'from_commit text, to_commit text',
         'TABLE(object_type text, object_name text, old_name text, operation text, impact_level text, changes text)', 'reader'),
        ('diff', 'from_commit integer, to_commit integer',
         'TABLE(object_type text, object_name text, old_name text, operation text, impact_level text, changes text)', 'reader'),
        ('migration_diff', 'migration_id bigint, tool_name text DEFAULT NULL::text',
         'TABLE(object_type text, object_name text, old_name text, operation text, impact_level text, changes text, '
         'tool text, source text)', 'reader'),
        ('migration_diff', 'migration text, tool_name text DEFAULT NULL::text',
         'TABLE(object_type text, object_name text, old_name text, operation text, impact_level text, changes text, '
         'tool text, source text)', 'reader'),
        ('object_history', 'object_name text',
         'TABLE(commit_id integer, commit_hash text, occurred_at timestamp with time zone, kind text, author text, '
         'tool_name text, source text, migration_id bigint, migration_name text, object_type text, object_name text, '
         'old_name text, operation text, impact_level text, before text, after text)', 'reader'),
        ('drift', '',
         'TABLE(commit_id integer, occurred_at timestamp with time zone, author text, application_name text, '
         'client_addr text, object_type text, object_name text, operation text, impact_level text, commit_hash text, '
         'message text)', 'reader'),
        ('list_conflicts', 'status_filter text DEFAULT ''unresolved''::text',
         'TABLE(conflict_id bigint, conflict_type text, object_type text, object_identifier text, '
         'created_at timestamp with time zone, description text)', 'reader'),
        ('resolve_conflict', 'conflict_id bigint, resolution text', 'void', 'migrator'),
        ('require_migrator', 'called text', 'void', 'all'),
        ('wait_for_sync', 'timeout interval DEFAULT ''00:00:10''::interval', 'boolean', 'reader')
$$;

-- Defaults are compared as text, here and in 90_privileges.sql.
SET LOCAL IntervalStyle = 'postgres';

DO $$
DECLARE
    other  record;
    detail text;
BEGIN
    FOR other IN
        SELECT 'ROUTINE' AS word, p.oid::regprocedure::text AS identity
          FROM pg_catalog.pg_proc AS p
         WHERE p.pronamespace = 'pggit'::regnamespace
           AND p.proname IN (SELECT c.name FROM pggit_daemon.contract() AS c)
           AND NOT EXISTS (SELECT FROM pggit_daemon.contract() AS c
                            WHERE c.name = p.proname AND p.prokind = 'f'
                              AND c.arguments = pg_catalog.pg_get_function_arguments(p.oid)
                              AND c.result = pg_catalog.pg_get_function_result(p.oid))
        UNION ALL
        SELECT 'VIEW', c.oid::regclass::text
          FROM pg_catalog.pg_class AS c
          JOIN (VALUES
                ('migration_history',
                 'migration_id migration_name tool_name applied_at applied_by checksum commit_message tree_id '
                 'execution_time success error_message version source evidence status sequence rollback_of commit_id '
                 'commit_hash tree_hash parent objects_changed'),
                ('commit_changes',
                 'commit_id commit_hash object_type object_name old_name operation level old_definition new_definition')
               ) AS view (name, columns) ON view.name = c.relname
         WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind = 'v'
           AND view.columns <> (SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
                                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    LOOP
        BEGIN
            EXECUTE format('DROP %s %s', other.word, other.identity);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION '% % must be replaced by one of another shape, but other objects rest on it: %',
                lower(other.word COLLATE "C"), other.identity, detail
                USING ERRCODE = '2BP01', HINT = 'Drop these objects, install, and make them again.';
        END;
    END LOOP;
END $$;

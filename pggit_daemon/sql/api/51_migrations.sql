-- begin_migration and end_migration: what a session runs between them is the migration's. Those in schema pggit are
-- in 55_for_migrators.sql.

CREATE OR REPLACE FUNCTION pggit_daemon.begin_migration(migration_id bigint, tool_name text, migration_name text)
    RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    deployment uuid := gen_random_uuid();
    facts      jsonb;
    changeable jsonb;
    others     integer;
    again      boolean;
BEGIN
    PERFORM pggit_daemon.check_migration(migration_id, tool_name, migration_name);
    changeable := pggit_daemon.check_rollback(migration_id, tool_name);
    SELECT count(*), coalesce(bool_or(o.migration_id = begin_migration.migration_id
                                      AND o.tool_name = begin_migration.tool_name), false)
      INTO others, again
      FROM pggit_daemon.open_runs() AS o;
    IF again THEN
        RAISE EXCEPTION 'migration % of % is open in this session already', migration_id, tool_name
            USING ERRCODE = '55000', HINT = 'Call pggit.end_migration for it first.';
    END IF;
    IF others >= 100 THEN
        RAISE EXCEPTION 'this session has begun % migrations and not ended them', others
            USING ERRCODE = '55000', HINT = 'Call pggit.end_migration for each of them first.';
    END IF;
    facts := pggit_daemon.introduction() || jsonb_build_object('deployment', deployment, 'migration_id', migration_id,
        'tool', tool_name, 'name', migration_name);
    -- If this transaction is rolled back, the record of its failure still needs tool and name.
    PERFORM pggit_daemon.send_message('begin', facts);
    PERFORM pggit_daemon.send_request('begin', facts);
    RETURN deployment;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.end_migration(
    migration_id bigint, checksum text, success boolean, error_message text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    begun  record;
    facts  jsonb;
    changeable jsonb;    -- where a rollback may have been of
BEGIN
    PERFORM pggit_daemon.check_migration(migration_id, 'any', NULL);
    success := coalesce(success, true);
    -- The newest of that id that this session has begun.
    SELECT o.* INTO begun FROM pggit_daemon.open_runs() AS o
     WHERE o.migration_id = end_migration.migration_id
     ORDER BY o.started_at DESC LIMIT 1;
    IF NOT FOUND AND success THEN
        RAISE EXCEPTION 'migration % was not begun in this session, or has ended', migration_id
            USING ERRCODE = '55000',
                  HINT = 'Call pggit.begin_migration first; for a migration that ran elsewhere use pggit.link_migration.';
    END IF;
    changeable := pggit_daemon.check_rollback(migration_id, coalesce(begun.tool_name, pggit_daemon.default_tool()));
    facts := jsonb_build_object(
        'deployment', begun.run_key, 'migration_id', migration_id, 'tool', begun.tool_name,
        'name', begun.name, 'checksum', left(checksum, 10000), 'success', success, 'error_message', left(error_message, 10000),
        'ended_at', clock_timestamp(),
        'execution_ms', round(extract(epoch FROM clock_timestamp() - begun.started_at) * 1000)::bigint,
        'may_roll_back', changeable);
    IF NOT success THEN
        -- The caller will most likely roll back: the failure is recorded all the same.
        PERFORM pggit_daemon.send_message('end', facts);
    END IF;
    IF begun.run_key IS NOT NULL THEN
        PERFORM pggit_daemon.send_request('end', facts);
    END IF;
END $$;

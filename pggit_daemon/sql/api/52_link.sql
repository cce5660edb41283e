-- link_migration, and direct inserts into external_migrations: migrations that no tool's table tells of.

CREATE OR REPLACE FUNCTION pggit.link_migration(
    migration_id bigint, description text DEFAULT NULL, tool_name text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    tool       text := tool_name;
    found      pggit.external_migrations;
    candidates text;
BEGIN
    PERFORM pggit_daemon.check_migration(migration_id, coalesce(tool_name, 'flyway'), description);
    IF tool IS NULL THEN
        SELECT string_agg(format('%s (%s)', m.tool_name, m.source), ', ' ORDER BY m.tool_name, m.source)
          INTO candidates
          FROM pggit.external_migrations AS m
         WHERE m.migration_id = link_migration.migration_id AND m.pggit_commit_id IS NULL
        HAVING count(*) > 1;
        IF candidates IS NOT NULL THEN
            RAISE EXCEPTION 'several tools have an unlinked migration %: %', migration_id, candidates
                USING ERRCODE = '42725', HINT = 'Pass tool_name.';
        END IF;
    END IF;
    SELECT m.* INTO found FROM pggit.external_migrations AS m
     WHERE m.migration_id = link_migration.migration_id AND (tool IS NULL OR m.tool_name = tool)
     ORDER BY (m.pggit_commit_id IS NULL) DESC, (m.tool_name = 'flyway') DESC LIMIT 1;
    IF found.pggit_commit_id IS NOT NULL THEN
        RAISE NOTICE 'migration % of % is linked already, to commit %', migration_id, found.tool_name, found.pggit_commit_id;
        RETURN;
    END IF;
    PERFORM pggit_daemon.tell('link', jsonb_build_object(
        'migration_id', migration_id, 'tool', coalesce(found.tool_name, tool, 'flyway'),
        'source', coalesce(found.source, 'sql'), 'version', found.version,
        'name', coalesce(found.migration_name, description), 'description', description,
        'checksum', found.checksum, 'applied_by', coalesce(found.applied_by, session_user)));
END $$;

COMMENT ON FUNCTION pggit.link_migration(bigint, text, text) IS
    'Link a migration that is recorded without a commit, or record one that happened elsewhere. In a transaction that ran DDL, the commit is that transaction''s.';

-- A row that somebody inserts is a full citizen: the daemon links it. Rows of the daemon itself are none of its news.
CREATE OR REPLACE FUNCTION pggit_daemon.on_external_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('pggit_daemon.storing', true) IS DISTINCT FROM 'on' AND NEW.pggit_commit_id IS NULL THEN
        PERFORM pggit_daemon.tell('insert', jsonb_build_object(
            'migration_id', NEW.migration_id, 'tool', NEW.tool_name, 'source', NEW.source, 'version', NEW.version,
            'name', NEW.migration_name, 'checksum', NEW.checksum, 'success', NEW.success,
            'error_message', NEW.error_message, 'applied_by', NEW.applied_by,
            'execution_ms', round(extract(epoch FROM NEW.execution_time) * 1000)::bigint));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER pggit_daemon_insert AFTER INSERT ON pggit.external_migrations
    FOR EACH ROW EXECUTE FUNCTION pggit_daemon.on_external_insert();

-- link_migration, and direct inserts into external_migrations: migrations that no tool's table lists.

CREATE OR REPLACE FUNCTION pggit_daemon.link_migration(migration_id bigint, description text, tool_name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    candidates text;
    unlinked   integer;
    found      pggit.external_migrations;
    changeable jsonb;
BEGIN
    PERFORM pggit_daemon.check_migration(migration_id, coalesce(tool_name, pggit_daemon.default_tool()), description);
    -- A tool may have several history tables: then its name is not enough, but that of the source is.
    SELECT count(*), string_agg(format('%s (%s)', m.tool_name, m.source), ', ' ORDER BY m.tool_name, m.source)
      INTO unlinked, candidates
      FROM pggit.external_migrations AS m
     WHERE m.migration_id = link_migration.migration_id AND m.pggit_commit_id IS NULL
       AND (link_migration.tool_name IS NULL OR link_migration.tool_name IN (m.tool_name, m.source));
    IF unlinked > 1 THEN
        RAISE EXCEPTION 'migration % is unlinked in several places: %', migration_id, candidates
            USING ERRCODE = '42725',
                  HINT = 'Pass as tool_name the tool, or what stands in parentheses where a tool has several.';
    END IF;
    SELECT m.* INTO found FROM pggit.external_migrations AS m
     WHERE m.migration_id = link_migration.migration_id
       AND (link_migration.tool_name IS NULL OR link_migration.tool_name IN (m.tool_name, m.source))
     ORDER BY (m.pggit_commit_id IS NULL) DESC, (m.tool_name = pggit_daemon.default_tool()) DESC, m.tool_name, m.source LIMIT 1;
    IF found.pggit_commit_id IS NOT NULL THEN
        RAISE NOTICE 'migration % of % is linked already, to commit %; nothing was changed',
            migration_id, found.tool_name, found.pggit_commit_id;
        RETURN;
    END IF;
    changeable := pggit_daemon.check_rollback(migration_id, coalesce(found.tool_name, tool_name, pggit_daemon.default_tool()));
    PERFORM pggit_daemon.send_request('link', jsonb_build_object(
        'migration_id', migration_id, 'tool', coalesce(found.tool_name, tool_name, pggit_daemon.default_tool()), 'source', found.source,
        'version', found.version, 'name', coalesce(found.migration_name, description), 'success', found.success,
        'applied_by', coalesce(found.applied_by, session_user), 'may_roll_back', changeable));
END $$;

-- Whether it is the daemon that writes: a setting says that a row is a result of its own, and counts only for a role that
-- may write results. Anybody can make the setting.
CREATE OR REPLACE FUNCTION pggit_daemon.is_storing() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT current_setting('pggit_daemon.storing', true) IS NOT DISTINCT FROM 'on'
       AND has_table_privilege(pggit_daemon.caller(), to_regclass('pggit_daemon.progress'), 'UPDATE')
$$;

-- A row that somebody inserts is a full citizen: the daemon links it. Rows of the daemon itself are none of its news.
CREATE OR REPLACE FUNCTION pggit_daemon.on_external_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pggit_daemon.is_storing() THEN
        PERFORM pggit_daemon.send_request('insert', jsonb_build_object(
            'migration_id', NEW.migration_id, 'tool', NEW.tool_name, 'source', NEW.source, 'version', NEW.version,
            'name', NEW.migration_name, 'success', NEW.success, 'applied_by', NEW.applied_by,
            'may_roll_back', pggit_daemon.check_rollback(NEW.migration_id, NEW.tool_name)));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER pggit_daemon_insert AFTER INSERT ON pggit.external_migrations
    FOR EACH ROW WHEN (NEW.pggit_commit_id IS NULL) EXECUTE FUNCTION pggit_daemon.on_external_insert();

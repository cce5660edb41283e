-- The functions of the triggers. They run as their owner, pggit_capture, but without a SET clause, as that would hide
-- the user's search_path, which tells two runs of one tool apart. So everything in them is written with its schema, and no
-- operator is used. A lone wreck of them, their helpers dropped, must not make DDL fail either.

CREATE OR REPLACE FUNCTION pggit_daemon.on_ddl_command_end() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    stack    pg_catalog.text;
    is_event pg_catalog.bool;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF pg_catalog.has_schema_privilege('pggit_daemon', 'USAGE') IS NOT TRUE
       OR pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pggit_daemon.capture_ddl(pg_catalog.text, pg_catalog.text, pg_catalog.text)'), 'EXECUTE') IS NOT TRUE THEN
        RAISE WARNING 'pggit-daemon could not record this %: its functions are incomplete', tg_tag
            USING HINT = 'Run pggit-daemon init as a superuser.';
        RETURN;
    END IF;
    is_event := pggit_daemon.capture_ddl(tg_tag, pg_catalog.current_setting('search_path'), stack);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.on_ddl_command_start() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF pg_catalog.has_schema_privilege('pggit_daemon', 'USAGE') IS NOT TRUE
       OR pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pggit_daemon.capture_members(pg_catalog.text, pg_catalog.text)'), 'EXECUTE') IS NOT TRUE THEN
        RAISE WARNING 'pggit-daemon could not record this %: its functions are incomplete', tg_tag
            USING HINT = 'Run pggit-daemon init as a superuser.';
        RETURN;
    END IF;
    PERFORM pggit_daemon.capture_members(tg_tag, pg_catalog.current_setting('search_path'));
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.on_sql_drop() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    stack    pg_catalog.text;
    is_event pg_catalog.bool;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF pg_catalog.has_schema_privilege('pggit_daemon', 'USAGE') IS NOT TRUE
       OR pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pggit_daemon.capture_drop(pg_catalog.text, pg_catalog.text, pg_catalog.text)'), 'EXECUTE') IS NOT TRUE THEN
        RAISE WARNING 'pggit-daemon could not record this %: its functions are incomplete', tg_tag
            USING HINT = 'Run pggit-daemon init as a superuser.';
        RETURN;
    END IF;
    is_event := pggit_daemon.capture_drop(tg_tag, pg_catalog.current_setting('search_path'), stack);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.on_table_rewrite() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    stack    pg_catalog.text;
    is_event pg_catalog.bool;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF pg_catalog.has_schema_privilege('pggit_daemon', 'USAGE') IS NOT TRUE
       OR pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pggit_daemon.capture_rewrite(pg_catalog.text, pg_catalog.text, pg_catalog.text)'), 'EXECUTE') IS NOT TRUE THEN
        RAISE WARNING 'pggit-daemon could not record this %: its functions are incomplete', tg_tag
            USING HINT = 'Run pggit-daemon init as a superuser.';
        RETURN;
    END IF;
    is_event := pggit_daemon.capture_rewrite(tg_tag, pg_catalog.current_setting('search_path'), stack);
END $$;

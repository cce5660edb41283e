-- The event triggers, last of all: what an installation does itself fires none of them.

-- Only what is missing is made, so that installing again changes nothing. ALWAYS: also where
-- session_replication_role = replica, as restores and replication set it.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES ('pggit_daemon_ddl', 'ddl_command_end', 'on_ddl_command_end', ''),
                              ('pggit_daemon_drop', 'sql_drop', 'on_sql_drop', ''),
                              ('pggit_daemon_rewrite', 'table_rewrite', 'on_table_rewrite', ''),
                              ('pggit_daemon_members', 'ddl_command_start', 'on_ddl_command_start',
                               $w$ WHEN TAG IN ('ALTER EXTENSION')$w$)) v (name, event, function, condition)
    LOOP
        IF EXISTS (SELECT FROM pg_catalog.pg_event_trigger e
                    WHERE e.evtname = wanted.name
                      AND (e.evtevent <> wanted.event OR (e.evttags IS NULL) <> (wanted.condition = '')
                           OR e.evtfoid <> to_regprocedure(format('pggit_daemon.%I()', wanted.function)))) THEN
            EXECUTE format('DROP EVENT TRIGGER %I', wanted.name);    -- somebody has put another one there
        END IF;
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e WHERE e.evtname = wanted.name) THEN
            EXECUTE format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION pggit_daemon.%I()',
                           wanted.name, wanted.event, wanted.condition, wanted.function);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e
                        WHERE e.evtname = wanted.name AND e.evtenabled = 'A') THEN
            EXECUTE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', wanted.name);
        END IF;
    END LOOP;
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_publication AS p WHERE p.pubname = 'pggit_daemon_keyed') THEN
        PERFORM pggit_daemon.make_publishing_triggers(true);
        PERFORM pggit_daemon.withdraw_unkeyed();
    END IF;
END $$;

-- Nobody but a superuser can make or alter an event trigger, so they belong to the one who made the cluster: who installs
-- may lose that right afterwards.
DO $$
DECLARE
    ours record;
BEGIN
    FOR ours IN
        SELECT e.evtname, r.rolname FROM pg_catalog.pg_event_trigger AS e
          JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
         CROSS JOIN pg_catalog.pg_roles AS r
         WHERE p.pronamespace = 'pggit_daemon'::regnamespace AND r.oid = 10 AND e.evtowner <> r.oid AND r.rolsuper
    LOOP
        EXECUTE format('ALTER EVENT TRIGGER %I OWNER TO %I', ours.evtname, ours.rolname);
    END LOOP;
END $$;

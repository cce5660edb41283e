-- The event triggers. Nothing in them may raise or wait in the user's transaction: every error is caught, every
-- wait for a lock ends after lock_timeout, and only a cancel of the user's own statement passes through.

-- The error by which reading ends on purpose: rolling its subtransaction back returns the locks on other tables
-- that functions like pg_get_viewdef took, which otherwise stayed until the end of the user's transaction.

CREATE OR REPLACE FUNCTION pggit_daemon.on_ddl_command_end() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms'
    SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    told    bigint;
    objects jsonb;
    writing boolean := false;
BEGIN
    BEGIN
        told := pggit_daemon.told_until();
        BEGIN
            objects := pggit_daemon.read_ddl(tg_tag, coalesce(told, -1), false);
            RAISE EXCEPTION SQLSTATE 'PGD00';
        EXCEPTION
            WHEN SQLSTATE 'PGD00' THEN NULL;
            WHEN OTHERS THEN
                BEGIN
                    objects := pggit_daemon.read_ddl(tg_tag, coalesce(told, -1), true);
                    RAISE EXCEPTION SQLSTATE 'PGD00';
                EXCEPTION WHEN SQLSTATE 'PGD00' THEN NULL;
                END;
        END;
        IF objects IS NOT NULL THEN
            writing := true;
            PERFORM pggit_daemon.record_event('ddl', tg_tag, objects, told IS NULL, true);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        PERFORM pggit_daemon.record_failure(tg_tag, SQLSTATE || ' ' || SQLERRM, NOT (writing AND SQLSTATE = '55P03'));
    END;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.on_sql_drop() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms'
    SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    objects jsonb;
    writing boolean := false;
BEGIN
    BEGIN
        BEGIN
            objects := pggit_daemon.read_dropped(false);
            RAISE EXCEPTION SQLSTATE 'PGD00';
        EXCEPTION
            WHEN SQLSTATE 'PGD00' THEN NULL;
            WHEN OTHERS THEN
                BEGIN
                    objects := pggit_daemon.read_dropped(true);
                    RAISE EXCEPTION SQLSTATE 'PGD00';
                EXCEPTION WHEN SQLSTATE 'PGD00' THEN NULL;
                END;
        END;
        IF objects IS NOT NULL THEN
            writing := true;
            -- Only where ddl_command_end has nothing to say about this statement everything is told with this.
            PERFORM pggit_daemon.record_event('drop', tg_tag, objects, pggit_daemon.told_until() IS NULL,
                tg_tag <> 'DROP OWNED' AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands()));
        END IF;
    EXCEPTION WHEN OTHERS THEN
        PERFORM pggit_daemon.record_failure(tg_tag, SQLSTATE || ' ' || SQLERRM, NOT (writing AND SQLSTATE = '55P03'));
    END;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.on_table_rewrite() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms'
    SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    relation oid := pg_event_trigger_table_rewrite_oid();
BEGIN
    BEGIN
        IF pggit_daemon.is_ours('pg_class'::regclass, relation) THEN
            PERFORM pggit_daemon.record_event('rewrite', tg_tag,
                jsonb_build_array(jsonb_build_object('op', 'rewrite', 'direct', true,
                    'classid', 'pg_class'::regclass::oid::bigint, 'objid', relation::bigint,
                    'identity', (pg_identify_object('pg_class'::regclass, relation, 0)).identity,
                    'reason', pg_event_trigger_table_rewrite_reason())),
                pggit_daemon.told_until() IS NULL, false);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        PERFORM pggit_daemon.record_failure(tg_tag, SQLSTATE || ' ' || SQLERRM, SQLSTATE <> '55P03');
    END;
END $$;

-- Only what is missing is made, so that installing again changes nothing. ALWAYS: also where
-- session_replication_role = replica, as restores and replication set it.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES ('pggit_daemon_ddl', 'ddl_command_end', 'on_ddl_command_end'),
                              ('pggit_daemon_drop', 'sql_drop', 'on_sql_drop'),
                              ('pggit_daemon_rewrite', 'table_rewrite', 'on_table_rewrite')) v (name, event, function)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e WHERE e.evtname = wanted.name) THEN
            EXECUTE format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION pggit_daemon.%I()',
                           wanted.name, wanted.event, wanted.function);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e
                        WHERE e.evtname = wanted.name AND e.evtenabled = 'A') THEN
            EXECUTE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', wanted.name);
        END IF;
    END LOOP;
END $$;

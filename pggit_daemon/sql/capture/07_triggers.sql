-- What the event triggers do (api/93_event_triggers.sql makes them). Nothing in them may raise or wait in the user's
-- transaction: every error is caught, every wait for a lock ends after lock_timeout, and only a cancel of the user's own
-- statement passes through (also his statement_timeout, when it ends while we read: the one way in which a capture can be
-- seen).

-- An extension may raise query_canceled, too, which no handler catches but one that names it.

-- The error by which reading ends on purpose (PGD00): rolling its subtransaction back returns the locks on other tables
-- that functions like pg_get_viewdef took, which otherwise stayed until the end of the user's transaction. None of these
-- subtransactions writes, so none of them takes a number.

-- Our own SQL must be read as it is written, whatever the session says of backslashes.
-- The planner settings suit one statement: plans that are kept, and index scans whatever the statistics say. The quick way
-- also needs what `describe` sets for itself.

CREATE OR REPLACE FUNCTION pggit_daemon.capture_ddl(tag text, path text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' SET row_security = off
    SET standard_conforming_strings = on SET exit_on_error = off
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET extra_float_digits = 3
    SET bytea_output = 'hex' SET lc_monetary = 'C' SET quote_all_identifiers = off AS $$
DECLARE
    captured   bigint;    -- the last command that earlier events of this transaction captured; NULL before its first event
    snapshot   text;      -- what this transaction saw of others before anything was read; kept with its first event
    objects    jsonb;
    e          record;
    quick      boolean := true;
    remembered boolean := true;
    failure    text;
BEGIN
    -- One block for all that may fail, as the end of each costs the more the more tables the transaction made.
    LOOP
        BEGIN
            IF current_setting('pggit_daemon.last_event', true) <> '' THEN
                captured := pggit_daemon.last_captured_cmin();
            END IF;
            -- What it dropped was captured at sql_drop.
            IF starts_with(tag, 'DROP ') AND tag <> 'DROP OWNED'
               AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands()) THEN
                RETURN;
            END IF;
            snapshot := CASE WHEN captured IS NULL THEN pg_current_snapshot()::text END;
            objects := pggit_daemon.without_large(CASE WHEN quick THEN pggit_daemon.read_flat(tag, coalesce(captured, -1)) END);
            IF objects IS NULL THEN
                objects := pggit_daemon.without_large(pggit_daemon.read_and_unlock(tag, coalesce(captured, -1)));
            END IF;
            IF objects IS NOT NULL THEN
                e := pggit_daemon.prepare_event(tag, objects, captured IS NULL, remembered, true);
            ELSIF tag = 'CREATE TABLE' THEN
                PERFORM pggit_daemon.remember_asked(path);
            END IF;
            EXIT;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            failure := SQLSTATE || ' ' || SQLERRM;
        END;
        IF quick AND objects IS NULL THEN
            quick := false;
        ELSIF failure LIKE '55000%' AND remembered THEN
            remembered := false;
        ELSE
            EXIT;
        END IF;
        failure := NULL;
    END LOOP;
    IF failure IS NOT NULL THEN
        PERFORM pggit_daemon.record_failure(tag, path, failure);
    ELSIF objects IS NOT NULL THEN
        PERFORM pggit_daemon.write_event('ddl', tag, objects, captured IS NULL, snapshot, path, NULL, e.told, e.event, e.sure,
                                         e.started, e.said, e.locks, e.sisters, e.used);
    END IF;
END $$;

-- What a statement left, in general. The locks on other tables that reading took are given back.
CREATE OR REPLACE FUNCTION pggit_daemon.read_and_unlock(tag text, since bigint) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    objects jsonb;
BEGIN
    BEGIN
        objects := pggit_daemon.read_ddl(tag, since, false);
        RAISE EXCEPTION SQLSTATE 'PGD00';
    EXCEPTION
        WHEN SQLSTATE 'PGD00' THEN NULL;
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            BEGIN
                objects := pggit_daemon.read_ddl(tag, since, true);
                RAISE EXCEPTION SQLSTATE 'PGD00';
            EXCEPTION WHEN SQLSTATE 'PGD00' THEN NULL;
            END;
    END;
    RETURN objects;
END $$;

-- What a statement dropped, in general. The locks on other tables that reading took are given back.
CREATE OR REPLACE FUNCTION pggit_daemon.read_dropped_and_unlock() RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    objects jsonb;
BEGIN
    BEGIN
        objects := pggit_daemon.read_dropped(false);
        RAISE EXCEPTION SQLSTATE 'PGD00';
    EXCEPTION
        WHEN SQLSTATE 'PGD00' THEN NULL;
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            BEGIN
                objects := pggit_daemon.read_dropped(true);
                RAISE EXCEPTION SQLSTATE 'PGD00';
            EXCEPTION WHEN SQLSTATE 'PGD00' THEN NULL;
            END;
    END;
    RETURN objects;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.capture_drop(tag text, path text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' SET row_security = off
    SET standard_conforming_strings = on SET exit_on_error = off
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    captured   bigint;  -- as in capture_ddl
    snapshot   text;    -- what this transaction saw of others before anything was read; kept with its first event
    last       boolean; -- ddl_command_end has nothing to say about this statement: this event holds everything
    objects    jsonb;
    gone       record;
    e          record;
    remembered boolean := true;
    failure    text;
BEGIN
    -- One block for all that may fail, as in `capture_ddl`.
    LOOP
        BEGIN
            IF current_setting('pggit_daemon.last_event', true) <> '' THEN
                captured := pggit_daemon.last_captured_cmin();
            END IF;
            snapshot := CASE WHEN captured IS NULL THEN pg_current_snapshot()::text END;
            gone := pggit_daemon.dropped_elements();
            objects := pggit_daemon.without_large(CASE WHEN gone.has_survivors THEN pggit_daemon.read_dropped_and_unlock()
                                                       ELSE gone.elements END);
            IF objects IS NOT NULL THEN
                last := tag <> 'DROP OWNED' AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands());
                e := pggit_daemon.prepare_event(tag, objects, captured IS NULL, remembered, last);
            END IF;
            EXIT;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            failure := SQLSTATE || ' ' || SQLERRM;
        END;
        EXIT WHEN NOT remembered OR failure NOT LIKE '55000%';
        remembered := false;
        failure := NULL;
    END LOOP;
    IF failure IS NOT NULL THEN
        PERFORM pggit_daemon.record_failure(tag, path, failure);
    ELSIF objects IS NOT NULL THEN
        PERFORM pggit_daemon.write_event('drop', tag, objects, captured IS NULL, snapshot, path, NULL, e.told, e.event, e.sure,
                                         e.started, e.said, e.locks, e.sisters, e.used);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.capture_rewrite(tag text, path text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' SET row_security = off
    SET standard_conforming_strings = on SET exit_on_error = off
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    relation oid := pg_event_trigger_table_rewrite_oid();
    captured bigint;    -- as in capture_ddl
    snapshot text;
    objects  jsonb;
    failure  text;
BEGIN
    BEGIN
        IF NOT pggit_daemon.is_ours('pg_class'::regclass, relation) THEN
            RETURN;
        END IF;
        IF current_setting('pggit_daemon.last_event', true) <> '' THEN
            captured := pggit_daemon.last_captured_cmin();
        END IF;
        snapshot := CASE WHEN captured IS NULL THEN pg_current_snapshot()::text END;
        objects := jsonb_build_array(jsonb_build_object('op', 'rewrite', 'direct', true,
                       'classid', 'pg_class'::regclass::oid::bigint, 'objid', relation::bigint,
                       'identity', (pg_identify_object('pg_class'::regclass, relation, 0)).identity,
                       'reason', pg_event_trigger_table_rewrite_reason()));
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
        failure := SQLSTATE || ' ' || SQLERRM;
    END;
    IF failure IS NOT NULL THEN
        PERFORM pggit_daemon.record_failure(tag, path, failure);
    ELSE
        PERFORM pggit_daemon.record_event('rewrite', tag, objects, captured IS NULL, false, snapshot, path);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.capture_members(tag text, path text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' SET row_security = off
    SET standard_conforming_strings = on SET exit_on_error = off AS $$
DECLARE
    failure text;
BEGIN
    BEGIN
        PERFORM pggit_daemon.remember_members();
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
        failure := SQLSTATE || ' ' || SQLERRM;
    END;
    IF failure IS NOT NULL THEN
        PERFORM pggit_daemon.record_failure(tag, path, failure);
    END IF;
END $$;

-- The functions of the triggers. They run as their owner, pggit_capture, but without a SET clause, as that would hide
-- the user's search_path, which tells two runs of one tool apart. So everything in them is written with its schema, and no
-- operator is used. A lone wreck of them, their helpers dropped, must not make DDL fail either.

CREATE OR REPLACE FUNCTION pggit_daemon.on_ddl_command_end() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF pg_catalog.has_schema_privilege('pggit_daemon', 'USAGE') IS NOT TRUE
       OR pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pggit_daemon.capture_ddl(pg_catalog.text, pg_catalog.text)'), 'EXECUTE') IS NOT TRUE THEN
        RAISE WARNING 'pggit-daemon could not record this %: its functions are incomplete', tg_tag
            USING HINT = 'Run pggit-daemon init as a superuser.';
        RETURN;
    END IF;
    PERFORM pggit_daemon.capture_ddl(tg_tag, pg_catalog.current_setting('search_path'));
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
BEGIN
    IF pg_catalog.has_schema_privilege('pggit_daemon', 'USAGE') IS NOT TRUE
       OR pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pggit_daemon.capture_drop(pg_catalog.text, pg_catalog.text)'), 'EXECUTE') IS NOT TRUE THEN
        RAISE WARNING 'pggit-daemon could not record this %: its functions are incomplete', tg_tag
            USING HINT = 'Run pggit-daemon init as a superuser.';
        RETURN;
    END IF;
    PERFORM pggit_daemon.capture_drop(tg_tag, pg_catalog.current_setting('search_path'));
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.on_table_rewrite() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF pg_catalog.has_schema_privilege('pggit_daemon', 'USAGE') IS NOT TRUE
       OR pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pggit_daemon.capture_rewrite(pg_catalog.text, pg_catalog.text)'), 'EXECUTE') IS NOT TRUE THEN
        RAISE WARNING 'pggit-daemon could not record this %: its functions are incomplete', tg_tag
            USING HINT = 'Run pggit-daemon init as a superuser.';
        RETURN;
    END IF;
    PERFORM pggit_daemon.capture_rewrite(tg_tag, pg_catalog.current_setting('search_path'));
END $$;

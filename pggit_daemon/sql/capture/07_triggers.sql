-- What the event triggers do (08_handlers.sql calls it, api/93_event_triggers.sql makes them). Nothing in them may raise or
-- wait in the user's transaction: every error is caught, every wait for a lock ends after lock_timeout, and only a cancel of
-- the user's own statement passes through (also his statement_timeout, when it ends while we read: the one way in which a
-- capture can be seen).

-- An extension may raise query_canceled, too, which no handler catches but one that names it.
-- The error by which reading ends on purpose (PGD00): rolling its subtransaction back returns the locks on other tables
-- that functions like pg_get_viewdef took, which otherwise stayed until the end of the user's transaction. None of these
-- subtransactions writes, so none of them takes a number.
-- Our own SQL must be read as it is written, whatever the session says of backslashes.
-- The planner settings suit one statement: plans that are kept, and index scans whatever the statistics say. The quick way
-- also needs what `describe` sets for itself.

-- What each costs a statement: a function called in PERFORM or a query of its own, twice what it does in an assignment; an
-- expression, its start in every transaction, and a look at its plan for each table or index that the session makes or changes.
-- So there are few of them here, also where more would read better.

-- These return whether the statement has become an event.

-- The statement's text, if no function runs it and it holds no secret. What stands on the stack below our own trigger is a
-- function of the user's, which ran this statement. `init` puts it where its word stands
-- (sql/expressions.py): a function of its own would cost each statement 8,000 instructions.
-- {said} = CASE WHEN strpos(stack, E'\n') = 0 AND strpos(pggit_daemon.tags_with_text(), concat(',', tag, ',')) > 0 THEN pggit_daemon.harmless_statement(tag) END

CREATE OR REPLACE FUNCTION pggit_daemon.capture_ddl(tag text, path text, stack text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' SET row_security = off
    SET standard_conforming_strings = on SET exit_on_error = off
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET extra_float_digits = 3
    SET bytea_output = 'hex' SET lc_monetary = 'C' SET quote_all_identifiers = off AS $$
DECLARE
    captured  bigint;     -- the last command that earlier events of this transaction captured; NULL before its first event
    snapshot  text;       -- what this transaction saw of others before anything was read; kept with its first event
    said      text;       -- the statement's text, if no function runs it and it holds no secret
    objects   text;       -- the elements, as JSON
    e         pggit_daemon.event_facts;
    slowly    boolean;    -- true: the quick way has failed
    forgotten boolean;    -- true: the session does not know its start
    failure   text;
BEGIN
    -- One block for all that may fail, as the end of each costs the more the more tables the transaction made.
    LOOP
        BEGIN
            IF current_setting('pggit_daemon.last_event', true) <> '' THEN
                captured := pggit_daemon.last_captured_cmin();
            END IF;
            IF starts_with(tag, 'DROP ') THEN    -- What it dropped was captured at sql_drop.
                IF tag <> 'DROP OWNED' AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands()) THEN
                    RETURN false;
                END IF;
            END IF;
            snapshot := CASE WHEN captured IS NULL THEN pg_current_snapshot()::text END;
            said := {said};
            objects := CASE WHEN slowly IS NULL THEN pggit_daemon.read_flat(tag, coalesce(captured, -1), said) END;
            IF objects IS NULL THEN
                objects := pggit_daemon.read_and_unlock(tag, coalesce(captured, -1))::text;
                IF objects IS NULL THEN
                    IF tag = 'CREATE TABLE' THEN
                        PERFORM pggit_daemon.remember_asked(path);
                    END IF;
                    RETURN false;
                END IF;
            END IF;
            IF octet_length(objects) > 1048576 THEN
                objects := pggit_daemon.without_large(objects::jsonb)::text;
            END IF;
            e := pggit_daemon.prepare_event(captured IS NULL, true, forgotten, stack);
            EXIT;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            failure := SQLSTATE || ' ' || SQLERRM;
        END;
        IF slowly IS NULL AND objects IS NULL THEN
            slowly := true;
        ELSIF forgotten IS NULL AND failure LIKE '55000%' THEN
            forgotten := true;
        ELSE
            RETURN pggit_daemon.record_failure(tag, path, failure, said);
        END IF;
    END LOOP;
    RETURN pggit_daemon.write_event('ddl', tag, said, objects, captured IS NULL, snapshot, path, NULL, e);
END $$;

-- What a statement left, in general. The locks on other tables that reading took are given back.
CREATE OR REPLACE FUNCTION pggit_daemon.read_and_unlock(tag text, since bigint) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    objects jsonb;
BEGIN
    BEGIN
        objects := pggit_daemon.read_ddl(tag, since, false);
        IF tag = ANY ('{CREATE TABLE,CREATE TABLE AS,SELECT INTO,ALTER TABLE,CREATE SCHEMA}')
           AND objects @? pggit_daemon.locking_history_path() THEN
            PERFORM pggit_daemon.look_for_locks();
        END IF;
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

CREATE OR REPLACE FUNCTION pggit_daemon.capture_drop(tag text, path text, stack text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' SET row_security = off
    SET standard_conforming_strings = on SET exit_on_error = off
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    captured  bigint;     -- as in capture_ddl
    snapshot  text;
    said      text;
    gone      record;
    objects   text;
    last      boolean;    -- ddl_command_end has nothing to say about this statement: this event holds everything
    e         pggit_daemon.event_facts;
    forgotten boolean;
    failure   text;
BEGIN
    -- One block for all that may fail, as in `capture_ddl`.
    LOOP
        BEGIN
            IF current_setting('pggit_daemon.last_event', true) <> '' THEN
                captured := pggit_daemon.last_captured_cmin();
            END IF;
            snapshot := CASE WHEN captured IS NULL THEN pg_current_snapshot()::text END;
            said := {said};
            gone := pggit_daemon.dropped_elements();
            objects := CASE WHEN gone.has_survivors THEN pggit_daemon.read_dropped_and_unlock() ELSE gone.elements END;
            IF objects IS NULL THEN
                RETURN false;
            END IF;
            IF octet_length(objects) > 1048576 THEN
                objects := pggit_daemon.without_large(objects::jsonb)::text;
            END IF;
            last := tag <> 'DROP OWNED' AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands());
            e := pggit_daemon.prepare_event(captured IS NULL, last, forgotten, stack);
            EXIT;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            failure := SQLSTATE || ' ' || SQLERRM;
        END;
        IF forgotten OR failure NOT LIKE '55000%' THEN
            RETURN pggit_daemon.record_failure(tag, path, failure, said);
        END IF;
        forgotten := true;
    END LOOP;
    RETURN pggit_daemon.write_event('drop', tag, said, objects, captured IS NULL, snapshot, path, NULL, e);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.capture_rewrite(tag text, path text, stack text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' SET row_security = off
    SET standard_conforming_strings = on SET exit_on_error = off
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    relation oid := pg_event_trigger_table_rewrite_oid();
    captured bigint;    -- as in capture_ddl
    snapshot text;
    said     text;
    objects  text;
    failure  text;
BEGIN
    BEGIN
        IF NOT pggit_daemon.is_ours('pg_class'::regclass, relation) THEN
            RETURN false;
        END IF;
        IF current_setting('pggit_daemon.last_event', true) <> '' THEN
            captured := pggit_daemon.last_captured_cmin();
        END IF;
        snapshot := CASE WHEN captured IS NULL THEN pg_current_snapshot()::text END;
        said := {said};
        objects := json_build_array(json_build_object('op', 'rewrite', 'direct', true,
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
        RETURN pggit_daemon.record_failure(tag, path, failure, said);
    END IF;
    RETURN pggit_daemon.record_event('rewrite', tag, objects, captured IS NULL, snapshot, path, stack, said, NULL);
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
        PERFORM pggit_daemon.record_failure(tag, path, failure, NULL);
    END IF;
END $$;

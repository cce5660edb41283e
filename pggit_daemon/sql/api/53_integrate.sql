-- integrate_flyway and integrate_liquibase: a trigger on the history table names the session that writes to it. It can
-- never make the tool's statement fail: whatever goes wrong in it is caught, and it waits for no lock.

CREATE OR REPLACE FUNCTION pggit_daemon.on_history_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5ms'
    SET exit_on_error = off AS $$
DECLARE
    request bigint;
    started timestamptz;
    table_  jsonb;
    sure    boolean;    -- the INSERT cannot fail
    why     text;
BEGIN
    -- As in the capture: all that may fail stands in a block that writes nothing.
    BEGIN
        -- A wait would count against the tool's own statement_timeout, so there is none.
        LOCK TABLE pggit_daemon.request IN ROW EXCLUSIVE MODE NOWAIT;
        request := nextval('pggit_daemon.request_id_seq');
        sure := pggit_daemon.shape_to_insert('pggit_daemon.request') = pggit_daemon.requests_as_made()
                AND current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable');
        IF sure THEN
            sure := NOT EXISTS (SELECT FROM pggit_daemon.request AS r WHERE r.id = request);
        END IF;
        started := pggit_daemon.backend_start();
        table_ := jsonb_build_object('schema', TG_TABLE_SCHEMA, 'table', TG_TABLE_NAME);
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
        why := SQLSTATE || ' ' || SQLERRM;
    END;
    IF why IS NULL AND sure THEN
        PERFORM set_config('lock_timeout', '0', true);   -- a new page is waited for, as in the capture
        INSERT INTO pggit_daemon.request (id, recorded_at, action, pid, backend_start, user_name, arguments)
        OVERRIDING SYSTEM VALUE
        VALUES (request, clock_timestamp(), 'session', pg_backend_pid(), started, session_user, table_);
    ELSIF why IS NULL THEN
        BEGIN
            PERFORM pggit_daemon.send_request('session', table_);
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            why := SQLSTATE || ' ' || SQLERRM;
        END;
    END IF;
    IF why IS NOT NULL THEN
        RAISE WARNING 'pggit-daemon could not note the session of this statement: %', why
            USING HINT = 'The statement itself is not affected.';
    END IF;
    RETURN NULL;
END $$;

-- The tables of a schema that are a tool's history tables, by their columns.
CREATE OR REPLACE FUNCTION pggit_daemon.history_tables(tool text, in_schema text) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid::regclass
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = in_schema AND c.relkind = 'r' AND c.relpersistence = 'p'
      AND (SELECT array_agg(a.attname::text) FROM pg_attribute AS a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
          @> ANY (SELECT t.columns FROM pggit_daemon.tool_shape AS t WHERE t.tool_name = tool)
$$;

-- Put our trigger on a history table, in place of the one of pgGit 0.2.x, which makes the tool's own insert fail.
CREATE OR REPLACE FUNCTION pggit_daemon.integrate_table(history regclass, tool text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken name;
BEGIN
    FOR broken IN
        SELECT t.tgname FROM pg_trigger AS t
        JOIN pg_proc AS p ON p.oid = t.tgfoid
        JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE t.tgrelid = history AND NOT t.tgisinternal
          AND (n.nspname = 'pggit' OR p.proname IN ('pggit_flyway_sync', 'pggit_liquibase_sync'))
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', broken, history);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = history AND t.tgname = 'pggit_daemon_session') THEN
        EXECUTE format('CREATE TRIGGER pggit_daemon_session AFTER INSERT OR UPDATE OR DELETE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION pggit_daemon.on_history_row()', history);
    END IF;
    -- UPDATE and DELETE of a table without a key could not be decoded.
    IF NOT (SELECT bool_and(t.keyed) FROM pggit_daemon.tool_shape AS t WHERE t.tool_name = tool)
       AND (SELECT c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS (
            SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
        FROM pg_class AS c WHERE c.oid = history) THEN
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', history);
    END IF;
END $$;

-- A history table that comes after its integration. The event trigger is there only while something is integrated.
CREATE OR REPLACE FUNCTION pggit_daemon.on_history_table() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5ms'
    SET exit_on_error = off AS $$
DECLARE
    asked record;
BEGIN
    BEGIN
        LOCK TABLE pggit_daemon.integration IN ACCESS SHARE MODE NOWAIT;
        FOR asked IN
            SELECT i.tool_name, h.history
            FROM pg_event_trigger_ddl_commands() AS c
            JOIN pggit_daemon.integration AS i ON i.schema_name = (
                SELECT n.nspname FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = c.objid)
            CROSS JOIN LATERAL pggit_daemon.history_tables(i.tool_name, i.schema_name) AS h (history)
            WHERE c.classid = 'pg_class'::regclass AND c.objsubid = 0 AND h.history = c.objid
        LOOP
            PERFORM pggit_daemon.integrate_table(asked.history, asked.tool_name);
        END LOOP;
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
        RAISE WARNING 'pggit-daemon could not integrate this table: % %', SQLSTATE, SQLERRM
            USING HINT = 'The statement itself is not affected; call pggit.integrate_flyway or pggit.integrate_liquibase again.';
    END;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.check_schema(schema_name text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF schema_name IS NULL OR schema_name = '' THEN
        RAISE EXCEPTION 'schema_name must not be empty' USING ERRCODE = '22004',
            HINT = 'Pass the schema that holds, or will hold, the tool''s history table.';
    ELSIF schema_name IN ('pggit', 'pggit_daemon', 'pg_catalog', 'information_schema') OR length(schema_name) > 63 THEN
        RAISE EXCEPTION 'no tool keeps its history in schema "%"', left(schema_name, 63) USING ERRCODE = '3F000',
            HINT = 'Pass the schema that holds, or will hold, the tool''s history table.';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.check_owner(history regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT has_table_privilege(pggit_daemon.caller(), history::oid, 'TRIGGER') THEN
        RAISE EXCEPTION 'role % may not make triggers on %', pggit_daemon.caller(), history USING ERRCODE = '42501',
            HINT = format('Call this as the table''s owner, or: GRANT TRIGGER ON %s TO %I;', history, pggit_daemon.caller());
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.integrate(tool text, in_schema text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    history regclass;
    tables  integer := 0;
BEGIN
    PERFORM pggit_daemon.check_schema(in_schema);
    FOR history IN SELECT pggit_daemon.history_tables(tool, in_schema) LOOP
        PERFORM pggit_daemon.check_owner(history);
        PERFORM pggit_daemon.integrate_table(history, tool);
        tables := tables + 1;
    END LOOP;
    INSERT INTO pggit_daemon.integration (tool_name, schema_name, asked_at)
    VALUES (tool, in_schema, clock_timestamp()) ON CONFLICT DO NOTHING;
    IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'pggit_daemon_integrate') THEN
        CREATE EVENT TRIGGER pggit_daemon_integrate ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
            EXECUTE FUNCTION pggit_daemon.on_history_table();
    END IF;
    IF tables = 0 THEN
        RAISE NOTICE 'schema % has no history table of % yet: it is integrated when it comes', in_schema, tool;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.remove_integration(tool_name text, schema_name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    history regclass;
BEGIN
    PERFORM pggit_daemon.check_schema(schema_name);
    DELETE FROM pggit_daemon.integration AS i
     WHERE i.tool_name = remove_integration.tool_name AND i.schema_name = remove_integration.schema_name;
    IF NOT FOUND THEN
        -- A table's name in quotes is taken for a text.
        history := coalesce(to_regclass(tool_name), to_regclass(quote_ident(schema_name) || '.' || quote_ident(tool_name)));
        IF history IS NOT NULL THEN
            PERFORM pggit_daemon.remove_integration(history);
            RETURN;
        END IF;
        RAISE EXCEPTION 'schema % is not integrated for %', schema_name, tool_name USING ERRCODE = '42704',
            HINT = 'pggit.integrate_flyway and pggit.integrate_liquibase say which tools there are.';
    END IF;
    FOR history IN SELECT pggit_daemon.history_tables(tool_name, schema_name) LOOP
        PERFORM pggit_daemon.check_owner(history);
        IF EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = history AND g.tgname = 'pggit_daemon_session') THEN
            EXECUTE format('DROP TRIGGER pggit_daemon_session ON %s', history);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pggit_daemon.integration)
       AND EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'pggit_daemon_integrate') THEN
        DROP EVENT TRIGGER pggit_daemon_integrate;
    END IF;
END $$;

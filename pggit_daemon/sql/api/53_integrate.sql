-- integrate_flyway and integrate_liquibase: a trigger on the history table names the session that writes a row. It can
-- never make the tool's statement fail: whatever goes wrong in it is caught, and it waits for no lock.

CREATE OR REPLACE FUNCTION pggit_daemon.on_history_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
BEGIN
    BEGIN
        PERFORM pggit_daemon.tell('session', jsonb_build_object('schema', TG_TABLE_SCHEMA, 'table', TG_TABLE_NAME));
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'pggit-daemon could not note the session of this row: % %', SQLSTATE, SQLERRM
            USING HINT = 'The statement itself is not affected.';
    END;
    RETURN NULL;
END $$;

-- The tables of a schema that are a tool's history tables, by their columns.
CREATE OR REPLACE FUNCTION pggit_daemon.history_tables(tool text, in_schema text) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid::regclass
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = in_schema AND c.relkind = 'r'
      AND (SELECT array_agg(a.attname::text) FROM pg_attribute AS a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
          @> CASE tool WHEN 'flyway' THEN '{installed_rank,version,description,type,script,checksum,success}'::text[]
                       ELSE '{id,author,filename,dateexecuted,orderexecuted,exectype,md5sum}'::text[] END
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
          AND (n.nspname = 'pggit' OR p.prosrc ~ 'pggit\.(begin|end|link)_migration')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', broken, history);
    END LOOP;
    EXECUTE format('CREATE OR REPLACE TRIGGER pggit_daemon_session AFTER INSERT OR UPDATE OR DELETE ON %s '
                   'FOR EACH ROW EXECUTE FUNCTION pggit_daemon.on_history_row()', history);
    IF (SELECT c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS (
            SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
        FROM pg_class AS c WHERE c.oid = history) THEN
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', history);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.integrate(tool text, in_schema text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    history regclass;
BEGIN
    IF in_schema IS NULL OR in_schema = '' THEN
        RAISE EXCEPTION 'schema_name must not be empty' USING ERRCODE = '22004',
            HINT = 'Pass the schema that holds the tool''s history table.';
    END IF;
    INSERT INTO pggit_daemon.integration (tool_name, schema_name, asked_at)
    VALUES (tool, in_schema, clock_timestamp()) ON CONFLICT DO NOTHING;
    FOR history IN SELECT pggit_daemon.history_tables(tool, in_schema) LOOP
        PERFORM pggit_daemon.integrate_table(history, tool);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pggit.integrate_flyway(schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pggit_daemon.integrate('flyway', schema_name) $$;

CREATE OR REPLACE FUNCTION pggit.integrate_liquibase(schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pggit_daemon.integrate('liquibase', schema_name) $$;

CREATE OR REPLACE FUNCTION pggit.remove_integration(tool_name text, schema_name text DEFAULT 'public') RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    history regclass;
BEGIN
    DELETE FROM pggit_daemon.integration AS i
     WHERE i.tool_name = remove_integration.tool_name AND i.schema_name = remove_integration.schema_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'schema % is not integrated for %', schema_name, tool_name USING ERRCODE = '42704',
            HINT = 'pggit.integrate_flyway and pggit.integrate_liquibase say which tools there are.';
    END IF;
    FOR history IN SELECT pggit_daemon.history_tables(tool_name, schema_name) LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS pggit_daemon_session ON %s', history);
    END LOOP;
END $$;

COMMENT ON FUNCTION pggit.integrate_flyway(text) IS
    'Have every row of Flyway''s history table in this schema name its session (evidence session). The table may be still to come.';
COMMENT ON FUNCTION pggit.integrate_liquibase(text) IS
    'Have every row of Liquibase''s history table in this schema name its session, and give the table REPLICA IDENTITY FULL. The table may be still to come.';
COMMENT ON FUNCTION pggit.remove_integration(text, text) IS 'Undo integrate_flyway or integrate_liquibase.';

-- A history table that is made after integrate_… was called for its schema gets its trigger in the transaction that makes
-- it. Whatever goes wrong here is caught: the tool's CREATE TABLE goes on.
CREATE OR REPLACE FUNCTION pggit_daemon.on_create_table() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
DECLARE
    made record;
BEGIN
    -- Reading a table of ours could fail a serializable transaction; such a one is integrated by hand.
    IF current_setting('transaction_isolation') = 'serializable'
       OR NOT EXISTS (SELECT FROM pggit_daemon.integration) THEN
        RETURN;
    END IF;
    FOR made IN
        SELECT c.objid, i.tool_name FROM pg_event_trigger_ddl_commands() AS c
        JOIN pggit_daemon.integration AS i ON i.schema_name = c.schema_name
        WHERE c.classid = 'pg_class'::regclass AND c.object_type = 'table'
          AND c.objid IN (SELECT pggit_daemon.history_tables(i.tool_name, i.schema_name))
    LOOP
        PERFORM pggit_daemon.integrate_table(made.objid::regclass, made.tool_name);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pggit-daemon could not integrate the new history table: % %', SQLSTATE, SQLERRM
        USING HINT = 'The statement itself is not affected; call pggit.integrate_flyway or pggit.integrate_liquibase again.';
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pggit_daemon_integrate') THEN
        CREATE EVENT TRIGGER pggit_daemon_integrate ON ddl_command_end
            WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION pggit_daemon.on_create_table();
        ALTER EVENT TRIGGER pggit_daemon_integrate ENABLE ALWAYS;
    END IF;
END $$;

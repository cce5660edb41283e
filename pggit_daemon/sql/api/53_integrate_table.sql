-- integrate(table) and remove_integration(table): for the history table of any tool what integrate_flyway does for
-- Flyway's. The trigger only names the session, of statements and of TRUNCATE; it cannot fail and waits for nobody.

-- Lock a history table to change its triggers. Whoever waits for such a lock has every later statement on the table wait
-- behind him, those of a tool too, so we do not wait for long.
CREATE OR REPLACE FUNCTION pggit_daemon.lock_history(history regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
BEGIN
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', history);
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION 'somebody is at work on %', history USING ERRCODE = '55P03',
        HINT = 'Call this again when no migration is running; a tool must not wait for it.';
END $$;

-- Without an identity UPDATE and DELETE could not be decoded. Each partition has one of its own.
CREATE OR REPLACE FUNCTION pggit_daemon.give_identities(history regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT bare FROM pggit_daemon.without_identity(history) AS bare LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', part);
    END LOOP;
END $$;

-- A partition that comes after the integration of its table. The event trigger is there only while such a table is
-- integrated; the triggers that name the session stand on the whole and need nothing.
CREATE OR REPLACE FUNCTION pggit_daemon.on_partition() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5ms'
    SET exit_on_error = off AS $$
DECLARE
    whole regclass;
BEGIN
    BEGIN
        FOR whole IN
            SELECT DISTINCT a.relid
              FROM pg_event_trigger_ddl_commands() AS d
             CROSS JOIN LATERAL pg_partition_ancestors(d.objid) AS a
              JOIN pg_trigger AS t ON t.tgrelid = a.relid AND t.tgname = 'pggit_daemon_session'
             WHERE d.classid = 'pg_class'::regclass
        LOOP
            PERFORM pggit_daemon.give_identities(whole);
        END LOOP;
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
        RAISE WARNING 'pggit-daemon could not give this partition a replica identity: % %', SQLSTATE, SQLERRM
            USING HINT = 'The statement itself is not affected; call pggit.integrate of the whole table again.';
    END;
END $$;

-- Whether a partitioned table is integrated.
CREATE OR REPLACE FUNCTION pggit_daemon.has_integrated_partitions() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
                    WHERE t.tgname = 'pggit_daemon_session' AND c.relkind = 'p')
$$;

CREATE OR REPLACE FUNCTION pggit_daemon.watch_partitions() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'pggit_daemon_partitions') THEN
        CREATE EVENT TRIGGER pggit_daemon_partitions ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
            EXECUTE FUNCTION pggit_daemon.on_partition();
        ALTER EVENT TRIGGER pggit_daemon_partitions ENABLE ALWAYS;
    END IF;
END $$;

-- An earlier version did not look after the partitions that come later.
SELECT pggit_daemon.watch_partitions() WHERE pggit_daemon.has_integrated_partitions();

CREATE OR REPLACE FUNCTION pggit_daemon.integrate(history regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    SELECT c.relkind, c.relpersistence, c.relname, n.nspname INTO t
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = history;
    IF history IS NULL THEN
        RAISE EXCEPTION 'history must not be null' USING ERRCODE = '22004',
            HINT = 'Pass the tool''s history table, as ''public.schema_version''.';
    ELSIF t.relkind NOT IN ('r', 'p') OR t.relpersistence <> 'p' THEN
        RAISE EXCEPTION '% is no table that a history can be read from', history USING ERRCODE = '42809',
            HINT = 'Pass an ordinary or partitioned table that is neither temporary nor unlogged.';
    END IF;
    PERFORM pggit_daemon.check_schema(t.nspname);
    PERFORM pggit_daemon.check_owner(history);
    PERFORM pggit_daemon.lock_history(history);
    PERFORM pggit_daemon.integrate_table(history, NULL);
    IF NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = history AND g.tgname = 'pggit_daemon_truncate') THEN
        EXECUTE format('CREATE TRIGGER pggit_daemon_truncate AFTER TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION pggit_daemon.on_history_row()', history);
    END IF;
    PERFORM pggit_daemon.give_identities(history);
    IF t.relkind = 'p' THEN
        PERFORM pggit_daemon.watch_partitions();
    END IF;
    IF NOT EXISTS (SELECT FROM pggit_daemon.source AS s
                    WHERE s.present AND s.schema_name = t.nspname AND s.table_name = t.relname) THEN
        RAISE NOTICE '% is no history table that the daemon knows so far', history
            USING HINT = 'pggit-daemon tools explain says why; pggit.remove_integration takes this back.';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.remove_integration(history regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ours name;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger AS g
                    WHERE g.tgrelid = history AND g.tgname IN ('pggit_daemon_session', 'pggit_daemon_truncate')) THEN
        RAISE EXCEPTION '% is not integrated', coalesce(history::text, 'no table') USING ERRCODE = '42704',
            HINT = 'pggit.integrate(table) integrates one.';
    END IF;
    PERFORM pggit_daemon.check_owner(history);
    PERFORM pggit_daemon.lock_history(history);
    -- Those that are there: IF EXISTS would tell the caller of the others.
    FOR ours IN SELECT g.tgname FROM pg_trigger AS g
                 WHERE g.tgrelid = history AND g.tgname IN ('pggit_daemon_session', 'pggit_daemon_truncate') LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', ours, history);
    END LOOP;
    IF NOT pggit_daemon.has_integrated_partitions()
       AND EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'pggit_daemon_partitions') THEN
        DROP EVENT TRIGGER pggit_daemon_partitions;
    END IF;
END $$;

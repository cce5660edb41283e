-- integrate(table) and remove_integration(table): for the history table of any tool what integrate_flyway does for
-- Flyway's. The trigger only names the session, of statements and of TRUNCATE; it cannot fail and waits for nobody.

CREATE OR REPLACE FUNCTION pggit_daemon.integrate(history regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    SELECT c.relkind, c.relpersistence, c.relreplident, n.nspname,
           EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary) AS keyed
      INTO t FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = history;
    IF history IS NULL THEN
        RAISE EXCEPTION 'history must not be null' USING ERRCODE = '22004',
            HINT = 'Pass the tool''s history table, as ''public.schema_version''.';
    ELSIF t.relkind NOT IN ('r', 'p') OR t.relpersistence <> 'p' THEN
        RAISE EXCEPTION '% is no table that a history can be read from', history USING ERRCODE = '42809',
            HINT = 'Pass an ordinary or partitioned table that is neither temporary nor unlogged.';
    END IF;
    PERFORM pggit_daemon.check_schema(t.nspname);
    PERFORM pggit_daemon.check_owner(history);
    PERFORM pggit_daemon.integrate_table(history, NULL);
    IF NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = history AND g.tgname = 'pggit_daemon_truncate') THEN
        EXECUTE format('CREATE TRIGGER pggit_daemon_truncate AFTER TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION pggit_daemon.on_history_row()', history);
    END IF;
    -- Without a key UPDATE and DELETE could not be decoded.
    IF NOT t.keyed AND t.relreplident IN ('d', 'n') THEN
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', history);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.remove_integration(history regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger AS g
                    WHERE g.tgrelid = history AND g.tgname IN ('pggit_daemon_session', 'pggit_daemon_truncate')) THEN
        RAISE EXCEPTION '% is not integrated', coalesce(history::text, 'no table') USING ERRCODE = '42704',
            HINT = 'pggit.integrate(table) integrates one.';
    END IF;
    PERFORM pggit_daemon.check_owner(history);
    EXECUTE format('DROP TRIGGER IF EXISTS pggit_daemon_session ON %s', history);
    EXECUTE format('DROP TRIGGER IF EXISTS pggit_daemon_truncate ON %s', history);
END $$;

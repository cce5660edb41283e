-- What must wait until a row of external_migrations can be seen or changed. Users insert into that table; a row of theirs
-- is decoded before it is visible, for as long as a synchronous standby lets it wait, and one that is not committed yet
-- holds its key. The store waits for neither: the operation is parked, and with it what follows for that migration.

-- Whether a transaction that was decoded can be seen. 32-bit numbers, as the plugin gives them; 0 or NULL: there is none.
CREATE OR REPLACE FUNCTION pggit_daemon.is_visible(of_xid bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now pg_snapshot := pg_current_snapshot();
BEGIN
    RETURN coalesce(of_xid, 0) = 0 OR NOT (
        (of_xid - pg_snapshot_xmax(now)::text::bigint) & 4294967295 < 2147483648
        OR EXISTS (SELECT FROM pg_snapshot_xip(now) AS running (xid) WHERE running.xid::text::bigint & 4294967295 = of_xid));
END $$;

-- Do an operation on a migration; false where its row cannot be seen or is held by somebody.
CREATE OR REPLACE FUNCTION pggit_daemon.try_on_migration(operation text, p jsonb) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms' AS $$
BEGIN
    CASE operation
        WHEN 'put_migration' THEN PERFORM pggit_daemon.store_put_migration(p);
        WHEN 'link_known' THEN PERFORM pggit_daemon.store_link_known(p);
        WHEN 'amend_migration' THEN PERFORM pggit_daemon.store_amend_migration(p);
        WHEN 'amend_any' THEN PERFORM pggit_daemon.store_amend_any(p);
    END CASE;
    RETURN true;
EXCEPTION WHEN lock_not_available OR SQLSTATE 'PGD03' THEN
    RETURN false;
END $$;

-- The same, parked where it cannot be done, or something of that migration is parked already (`after_others`). Returns
-- whether anything is parked then.
CREATE OR REPLACE FUNCTION pggit_daemon.store_on_migration(operation text, p jsonb, after_others boolean) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (after_others AND EXISTS (SELECT FROM pggit_daemon.parked AS o
                                     WHERE o.tool_name = p ->> 'tool' AND o.migration_id = (p ->> 'migration_id')::bigint))
       AND pggit_daemon.try_on_migration(operation, p) THEN
        RETURN after_others;
    END IF;
    INSERT INTO pggit_daemon.parked (tool_name, migration_id, operation, parameters)
    VALUES (p ->> 'tool', (p ->> 'migration_id')::bigint, operation, p);
    RETURN true;
END $$;

-- Try again what is parked, but for what was tried a moment ago; whether anything still is.
CREATE OR REPLACE FUNCTION pggit_daemon.store_parked() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one  pggit_daemon.parked;
    held text[] := '{}';
    own  text;
BEGIN
    FOR one IN SELECT * FROM pggit_daemon.parked AS o ORDER BY o.id LOOP
        own := one.migration_id || ' ' || one.tool_name;
        CONTINUE WHEN own = ANY (held);
        IF one.tried_at < clock_timestamp() - interval '100 ms'
           AND pggit_daemon.try_on_migration(one.operation, one.parameters) THEN
            DELETE FROM pggit_daemon.parked AS o WHERE o.id = one.id;
        ELSE
            held := held || own;
            UPDATE pggit_daemon.parked AS o SET tried_at = clock_timestamp()
            WHERE o.id = one.id AND o.tried_at < clock_timestamp() - interval '100 ms';
        END IF;
    END LOOP;
    RETURN held <> '{}';
END $$;

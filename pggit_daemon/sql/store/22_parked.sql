-- What must wait until a row of external_migrations can be seen or changed. Users insert into that table; a row of theirs
-- is decoded before it is visible, for as long as a synchronous standby lets it wait, and one that is not committed yet
-- holds its key. The store waits for neither: the operation is parked, and with it what follows for that migration.

-- Whether a transaction that was decoded can be seen. 32-bit numbers, as the plugin gives them; 0 or NULL: there is none.
CREATE OR REPLACE FUNCTION pggit_daemon.is_visible(of_xid bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    now pg_snapshot := pg_current_snapshot();
BEGIN
    RETURN coalesce(of_xid, 0) = 0 OR NOT (
        (of_xid - pg_snapshot_xmax(now)::text::bigint) & 4294967295 < 2147483648
        OR EXISTS (SELECT FROM pg_snapshot_xip(now) AS running (xid) WHERE running.xid::text::bigint & 4294967295 = of_xid));
END $$;

-- Do an operation on a migration. Returns NULL where it is done, otherwise why it is not: its row is `unseen`, or `held` by
-- somebody's transaction.
CREATE OR REPLACE FUNCTION pggit_daemon.try_on_migration(operation text, p jsonb) RETURNS text
    LANGUAGE plpgsql SET lock_timeout = '10ms' AS $$
DECLARE
    done text;      -- what void is as text
BEGIN
    CASE operation
        WHEN 'put_migration' THEN done := pggit_daemon.store_put_migration(p);
        WHEN 'link_known' THEN done := pggit_daemon.store_link_known(p);
        WHEN 'link_row' THEN done := pggit_daemon.store_link_row(p);
        WHEN 'amend_migration' THEN done := pggit_daemon.store_amend_migration(p);
        WHEN 'amend_any' THEN done := pggit_daemon.store_amend_any(p);
    END CASE;
    RETURN NULL;
EXCEPTION
    WHEN lock_not_available THEN RETURN 'held';
    WHEN SQLSTATE 'PGD03' THEN RETURN 'unseen';
END $$;

-- The same, parked where it cannot be done, or something of that migration is parked already (`after_others`). Returns
-- whether anything is parked then.
CREATE OR REPLACE FUNCTION pggit_daemon.store_on_migration(operation text, p jsonb, after_others boolean) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    why text;
BEGIN
    IF after_others THEN
        SELECT o.why INTO why FROM pggit_daemon.parked AS o
        WHERE o.tool_name = p ->> 'tool' AND o.migration_id = (p ->> 'migration_id')::bigint LIMIT 1;
    END IF;
    IF why IS NULL THEN
        why := pggit_daemon.try_on_migration(operation, p);
        -- As a rule a commit is visible a moment after it can be decoded.
        FOR attempt IN 1..5 LOOP
            EXIT WHEN why IS DISTINCT FROM 'unseen';
            PERFORM pg_sleep(0.002);
            why := pggit_daemon.try_on_migration(operation, p);
        END LOOP;
    END IF;
    IF why IS NULL THEN
        RETURN after_others;
    END IF;
    INSERT INTO pggit_daemon.parked (tool_name, migration_id, operation, parameters, why)
    VALUES (p ->> 'tool', (p ->> 'migration_id')::bigint, operation, p, why);
    RETURN true;
END $$;

-- Try again what is parked, but for what somebody held a moment ago; whether anything still is.
CREATE OR REPLACE FUNCTION pggit_daemon.store_parked() RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    one     pggit_daemon.parked;
    waiting text[] := '{}';
    own     text;
    now_why text;
BEGIN
    FOR one IN SELECT * FROM pggit_daemon.parked AS o ORDER BY o.id LOOP
        own := one.migration_id || ' ' || one.tool_name;
        CONTINUE WHEN own = ANY (waiting);
        IF one.why = 'held' AND one.tried_at > clock_timestamp() - interval '100 ms' THEN
            waiting := waiting || own;
            CONTINUE;
        END IF;
        now_why := pggit_daemon.try_on_migration(one.operation, one.parameters);
        IF now_why IS NULL THEN
            DELETE FROM pggit_daemon.parked AS o WHERE o.id = one.id;
        ELSE
            waiting := waiting || own;
            UPDATE pggit_daemon.parked AS o SET tried_at = clock_timestamp(), why = now_why
            WHERE o.id = one.id AND (now_why = 'held' OR o.why <> now_why);
        END IF;
    END LOOP;
    RETURN waiting <> '{}';
END $$;

-- Whether something that this snapshot shows as committed is parked all the same: a moment later it is not.
CREATE OR REPLACE FUNCTION pggit_daemon.is_behind() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pggit_daemon.parked AS o
                   WHERE o.why = 'unseen' AND pggit_daemon.is_visible((o.parameters ->> 'xid')::bigint))
$$;

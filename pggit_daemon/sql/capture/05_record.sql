-- Writing one row of the outbox: who, and what.

-- The text that the client sent, cut to 8192 bytes; NULL when it can carry a secret. It is the whole string, with
-- all of its statements, so the tag alone does not tell.
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_query(tag text) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most  constant integer := 8192;
    sent text := left(current_query(), most);
BEGIN
    WHILE octet_length(sent) > most LOOP
        sent := left(sent, (char_length(sent)::bigint * most / octet_length(sent))::integer);
    END LOOP;
    IF tag ~ 'SUBSCRIPTION|USER MAPPING|SERVER|FOREIGN DATA WRAPPER|ROLE'
       OR sent COLLATE "C" ~* 'passw|user\s+mapping|subscription|connection|foreign\s+data\s+wrapper|(create|alter)\s+server' THEN
        RETURN NULL;
    END IF;
    RETURN sent;
END $$;

-- Write the row. `first`: it is the transaction's first event, which also tells the locks of tools and the
-- user's search_path (`path`). `told`: later events of this transaction need not look at what was written before.
CREATE OR REPLACE FUNCTION pggit_daemon.record_event(
    kind text, tag text, objects jsonb, first boolean, told boolean, path text, failure text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    event bigint;
BEGIN
    INSERT INTO pggit_daemon.ddl_event (recorded_at, kind, command_tag, query, pid, backend_start, application_name,
                                        session_user_name, current_user_name, client_addr, locks, search_path,
                                        sisters, snapshot, objects, failure)
    VALUES (clock_timestamp(), kind, tag, pggit_daemon.harmless_query(tag), pg_backend_pid(),
            (SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) a),
            current_setting('application_name'), session_user,
            -- Inside SECURITY DEFINER, current_user is the definer: the role in force is what SET ROLE left.
            coalesce(nullif(current_setting('role'), 'none'), session_user),
            inet_client_addr(), CASE WHEN first THEN pggit_daemon.tool_locks() END, CASE WHEN first THEN path END,
            CASE WHEN first THEN pggit_daemon.sister_sessions() END,
            CASE WHEN first THEN nullif(current_setting('pggit_daemon.snapshot', true), '') END, objects, failure)
    RETURNING id INTO event;
    IF told AND NOT pggit_daemon.within_event_trigger() THEN
        PERFORM set_config('pggit_daemon.last_event', event::text, true);
    END IF;
END $$;

-- After a failed capture: say so in the outbox if that is possible, and to the client in any case.
CREATE OR REPLACE FUNCTION pggit_daemon.record_failure(tag text, path text, failure text, may_write boolean)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF may_write THEN
        BEGIN
            PERFORM pggit_daemon.record_event('capture_failed', tag, '[]', true, false, path, failure);
        EXCEPTION WHEN OTHERS THEN
            NULL;    -- the outbox itself is the trouble; the warning below is all that is left
        END;
    END IF;
    RAISE WARNING 'pggit-daemon could not record this %: %', tag, failure
        USING HINT = 'The statement itself is not affected.';
END $$;

-- wait_for_sync: wait until the daemon has handled all that was committed before the call.

-- Under this prefix our messages go to the daemon; the plugin leaves all others out. Who may not read the secret is
-- refused.
CREATE OR REPLACE FUNCTION pggit_daemon.message_prefix() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'pggit_daemon.' || left(encode(sha256(convert_to('prefix ' || s.key, 'UTF8')), 'hex'), 32) FROM pggit_daemon.secret AS s
$$;

-- Ask the daemon for its position at once instead of at its own interval. 'verify': it also looks whether a comparison is
-- requested. `with_commit`: the message is part of the transaction, and goes to disk with it.
CREATE OR REPLACE FUNCTION pggit_daemon.ping(what text DEFAULT '', with_commit boolean DEFAULT false) RETURNS pg_lsn
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_logical_emit_message(with_commit, pggit_daemon.message_prefix(), what)
$$;

CREATE OR REPLACE FUNCTION pggit.wait_for_sync(timeout interval DEFAULT '10 s') RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    called  timestamptz := clock_timestamp();
    until   timestamptz := called + timeout;
    -- Within this time the server writes out what was committed without waiting (synchronous_commit = off).
    settled timestamptz := called + 3 * current_setting('wal_writer_delay')::interval;
    slot    name;
    written pg_lsn;     -- all that was committed before the call ends before this
    flushed pg_lsn;     -- what is not on disk, no daemon can see
    before  pg_lsn;
    moves   integer := 0;
    woken   boolean := false;
    target  pg_lsn;
BEGIN
    IF timeout IS NULL OR timeout < interval '0' THEN
        RAISE EXCEPTION 'timeout must be a time of 0 or more'
            USING ERRCODE = CASE WHEN timeout IS NULL THEN '22004' ELSE '22023' END, HINT = 'Pass an interval as ''10 s''.';
    END IF;
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a standby cannot be waited for' USING ERRCODE = '55000', HINT = 'Ask the primary server.';
    END IF;
    written := pg_current_wal_insert_lsn();
    flushed := pg_current_wal_flush_lsn();
    LOOP
        IF flushed >= written THEN
            target := written;
        ELSIF target IS NULL AND clock_timestamp() >= settled THEN
            -- What is not on disk by now is no commit: nobody waits for it.
            target := flushed;
        END IF;
        -- A daemon that only comes up now makes its slot first.
        slot := coalesce(slot, (SELECT p.slot_name FROM pggit_daemon.progress AS p));
        IF EXISTS (SELECT FROM pg_replication_slots AS s WHERE s.slot_name = slot AND s.confirmed_flush_lsn >= target)
           -- A snapshot of the caller's own shows what was parked then, and will not show that it is done.
           AND (current_setting('transaction_isolation') <> 'read committed' OR NOT pggit_daemon.is_behind()) THEN
            RETURN true;
        END IF;
        IF clock_timestamp() >= until THEN
            RETURN false;
        END IF;
        -- Have the daemon confirm at once. Before version 17 it goes to disk with somebody else's commit only: where nobody commits (the disk does
        -- not move on again and again) it would just be in the way of the next call.
        IF NOT woken AND current_setting('server_version_num')::integer >= 170000 THEN
            EXECUTE 'SELECT pg_logical_emit_message(false, pggit_daemon.message_prefix(), '''', flush => true)';
            woken := true;
        ELSIF NOT woken AND moves > 1 THEN
            PERFORM pggit_daemon.ping();
            woken := true;
        END IF;
        PERFORM pg_sleep(least(0.005, greatest(extract(epoch FROM until - clock_timestamp()), 0)));
        before := flushed;
        flushed := pg_current_wal_flush_lsn();
        moves := moves + (flushed > before)::integer;
    END LOOP;
END $$;

COMMENT ON FUNCTION pggit.wait_for_sync(interval) IS
    'Wait until the daemon has handled everything that was committed before the call: true then, false at the timeout.';

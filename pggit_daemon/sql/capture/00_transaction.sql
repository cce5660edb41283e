-- What this transaction has written, and how much of it earlier events have already captured.

-- Whether a row that this snapshot sees was written by this very transaction or one of its subtransactions.
-- A visible row is either committed or our own, and what is in progress is our own.
CREATE OR REPLACE FUNCTION pggit_daemon.is_own_xid(row_xmin xid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    top   bigint := pg_current_xact_id_if_assigned()::text::bigint;
    ahead bigint := (row_xmin::text::bigint - top) & 4294967295;   -- of our own number, modulo 2^32
    next  bigint;
BEGIN
    IF ahead IS NULL OR ahead >= 2147483648 THEN
        RETURN false;
    ELSIF ahead = 0 THEN
        RETURN true;
    END IF;
    next := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    IF top + ahead < next THEN
        RETURN pg_xact_status((top + ahead)::text::xid8) = 'in progress';
    END IF;
    -- Nobody else's can be visible from there on. Much further ahead is only the number of a row that was
    -- frozen two billion transactions ago, and asking for its status would be an error.
    RETURN top + ahead < next + 1000000;
END $$;

-- The command number at this transaction's newest event: no event has captured what it wrote later.
-- NULL before its first event. The setting is only a hint to the row (any role could set it); the row, which
-- nobody else can write, is the proof. After ROLLBACK TO SAVEPOINT the setting is back with the rows.
CREATE OR REPLACE FUNCTION pggit_daemon.last_captured_cmin() RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hint  text := current_setting('pggit_daemon.last_event', true);
    until bigint;
BEGIN
    IF hint IS NULL OR hint !~ '^[0-9]{1,18}$' THEN
        RETURN NULL;
    END IF;
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        -- Reading here could make the user's transaction fail to serialize: count from its beginning instead.
        RETURN -1;
    END IF;
    SELECT e.cmin::text::bigint INTO until FROM pggit_daemon.ddl_event e
     WHERE e.id = hint::bigint AND pggit_daemon.is_own_xid(e.xmin);
    RETURN until;
END $$;

-- Whether this statement was run by an event trigger of the user, while another statement is under way. That one wrote
-- before this one and is captured after it, so this one's event must not count as having captured everything until here.
-- The names of the functions on the stack say so, in whatever language; in doubt true, which costs time and no more.
CREATE OR REPLACE FUNCTION pggit_daemon.within_event_trigger() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stack text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_event_trigger e WHERE NOT starts_with(e.evtname, 'pggit_daemon_')) THEN
        RETURN false;
    END IF;
    GET DIAGNOSTICS stack = PG_CONTEXT;
    RETURN EXISTS (SELECT FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
                    WHERE NOT starts_with(e.evtname, 'pggit_daemon_') AND strpos(stack, p.proname) > 0);
END $$;

-- When this session began. It asks once, as the server's answer grows with all sessions, and remembers it where no user
-- can write: the setting is only a hint that there is something to remember (`prepare_event` reads both). After DISCARD
-- SEQUENCES there is not, which is an error (55000); the caller comes again without `remembered`.
CREATE OR REPLACE FUNCTION pggit_daemon.session_start() RETURNS timestamptz
    LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz := pggit_daemon.backend_start();
BEGIN
    PERFORM setval('pggit_daemon.session_start', (extract(epoch FROM started) * 1000000)::bigint),
            set_config('pggit_daemon.session', pg_backend_pid()::text, false);
    RETURN started;
END $$;

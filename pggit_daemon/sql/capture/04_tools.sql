-- What the session of a statement shows of migration tools: the advisory locks that are held, and the sessions that look like it.
-- What to look for stands in three tables that the daemon fills.

-- The advisory locks that this session holds, whatever they are (a tool often holds its own on the very connection that
-- runs its scripts), those locks of tools that other sessions of this database hold, and tables that another session has
-- locked and that are named as tools name theirs (`table`). `since`: when the holder's transaction began, if it has one.
CREATE OR REPLACE FUNCTION pggit_daemon.tool_locks() RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lock_tables oid[];
    is_any      boolean;
BEGIN
    -- A dump holds a lock on every table there is: of those nothing is asked but what the row itself says.
    SELECT array_agg(l.relation) FILTER (WHERE l.locktype = 'relation'), count(*) > 0 INTO lock_tables, is_any
      FROM pg_lock_status() l
     WHERE l.locktype = 'advisory'
       AND (l.pid = pg_backend_pid()
            OR EXISTS (SELECT FROM pggit_daemon.tool_lock t
                        WHERE t.classid = l.classid AND (t.objid = 0 OR t.objid = l.objid)))
        -- The ends of names that presets have for such tables.
        OR l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
       AND EXISTS (SELECT FROM pg_class c WHERE c.oid = l.relation AND c.relkind = 'r' AND c.relname ~ ANY ('{locked_tables}'));
    IF NOT is_any THEN
        RETURN '[]';
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'classid', coalesce(l.classid, 'pg_class'::regclass)::bigint,
                       'objid', coalesce(l.objid, l.relation)::bigint, 'objsubid', coalesce(l.objsubid, 0), 'pid', l.pid,
                       'backend_start', a.backend_start, 'user', pg_get_userbyid(a.usesysid),
                       'application_name', a.application_name, 'client_addr', host(a.client_addr), 'own', l.pid = pg_backend_pid())
                       || CASE WHEN l.pid = pg_backend_pid() THEN '{}' ELSE jsonb_build_object('since', a.xact_start) END
                       || CASE WHEN c.oid IS NULL THEN '{}' ELSE jsonb_build_object('table', jsonb_build_array(n.nspname, c.relname)) END
                   ORDER BY l.classid, l.objid, l.objsubid, l.pid), '[]')
              FROM pg_lock_status() l
              LEFT JOIN LATERAL pg_stat_get_activity(l.pid) a ON true
              LEFT JOIN pg_class c ON c.oid = l.relation AND l.locktype = 'relation'
              LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE l.granted AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
               AND (l.locktype = 'advisory'
                    AND (l.pid = pg_backend_pid()
                         OR EXISTS (SELECT FROM pggit_daemon.tool_lock t
                                     WHERE t.classid = l.classid AND (t.objid = 0 OR t.objid = l.objid)
                                       AND t.objsubid = l.objsubid))
                    OR l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
                       AND l.relation = ANY (lock_tables)));
END $$;

-- The default names of the history tables of tools that hold an advisory lock. The list in braces is filled in from the presets
-- by who installs (`sql/from_presets.py`), here as in all files of this folder.
CREATE OR REPLACE FUNCTION pggit_daemon.locking_histories() RETURNS name[]
    LANGUAGE sql IMMUTABLE AS $$
    SELECT '{locking_histories}'::name[]
$$;

-- Columns that only such a tool's history table has, whatever a team calls the table.
CREATE OR REPLACE FUNCTION pggit_daemon.locking_columns() RETURNS name[]
    LANGUAGE sql IMMUTABLE AS $$
    SELECT '{locking_columns}'::name[]
$$;

-- How an event's objects show such a table. Immutable, so that a plan has it ready.
CREATE OR REPLACE FUNCTION pggit_daemon.locking_history_path() RETURNS jsonpath
    LANGUAGE sql IMMUTABLE SET standard_conforming_strings = on AS $$
    SELECT ('$[*] ? (@.type == "table" && (@.identity like_regex "\\.('
            || array_to_string(pggit_daemon.locking_histories(), '|') || ')$" || @.definition like_regex "[ (]('
            || array_to_string(pggit_daemon.locking_columns(), '|') || ') "))')::jsonpath
$$;

-- Whether a table is named as the history of a tool that holds advisory locks, or has such a column.
CREATE OR REPLACE FUNCTION pggit_daemon.is_locking_history(relation oid) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation AND c.relname = ANY (pggit_daemon.locking_histories()))
        OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = ANY (pggit_daemon.locking_columns()));
END $$;

-- From now on advisory locks are recorded: a statement made a table that looks like the history of a tool that holds them. The
-- daemon knows the tables that it follows (`store_put_tools`), but this one only later, when the tool has gone on.
CREATE OR REPLACE FUNCTION pggit_daemon.look_for_locks() RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(pg_sequence_last_value('pggit_daemon.tool_watch'), 0) < 2 THEN
        PERFORM setval('pggit_daemon.tool_watch', 2);
    END IF;
END $$;

-- The other sessions with the same user, program and address, if a tool's sessions look so, or another session holds a
-- tool's lock: a tool may run its callbacks on a connection of their own, which is recognized by its siblings; and a program
-- that a tool starts for each script, by having none. The youngest 16 (MOST_SIBLINGS in the daemon, which knows
-- that there may be more then); NULL for everybody else.
CREATE OR REPLACE FUNCTION pggit_daemon.sibling_sessions(locks jsonb) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mine record;
BEGIN
    IF NOT EXISTS (SELECT FROM pggit_daemon.tool_application t WHERE t.name = current_setting('application_name'))
       AND NOT locks @? '$[*] ? (@.own == false)' THEN
        RETURN NULL;
    END IF;
    SELECT a.datid, a.usesysid, a.application_name, a.client_addr INTO mine
      FROM pg_stat_get_activity(pg_backend_pid()) a;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('pid', s.pid, 'backend_start', s.backend_start)), '[]')
              FROM (SELECT a.pid, a.backend_start FROM pg_stat_get_activity(NULL) a
                     WHERE a.datid = mine.datid AND a.usesysid = mine.usesysid AND a.pid <> pg_backend_pid()
                       AND a.application_name = mine.application_name
                       AND a.client_addr IS NOT DISTINCT FROM mine.client_addr
                     ORDER BY a.backend_start DESC LIMIT 16) s);
END $$;

-- Remember that this session asked for a followed history table by CREATE TABLE IF NOT EXISTS, which did nothing as it was
-- there: many tools begin so, on the connection that runs their scripts, and nobody else does. `path`: the user's search_path.
-- Only the client's own string counts, and it must begin so.
CREATE OR REPLACE FUNCTION pggit_daemon.remember_asked(path text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named  text[];
    wanted text;
    asked  oid;
BEGIN
    IF coalesce(pg_sequence_last_value('pggit_daemon.tool_watch'), 0) = 0 THEN
        RETURN;
    END IF;
    named := regexp_match(left(current_query(), 1000),
                          '^\s*create\s+table\s+if\s+not\s+exists\s+(?:("[^"]+"|\w+)\s*\.\s*)?("[^"]+"|\w+)[\s(]', 'i');
    IF named IS NULL THEN
        RETURN;     -- a temporary table, as a rule, of which some make thousands
    END IF;
    -- The first of its entries that is there: where the table would have been made.
    wanted := coalesce(pggit_daemon.name_as_written(named[1]), (
        SELECT n.nspname
          FROM string_to_table(path, ',') WITH ORDINALITY AS p (entry, place)
          JOIN pg_namespace AS n
            -- `$user` is the role in force, which SECURITY DEFINER hides: what SET ROLE left.
            ON n.nspname = CASE btrim(p.entry, ' "')
                           WHEN '$user' THEN coalesce(nullif(current_setting('role'), 'none'), session_user)
                           ELSE pggit_daemon.name_as_written(btrim(p.entry)) END
         ORDER BY p.place LIMIT 1));
    SELECT s.objid INTO asked
      FROM pggit_daemon.source AS s
     WHERE s.schema_name = wanted AND s.table_name = pggit_daemon.name_as_written(named[2]);
    IF asked IS NOT NULL THEN
        PERFORM set_config('pggit_daemon.asked', concat_ws(' ', pg_backend_pid(), asked, extract(epoch FROM clock_timestamp())::bigint), false);
    END IF;
END $$;

-- A name as it is written in SQL, as the catalog has it.
CREATE OR REPLACE FUNCTION pggit_daemon.name_as_written(written text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN starts_with(written, '"') THEN btrim(written, '"') ELSE lower(written) END
$$;

-- The history table that this session asked for in the last minute before this statement began. The setting can be forged by
-- the session alone, which may as well read the table.
CREATE OR REPLACE FUNCTION pggit_daemon.asked_history() RETURNS oid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m[1]::bigint::oid
      FROM regexp_match(current_setting('pggit_daemon.asked', true), concat('^', pg_backend_pid(), ' (\d{1,10}) (\d{1,12})$')) AS m
     WHERE extract(epoch FROM statement_timestamp()) - m[2]::bigint < 60 AND m[1]::bigint < 4294967296
$$;

-- What the tables of sources hold that keep one whole number in one row without a key (tern, Sequel), where the plugin shows
-- nothing of an UPDATE. Whoever reads the number learns with it, from the row's xmin, which transaction left it so. Nothing of
-- a table that others keep locked, of one with several rows, and of a row that this transaction wrote.
-- No code of a user's runs: where the server can keep views out (from the minor versions of August 2024 on), only tables are
-- read, and a value is only spelt. The locks are given back. A scan by place is in no statistics but those of blocks, so
-- that this session does not seem to have used the table itself (`used_histories`).
CREATE OR REPLACE FUNCTION pggit_daemon.held_numbers() RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    held   jsonb := '[]';
    t      record;
    number text;
    writer xid;
BEGIN
    IF current_setting('restrict_nonsystem_relation_kind', true) IS NULL OR current_setting('enable_tidscan') = 'off'
       OR current_setting('enable_seqscan') = 'on' OR current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN held;
    END IF;
    FOR t IN SELECT n.name, n.relation::regclass::text AS relation, n.number FROM pggit_daemon.numbered_tables() AS n LIMIT 8 LOOP
        BEGIN
            PERFORM set_config('restrict_nonsystem_relation_kind', 'view, foreign-table', true);
            -- Its first blocks only, however many dead rows it has; of several rows, none.
            EXECUTE format('SELECT concat(t.%I), t.xmin FROM ONLY %s AS t WHERE t.ctid < ''(16,0)''', t.number, t.relation)
               INTO STRICT number, writer;
            RAISE EXCEPTION SQLSTATE 'PGD00';
        EXCEPTION
            WHEN SQLSTATE 'PGD00' THEN
                IF NOT pggit_daemon.is_own_xid(writer) THEN
                    held := held || jsonb_build_object('source', t.name, 'xid', writer::text::bigint,
                                                       'row', jsonb_build_object(t.number, number));
                END IF;
            WHEN query_canceled OR assert_failure OR OTHERS THEN
                IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
    RETURN held;
END $$;

-- The tables of sources that are like that.
CREATE OR REPLACE FUNCTION pggit_daemon.numbered_tables() RETURNS TABLE (name text, relation oid, number name)
    LANGUAGE sql STABLE AS $$
    SELECT s.name, c.oid, a.attname
      FROM pggit_daemon.source AS s
     CROSS JOIN LATERAL (SELECT c.oid FROM pg_class AS c
                          WHERE c.oid = s.objid AND c.relkind = 'r' AND c.relnatts = 1 AND c.relreplident IN ('d', 'n')
                            AND NOT c.relhasindex AND NOT c.relrowsecurity AND c.relam = 2 OFFSET 0) AS c   -- heap
     CROSS JOIN LATERAL (SELECT a.attname FROM pg_attribute AS a
                          WHERE a.attrelid = c.oid AND a.attnum = 1
                            AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) OFFSET 0) AS a
$$;

-- The sources whose history or lock table this session has read or written itself, lately: the server counts what a session does
-- to a table in the session's own memory, and adds it to the statistics when the session idles, at most once a second. Or
-- which it asked for. So what is found is certain, and what is not found proves nothing. NULL: none.
-- After these names come objects: {"wrote": name} where it has written to them (rows of the history, any change of the lock
-- table), as people who only look do not, what `held_numbers` found, and {"began": time} where the transaction began more than a
-- second ago: a session that runs a statement for long has made no pause.
CREATE OR REPLACE FUNCTION pggit_daemon.used_histories() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    used jsonb;
BEGIN
    SELECT jsonb_agg(DISTINCT s.name ORDER BY s.name)
           || coalesce(jsonb_agg(DISTINCT jsonb_build_object('wrote', s.name))
                       FILTER (WHERE pg_stat_get_xact_tuples_inserted(own.oid) > 0
                                  OR own.is_lock AND (pg_stat_get_xact_tuples_updated(own.oid) > 0
                                                      OR pg_stat_get_xact_tuples_deleted(own.oid) > 0)), '[]')
      INTO used
      FROM pggit_daemon.source AS s
     CROSS JOIN LATERAL (VALUES (s.objid, false),
                                (to_regclass(quote_ident(s.schema_name) || '.' || quote_ident(s.lock_table))::oid, true))
                     AS own (oid, is_lock)
     WHERE pg_stat_get_xact_numscans(own.oid) > 0 OR pg_stat_get_xact_tuples_inserted(own.oid) > 0
        OR pg_stat_get_xact_blocks_fetched(own.oid) > 0
           -- Where `held_numbers` reads, it has fetched blocks, too.
           AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = own.oid AND c.relnatts = 1 AND NOT c.relhasindex)
        OR own.oid = pggit_daemon.asked_history();
    IF pg_sequence_last_value('pggit_daemon.tool_watch') > 2 THEN
        used := nullif(coalesce(used, '[]') || pggit_daemon.held_numbers(), '[]');
    END IF;
    RETURN CASE WHEN clock_timestamp() - now() > interval '1 second'
                THEN coalesce(used, '[]') || jsonb_build_object('began', now()) ELSE used END;
END $$;

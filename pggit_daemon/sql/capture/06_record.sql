-- Writing one row of the outbox: who, and what.

-- The tags of statements whose text may be kept, each between commas. Immutable, so that a plan has them ready; and a text,
-- as the server sorts a long list anew for each statement.
CREATE OR REPLACE FUNCTION pggit_daemon.tags_with_text() RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT ',GRANT,REVOKE,ALTER DEFAULT PRIVILEGES,DROP OWNED,' || string_agg(v.verb || ' ' || k.kind || ',', '')
      FROM unnest('{CREATE,ALTER,DROP}'::text[]) AS v (verb)
     CROSS JOIN unnest('{TABLE,INDEX,SEQUENCE,VIEW,MATERIALIZED VIEW,SCHEMA,TYPE,DOMAIN,TRIGGER,RULE,POLICY,STATISTICS,EXTENSION,
                         COLLATION,FUNCTION,PROCEDURE,ROUTINE,AGGREGATE,OPERATOR,CAST,PUBLICATION}'::text[]) AS k (kind)
$$;

-- The text of a statement that no function and no DO block runs, or NULL. The client's whole string is all that the
-- server tells, so it counts only where it is this one statement: sent alone, beginning with the words of its tag. It is
-- kept only where it can carry no secret: a tag of that list (the caller looks), and no literal and no comment in it. (`$`
-- begins a dollar quote or a parameter; a quoted name with a quote in it is left out with the literals.)
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_statement(tag text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    sent text := current_query();
BEGIN
    IF octet_length(sent) > 8192 OR sent ~ $re$['$\\]|--|/\*|;\s*\S$re$
       -- The words of the tag in their order; `unique`, `or replace` and the like may stand between them.
       OR NOT starts_with(upper(left(sent, length(tag) + 1)), tag || ' ')
          AND sent COLLATE "C" !~* concat('^\s*', replace(tag, ' ',
              '[[:space:]]+((unlogged|unique|or|replace|recursive|constraint)[[:space:]]+)*'), '\M') THEN
        RETURN NULL;
    END IF;
    IF strpos(sent, ';') > 0 THEN
        sent := regexp_replace(sent, '\s*;\s*$', '');
    END IF;
    RETURN btrim(sent);
END $$;

-- What an outbox is to be like, so that an INSERT cannot fail: nothing on it but what our steps made. The INSERT stands
-- outside any subtransaction then, so that no statement of a user takes a subtransaction's number because of us.
CREATE OR REPLACE FUNCTION pggit_daemon.shape_to_insert(outbox text) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    shape text;
BEGIN
    SELECT concat_ws(' ', c.relkind, c.relpersistence, c.relchecks, c.relhastriggers, c.relhasrules, c.relrowsecurity, c.relnatts,
                     (SELECT string_agg(a.name, ',')
                        FROM (SELECT a.attname || CASE WHEN a.attnotnull THEN '!' ELSE '' END AS name FROM pg_attribute AS a
                               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS a),
                     (SELECT count(*) FROM pg_index AS i WHERE i.indrelid = c.oid),
                     has_table_privilege(c.oid, 'INSERT'))
      INTO shape
      FROM pg_class AS c
     WHERE c.oid = to_regclass(outbox);
    RETURN shape;
END $$;

-- Whether the outbox is like that. Called immutable although it is not: so the server asks it when it makes the plan of a
-- query, and makes that plan again after whatever is done to a table in the query. A query that names the outbox has the
-- answer as of the table's last change, at no cost.
CREATE OR REPLACE FUNCTION pggit_daemon.is_outbox_as_made() RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN pggit_daemon.read_outbox_as_made();
END $$;

-- Volatile: it sees what others have committed until now, not what the statement around it sees.
CREATE OR REPLACE FUNCTION pggit_daemon.read_outbox_as_made() RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN coalesce(pggit_daemon.shape_to_insert('pggit_daemon.ddl_event') = pggit_daemon.outbox_as_made(), false);
END $$;

-- The text by which the server says that the user, or his statement_timeout, cancels a statement, in every language it
-- speaks: SHA-256, as this file is ASCII. The SQLSTATE alone does not show it, as extensions raise it too.
CREATE OR REPLACE FUNCTION pggit_daemon.is_cancel_of_the_user(state text, message text) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT state = '57014'
       AND (message IN ('canceling statement due to user request', 'canceling statement due to statement timeout')
            OR left(encode(sha256(convert_to(message, 'UTF8')), 'hex'), 16) = ANY ('{e79e3877e4e5a5bd,566aa1a1fa6b2dc2,
                  12afbc5acbbd3878,bc2a3d19295d13ae,
                  38674d48b35addd5,51b1364afc6451a1,
                  abe3e40e5e57247a,66a5ed49303deadb,
                  077905c4b940d818,a9db44d4378fef10,
                  228416c0ae524db2,27059e71f82f75a6,
                  f97d4b4ce817cef6,8e4dbf64c1b9e750,
                  8911e0f855c7093f,a432543450cb6faa,
                  1dad237d0fed927f,743b2db2b9d789e8,
                  6d99b4204f02ced9,e0e0d0887bb9edb7}'::text[]))
$$;

-- Everything of an event but its objects, so that only the INSERT remains. It may fail, and writes nothing. `first`: it
-- is the transaction's first event, which also holds the locks of tools and the history tables that the session used.
-- `last`: the statement has no other event to come. `forgotten`: the session does not know its start. `stack`: of the
-- trigger's function. `sisters` are sibling sessions; the name is that of the column, which an earlier version reads.
-- The fields are variables of their own until the end: plpgsql_check, where it checks what runs (fresh_start, every_start),
-- takes an assignment to a field for an error. In `write_event` nothing would catch it.
CREATE OR REPLACE FUNCTION pggit_daemon.prepare_event(
    first boolean, last boolean, forgotten boolean, stack text) RETURNS pggit_daemon.event_facts
    LANGUAGE plpgsql AS $$
DECLARE
    event   bigint;
    sure    boolean;
    told    boolean;
    started timestamptz;
    locks   jsonb;
    sisters jsonb;
    used    jsonb;
    watched bigint;
BEGIN
    -- The lock stays when the caller's block ends; who holds the table locked is given up.
    LOCK TABLE pggit_daemon.ddl_event IN ROW EXCLUSIVE MODE;
    event := nextval('pggit_daemon.ddl_event_id_seq');
    -- Reading here could make the user's transaction fail to serialize.
    IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
        -- Also opens the index, and a number that is taken (rows replicated into this table) is no surprise later. What
        -- role the capture's is a member of is no change of the table.
        SELECT pggit_daemon.is_outbox_as_made() AND has_table_privilege('pggit_daemon.ddl_event'::regclass, 'INSERT')
               AND o.id IS NULL
          INTO sure FROM (SELECT) AS one LEFT JOIN pggit_daemon.ddl_event AS o ON o.id = event;
    END IF;
    IF forgotten IS NULL AND current_setting('pggit_daemon.session', true) = pg_backend_pid()::text THEN
        started := 'epoch'::timestamptz + currval('pggit_daemon.session_start') * interval '1 microsecond';
    ELSE
        started := pggit_daemon.session_start();
    END IF;
    told := last AND (strpos(stack, E'\n') = 0 OR NOT pggit_daemon.within_event_trigger());
    -- What is to be recorded: 0 nothing, 1 which history tables the session used, 2 also advisory locks, 3 also what tables
    -- hold of which the plugin shows no UPDATE (`held_numbers`). The daemon knows of the tables that it follows
    -- (`store_put_tools`); of one that the statement makes it will know only later, so see `look_for_locks`.
    watched := CASE WHEN first THEN pg_sequence_last_value('pggit_daemon.tool_watch') END;
    IF watched > 0 THEN
        used := pggit_daemon.used_histories();
        IF watched > 1 THEN
            locks := pggit_daemon.tool_locks();
            sisters := pggit_daemon.sibling_sessions(locks);
        END IF;
    END IF;
    RETURN ROW(event, sure, told, started, locks, sisters, used);
END $$;

-- Write the row: outside of any block, so that the statement takes no subtransaction's number, unless the INSERT may
-- fail. `snapshot`: what this transaction saw of others before anything was read; `path`: the user's search_path. Both
-- are kept with the transaction's first event. Whether it is written.
CREATE OR REPLACE FUNCTION pggit_daemon.write_event(
    kind text, tag text, said text, objects text, first boolean, snapshot text, path text, failure text, e pggit_daemon.event_facts)
    RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
    written bigint;    -- the number of the event, if the INSERT chose it
BEGIN
    IF e.sure THEN
        -- Where the table grows, others wait for its new page: longer than for a lock, on a slow disk, and never long. The first
        -- setting ends with the trigger's own, the second with the transaction.
        ignored := concat(set_config('lock_timeout', '0', true),
                          CASE WHEN e.told THEN set_config('pggit_daemon.last_event', e.event::text, true) END);
        -- Inside SECURITY DEFINER, current_user is the definer: the role in force is what SET ROLE left.
        INSERT INTO pggit_daemon.ddl_event (id, recorded_at, kind, command_tag, statement, pid, backend_start,
                                            application_name, session_user_name, current_user_name, client_addr, locks,
                                            search_path, sisters, used_histories, snapshot, objects, failure)
        OVERRIDING SYSTEM VALUE
        VALUES (e.event, clock_timestamp(), kind, tag, said, pg_backend_pid(), e.started, current_setting('application_name'),
                session_user, coalesce(nullif(current_setting('role'), 'none'), session_user), inet_client_addr(), CASE WHEN first THEN coalesce(e.locks, '[]') END,
                CASE WHEN first THEN path END, e.sisters, e.used, snapshot, objects, failure);
    ELSE
        BEGIN
            INSERT INTO pggit_daemon.ddl_event (recorded_at, kind, command_tag, statement, pid, backend_start,
                                                application_name, session_user_name, current_user_name, client_addr, locks,
                                                search_path, sisters, used_histories, snapshot, objects, failure)
            VALUES (clock_timestamp(), kind, tag, said, pg_backend_pid(), e.started, current_setting('application_name'),
                    session_user, coalesce(nullif(current_setting('role'), 'none'), session_user), inet_client_addr(), CASE WHEN first THEN coalesce(e.locks, '[]') END,
                    CASE WHEN first THEN path END, e.sisters, e.used, snapshot, objects, failure)
            RETURNING id INTO written;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            IF failure IS NULL THEN
                RETURN pggit_daemon.record_failure(tag, path, SQLSTATE || ' ' || SQLERRM, said);
            END IF;
            RETURN false;
        END;
        IF e.told THEN
            ignored := set_config('pggit_daemon.last_event', written::text, true);
        END IF;
    END IF;
    RETURN true;
END $$;

-- Both, where the objects were read in a block of its own.
CREATE OR REPLACE FUNCTION pggit_daemon.record_event(
    kind text, tag text, objects text, first boolean, snapshot text, path text, stack text, said text, failure text)
    RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    e         pggit_daemon.event_facts;
    forgotten boolean;
    why       text;
BEGIN
    LOOP
        BEGIN
            e := pggit_daemon.prepare_event(first, false, forgotten, stack);
            why := NULL;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            why := SQLSTATE || ' ' || SQLERRM;
        END;
        EXIT WHEN why IS NULL OR forgotten OR why NOT LIKE '55000%';
        forgotten := true;
    END LOOP;
    IF why IS NULL THEN
        RETURN pggit_daemon.write_event(kind, tag, said, objects, first, snapshot, path, failure, e);
    ELSIF failure IS NULL THEN
        RETURN pggit_daemon.record_failure(tag, path, why, said);
    END IF;
    RETURN false;
END $$;

-- After a failed capture: say so in the outbox if that is possible, and to the client in any case.
CREATE OR REPLACE FUNCTION pggit_daemon.record_failure(tag text, path text, failure text, said text) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    ignored boolean;
BEGIN
    -- Where the outbox itself is locked, a second try would only cost the user another wait.
    IF NOT starts_with(failure, '55P03') THEN
        ignored := pggit_daemon.record_event('capture_failed', tag, '[]', true, NULL, path, NULL, said, failure);
    END IF;
    RAISE WARNING 'pggit-daemon could not record this %: %', tag, failure
        USING HINT = 'The statement itself is not affected.';
    RETURN false;
END $$;

DO $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION pggit_daemon.outbox_as_made() RETURNS text LANGUAGE sql IMMUTABLE '
                   'SET search_path = pg_catalog, pg_temp AS %L',
                   format('SELECT %L::text', pggit_daemon.shape_to_insert('pggit_daemon.ddl_event')));
    EXECUTE format('CREATE OR REPLACE FUNCTION pggit_daemon.requests_as_made() RETURNS text LANGUAGE sql IMMUTABLE '
                   'SET search_path = pg_catalog, pg_temp AS %L',
                   format('SELECT %L::text', pggit_daemon.shape_to_insert('pggit_daemon.request')));
END $$;

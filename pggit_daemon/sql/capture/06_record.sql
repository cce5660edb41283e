-- Writing one row of the outbox: who, and what.

-- The tags of statements whose text may be kept. Immutable, so that a plan has them ready.
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_tags() RETURNS text[]
    LANGUAGE sql IMMUTABLE AS $$
    SELECT '{GRANT,REVOKE,ALTER DEFAULT PRIVILEGES,DROP OWNED}'::text[]
           || ARRAY(SELECT v.verb || ' ' || k.kind
                      FROM unnest('{CREATE,ALTER,DROP}'::text[]) AS v (verb)
                     CROSS JOIN unnest('{TABLE,INDEX,SEQUENCE,VIEW,MATERIALIZED VIEW,SCHEMA,TYPE,DOMAIN,TRIGGER,RULE,POLICY,
                                         STATISTICS,EXTENSION,COLLATION,FUNCTION,PROCEDURE,ROUTINE,AGGREGATE,OPERATOR,CAST,
                                         PUBLICATION}'::text[]) AS k (kind))
$$;

-- The text of a statement that no function and no DO block runs, or NULL. The client's whole string is all that the
-- server tells, so it counts only where it is this one statement: sent alone, beginning with the words of its tag. It is
-- kept only where it can carry no secret: a tag of this list, and no literal and no comment in it. (`$` begins a dollar
-- quote or a parameter; a quoted name with a quote in it is left out with the literals.)
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_statement(tag text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    sent text := current_query();
BEGIN
    IF octet_length(sent) > 8192 OR tag <> ALL (pggit_daemon.harmless_tags())
       OR sent ~ $re$['$\\]|--|/\*|;\s*\S$re$
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
-- is the transaction's first event, which also holds the locks of tools and the history tables that the session used
-- (`used`). `told`: later events of this transaction need not look at what was written before. `remembered`: whether the
-- session may know its start. `sure`: the INSERT cannot fail. `said`: the statement's text, if it holds no secret.
-- `sisters`: sibling sessions; the column keeps its name for a daemon of an earlier version, and the parameters of these
-- functions keep theirs, as none of them can be dropped while captures are at work.
CREATE OR REPLACE FUNCTION pggit_daemon.prepare_event(
    tag text, objects jsonb, first boolean, remembered boolean, INOUT told boolean,
    OUT event bigint, OUT sure boolean, OUT started timestamptz, OUT said text, OUT locks jsonb, OUT sisters jsonb, OUT used jsonb)
    LANGUAGE plpgsql AS $$
DECLARE
    stack   text;
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
               AND e.id IS NULL
          INTO sure FROM (SELECT) AS one LEFT JOIN pggit_daemon.ddl_event AS e ON e.id = event;
    END IF;
    IF remembered AND current_setting('pggit_daemon.session', true) = pg_backend_pid()::text THEN
        started := 'epoch'::timestamptz + currval('pggit_daemon.session_start') * interval '1 microsecond';
    ELSE
        started := pggit_daemon.session_start();
    END IF;
    -- What stands on the stack below our own trigger is a function of the user's, which ran this statement.
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF split_part(stack, E'\n', -1) LIKE '%pggit\_daemon.on\_%()%' THEN
        said := pggit_daemon.harmless_statement(tag);
    ELSIF told THEN
        told := NOT pggit_daemon.within_event_trigger();
    END IF;
    -- What is to be recorded: 0 nothing, 1 which history tables the session used, 2 also advisory locks, 3 also what tables
    -- hold of which the plugin shows no UPDATE (`held_numbers`). The daemon knows of
    -- the tables that it follows (`store_put_tools`); of one that the statement makes it will know only later, when the tool
    -- has gone on.
    watched := coalesce(pg_sequence_last_value('pggit_daemon.tool_watch'), 0);
    IF watched < 2 AND tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE SCHEMA')
       AND objects @? pggit_daemon.locking_history_path() THEN
        watched := setval('pggit_daemon.tool_watch', 2);
    END IF;
    IF first AND watched > 0 THEN
        used := pggit_daemon.used_histories();
        IF watched > 1 THEN
            locks := pggit_daemon.tool_locks();
            sisters := pggit_daemon.sibling_sessions(locks);
        END IF;
    END IF;
END $$;

-- Write the row: outside of any block, so that the statement takes no subtransaction's number, unless the INSERT may
-- fail. `snapshot`: what this transaction saw of others before anything was read; `path`: the user's search_path. Both
-- are kept with the transaction's first event.
CREATE OR REPLACE FUNCTION pggit_daemon.write_event(
    kind text, tag text, objects jsonb, first boolean, snapshot text, path text, failure text, told boolean, event bigint,
    sure boolean, started timestamptz, said text, locks jsonb, sisters jsonb, used jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    -- Inside SECURITY DEFINER, current_user is the definer: the role in force is what SET ROLE left.
    acting  text := coalesce(nullif(current_setting('role'), 'none'), session_user);
    ignored text;
BEGIN
    IF sure THEN
        -- Where the table grows, others wait for its new page: longer than for a lock, on a slow disk, and never long.
        ignored := set_config('lock_timeout', '0', true);   -- until the trigger's own setting ends
        INSERT INTO pggit_daemon.ddl_event (id, recorded_at, kind, command_tag, statement, pid, backend_start,
                                            application_name, session_user_name, current_user_name, client_addr, locks,
                                            search_path, sisters, used_histories, snapshot, objects, failure)
        OVERRIDING SYSTEM VALUE
        VALUES (event, clock_timestamp(), kind, tag, said, pg_backend_pid(), started, current_setting('application_name'),
                session_user, acting, inet_client_addr(), CASE WHEN first THEN coalesce(locks, '[]') END,
                CASE WHEN first THEN path END, sisters, used, snapshot,
                objects, failure);
    ELSE
        BEGIN
            INSERT INTO pggit_daemon.ddl_event (recorded_at, kind, command_tag, statement, pid, backend_start,
                                                application_name, session_user_name, current_user_name, client_addr, locks,
                                                search_path, sisters, used_histories, snapshot, objects, failure)
            VALUES (clock_timestamp(), kind, tag, said, pg_backend_pid(), started, current_setting('application_name'),
                    session_user, acting, inet_client_addr(), CASE WHEN first THEN coalesce(locks, '[]') END,
                CASE WHEN first THEN path END, sisters, used, snapshot,
                    objects, failure)
            RETURNING id INTO event;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            IF failure IS NULL THEN
                PERFORM pggit_daemon.record_failure(tag, path, SQLSTATE || ' ' || SQLERRM);
            END IF;
            RETURN;
        END;
    END IF;
    IF told THEN
        ignored := set_config('pggit_daemon.last_event', event::text, true);
    END IF;
END $$;

-- Both, where the objects were read in a block of its own.
CREATE OR REPLACE FUNCTION pggit_daemon.record_event(
    kind text, tag text, objects jsonb, first boolean, told boolean, snapshot text, path text, failure text DEFAULT NULL)
    RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    e          record;
    remembered boolean := true;
    why        text;
BEGIN
    LOOP
        BEGIN
            objects := pggit_daemon.without_large(objects);
            e := pggit_daemon.prepare_event(tag, objects, first, remembered, told);
            why := NULL;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            why := SQLSTATE || ' ' || SQLERRM;
        END;
        EXIT WHEN why IS NULL OR NOT remembered OR why NOT LIKE '55000%';
        remembered := false;
    END LOOP;
    IF why IS NULL THEN
        PERFORM pggit_daemon.write_event(kind, tag, objects, first, snapshot, path, failure, e.told, e.event, e.sure, e.started,
                                         e.said, e.locks, e.sisters, e.used);
    ELSIF failure IS NULL THEN
        PERFORM pggit_daemon.record_failure(tag, path, why);
    END IF;
END $$;

-- After a failed capture: say so in the outbox if that is possible, and to the client in any case.
CREATE OR REPLACE FUNCTION pggit_daemon.record_failure(tag text, path text, failure text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    -- Where the outbox itself is locked, a second try would only cost the user another wait.
    IF NOT starts_with(failure, '55P03') THEN
        PERFORM pggit_daemon.record_event('capture_failed', tag, '[]', true, false, NULL, path, failure);
    END IF;
    RAISE WARNING 'pggit-daemon could not record this %: %', tag, failure
        USING HINT = 'The statement itself is not affected.';
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

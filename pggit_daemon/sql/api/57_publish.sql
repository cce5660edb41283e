-- The publications that pgoutput streams from, and what keeps them harmless. There are none before the daemon first
-- asks for them, and no event trigger of this file either.

-- pggit_daemon        inserts and truncations: our outboxes and every history table. No statement fails because of it, but
--                     ALTER TABLE ... SET UNLOGGED, before which the table leaves it (on_unlogging).
-- pggit_daemon_keyed  updates and deletions. The server refuses these for a table that publishes them and has no replica
--                     identity. So a table is in it only while it has one: it leaves in the very transaction that takes
--                     the identity away (on_publishable_ddl), whatever statement that is.

-- Take out what `unkeyed_tables` names. Where that fails, as somebody else holds the publication locked, a table that this
-- transaction has locked anyway gets the one identity that needs no index: its statements must not fail because of us.
CREATE OR REPLACE FUNCTION pggit_daemon.withdraw_unkeyed() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unkeyed record;
    why     text;
BEGIN
    FOR unkeyed IN SELECT DISTINCT u.oid, u.name FROM pggit_daemon.unkeyed_tables() AS u
    LOOP
        BEGIN
            EXECUTE format('ALTER PUBLICATION pggit_daemon_keyed DROP TABLE ONLY %s', unkeyed.name);
            CONTINUE;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                RAISE;
            END IF;
            why := SQLERRM;
        END;
        IF EXISTS (SELECT FROM pg_lock_status() AS l
                    WHERE l.pid = pg_backend_pid() AND l.relation = unkeyed.oid AND l.granted
                      AND l.mode = 'AccessExclusiveLock') THEN
            EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', unkeyed.name);
            RAISE WARNING 'pggit-daemon could not take % out of its publication and gave it REPLICA IDENTITY FULL: %',
                unkeyed.name, why
                USING HINT = 'Set the replica identity again once no other session makes or changes history tables.';
        ELSE
            RAISE WARNING 'pggit-daemon could not take % out of its publication: %', unkeyed.name, why
                USING HINT = format('ALTER PUBLICATION pggit_daemon_keyed DROP TABLE %s;', unkeyed.name);
        END IF;
    END LOOP;
END $$;

-- After each statement: a table that lost its identity leaves, a history table that was made or changed is taken in, so
-- that its very first row is in the stream. Two blocks, as neither may undo the other.
CREATE OR REPLACE FUNCTION pggit_daemon.on_publishable_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms'
    SET exit_on_error = off AS $$
DECLARE
    made oid;
BEGIN
    BEGIN
        PERFORM pggit_daemon.withdraw_unkeyed();
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
        RAISE WARNING 'pggit-daemon could not look after its publication: % %', SQLSTATE, SQLERRM
            USING HINT = 'Where UPDATE or DELETE of a table fails for want of a replica identity: '
                         'ALTER PUBLICATION pggit_daemon_keyed DROP TABLE <it>;';
    END;
    BEGIN
        FOR made IN
            SELECT DISTINCT d.objid
              FROM pg_event_trigger_ddl_commands() AS d
              JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'p')
              JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE d.command_tag NOT IN ('CREATE TABLE AS', 'SELECT INTO')    -- a copy is no history table
               AND (pggit_daemon.is_published(c.oid, 'pggit_daemon')
                    OR EXISTS (SELECT FROM pggit_daemon.publishing AS w
                                WHERE coalesce(w.schema_name = n.nspname, true) AND coalesce(w.table_name = c.relname, true)
                                  AND w.columns <@ ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                                                          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)))
        LOOP
            PERFORM pggit_daemon.publish_table(made);
        END LOOP;
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        -- The daemon does it when it reads of the statement; what is written until then is found by comparing.
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
    END;
END $$;

-- Before ALTER TABLE: the server refuses to make a published table unlogged, so it leaves first. Its name and the word
-- stand in what the client sent, in the statement that a function runs, or, where that is an SQL function, in its body.
-- Where others hold the publication it waits longer than anything else here, as the statement fails without it.
CREATE OR REPLACE FUNCTION pggit_daemon.on_unlogging() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
    SET exit_on_error = off AS $$
DECLARE
    said  text;
    stack text;
    named record;
BEGIN
    BEGIN
        GET DIAGNOSTICS stack = PG_CONTEXT;
        said := lower(concat_ws(' ', current_query(), stack,
                    CASE WHEN strpos(stack, E'\n') > 0
                         THEN (SELECT string_agg(p.prosrc, ' ') FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
                                WHERE l.lanname = 'sql' AND p.oid >= 16384 AND strpos(stack, p.proname) > 0) END));
        IF strpos(said, 'unlogged') = 0 THEN
            RETURN;
        END IF;
        FOR named IN
            SELECT p.pubname, format('%I.%I', n.nspname, c.relname) AS name
              FROM pg_publication AS p
              JOIN pg_publication_rel AS r ON r.prpubid = p.oid
              JOIN pg_class AS c ON c.oid = r.prrelid
              JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE p.pubname IN ('pggit_daemon', 'pggit_daemon_keyed') AND n.nspname <> 'pggit_daemon'
               AND strpos(said, lower(replace(c.relname, '"', '""'))) > 0
        LOOP
            EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %s', named.pubname, named.name);
        END LOOP;
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
        IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
            RAISE;
        END IF;
        RAISE WARNING 'pggit-daemon could not take this table out of its publication: % %', SQLSTATE, SQLERRM
            USING HINT = 'ALTER PUBLICATION pggit_daemon DROP TABLE <it>; then run the statement again.';
    END;
END $$;

-- The two publications, as they must be; true where one was made.
CREATE OR REPLACE FUNCTION pggit_daemon.make_publications() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted record;
    made   boolean := false;
    -- What the server computes and stores is sent, too, from 18 on.
    more   text := CASE WHEN current_setting('server_version_num')::integer >= 180000
                        THEN ', publish_generated_columns = stored' ELSE '' END;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES ('pggit_daemon', 'insert, truncate'), ('pggit_daemon_keyed', 'update, delete'))
                    AS v (name, actions)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = wanted.name) THEN
            EXECUTE format('CREATE PUBLICATION %I WITH (publish = %L%s)', wanted.name, wanted.actions, more);
            EXECUTE format('COMMENT ON PUBLICATION %I IS %L', wanted.name, 'made by pggit-daemon: its stream by pgoutput');
            made := true;
        ELSIF EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = wanted.name AND p.puballtables) THEN
            RAISE EXCEPTION 'publication % is FOR ALL TABLES, so it is none of pggit-daemon', wanted.name
                USING ERRCODE = '55000', HINT = format('ALTER PUBLICATION %I RENAME TO <another name>;', wanted.name);
        ELSIF NOT EXISTS (SELECT FROM pg_publication AS p
                           WHERE p.pubname = wanted.name
                             AND wanted.actions = concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END,
                                     CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,
                                     CASE WHEN p.pubtruncate THEN 'truncate' END)
                             AND NOT p.pubviaroot) THEN
            EXECUTE format('ALTER PUBLICATION %I SET (publish = %L, publish_via_partition_root = false)',
                           wanted.name, wanted.actions);
        END IF;
    END LOOP;
    RETURN made;
END $$;

-- The event triggers. Who disabled one meant it: only `init` enables it again.
CREATE OR REPLACE FUNCTION pggit_daemon.make_publishing_triggers(enable boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES ('pggit_daemon_publish', 'ddl_command_end', 'on_publishable_ddl', ''),
                              ('pggit_daemon_unlogged', 'ddl_command_start', 'on_unlogging',
                               $w$ WHEN TAG IN ('ALTER TABLE')$w$)) AS v (name, event, function, condition)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = wanted.name) THEN
            EXECUTE format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION pggit_daemon.%I()',
                           wanted.name, wanted.event, wanted.condition, wanted.function);
            EXECUTE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', wanted.name);
        ELSIF enable AND NOT EXISTS (SELECT FROM pg_event_trigger AS e
                                      WHERE e.evtname = wanted.name AND e.evtenabled = 'A') THEN
            EXECUTE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', wanted.name);
        END IF;
    END LOOP;
END $$;

-- What the daemon calls before it streams by pgoutput: the publications hold our outboxes and these tables, as far as they
-- exist; later ones are taken in as they are made, if they are of these names or have all columns of one of `shapes` (an
-- array of arrays). `made`: a publication was missing, so that no slot can read what was written before. `busy`: others
-- hold these tables locked; to be called again. It waits for the publications much shorter than deadlock_timeout: in a
-- deadlock with a user who holds one and waits for a table, it is never the user whom the server ends. `unseen`: [schema,
-- name] of those whose updates and deletions do not come.
CREATE OR REPLACE FUNCTION pggit_daemon.publish(
    schemas text[], tables text[], shapes jsonb, OUT made boolean, OUT busy text[], OUT unseen jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    known record;
    ready oid[] := '{}';
BEGIN
    LOCK TABLE pggit_daemon.publishing IN SHARE ROW EXCLUSIVE MODE;    -- two calls at once would make the same
    busy := '{}';
    made := pggit_daemon.make_publications();
    WITH wanted AS (
        SELECT t.schema_name, t.table_name, '{}'::text[] AS columns
          FROM unnest(schemas, tables) AS t (schema_name, table_name)
        UNION
        SELECT NULL, NULL, ARRAY(SELECT jsonb_array_elements_text(s.columns) ORDER BY 1)
          FROM jsonb_array_elements(shapes) AS s (columns) WHERE jsonb_array_length(s.columns) > 0
    ), gone AS (
        DELETE FROM pggit_daemon.publishing AS p
         WHERE NOT EXISTS (SELECT FROM wanted AS w
                            WHERE (w.schema_name, w.table_name, w.columns)
                                  IS NOT DISTINCT FROM (p.schema_name, p.table_name, p.columns))
    )
    INSERT INTO pggit_daemon.publishing
    SELECT w.* FROM wanted AS w
     WHERE NOT EXISTS (SELECT FROM pggit_daemon.publishing AS p
                        WHERE (w.schema_name, w.table_name, w.columns)
                              IS NOT DISTINCT FROM (p.schema_name, p.table_name, p.columns));
    -- Every table's lock first: nobody else's statement may wait for the publication meanwhile.
    FOR known IN
        SELECT c.oid, pggit_daemon.publishable(c.oid) AS name
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE pggit_daemon.publishable(c.oid) IS NOT NULL
           AND (n.nspname = 'pggit_daemon' AND c.relname IN ('ddl_event', 'request')
                OR EXISTS (SELECT FROM unnest(schemas, tables) AS t (schema_name, table_name)
                            WHERE t.schema_name = n.nspname AND t.table_name = c.relname))
           AND NOT (pggit_daemon.is_published(c.oid, 'pggit_daemon')
                    AND (pggit_daemon.is_published(c.oid, 'pggit_daemon_keyed') OR c.relkind = 'p'
                         OR n.nspname = 'pggit_daemon' OR NOT pggit_daemon.has_identity(c.oid)))
         ORDER BY c.oid
    LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE NOWAIT', known.name);
            ready := ready || known.oid;
        EXCEPTION
            WHEN lock_not_available THEN busy := busy || known.name;
            WHEN undefined_table THEN NULL;    -- dropped a moment ago
        END;
    END LOOP;
    PERFORM pggit_daemon.make_publishing_triggers(false);
    PERFORM pggit_daemon.withdraw_unkeyed();
    FOR known IN SELECT r.oid, pggit_daemon.publishable(r.oid) AS name FROM unnest(ready) AS r (oid) LOOP
        IF starts_with(known.name, 'pggit_daemon.') THEN
            EXECUTE format('ALTER PUBLICATION pggit_daemon ADD TABLE ONLY %s', known.name);
        ELSE
            PERFORM pggit_daemon.publish_table(known.oid);
        END IF;
    END LOOP;
    SELECT coalesce(jsonb_agg(jsonb_build_array(n.nspname, c.relname)), '[]') INTO unseen
      FROM unnest(schemas, tables) AS t (schema_name, table_name)
      JOIN pg_namespace AS n ON n.nspname = t.schema_name
      JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.table_name AND c.relkind = 'r'
     WHERE n.nspname <> 'pggit_daemon' AND NOT pggit_daemon.is_published(c.oid, 'pggit_daemon_keyed');
END $$;

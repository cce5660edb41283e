-- What the writing functions share: who the session is, and how they reach the daemon.

-- This backend's start: with the pid it names the session for its whole life.
CREATE OR REPLACE FUNCTION pggit_daemon.backend_start() RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT activity.backend_start FROM pg_stat_get_activity(pg_backend_pid()) AS activity
$$;

-- The role in force: inside SECURITY DEFINER, current_user is the definer, and SET ROLE shows only here.
CREATE OR REPLACE FUNCTION pggit_daemon.caller() RETURNS name
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(nullif(current_setting('role'), 'none'), session_user)::name
$$;

-- How this session introduces itself, and which tools hold their locks: by that the daemon recognizes a call from
-- a tool's own migration.
CREATE OR REPLACE FUNCTION pggit_daemon.introduction() RETURNS jsonb
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('application_name', current_setting('application_name'),
                              'client_addr', host(inet_client_addr()), 'xact', pg_current_xact_id()::text,
                              'locks', pggit_daemon.tool_locks())
$$;

-- Send the daemon a request: one insert, which it reads from the WAL if and when this transaction commits.
CREATE OR REPLACE FUNCTION pggit_daemon.send_request(action text, arguments jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pggit_daemon.request (recorded_at, action, pid, backend_start, user_name, arguments)
    VALUES (clock_timestamp(), action, pg_backend_pid(), pggit_daemon.backend_start(), session_user, arguments)
$$;

-- What this session has begun and not ended, in this transaction or before it: as the daemon has recorded it, and as it
-- stands in the outbox. Only the daemon writes the table; a session that did would hold up what the daemon writes.
CREATE OR REPLACE FUNCTION pggit_daemon.open_runs()
    RETURNS TABLE (run_key text, deploys boolean, migration_id bigint, tool_name text, name text, started_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH sent AS MATERIALIZED (
        SELECT r.action, r.arguments, r.recorded_at, r.arguments ->> 'deployment' AS run_key
        FROM pggit_daemon.request AS r
        WHERE r.pid = pg_backend_pid() AND r.backend_start = pggit_daemon.backend_start()
          AND r.action IN ('begin', 'end', 'deploy', 'deployed')
    ), recorded AS MATERIALIZED (
        SELECT o.*
        FROM pggit_daemon.open_run AS o
        WHERE o.pid = pg_backend_pid() AND o.backend_start = pggit_daemon.backend_start() AND o.state <> 'announced'
    ), begun AS (
        SELECT o.run_key, o.state = 'deployment' AS deploys, o.migration_id, o.tool_name, o.name, o.started_at
        FROM recorded AS o
        UNION ALL
        SELECT t.run_key, t.action = 'deploy', (t.arguments ->> 'migration_id')::bigint, t.arguments ->> 'tool',
               t.arguments ->> 'name', t.recorded_at
        FROM sent AS t
        WHERE t.action IN ('begin', 'deploy') AND NOT EXISTS (SELECT FROM recorded AS o WHERE o.run_key = t.run_key)
    )
    SELECT b.* FROM begun AS b
    WHERE NOT EXISTS (SELECT FROM sent AS t WHERE t.action IN ('end', 'deployed') AND t.run_key = b.run_key)
$$;

-- Send the daemon a request that outlives a rollback of this transaction: a message, with a digest that only we can make.
CREATE OR REPLACE FUNCTION pggit_daemon.send_message(action text, arguments jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    payload text := jsonb_build_object('action', action, 'pid', pg_backend_pid(),
                                       'backend_start', pggit_daemon.backend_start(), 'user', session_user,
                                       'at', clock_timestamp(), 'arguments', arguments)::text;
    secret  text := (SELECT key FROM pggit_daemon.secret);
    digest  text := encode(sha256(convert_to(secret || payload || secret, 'UTF8')), 'hex');
BEGIN
    PERFORM pg_logical_emit_message(false, pggit_daemon.message_prefix(), digest || ' ' || payload);
END $$;

-- The id, tool and name of a migration as a caller gives them; clear errors for what cannot be one.
CREATE OR REPLACE FUNCTION pggit_daemon.check_migration(migration_id bigint, tool_name text, migration_name text)
    RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF migration_id IS NULL THEN
        RAISE EXCEPTION 'migration_id must not be null' USING ERRCODE = '22004',
            HINT = 'Pass the number by which your tool knows the migration.';
    END IF;
    -- A negative id is the rollback of its positive one; the smallest number has none.
    IF migration_id = 0 OR migration_id = -9223372036854775808 THEN
        RAISE EXCEPTION 'migration_id must not be %', migration_id USING ERRCODE = '22003',
            HINT = 'A migration has a positive number; the same number negative stands for its rollback.';
    END IF;
    IF tool_name IS NULL OR tool_name !~ '\S' THEN
        RAISE EXCEPTION 'tool_name must not be empty' USING ERRCODE = '22023',
            HINT = 'Pass the name of the tool, as ''flyway''.';
    END IF;
    IF length(tool_name) > 200 OR length(migration_name) > 10000 THEN
        RAISE EXCEPTION 'tool_name may have 200 characters, a migration''s name 10000' USING ERRCODE = '22001',
            HINT = 'Shorten it.';
    END IF;
END $$;

-- Where this rollback may have been of, as a JSON array of sources, or NULL where the id is no rollback's: what was
-- recorded by these functions, and a tool's own history table on which the caller may write what undoes a migration. An
-- error where what it names is recorded and none of these.
CREATE OR REPLACE FUNCTION pggit_daemon.check_rollback(migration_id bigint, tool_name text) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    allowed text[];
    refused text;
BEGIN
    -- The smallest number has no positive one.
    IF migration_id >= 0 OR migration_id = -9223372036854775808 THEN
        RETURN NULL;
    END IF;
    allowed := ARRAY(
        SELECT s.name FROM pggit_daemon.source AS s
          JOIN pg_namespace AS n ON n.nspname = s.schema_name
          JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = s.table_name
         WHERE has_schema_privilege(pggit_daemon.caller(), n.oid, 'USAGE')
           AND has_table_privilege(pggit_daemon.caller(), c.oid, 'INSERT, UPDATE, DELETE')
         ORDER BY s.name) || 'sql'::text;
    -- The same tool's migration of that number is meant if there is one, otherwise any tool's.
    SELECT string_agg(format('%s (%s)', m.tool_name, m.source), ', ' ORDER BY m.tool_name, m.source) INTO refused
      FROM (SELECT x.tool_name, x.source, rank() OVER (ORDER BY x.tool_name = tool_name DESC) AS place
              FROM pggit.external_migrations AS x WHERE x.migration_id = - migration_id) AS m
     WHERE m.place = 1
    HAVING NOT bool_or(m.source = ANY (allowed));
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION 'role % may not roll back migration % of %', pggit_daemon.caller(), - migration_id, refused
            USING ERRCODE = '42501',
                  HINT = 'Undo it with its tool. Whoever may write to the tool''s history table may record it here.';
    END IF;
    RETURN to_jsonb(allowed);
END $$;

-- What the daemon writes: what sessions have begun through the SQL API.

CREATE OR REPLACE FUNCTION pggit_daemon.store_put_run(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit_daemon.open_run (
        run_key, state, pid, backend_start, user_name, started_at, migration_id, tool_name, name, xact, wrapped,
        waits, failed_at, last_part)
    VALUES (
        p ->> 'key', p ->> 'state', (p ->> 'pid')::integer, (p ->> 'backend_start')::timestamptz, p ->> 'user',
        (p ->> 'started_at')::timestamptz, (p ->> 'migration_id')::bigint, p ->> 'tool', p ->> 'name', p ->> 'xact',
        (p ->> 'wrapped')::boolean, (p ->> 'waits')::boolean, (p ->> 'failed_at')::pg_lsn, (p ->> 'last_part')::pg_lsn)
    ON CONFLICT (run_key) DO UPDATE SET
        state = excluded.state, started_at = excluded.started_at, xact = excluded.xact, wrapped = excluded.wrapped,
        failed_at = excluded.failed_at,
        last_part = excluded.last_part;
    IF p ->> 'state' = 'deployment' THEN
        INSERT INTO pggit.deployments (
            deployment_id, deployment_name, auto_commit, started_by, started_at, pid, backend_start)
        VALUES (
            (p ->> 'key')::uuid, p ->> 'name', (p ->> 'waits')::boolean, p ->> 'user', (p ->> 'started_at')::timestamptz,
            (p ->> 'pid')::integer, (p ->> 'backend_start')::timestamptz)
        ON CONFLICT (deployment_id) DO NOTHING;
    END IF;
END $$;

-- Its requests that could not be taken out of the outbox yet go too, or its session would find it open again. Returns
-- their ids.
CREATE OR REPLACE FUNCTION pggit_daemon.store_end_run(p jsonb) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    gone jsonb;
BEGIN
    DELETE FROM pggit_daemon.open_run AS o WHERE o.run_key = p ->> 'key';
    WITH gone AS (
        DELETE FROM pggit_daemon.request AS r
        WHERE r.pid = (p ->> 'pid')::integer AND r.backend_start = (p ->> 'backend_start')::timestamptz
          AND r.arguments ->> 'deployment' = p ->> 'key'
        RETURNING r.id)
    SELECT coalesce(jsonb_agg(g.id), '[]') INTO gone FROM gone AS g;
    IF (p ->> 'deployed')::boolean THEN
        UPDATE pggit.deployments AS d
        SET status = 'ended', ended_at = (p ->> 'ended_at')::timestamptz, message = p ->> 'message',
            tags = ARRAY(SELECT jsonb_array_elements_text(p -> 'tags'))
        WHERE d.deployment_id = (p ->> 'key')::uuid;
    END IF;
    RETURN gone;
END $$;

-- What sessions that have ended left open. A migration stays as started, and validation says so.
CREATE OR REPLACE FUNCTION pggit_daemon.store_abandon(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    gone text[] := ARRAY(SELECT jsonb_array_elements_text(p -> 'keys'));
BEGIN
    UPDATE pggit.deployments AS d SET status = 'abandoned', ended_at = clock_timestamp()
    WHERE d.status = 'open' AND d.deployment_id IN (
        SELECT o.run_key::uuid FROM pggit_daemon.open_run AS o WHERE o.run_key = ANY (gone) AND o.state = 'deployment');
    DELETE FROM pggit_daemon.open_run AS o WHERE o.run_key = ANY (gone);
END $$;

-- A migration that the SQL API began remembers the newest of its parts until it ends.
CREATE OR REPLACE FUNCTION pggit_daemon.store_mark_part(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pggit_daemon.open_run AS o SET last_part = (p ->> 'last_part')::pg_lsn WHERE o.run_key = p ->> 'row_key';
END $$;

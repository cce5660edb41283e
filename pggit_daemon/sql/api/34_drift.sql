-- drift: what was changed since the last migration, and by no migration.

CREATE OR REPLACE FUNCTION pggit.drift()
    RETURNS TABLE (commit_id integer, occurred_at timestamptz, author text, application_name text, client_addr text,
                   object_type text, object_name text, operation text, impact_level text, commit_hash text, message text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    SELECT c.id, c.occurred_at, c.author, c.metadata -> 'session' ->> 'application_name',
           c.metadata -> 'session' ->> 'client_addr', change.object_type, change.object_name, change.operation,
           change.level, c.hash, c.message
    FROM pggit.commits AS c
    CROSS JOIN LATERAL pggit_daemon.changes_in(c.id) AS change
    WHERE c.kind IN ('out_of_band', 'snapshot', 'gap')
      AND c.id > coalesce((SELECT max(n.id) FROM pggit.commits AS n WHERE n.kind IN ('migration', 'rollback')), 0)
    ORDER BY c.id, pggit_daemon.kind_rank(change.object_type), change.object_name
$$;

COMMENT ON FUNCTION pggit.drift() IS
    'What was changed since the last migration and by no migration: who, when, from where, what. client_addr is NULL for a local connection.';

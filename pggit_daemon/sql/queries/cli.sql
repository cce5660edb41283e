-- What the commands read. None writes but acknowledge, and init and uninstall, which have SQL of their own.

-- name: status
-- Everything that `status` shows, as one document.
SELECT jsonb_build_object(
    'database', current_database(),
    'server_version', current_setting('server_version'),
    'wal_level', current_setting('wal_level'),
    'progress', (
        SELECT jsonb_build_object('slot', p.slot_name, 'commit_lsn', p.commit_lsn, 'end_lsn', p.end_lsn,
                                  'updated_at', p.updated_at)
        FROM pggit_daemon.progress AS p),
    'slot', (
        SELECT jsonb_build_object(
            'name', s.slot_name, 'plugin', s.plugin, 'active', s.active, 'active_pid', s.active_pid,
            'confirmed_flush_lsn', s.confirmed_flush_lsn, 'wal_status', s.wal_status,
            'lag_bytes', position.lsn - s.confirmed_flush_lsn,
            'retained_bytes', position.lsn - s.restart_lsn,
            'safe_wal_bytes', s.safe_wal_size,
            'is_standby', pggit_daemon.may_be_standby())
        FROM pg_catalog.pg_replication_slots AS s
        JOIN pggit_daemon.progress AS p ON p.slot_name = s.slot_name
        CROSS JOIN LATERAL (
            SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
        ) AS position
        WHERE s.database = current_database()),
    'head', (
        SELECT jsonb_build_object('id', c.id, 'hash', c.hash, 'kind', c.kind, 'message', c.message,
                                  'occurred_at', c.occurred_at)
        FROM pggit.commits AS c ORDER BY c.id DESC LIMIT 1),
    'commits', coalesce((
        SELECT jsonb_object_agg(k.kind, k.total)
        FROM (SELECT coalesce(kind, 'other') AS kind, count(*) AS total FROM pggit.commits GROUP BY 1) AS k), '{}'),
    'sources', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'name', s.name, 'tool', s.tool_name, 'preset', s.preset, 'schema', s.schema_name, 'table', s.table_name,
            'origin', s.origin, 'present', s.present, 'state', s.state, 'detail', s.detail,
            'migrations', coalesce((
                SELECT jsonb_object_agg(m.status, m.total)
                FROM (SELECT status, count(*) AS total FROM pggit.external_migrations
                      WHERE source = s.name GROUP BY status) AS m), '{}'),
            -- By the tool's own name of it, else its title; in the tool's own order.
            'newest', (SELECT coalesce(nullif(m.version, ''), m.migration_name, m.migration_id::text)
                       FROM pggit.external_migrations AS m
                       WHERE m.source = s.name AND m.rollback_of IS NULL AND m.success IS NOT FALSE
                         AND m.status NOT IN ('started', 'failed', 'removed', 'cleared', 'deleted', 'rolled_back')
                       ORDER BY m.sequence DESC NULLS LAST, m.applied_at DESC NULLS LAST, m.migration_id DESC LIMIT 1),
            'unlinked', (SELECT count(*) FROM pggit.external_migrations AS m
                         WHERE m.source = s.name AND m.pggit_commit_id IS NULL AND m.success IS NOT FALSE
                           AND m.status NOT IN ('started', 'removed', 'cleared', 'deleted', 'rolled_back'))) ORDER BY s.name)
        FROM (SELECT name, tool_name, preset, schema_name, table_name, origin, present, state, detail
              FROM pggit_daemon.source
              UNION ALL
              -- Beside the history tables: the SQL API.
              SELECT 'sql', string_agg(DISTINCT tool_name, ', ' ORDER BY tool_name), NULL, NULL, NULL, 'SQL API',
                     true, 'read', NULL
              FROM pggit.external_migrations WHERE source = 'sql' HAVING count(*) > 0) AS s), '[]'),
    'recorded_objects', (SELECT count(*) FROM pggit_daemon.object_version AS v WHERE v.to_commit IS NULL),
    'findings', coalesce((
        SELECT jsonb_object_agg(f.status, f.total)
        FROM (SELECT status, count(*) AS total FROM pggit_daemon.findings(NULL)
              WHERE status <> 'pending' GROUP BY status) AS f), '{}'),
    'event_triggers_off', coalesce((
        SELECT jsonb_agg(wanted.name)
        FROM (VALUES ('pggit_daemon_ddl'), ('pggit_daemon_drop'), ('pggit_daemon_rewrite'), ('pggit_daemon_members'))
             AS wanted (name)
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger AS e
                          WHERE e.evtname = wanted.name AND e.evtenabled = 'A')), '[]'),
    'conflicts', coalesce((
        SELECT jsonb_object_agg(c.conflict_type, c.total)
        FROM (SELECT conflict_type, count(*) AS total FROM pggit.conflicts
              WHERE status = 'unresolved' GROUP BY conflict_type) AS c), '{}'),
    'verified', (
        SELECT jsonb_build_object('at', v.began_at, 'objects', v.objects, 'differing', v.differing,
                                  'unreadable', v.unreadable, 'seconds', v.seconds, 'commit', v.commit_hash)
        FROM pggit_daemon.verification AS v WHERE v.finished_at IS NOT NULL),
    'capture', (SELECT coalesce(jsonb_agg(s.part || ' ' || s.problem), '[]') FROM pggit_daemon.capture_state() AS s),
    'quarantined', (SELECT count(*) FROM pggit_daemon.quarantine)
) AS document;

-- name: findings
-- What validation finds, but for what the daemon has not come to; with the name that acknowledges it.
SELECT f.finding, f.status, f.message, f.tool_name AS tool, f.source, f.migration_id
FROM pggit_daemon.findings(NULL) AS f
WHERE f.status <> 'pending'
ORDER BY f.tool_name, f.source, f.place, f.status;

-- name: pending
-- Why what is recorded, and so what validation finds, may not be all; NULL when the daemon has come this far.
SELECT pggit_daemon.pending();

-- name: missing_roles
SELECT named.role
FROM unnest(%(roles)s::text[]) AS named (role)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = named.role);

-- name: acknowledged
SELECT a.finding, a.status, a.message, a.reason, a.acknowledged_by, a.acknowledged_at
FROM pggit_daemon.acknowledgement AS a
ORDER BY a.acknowledged_at, a.finding;

-- name: acknowledge
SELECT pggit.acknowledge_finding(%(finding)s, %(reason)s);

-- name: reopen
SELECT pggit.reopen_finding(%(finding)s);

-- name: capture_state
-- What keeps statements from being recorded; no rows: all is well.
SELECT s.part || ' ' || s.problem FROM pggit_daemon.capture_state() AS s;

-- name: unread
-- The slot of the progress, where nobody reads it; no row while somebody does.
SELECT p.slot_name
FROM pggit_daemon.progress AS p
LEFT JOIN pg_catalog.pg_replication_slots AS s ON s.slot_name = p.slot_name
WHERE s.active IS NOT TRUE;

-- name: slots
-- Our slots of this database: the one of the progress, or the configured one before there is any progress.
SELECT s.slot_name::text AS name, s.active, s.active_pid
FROM pg_catalog.pg_replication_slots AS s
WHERE s.database = current_database()
  AND (s.slot_name = %(slot)s::text
       OR s.slot_name IN (SELECT p.slot_name FROM pggit_daemon.progress AS p))
ORDER BY s.slot_name;

-- name: drop_slot
-- A slot that nobody reads keeps WAL for ever.
SELECT pg_catalog.pg_drop_replication_slot(%(slot)s::text);

-- name: verified_since
-- The commit of a comparison that began after it was asked for; no row while there was none. NULL: nothing differed, or
-- a comparison shortly before has recorded it.
SELECT coalesce(v.commit_hash, (SELECT c.hash FROM pggit.commits AS c
                                 WHERE c.kind = 'snapshot' AND c.committed_at >= %(asked)s::timestamptz AT TIME ZONE 'UTC'
                                 ORDER BY c.id DESC LIMIT 1))
FROM pggit_daemon.verification AS v
WHERE v.began_at >= %(asked)s AND v.finished_at IS NOT NULL;

-- name: schemas_of_table
-- The schemas that have a table of this name.
SELECT namespace.nspname::text
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relname = %(table)s AND class.relkind IN ('r', 'p') AND namespace.nspname !~ '^pg_(temp|toast)'
ORDER BY 1;

-- name: source_of_table
-- As which tool's source the daemon follows a table, by its own record.
SELECT s.name, s.tool_name FROM pggit_daemon.source AS s
WHERE s.schema_name = %(schema)s AND s.table_name = %(table)s AND s.present;

-- name: table_shape
-- The looks of one table, and the names of the tables beside it.
SELECT pggit_daemon.table_shape(class.oid),
       (SELECT coalesce(array_agg(beside.relname::text), '{}') FROM pg_catalog.pg_class AS beside
        WHERE beside.relnamespace = class.relnamespace AND beside.relkind IN ('r', 'p') AND beside.oid <> class.oid)
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE namespace.nspname = %(schema)s AND class.relname = %(table)s AND class.relkind IN ('r', 'p');

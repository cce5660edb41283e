-- What the metrics read from the database, all in one round trip.

-- name: poll
-- One document: the slot, commits by kind, the migrations by source and status, findings that nobody has acknowledged by
-- source and status, open conflicts, the event triggers of the capture.
WITH broken AS MATERIALIZED (SELECT part, problem FROM pggit_daemon.capture_state())
SELECT jsonb_build_object(
    'slot', (
        SELECT jsonb_build_object(
            'lag_bytes', position.lsn - s.confirmed_flush_lsn,
            'retained_bytes', position.lsn - s.restart_lsn,
            'safe_wal_bytes', s.safe_wal_size)
        FROM pg_catalog.pg_replication_slots AS s
        JOIN pggit_daemon.progress AS p ON p.slot_name = s.slot_name
        CROSS JOIN LATERAL (
            SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
        ) AS position
        WHERE s.database = current_database()),
    'commits', coalesce((
        SELECT jsonb_agg(jsonb_build_array(k.kind, k.total))
        FROM (SELECT coalesce(kind, 'other') AS kind, count(*) AS total FROM pggit.commits GROUP BY 1) AS k), '[]'),
    -- When they were recorded, not when they happened: a daemon that was down finds what happened meanwhile.
    'last_commit', coalesce((
        SELECT jsonb_agg(jsonb_build_array(newest.kind, newest.seconds))
        FROM unnest(%(kinds)s::text[]) AS known (kind)
        CROSS JOIN LATERAL (
            SELECT c.kind, extract(epoch FROM c.committed_at AT TIME ZONE 'UTC') AS seconds
            FROM pggit.commits AS c WHERE c.kind = known.kind ORDER BY c.id DESC LIMIT 1) AS newest), '[]'),
    'event_triggers', (
        SELECT jsonb_agg(jsonb_build_array(wanted.name, (EXISTS (
            SELECT FROM pg_catalog.pg_event_trigger AS e
            WHERE e.evtname = wanted.name AND e.evtenabled = 'A')
            -- Nor does one record anything whose functions were changed or whose role lost its rights.
            AND NOT EXISTS (SELECT FROM broken WHERE broken.part IN ('event trigger ' || wanted.name, 'event triggers')
                               OR broken.part ~ '^(function|role) '))::integer))
        FROM (VALUES ('pggit_daemon_ddl'), ('pggit_daemon_drop'), ('pggit_daemon_rewrite'), ('pggit_daemon_members'))
             AS wanted (name)),
    'version', (SELECT max(number) FROM pggit_daemon.schema_step),
    'broken', (SELECT coalesce(jsonb_agg(part || ' ' || problem ORDER BY part), '[]') FROM broken),
    'migrations', coalesce((
        SELECT jsonb_agg(jsonb_build_array(m.source, m.status, m.total))
        FROM (SELECT source, status, count(*) AS total FROM pggit.external_migrations GROUP BY source, status) AS m),
        '[]'),
    'last_migration', coalesce((
        SELECT jsonb_agg(jsonb_build_array(m.source, m.seconds))
        FROM (SELECT source, extract(epoch FROM max(applied_at)) AS seconds
              FROM pggit.external_migrations WHERE applied_at IS NOT NULL GROUP BY source) AS m), '[]'),
    -- How far the daemon has come is the slot's to say; what belongs to no source (drift) has an empty one.
    'issues', coalesce((
        SELECT jsonb_agg(jsonb_build_array(i.source, i.status, i.total))
        FROM (SELECT coalesce(f.source, '') AS source, f.status, count(*) AS total
              FROM pggit_daemon.findings(NULL) AS f
              WHERE f.status <> 'pending'
              GROUP BY 1, 2) AS i), '[]'),
    'conflicts', coalesce((
        SELECT jsonb_agg(jsonb_build_array(c.conflict_type, c.total))
        FROM (SELECT conflict_type, count(*) AS total FROM pggit.conflicts
              WHERE status = 'unresolved' GROUP BY conflict_type) AS c), '[]')
) AS document;

-- What the metrics read from the database, all in one round trip.

-- name: poll
-- One document: the slot, the migrations by source and status, findings by source and status, open conflicts.
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
    'migrations', coalesce((
        SELECT jsonb_agg(jsonb_build_array(m.source, m.status, m.total))
        FROM (SELECT source, status, count(*) AS total FROM pggit.external_migrations GROUP BY source, status) AS m),
        '[]'),
    'last_migration', coalesce((
        SELECT jsonb_agg(jsonb_build_array(m.source, m.seconds))
        FROM (SELECT source, extract(epoch FROM max(applied_at)) AS seconds
              FROM pggit.external_migrations WHERE applied_at IS NOT NULL GROUP BY source) AS m), '[]'),
    'issues', coalesce((
        SELECT jsonb_agg(jsonb_build_array(i.source, i.status, i.total))
        FROM (
            SELECT f.source, f.status, count(*) AS total
            FROM (
                -- Rows that the tool itself took away (repair, clean) are no findings; one that vanished is.
                SELECT m.source, 'failed' AS status FROM pggit.external_migrations AS m
                WHERE NOT m.success AND m.status NOT IN ('removed', 'cleared', 'deleted')
                UNION ALL
                SELECT m.source, 'unlinked' FROM pggit.external_migrations AS m
                WHERE m.pggit_commit_id IS NULL AND m.success AND m.status NOT IN ('removed', 'cleared', 'deleted')
                UNION ALL
                SELECT m.source, CASE m.status WHEN 'removed' THEN 'missing' ELSE m.status END
                FROM pggit.external_migrations AS m
                WHERE m.success AND m.status IN ('removed', 'missing', 'started', 'out_of_order')
                UNION ALL
                -- The conflict names the source and the migration's id.
                SELECT regexp_replace(c.object_identifier, ' [^ ]*$', ''), 'checksum_changed'
                FROM pggit.conflicts AS c
                WHERE c.conflict_type = 'checksum_changed' AND c.status = 'unresolved'
                UNION ALL
                -- A gap is a hole in small integers; above are dates, epochs and the ids that we give.
                SELECT g.source, 'gap'
                FROM (SELECT m.source, m.migration_id
                             - lag(m.migration_id) OVER (PARTITION BY m.tool_name, m.source ORDER BY m.migration_id)
                             AS step
                      FROM pggit.external_migrations AS m
                      WHERE m.migration_id BETWEEN 1 AND 999999 AND m.status <> 'cleared') AS g
                WHERE g.step > 1
            ) AS f
            GROUP BY f.source, f.status) AS i), '[]'),
    'conflicts', coalesce((
        SELECT jsonb_agg(jsonb_build_array(c.conflict_type, c.total))
        FROM (SELECT conflict_type, count(*) AS total FROM pggit.conflicts
              WHERE status = 'unresolved' GROUP BY conflict_type) AS c), '[]')
) AS document;

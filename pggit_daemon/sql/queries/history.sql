-- The recorded history: commits, migrations, what they changed. For query/.

-- name: commits
-- Commits, newest first, each with the first few of its migrations. Filters that are NULL let all pass.
-- A migration whose statements were committed one by one has several commits; all but the last are parts.
SELECT c.id,
       c.hash,
       c.parent_commit_hash AS parent,
       c.kind,
       c.author,
       c.message,
       coalesce(c.occurred_at, c.committed_at AT TIME ZONE 'UTC') AS occurred_at,
       c.source_lsn::text AS source_lsn,
       c.source_xid,
       c.tree_hash,
       coalesce(c.objects_changed, 0) AS objects_changed,
       coalesce(c.metadata, '{}'::jsonb) AS metadata,
       coalesce(linked.total, 0) AS migration_count,
       coalesce(linked.first_few, '[]'::jsonb) AS migrations
FROM pggit.commits AS c
LEFT JOIN LATERAL (
    SELECT max(numbered.total) AS total, jsonb_agg(numbered.migration ORDER BY numbered.place) AS first_few
    FROM (
        SELECT count(*) OVER () AS total,
               row_number() OVER (ORDER BY m.source, m.sequence NULLS FIRST, m.migration_id) AS place,
               jsonb_build_object(
                   'tool', m.tool_name, 'source', m.source, 'migration_id', m.migration_id, 'version', m.version,
                   'name', m.migration_name, 'status', m.status, 'success', m.success,
                   'evidence', coalesce(l.evidence, m.evidence), 'part', coalesce(l.part, false),
                   'made', coalesce(l.made, m.evidence IS DISTINCT FROM 'none'), 'detail', l.detail,
                   'rollback_of', m.rollback_of, 'checksum', m.checksum, 'applied_at', m.applied_at,
                   'applied_by', m.applied_by, 'error_message', m.error_message,
                   'execution_ms', round(extract(epoch FROM m.execution_time) * 1000)) AS migration
        FROM pggit.external_migrations AS m
        LEFT JOIN pggit_daemon.link AS l
               ON (l.tool_name, l.source, l.migration_id) = (m.tool_name, m.source, m.migration_id)
              AND l.commit_id = c.id
        WHERE (m.tool_name, m.source, m.migration_id) IN (
            SELECT own.tool_name, own.source, own.migration_id
            FROM pggit.external_migrations AS own WHERE own.pggit_commit_id = c.id
            UNION ALL
            SELECT own.tool_name, own.source, own.migration_id
            FROM pggit_daemon.link AS own WHERE own.commit_id = c.id)
    ) AS numbered
    WHERE numbered.place <= %(migrations)s::bigint
) AS linked ON true
WHERE (%(id)s::integer IS NULL OR c.id = %(id)s::integer)
  AND (%(prefix)s::text IS NULL OR starts_with(c.hash, %(prefix)s::text))
  AND (%(kind)s::text IS NULL OR c.kind = %(kind)s::text)
  AND ((%(tool)s::text IS NULL AND %(source)s::text IS NULL)
       OR EXISTS (SELECT FROM pggit.external_migrations AS m
                  WHERE m.pggit_commit_id = c.id
                    AND (%(tool)s::text IS NULL OR m.tool_name = %(tool)s::text)
                    AND (%(source)s::text IS NULL OR m.source = %(source)s::text))
       OR EXISTS (SELECT FROM pggit_daemon.link AS l
                  WHERE l.commit_id = c.id
                    AND (%(tool)s::text IS NULL OR l.tool_name = %(tool)s::text)
                    AND (%(source)s::text IS NULL OR l.source = %(source)s::text)))
ORDER BY c.id DESC
LIMIT %(limit)s::bigint;

-- name: migrations
-- The migrations that an id or a word names best, with the commit each is linked to. A version may look like the id of
-- another: the id counts. A version is that of the migration; the rollback of it is named by its own id.
SELECT m.tool_name AS tool,
       m.source,
       m.migration_id,
       m.version,
       m.migration_name AS name,
       m.status,
       m.success,
       m.error_message,
       m.evidence,
       m.applied_at,
       m.applied_by,
       m.checksum,
       round(extract(epoch FROM m.execution_time) * 1000)::bigint AS execution_ms,
       m.rollback_of,
       m.pggit_commit_id AS commit_id,
       CASE WHEN m.pggit_commit_id IS NULL
            THEN pggit_daemon.why_unlinked(m.source, m.migration_id, m.source_lsn) END AS why_unlinked
FROM (
    SELECT named.*, rank() OVER (ORDER BY named.called_by, named.called_by > 0 AND named.rollback_of IS NOT NULL) AS place
    FROM (SELECT e.*, CASE WHEN e.migration_id = %(migration_id)s::bigint THEN 0
                           ELSE pggit_daemon.called_by(%(version)s::text, e.version, e.migration_name) END AS called_by
          FROM pggit.external_migrations AS e
          WHERE (%(tool)s::text IS NULL OR e.tool_name = %(tool)s::text)
            AND (%(source)s::text IS NULL OR e.source = %(source)s::text)) AS named
    WHERE named.called_by IS NOT NULL
) AS m
WHERE m.place = 1
ORDER BY m.tool_name, m.source, m.migration_id;

-- name: known_names
-- The tools and the sources that migrations are recorded of.
SELECT coalesce(array_agg(DISTINCT m.tool_name ORDER BY m.tool_name), '{}'),
       coalesce(array_agg(DISTINCT m.source ORDER BY m.source), '{}')
FROM pggit.external_migrations AS m;

-- name: made_by
-- The commits that a migration made, oldest first; `objects` where only these of the commit's are its own.
SELECT made.commit_id, made.objects
FROM pggit.external_migrations AS m
CROSS JOIN LATERAL pggit_daemon.made_by(m) AS made
WHERE m.tool_name = %(tool)s::text AND m.source = %(source)s::text AND m.migration_id = %(migration_id)s::bigint
ORDER BY made.commit_id;

-- name: versions_of_commit
-- What a commit changed, or what of it is a migration's own.
SELECT changed.old,
       v.type, v.schema_name, v.identity, v.classid::bigint AS classid, v.objid::bigint AS objid,
       encode(v.blob, 'hex') AS blob,
       b.definition || coalesce(b.later, '') AS definition
FROM pggit_daemon.versions_in(%(commit)s::integer, %(objects)s::text[]) AS changed
JOIN pggit_daemon.object_version AS v ON v.id = changed.version
JOIN pggit_daemon.blob AS b ON b.sha256 = v.blob
ORDER BY v.type, v.identity;

-- name: versions_of_migration
-- What a migration changed, all its commits together.
SELECT changed.old,
       v.type, v.schema_name, v.identity, v.classid::bigint AS classid, v.objid::bigint AS objid,
       encode(v.blob, 'hex') AS blob,
       b.definition || coalesce(b.later, '') AS definition
FROM pggit.external_migrations AS m
CROSS JOIN LATERAL pggit_daemon.versions_of(m) AS changed
JOIN pggit_daemon.object_version AS v ON v.id = changed.version
JOIN pggit_daemon.blob AS b ON b.sha256 = v.blob
WHERE m.tool_name = %(tool)s::text AND m.source = %(source)s::text AND m.migration_id = %(migration_id)s::bigint
ORDER BY v.type, v.identity;

-- name: versions_between
-- The versions that held at one of two commits and not at the other; old are those of the first.
SELECT held.at_a AS old,
       v.type, v.schema_name, v.identity, v.classid::bigint AS classid, v.objid::bigint AS objid,
       encode(v.blob, 'hex') AS blob,
       b.definition || coalesce(b.later, '') AS definition
FROM pggit_daemon.object_version AS v
CROSS JOIN LATERAL (
    SELECT v.from_commit <= %(a)s::integer AND coalesce(v.to_commit > %(a)s::integer, true) AS at_a,
           v.from_commit <= %(b)s::integer AND coalesce(v.to_commit > %(b)s::integer, true) AS at_b
) AS held
JOIN pggit_daemon.blob AS b ON b.sha256 = v.blob
WHERE held.at_a <> held.at_b
ORDER BY v.type, v.identity;

-- name: export
-- The whole schema at a commit as one script.
SELECT pggit_daemon.export_tree(%(commit)s::integer) AS script;

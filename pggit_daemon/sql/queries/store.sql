-- What the daemon writes. All of one settled prefix of the stream goes into one transaction, with the progress.
--
-- Most of these tables hold the whole history, and the planner may know nothing of that: statistics come late, and a plan
-- is kept. So rows are found one by one through an index, whatever it thinks: by arrays and by LATERAL or EXISTS with
-- OFFSET 0, which make no join that could be turned round; and this connection makes no sequential scans (`STORING` in
-- db/connections.py). tests/integration/test_store_plans.py counts the rows.

-- name: insert_blobs
-- Definitions by their SHA-256; most are there already or are new, none ever changes.
INSERT INTO pggit_daemon.blob (sha256, definition, later, depends)
SELECT new.sha256, new.definition, new.later, ARRAY(SELECT jsonb_array_elements_text(new.depends))
FROM unnest(%(sha256)s::bytea[], %(definition)s::text[], %(later)s::text[], %(depends)s::jsonb[])
     AS new (sha256, definition, later, depends)
ON CONFLICT (sha256) DO NOTHING;

-- name: insert_commit
INSERT INTO pggit.commits (
    hash, branch_id, parent_commit_hash, message, author, authored_at, committer, committed_at, tree_hash,
    metadata, kind, source_lsn, source_xid, occurred_at, objects_changed)
SELECT %(hash)s, branch.id, %(parent)s, %(message)s, %(author)s,
       %(time)s::timestamptz AT TIME ZONE 'UTC', 'pggit-daemon', clock_timestamp() AT TIME ZONE 'UTC', %(tree_hash)s,
       %(metadata)s::jsonb, %(kind)s, %(lsn)s::pg_lsn, %(xid)s, %(time)s, %(changed)s
FROM pggit.branches AS branch
WHERE branch.name = 'main';

-- name: move_head
UPDATE pggit.branches SET head_commit_hash = %(hash)s WHERE name = 'main';

-- name: close_versions
-- The objects' former versions end with this commit.
UPDATE pggit_daemon.object_version AS version
SET to_commit = (SELECT id FROM pggit.commits WHERE hash = %(hash)s)
WHERE version.id = ANY (ARRAY(
    SELECT current.id
    FROM unnest(%(type)s::text[], %(identity)s::text[]) AS old (type, identity)
    CROSS JOIN LATERAL (
        SELECT v.id FROM pggit_daemon.object_version AS v
        WHERE v.to_commit IS NULL AND v.type = old.type AND v.identity = old.identity OFFSET 0) AS current));

-- name: open_versions
INSERT INTO pggit_daemon.object_version (type, schema_name, identity, classid, objid, blob, from_commit)
SELECT new.type, new.schema_name, new.identity, new.classid, new.objid, new.blob,
       (SELECT id FROM pggit.commits WHERE hash = %(hash)s)
FROM unnest(%(type)s::text[], %(schema_name)s::text[], %(identity)s::text[], %(classid)s::oid[], %(objid)s::oid[],
            %(blob)s::bytea[]) AS new (type, schema_name, identity, classid, objid, blob);

-- name: move_versions
-- Objects that were dropped and made again just as they were: a later drop or rename names the new id.
WITH moved AS MATERIALIZED (
    SELECT current.id, named.classid, named.objid
    FROM unnest(%(type)s::text[], %(identity)s::text[], %(classid)s::oid[], %(objid)s::oid[])
         AS named (type, identity, classid, objid)
    CROSS JOIN LATERAL (
        SELECT v.id FROM pggit_daemon.object_version AS v
        WHERE v.to_commit IS NULL AND v.type = named.type AND v.identity = named.identity OFFSET 0) AS current
)
UPDATE pggit_daemon.object_version AS version
SET classid = moved.classid, objid = moved.objid
FROM moved
WHERE version.id = moved.id AND version.id = ANY (ARRAY(SELECT moved.id FROM moved));

-- name: put_migration
-- A migration as its row says now, with its link. What is applied again takes the place of what it was.
INSERT INTO pggit.external_migrations (
    migration_id, tool_name, source, migration_name, checksum, pggit_commit_id, applied_at, applied_by,
    execution_time, success, error_message, version, sequence, status, evidence, rollback_of, source_lsn)
VALUES (
    %(migration_id)s, %(tool)s, %(source)s, %(name)s, %(checksum)s,
    coalesce((SELECT id FROM pggit.commits WHERE hash = %(hash)s),
             (SELECT max(at.id)
              FROM (SELECT id FROM pggit.commits WHERE source_lsn = %(late)s::pg_lsn OFFSET 0) AS at)),
    %(applied_at)s, %(applied_by)s, %(execution_ms)s * interval '1 millisecond', %(success)s, %(error_message)s,
    %(version)s, %(sequence)s, %(status)s, %(evidence)s, %(rollback_of)s, %(lsn)s::pg_lsn)
ON CONFLICT (tool_name, source, migration_id) DO UPDATE SET
    migration_name = excluded.migration_name,
    checksum = excluded.checksum,
    pggit_commit_id = excluded.pggit_commit_id,
    applied_at = excluded.applied_at,
    applied_by = excluded.applied_by,
    execution_time = excluded.execution_time,
    success = excluded.success,
    error_message = excluded.error_message,
    version = excluded.version,
    sequence = excluded.sequence,
    status = excluded.status,
    evidence = excluded.evidence,
    rollback_of = excluded.rollback_of,
    source_lsn = excluded.source_lsn;

-- name: link_known
-- A migration that somebody recorded, or recorded elsewhere: its row stays as it is but for the link. Without a row it
-- is recorded now, if that was asked for.
WITH made AS (
    SELECT coalesce((SELECT id FROM pggit.commits WHERE hash = %(hash)s),
                    (SELECT max(at.id)
                     FROM (SELECT id FROM pggit.commits WHERE source_lsn = %(late)s::pg_lsn OFFSET 0) AS at)) AS commit_id
), known AS (
    SELECT m.source FROM pggit.external_migrations AS m
    WHERE m.tool_name = %(tool)s AND m.migration_id = %(migration_id)s AND (m.source = %(source)s OR %(anywhere)s)
    ORDER BY (m.pggit_commit_id IS NULL) DESC, m.source LIMIT 1
), linked AS (
    UPDATE pggit.external_migrations AS m
    SET pggit_commit_id = made.commit_id, evidence = %(evidence)s,
        migration_name = coalesce(m.migration_name, %(name)s), version = coalesce(m.version, %(version)s),
        status = CASE WHEN m.status = 'applied' THEN %(status)s ELSE m.status END,
        rollback_of = coalesce(m.rollback_of, %(rollback_of)s)
    FROM known, made
    WHERE m.tool_name = %(tool)s AND m.migration_id = %(migration_id)s AND m.source = known.source
      AND m.pggit_commit_id IS NULL
)
INSERT INTO pggit.external_migrations (
    migration_id, tool_name, source, migration_name, checksum, pggit_commit_id, applied_at, applied_by,
    execution_time, success, error_message, version, sequence, status, evidence, rollback_of, source_lsn)
SELECT %(migration_id)s, %(tool)s, %(source)s, %(name)s, %(checksum)s, made.commit_id, %(applied_at)s, %(applied_by)s,
       %(execution_ms)s * interval '1 millisecond', %(success)s, %(error_message)s, %(version)s, %(sequence)s,
       %(status)s, %(evidence)s, %(rollback_of)s, %(lsn)s::pg_lsn
FROM made
WHERE %(records)s AND NOT EXISTS (SELECT FROM known)
ON CONFLICT (tool_name, source, migration_id) DO NOTHING;

-- name: amend_any
-- What a rollback rolled back: the migration of that number, of the same tool if it has one, else the newest.
UPDATE pggit.external_migrations AS m
SET status = %(status)s
FROM (SELECT o.tool_name, o.source FROM pggit.external_migrations AS o
      WHERE o.migration_id = %(migration_id)s
      ORDER BY (o.tool_name = %(tool)s) DESC, (o.status = 'applied') DESC, o.applied_at DESC NULLS LAST LIMIT 1) AS one
WHERE m.migration_id = %(migration_id)s AND m.tool_name = one.tool_name AND m.source = one.source;

-- name: abandon
-- What sessions that have ended left open: the ledger forgets it. A migration stays as started, and validation says so.
DELETE FROM pggit_daemon.source_row WHERE source = 'sql' AND row_key = ANY (%(keys)s::text[]);

-- name: abandon_migrations
DELETE FROM pggit_daemon.open_migration WHERE deployment::text = ANY (%(keys)s::text[]);

-- name: abandon_deployments
UPDATE pggit.deployments SET status = 'abandoned', ended_at = clock_timestamp()
WHERE status = 'open' AND deployment_id::text = ANY (%(keys)s::text[]);

-- name: amend_migration
-- A later change of the row: NULL leaves a column as it is, but a cleared checksum is given as such.
UPDATE pggit.external_migrations
SET status = coalesce(%(status)s, status),
    checksum = CASE WHEN %(sets_checksum)s THEN %(checksum)s ELSE checksum END,
    migration_name = coalesce(%(name)s, migration_name)
WHERE tool_name = %(tool)s AND source = %(source)s AND migration_id = %(migration_id)s;

-- name: link
-- Every link, with its evidence; a migration in several transactions has several.
INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, part, detail)
SELECT %(tool)s, %(source)s, %(migration_id)s, id, %(evidence)s, %(part)s, %(detail)s::jsonb
FROM pggit.commits
WHERE id = coalesce((SELECT id FROM pggit.commits WHERE hash = %(hash)s),
                    (SELECT max(at.id)
                     FROM (SELECT id FROM pggit.commits WHERE source_lsn = %(late)s::pg_lsn OFFSET 0) AS at))
ON CONFLICT (tool_name, source, migration_id, commit_id) DO UPDATE SET part = link.part AND excluded.part;

-- name: record_event
INSERT INTO pggit_daemon.history_event (
    source, meaning, operation, row_key, old_columns, new_columns, migration_id, evidence, commit_id, lsn, xid, occurred_at)
VALUES (
    %(source)s, %(meaning)s, %(operation)s, %(row_key)s, %(old)s::jsonb, %(new)s::jsonb, %(migration_id)s, %(evidence)s,
    coalesce((SELECT id FROM pggit.commits WHERE hash = %(hash)s),
             (SELECT max(at.id)
              FROM (SELECT id FROM pggit.commits WHERE source_lsn = %(late)s::pg_lsn OFFSET 0) AS at)),
    %(lsn)s::pg_lsn, %(xid)s, %(occurred_at)s);

-- name: put_row
INSERT INTO pggit_daemon.source_row (source, row_key, columns, migration_id)
VALUES (%(source)s, %(row_key)s, %(columns)s::jsonb, %(migration_id)s)
ON CONFLICT (source, row_key) DO UPDATE SET columns = excluded.columns, migration_id = excluded.migration_id;

-- name: delete_row
DELETE FROM pggit_daemon.source_row WHERE source = %(source)s AND row_key = %(row_key)s;

-- name: quarantine
INSERT INTO pggit_daemon.quarantine (lsn, xid, raw, reason)
VALUES (%(lsn)s::pg_lsn, %(xid)s, %(raw)s, %(reason)s)
ON CONFLICT DO NOTHING;

-- name: handled_events
-- The outbox holds what is not handled yet. Says which rows it found.
DELETE FROM pggit_daemon.ddl_event WHERE id = ANY (%(ids)s::bigint[]) RETURNING id;

-- name: handled_requests
DELETE FROM pggit_daemon.request WHERE id = ANY (%(ids)s::bigint[]) RETURNING id;

-- name: mark_part
-- Only migrations that the SQL API began have a row under this key before they end.
UPDATE pggit_daemon.source_row SET columns = columns || jsonb_build_object('last_part', %(last_part)s::text)
WHERE source = %(source)s AND source = 'sql' AND row_key = %(row_key)s;

-- name: out_of_band_conflicts
-- An object that migrations made was changed by something else. An open conflict is looked for, not run into: a session
-- that resolves it right now would be waited for.
INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description, commit_id)
SELECT 'out_of_band', changed.type, changed.identity,
       format('%%s %%s was changed outside migrations by %%s', changed.type, changed.identity, made.author), made.id
FROM unnest(%(type)s::text[], %(identity)s::text[]) AS changed (type, identity)
CROSS JOIN (SELECT id, author FROM pggit.commits WHERE hash = %(hash)s) AS made
WHERE EXISTS (
    SELECT FROM pggit_daemon.object_version AS version
    CROSS JOIN LATERAL (SELECT c.kind FROM pggit.commits AS c WHERE c.id = version.from_commit OFFSET 0) AS earlier
    WHERE version.type = changed.type AND version.identity = changed.identity AND version.from_commit < made.id
      AND earlier.kind IN ('migration', 'rollback') OFFSET 0)
  AND NOT EXISTS (
    SELECT FROM pggit.conflicts AS open
    WHERE open.status = 'unresolved' AND open.conflict_type = 'out_of_band'
      AND open.object_type = changed.type AND open.object_identifier = changed.identity OFFSET 0)
ON CONFLICT (conflict_type, object_type, object_identifier) WHERE status = 'unresolved' DO NOTHING;

-- name: settle_conflicts
-- A migration changed the object since: it says again what the object is. Whoever resolves one right now is not waited for.
UPDATE pggit.conflicts AS conflict
SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'a later migration changed the object'
WHERE conflict.conflict_id = ANY (ARRAY(
    SELECT open.conflict_id
    FROM unnest(%(type)s::text[], %(identity)s::text[]) AS changed (type, identity)
    CROSS JOIN LATERAL (
        SELECT c.conflict_id FROM pggit.conflicts AS c
        WHERE c.status = 'unresolved' AND c.conflict_type IN ('out_of_band', 'tree_differs')
          AND c.object_type = changed.type AND c.object_identifier = changed.identity
        OFFSET 0 FOR UPDATE SKIP LOCKED) AS open));

-- name: tree_conflicts
-- The catalog was not as recorded, and nobody told why.
INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description, commit_id)
SELECT 'tree_differs', found.type, found.identity, found.description, made.id
FROM unnest(%(type)s::text[], %(identity)s::text[], %(description)s::text[]) AS found (type, identity, description)
CROSS JOIN (SELECT id FROM pggit.commits WHERE hash = %(hash)s) AS made
WHERE NOT EXISTS (
    SELECT FROM pggit.conflicts AS open
    WHERE open.status = 'unresolved' AND open.conflict_type = 'tree_differs'
      AND open.object_type = found.type AND open.object_identifier = found.identity OFFSET 0)
ON CONFLICT (conflict_type, object_type, object_identifier) WHERE status = 'unresolved' DO NOTHING;

-- name: undone_conflicts
-- The object is again what it was before the change that made the conflict. Whoever resolves one right now is not waited
-- for.
UPDATE pggit.conflicts AS conflict
SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'the object is again as it was before'
WHERE conflict.conflict_id = ANY (ARRAY(
    SELECT open.conflict_id
    FROM unnest(%(type)s::text[], %(identity)s::text[]) AS changed (type, identity)
    CROSS JOIN LATERAL (
        SELECT c.conflict_id FROM pggit.conflicts AS c
        WHERE c.status = 'unresolved' AND c.conflict_type IN ('out_of_band', 'tree_differs')
          AND c.object_type = changed.type AND c.object_identifier = changed.identity
          AND EXISTS (
            SELECT FROM pggit_daemon.object_version AS before
            CROSS JOIN LATERAL (
                SELECT v.blob FROM pggit_daemon.object_version AS v
                WHERE v.to_commit IS NULL AND v.type = before.type AND v.identity = before.identity OFFSET 0) AS now
            WHERE before.type = c.object_type AND before.identity = c.object_identifier AND before.to_commit = c.commit_id
              AND now.blob = before.blob OFFSET 0)
        OFFSET 0 FOR UPDATE SKIP LOCKED) AS open));

-- name: put_verification
-- The last comparison of everything.
INSERT INTO pggit_daemon.verification (
    began_at, finished_at, objects, differing, unreadable, seconds, commit_hash, writer, horizon, names)
VALUES (
    %(began_at)s, clock_timestamp(), %(objects)s, %(differing)s, %(unreadable)s, %(seconds)s, %(commit)s, %(writer)s,
    %(horizon)s::text::xid8, %(names)s)
ON CONFLICT (singleton) DO UPDATE SET
    began_at = excluded.began_at, finished_at = excluded.finished_at, objects = excluded.objects,
    differing = excluded.differing, unreadable = excluded.unreadable, seconds = excluded.seconds,
    commit_hash = excluded.commit_hash, writer = excluded.writer, horizon = excluded.horizon, names = excluded.names;

-- name: checksum_conflict
INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description)
SELECT 'checksum_changed', 'migration', %(identity)s, %(description)s
WHERE NOT EXISTS (SELECT FROM pggit.conflicts AS open
                  WHERE open.status = 'unresolved' AND open.conflict_type = 'checksum_changed'
                    AND open.object_type = 'migration' AND open.object_identifier = %(identity)s)
ON CONFLICT (conflict_type, object_type, object_identifier) WHERE status = 'unresolved' DO NOTHING;

-- name: put_source
INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, lock_table, origin)
VALUES (%(name)s, %(tool)s, %(preset)s, %(schema)s, %(table)s, %(lock_table)s, %(origin)s)
ON CONFLICT (name) DO UPDATE SET
    tool_name = excluded.tool_name, preset = excluded.preset, schema_name = excluded.schema_name,
    table_name = excluded.table_name, lock_table = coalesce(excluded.lock_table, source.lock_table),
    origin = excluded.origin;

-- name: advance
-- The progress. The guard makes a second daemon, or a batch that was stored already, fail instead of storing twice.
INSERT INTO pggit_daemon.progress (slot_name, commit_lsn, end_lsn, head, context)
VALUES (%(slot)s, %(commit_lsn)s::pg_lsn, %(end_lsn)s::pg_lsn, %(head)s, %(context)s::jsonb)
ON CONFLICT (singleton) DO UPDATE SET
    slot_name = excluded.slot_name, commit_lsn = excluded.commit_lsn, end_lsn = excluded.end_lsn,
    head = excluded.head, context = excluded.context, updated_at = clock_timestamp()
WHERE progress.commit_lsn = %(before)s::pg_lsn
RETURNING commit_lsn;

-- The two views of the contract.

-- Which versions belong together: by the catalog's id, which survives a rename; else by name, which survives a drop and
-- a create.
CREATE OR REPLACE VIEW pggit.commit_changes AS
SELECT commit.id AS commit_id,
       commit.hash AS commit_hash,
       coalesce(begun.type, ended.type) AS object_type,
       coalesce(begun.identity, ended.identity) AS object_name,
       CASE WHEN ended.identity <> begun.identity THEN ended.identity END AS old_name,
       kind.operation,
       pggit_daemon.impact_level(
           coalesce(begun.type, ended.type), kind.operation, old.definition, new.definition,
           coalesce(commit.metadata -> 'rewrites' ?| ARRAY[begun.identity, ended.identity], false)) AS level,
       old.definition || coalesce(old.later, '') AS old_definition,
       new.definition || coalesce(new.later, '') AS new_definition
FROM (
    SELECT v.to_commit AS commit_id, v.type, v.identity, v.blob,
           CASE WHEN EXISTS (SELECT FROM pggit_daemon.object_version AS next
                             WHERE next.objid = v.objid AND next.classid = v.classid AND next.from_commit = v.to_commit)
                THEN v.classid || ':' || v.objid ELSE v.type || ' ' || v.identity END AS pair
    FROM pggit_daemon.object_version AS v
    WHERE v.to_commit IS NOT NULL
) AS ended
FULL JOIN (
    SELECT v.from_commit AS commit_id, v.type, v.identity, v.blob,
           CASE WHEN EXISTS (SELECT FROM pggit_daemon.object_version AS previous
                             WHERE previous.objid = v.objid AND previous.classid = v.classid
                               AND previous.to_commit = v.from_commit)
                THEN v.classid || ':' || v.objid ELSE v.type || ' ' || v.identity END AS pair
    FROM pggit_daemon.object_version AS v
) AS begun USING (commit_id, pair)
JOIN pggit.commits AS commit ON commit.id = commit_id
LEFT JOIN pggit_daemon.blob AS old ON old.sha256 = ended.blob
LEFT JOIN pggit_daemon.blob AS new ON new.sha256 = begun.blob
CROSS JOIN LATERAL (
    SELECT CASE WHEN ended.identity IS NULL THEN 'CREATE' WHEN begun.identity IS NULL THEN 'DROP'
                WHEN ended.identity <> begun.identity THEN 'RENAME' ELSE 'ALTER' END AS operation
) AS kind;

COMMENT ON VIEW pggit.commit_changes IS 'One row per object changed in a commit, with its definition before and after.';
COMMENT ON COLUMN pggit.commit_changes.commit_id IS 'pggit.commits.id';
COMMENT ON COLUMN pggit.commit_changes.commit_hash IS 'The hash of the commit.';
COMMENT ON COLUMN pggit.commit_changes.object_type IS 'table, index, table constraint, function, ...: the server''s own words.';
COMMENT ON COLUMN pggit.commit_changes.object_name IS 'The object''s name after the commit, qualified and quoted; of a dropped one, before it.';
COMMENT ON COLUMN pggit.commit_changes.old_name IS 'What a renamed object was called before; otherwise NULL.';
COMMENT ON COLUMN pggit.commit_changes.operation IS 'CREATE, ALTER, RENAME or DROP. A drop and create of one name is an ALTER.';
COMMENT ON COLUMN pggit.commit_changes.level IS 'high = destroys data or access or rewrites a table, medium = changes structure, low = adds or describes.';
COMMENT ON COLUMN pggit.commit_changes.old_definition IS 'The statements that made the object before; NULL for CREATE.';
COMMENT ON COLUMN pggit.commit_changes.new_definition IS 'The statements that make the object now; NULL for DROP.';

CREATE OR REPLACE VIEW pggit.migration_history AS
SELECT m.migration_id,
       m.migration_name,
       m.tool_name,
       m.applied_at,
       m.applied_by,
       m.checksum,
       CASE WHEN m.evidence = 'none' OR NOT link.made THEN 'no schema change' ELSE commit.message END AS commit_message,
       coalesce(commit.recorded_tree, commit.tree_hash) AS tree_id,
       m.execution_time,
       m.success,
       m.error_message,
       m.version,
       m.source,
       m.evidence,
       m.status,
       m.sequence,
       m.rollback_of,
       commit.id AS commit_id,
       commit.hash AS commit_hash,
       commit.tree_hash,
       commit.parent_commit_hash AS parent,
       CASE WHEN m.evidence = 'none' OR NOT link.made THEN 0 ELSE commit.objects_changed END AS objects_changed
FROM pggit.external_migrations AS m
LEFT JOIN pggit.commits AS commit ON commit.id = m.pggit_commit_id
LEFT JOIN pggit_daemon.link AS link  -- one that somebody linked by hand ran no DDL either
       ON (link.tool_name, link.source, link.migration_id, link.commit_id)
        = (m.tool_name, m.source, m.migration_id, m.pggit_commit_id);

COMMENT ON VIEW pggit.migration_history IS 'Every migration with the commit it is linked to.';
COMMENT ON COLUMN pggit.migration_history.migration_id IS 'The migration''s number; see pggit.external_migrations.';
COMMENT ON COLUMN pggit.migration_history.migration_name IS 'The tool''s description of it.';
COMMENT ON COLUMN pggit.migration_history.tool_name IS 'flyway, liquibase, ...';
COMMENT ON COLUMN pggit.migration_history.applied_at IS 'When it was committed.';
COMMENT ON COLUMN pggit.migration_history.applied_by IS 'Who applied it, by the tool''s own word: Flyway''s installed_by, the changeset''s author.';
COMMENT ON COLUMN pggit.migration_history.checksum IS 'The tool''s checksum.';
COMMENT ON COLUMN pggit.migration_history.commit_message IS 'The message of its commit; no schema change, where it ran no DDL.';
COMMENT ON COLUMN pggit.migration_history.tree_id IS 'The hash of the whole schema after it, as it is recorded.';
COMMENT ON COLUMN pggit.migration_history.execution_time IS 'How long it ran.';
COMMENT ON COLUMN pggit.migration_history.success IS 'False: it failed.';
COMMENT ON COLUMN pggit.migration_history.error_message IS 'Why it failed.';
COMMENT ON COLUMN pggit.migration_history.version IS 'The tool''s own id of it, as text.';
COMMENT ON COLUMN pggit.migration_history.source IS 'The history table that lists it; sql = the SQL API.';
COMMENT ON COLUMN pggit.migration_history.evidence IS 'What links it to its commit, strongest first: transaction, session, lock, bracket, window, baseline, manual, snapshot; none: it ran no DDL, and this is the commit whose schema it saw.';
COMMENT ON COLUMN pggit.migration_history.status IS 'applied, failed, started, rolled_back, removed, ...';
COMMENT ON COLUMN pggit.migration_history.sequence IS 'The tool''s own order.';
COMMENT ON COLUMN pggit.migration_history.rollback_of IS 'For a rollback: the migration that it undid.';
COMMENT ON COLUMN pggit.migration_history.commit_id IS 'The commit it is linked to (its last one); NULL = not linked.';
COMMENT ON COLUMN pggit.migration_history.commit_hash IS 'The hash of that commit.';
COMMENT ON COLUMN pggit.migration_history.tree_hash IS 'The same of the schema as the WAL says, which the commit''s hash covers: tree_id but for definitions that were read from the catalog.';
COMMENT ON COLUMN pggit.migration_history.parent IS 'The hash of the commit before.';
COMMENT ON COLUMN pggit.migration_history.objects_changed IS 'How many objects its commit changed, the last one where it has several; analyze_migration_impact counts all.';

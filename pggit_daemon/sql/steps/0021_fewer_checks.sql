-- Step 21: what every commit writes of ours costs no more than it must.

-- The daemon alone writes these tables, each row in the transaction that makes what it points to, or by an id that it has
-- looked up there. Each of these checks cost as much as writing the row. Those of schema pggit, where others write, stay.
ALTER TABLE pggit_daemon.object_version
    DROP CONSTRAINT IF EXISTS object_version_blob_fkey,
    DROP CONSTRAINT IF EXISTS object_version_from_commit_fkey,
    DROP CONSTRAINT IF EXISTS object_version_to_commit_fkey;
ALTER TABLE pggit_daemon.link DROP CONSTRAINT IF EXISTS link_commit_id_fkey;
ALTER TABLE pggit_daemon.history_event DROP CONSTRAINT IF EXISTS history_event_commit_id_fkey;

-- A version that still holds has no entry.
DROP INDEX pggit_daemon.object_version_to;
CREATE INDEX object_version_to ON pggit_daemon.object_version (to_commit) WHERE to_commit IS NOT NULL;

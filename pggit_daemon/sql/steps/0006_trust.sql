-- Step 6: nothing secret at rest, and a replica identity for every table of ours.

-- Whole scripts were kept here, with the data and the passwords in them. What is kept instead is the text of a statement
-- that came alone and holds no literal (capture/05_record.sql).
ALTER TABLE pggit_daemon.ddl_event
    DROP COLUMN query,
    ADD COLUMN statement text;

-- A publication FOR ALL TABLES takes our tables along, and an UPDATE or DELETE of a table without a replica identity
-- fails then. This is the only one without a primary key: pgGit 0.2.x keyed it by migration_id alone.
ALTER TABLE pggit.external_migrations ALTER COLUMN migration_id SET NOT NULL, ALTER COLUMN tool_name SET NOT NULL;
ALTER TABLE pggit.external_migrations REPLICA IDENTITY USING INDEX external_migrations_identity;

-- What our functions were when the repeatable files ran last: a hash (capture/90_state.sql). NULL: not known.
ALTER TABLE pggit_daemon.repeatable ADD COLUMN IF NOT EXISTS functions text;

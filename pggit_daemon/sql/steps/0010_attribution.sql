-- Step 10: a commit is recorded at once; whose it is may change later, and is in no hash.

-- What the statements of a commit did, in one line. The hash covers it; the message says whose they are.
ALTER TABLE pggit.commits ADD COLUMN IF NOT EXISTS summary text;
CREATE INDEX IF NOT EXISTS commits_pending ON pggit.commits (id) WHERE kind = 'pending';
-- What a commit was taken for is taken back when it turns out to be a migration's.
CREATE INDEX IF NOT EXISTS conflicts_commit ON pggit.conflicts (commit_id);

-- made: false where the migration ran no DDL, and this is the commit whose schema it saw.
-- objects: what of the commit is the migration's, as 'type identity'; NULL: all of it. Several migrations in one
-- transaction (Flyway's group) have one commit.
ALTER TABLE pggit_daemon.link ADD COLUMN made boolean NOT NULL DEFAULT true;
ALTER TABLE pggit_daemon.link ADD COLUMN objects text[];

-- What attribution must remember: open claims, history rows that wait, brackets, sessions of tools. One row is one fact,
-- written with the results that it goes with.
CREATE TABLE pggit_daemon.attribution (
    kind  text NOT NULL,                   -- claim, recent, row, bracket, tool, housekeeper
    key   text NOT NULL,
    state jsonb NOT NULL,
    PRIMARY KEY (kind, key)
);

-- A row that was recorded before its link was known is found by its place.
CREATE INDEX history_event_lsn ON pggit_daemon.history_event (lsn);

-- The brackets that were open when this daemon took over. Whatever waited then comes through the stream again.
INSERT INTO pggit_daemon.attribution (kind, key, state)
SELECT 'bracket', jsonb_build_array(open.value -> 0, open.value -> 1)::text,
       jsonb_build_object('schema', open.value ->> 0, 'table', open.value ->> 1, 'opened', open.value ->> 2,
                          'at', NULL, 'abandoned', false)
FROM pggit_daemon.progress AS progress
CROSS JOIN LATERAL jsonb_array_elements(coalesce(progress.context -> 'brackets', '[]')) AS open;

-- Step 30: a row of a history table that is linked to no commit says why; the log alone did.
ALTER TABLE pggit_daemon.history_event ADD COLUMN note text;

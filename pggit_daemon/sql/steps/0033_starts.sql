-- Step 33: how often the stream began and did not get beyond what was there.

ALTER TABLE pggit_daemon.progress
    ADD COLUMN starts integer NOT NULL DEFAULT 0;   -- since something was last stored

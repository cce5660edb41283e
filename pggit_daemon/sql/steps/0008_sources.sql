-- Step 8: whether a source's table can be read; where the slot may be.

ALTER TABLE pggit_daemon.source
    -- What became of the last attempt to read it, and why.
    ADD COLUMN state text NOT NULL DEFAULT 'read' CHECK (state IN ('read', 'missing', 'unreadable', 'locked')),
    ADD COLUMN detail text;

-- Nothing beyond this was ever acknowledged: a slot that has confirmed more is another one, and what lies between was never
-- read. NULL until a daemon that keeps to it has written.
ALTER TABLE pggit_daemon.progress ADD COLUMN bound_lsn pg_lsn;

-- Step 8: what is known of a source's table beyond its name; where the slot may be.

ALTER TABLE pggit_daemon.source
    -- By its OID a table is followed through renames; NULL: it was never seen.
    ADD COLUMN table_oid oid,
    -- Partitions and children, [schema, table] each: the stream names these and not the table itself.
    ADD COLUMN members jsonb NOT NULL DEFAULT '[]',
    -- What became of the last attempt to read it, and why.
    ADD COLUMN state text NOT NULL DEFAULT 'read' CHECK (state IN ('read', 'missing', 'unreadable', 'locked')),
    ADD COLUMN detail text;

-- Nothing beyond this was ever acknowledged: a slot that has confirmed more is another one, and what lies between was never
-- read. NULL until a daemon that keeps to it has written.
ALTER TABLE pggit_daemon.progress ADD COLUMN bound_lsn pg_lsn;

-- Step 5: which transactions were under way beside a transaction that ran DDL.

-- pg_current_snapshot() before its first statement was read, at the transaction's first event only. What another one
-- changed that is not seen there may be missing in its descriptions, and its objects in the other's.
ALTER TABLE pggit_daemon.ddl_event ADD COLUMN snapshot text;

-- Step 20: which history tables the session of a transaction with DDL has read or written itself.

-- At the transaction's first event only: names of sources (pggit_daemon.source). NULL: none, or not known.
ALTER TABLE pggit_daemon.ddl_event ADD COLUMN IF NOT EXISTS used_histories jsonb;

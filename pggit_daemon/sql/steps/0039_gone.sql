-- Step 39: rows that left their history tables are found again, as some come back.

CREATE INDEX history_event_gone ON pggit_daemon.history_event (source, row_key, id DESC) WHERE new_columns IS NULL;

-- Step 16: which tables the publications take in as they are made, where the stream comes by pgoutput.

-- Written by pggit_daemon.publish alone. A row stands for the tables that have all of these columns: of this name, or
-- (NULL) of any.
CREATE TABLE pggit_daemon.publishing (
    schema_name text,
    table_name  text,
    columns     text[] NOT NULL
);
-- As all our tables: whoever publishes them must not make our own statements fail.
ALTER TABLE pggit_daemon.publishing REPLICA IDENTITY FULL;

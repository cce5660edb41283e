-- Step 11: what users call only inserts into the outbox; the daemon alone writes what comes of it.

-- What sessions have begun through the SQL API and not ended: migrations and deployments.
CREATE TABLE pggit_daemon.open_run (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    run_key       text PRIMARY KEY,        -- what begin_migration and begin_deployment returned
    state         text NOT NULL CHECK (state IN ('announced', 'open', 'deployment')),
    pid           integer NOT NULL,
    backend_start timestamptz NOT NULL,
    user_name     text NOT NULL,
    started_at    timestamptz NOT NULL,
    migration_id  bigint,                  -- NULL for a deployment
    tool_name     text NOT NULL,
    name          text,
    xact          text,                    -- the transaction that began it
    wrapped       boolean NOT NULL,        -- a tool's own migration called: it is none of its own
    waits         boolean NOT NULL,        -- a deployment with auto_commit
    failed_at     pg_lsn,                  -- where its failure was told, which its transaction may have taken back
    last_part     pg_lsn                   -- the newest transaction with its DDL
);
CREATE INDEX open_run_session ON pggit_daemon.open_run (pid, backend_start);

-- Until now they stood among the rows of history tables, and beside those in a table that sessions wrote.
INSERT INTO pggit_daemon.open_run (run_key, state, pid, backend_start, user_name, started_at, migration_id, tool_name,
                                   name, xact, wrapped, waits, failed_at, last_part)
SELECT r.row_key, CASE r.columns ->> 'state' WHEN 'wrapped' THEN 'open' ELSE r.columns ->> 'state' END, (r.columns ->> 'pid')::integer, (r.columns ->> 'backend_start')::timestamptz,
       coalesce(r.columns ->> 'user', ''), coalesce((r.columns ->> 'started_at')::timestamptz, now()),
       (r.columns ->> 'migration_id')::bigint, coalesce(r.columns ->> 'tool', 'sql'), r.columns ->> 'name',
       r.columns ->> 'xact', r.columns ->> 'state' = 'wrapped', coalesce(r.columns ->> 'auto_commit' = 'True', false), (r.columns ->> 'told')::pg_lsn,
       (r.columns ->> 'last_part')::pg_lsn
FROM pggit_daemon.source_row AS r
WHERE r.source = 'sql'
ORDER BY r.columns ->> 'started_at';
DELETE FROM pggit_daemon.source_row WHERE source = 'sql';
DROP TABLE pggit_daemon.open_migration;

-- A session looks here for what it has begun a moment ago.
CREATE INDEX request_session ON pggit_daemon.request (pid, backend_start);

-- What is in quarantine: a record of the stream that could not be read, or a whole transaction that could not be stored.
ALTER TABLE pggit_daemon.quarantine
    ADD COLUMN kind text NOT NULL DEFAULT 'record' CHECK (kind IN ('record', 'transaction'));

-- Operations on a migration whose row the daemon cannot see or change yet: its transaction is decoded and not visible, or
-- somebody's transaction holds it. They are done in their order as soon as that is over.
CREATE TABLE pggit_daemon.parked (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tool_name    text NOT NULL,
    migration_id bigint NOT NULL,
    operation    text NOT NULL,
    parameters   jsonb NOT NULL,
    why          text NOT NULL CHECK (why IN ('unseen', 'held')),
    parked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    tried_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Step 2: schema pggit_daemon, private to the daemon: the outbox, the objects by version, the sources and the progress.

CREATE SCHEMA IF NOT EXISTS pggit_daemon;
REVOKE ALL ON SCHEMA pggit_daemon FROM PUBLIC;

-- The outbox. One row is one DDL statement: who ran it, and every object it touched as the statement left it.
-- Filled by the event triggers only, read by the daemon from the WAL only.
CREATE TABLE pggit_daemon.ddl_event (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at      timestamptz NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('ddl', 'drop', 'rewrite', 'capture_failed')),
    command_tag      text NOT NULL,
    query            text,                 -- truncated; NULL for commands that carry secrets
    pid              integer NOT NULL,
    backend_start    timestamptz,
    application_name text NOT NULL,
    session_user_name text NOT NULL,
    current_user_name text NOT NULL,
    client_addr      inet,                 -- NULL: unix socket
    locks            jsonb,                -- advisory locks of migration tools, at the transaction's first event only
    search_path      text,                 -- the user's, at the transaction's first event only
    sisters          jsonb,                -- sessions with the same user, program and address, likewise; for tools only
    objects          jsonb NOT NULL,       -- array of {op: set|drop|rewrite|deferred, direct, classid, objid, type, …}
    failure          text                  -- why the capture failed, for capture_failed
);

-- The second outbox: what the SQL API, direct inserts and integrated history tables tell the daemon. Insert-only, so
-- that no session ever waits for another or for the daemon; the daemon alone writes what comes of it.
CREATE TABLE pggit_daemon.request (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at   timestamptz NOT NULL,
    action        text NOT NULL,           -- begin, end, link, insert, session, deploy, deployed
    pid           integer NOT NULL,
    backend_start timestamptz NOT NULL,
    user_name     text NOT NULL,
    arguments     jsonb NOT NULL
);

-- What a session has begun and not ended. Each row is its own session's alone.
CREATE TABLE pggit_daemon.open_migration (
    deployment    uuid PRIMARY KEY,
    pid           integer NOT NULL,
    backend_start timestamptz NOT NULL,
    migration_id  bigint NOT NULL,
    tool_name     text NOT NULL,
    name          text,
    started_at    timestamptz NOT NULL
);
CREATE INDEX open_migration_session ON pggit_daemon.open_migration (pid, backend_start);

-- What makes a failure message ours: any role may send messages, only our functions and the daemon know this.
CREATE TABLE pggit_daemon.secret (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    key       text NOT NULL
);
INSERT INTO pggit_daemon.secret (key)
VALUES (encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')), 'hex'));

-- The history tables that integrate_flyway and integrate_liquibase were called for; the table may be still to come.
CREATE TABLE pggit_daemon.integration (
    tool_name   text NOT NULL,
    schema_name text NOT NULL,
    asked_at    timestamptz NOT NULL,
    PRIMARY KEY (tool_name, schema_name)
);

-- A definition of an object, addressed by the SHA-256 of all its parts.
CREATE TABLE pggit_daemon.blob (
    sha256     bytea PRIMARY KEY,
    definition text NOT NULL,              -- the statements that create the object
    later      text,                       -- the statements that must wait until every object exists
    depends    text[] NOT NULL             -- 'type identity' of what must exist before it
);

-- An object's definition over the range of commits in which it held: [from_commit, to_commit).
CREATE TABLE pggit_daemon.object_version (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type        text NOT NULL,
    schema_name text,                      -- NULL for objects outside schemas
    identity    text NOT NULL,
    classid     oid NOT NULL,
    objid       oid NOT NULL,
    blob        bytea NOT NULL REFERENCES pggit_daemon.blob (sha256),
    from_commit integer NOT NULL REFERENCES pggit.commits (id),
    to_commit   integer REFERENCES pggit.commits (id)
);
CREATE UNIQUE INDEX object_version_current ON pggit_daemon.object_version (type, identity) WHERE to_commit IS NULL;
CREATE INDEX object_version_history ON pggit_daemon.object_version (identity, type, from_commit);
CREATE INDEX object_version_from ON pggit_daemon.object_version (from_commit);
CREATE INDEX object_version_to ON pggit_daemon.object_version (to_commit);

-- The history tables that are followed, and the rows they held when last seen.
CREATE TABLE pggit_daemon.source (
    name        text PRIMARY KEY,
    tool_name   text NOT NULL,
    preset      text NOT NULL,
    schema_name text NOT NULL,
    table_name  text NOT NULL,
    lock_table  text,                            -- the tool's lock table beside it, in the same schema
    origin      text NOT NULL CHECK (origin IN ('discovered', 'config')),
    present     boolean NOT NULL DEFAULT true,   -- false: the table was dropped
    first_seen  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE pggit_daemon.source_row (
    source       text NOT NULL,
    row_key      text NOT NULL,            -- JSON array of the key columns' values
    columns      jsonb NOT NULL,
    migration_id bigint,
    PRIMARY KEY (source, row_key)
);

-- Which commits a migration made, and by what evidence. A migration whose statements were committed one by one
-- may have several; all but the last are parts.
CREATE TABLE pggit_daemon.link (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tool_name    text NOT NULL,
    source       text NOT NULL,
    migration_id bigint NOT NULL,
    commit_id    integer NOT NULL REFERENCES pggit.commits (id),
    evidence     text NOT NULL,
    part         boolean NOT NULL DEFAULT false,
    detail       jsonb NOT NULL DEFAULT '{}',
    linked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tool_name, source, migration_id, commit_id)
);
CREATE INDEX link_commit ON pggit_daemon.link (commit_id);

-- Every observed change of a history table. Append-only.
CREATE TABLE pggit_daemon.history_event (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL,
    meaning      text NOT NULL,            -- applied, failed, rolled_back, checksum_changed, …
    operation    text NOT NULL,            -- insert, update, delete, truncate, drop, baseline, reconcile
    row_key      text,
    old_columns  jsonb,
    new_columns  jsonb,
    migration_id bigint,
    evidence     text,
    commit_id    integer REFERENCES pggit.commits (id),
    lsn          pg_lsn,
    xid          bigint,
    occurred_at  timestamptz NOT NULL
);
CREATE INDEX history_event_source ON pggit_daemon.history_event (source, id);
CREATE INDEX history_event_commit ON pggit_daemon.history_event (commit_id);

-- How far the daemon has come. One row; written in the same transaction as the results up to there.
CREATE TABLE pggit_daemon.progress (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    slot_name  text NOT NULL,
    commit_lsn pg_lsn NOT NULL,            -- the last transaction whose results are stored
    end_lsn    pg_lsn NOT NULL,            -- what may be acknowledged to the slot
    head       text,                       -- hash of the newest commit
    context    jsonb NOT NULL,             -- what correlation must remember beyond that transaction
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Records of the stream that could not be read, as they came.
CREATE TABLE pggit_daemon.quarantine (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lsn      pg_lsn NOT NULL,
    xid      bigint,
    raw      text NOT NULL,
    reason   text NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now()
);
-- The text itself may be longer than an index takes.
CREATE UNIQUE INDEX quarantine_once ON pggit_daemon.quarantine (lsn, hashtextextended(raw, 0));

-- Step 1: schema pggit, the public contract, in the shapes of pgGit 0.2.x.
-- Over an existing pgGit nothing here replaces or drops anything: tables are created if missing and extended by columns.

CREATE SCHEMA IF NOT EXISTS pggit;

DO $$
BEGIN
    CREATE TYPE pggit.branch_status AS ENUM ('ACTIVE', 'MERGED', 'DELETED', 'CONFLICTED');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

CREATE TABLE IF NOT EXISTS pggit.branches (
    id               serial PRIMARY KEY,
    name             text NOT NULL UNIQUE,
    parent_branch_id integer REFERENCES pggit.branches (id),
    head_commit_hash text,
    status           pggit.branch_status DEFAULT 'ACTIVE',
    created_at       timestamp DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO pggit.branches (id, name) VALUES (1, 'main') ON CONFLICT DO NOTHING;
SELECT setval(pg_get_serial_sequence('pggit.branches', 'id'), (SELECT max(id) FROM pggit.branches));

CREATE TABLE IF NOT EXISTS pggit.commits (
    id                 serial PRIMARY KEY,
    hash               text NOT NULL UNIQUE,
    branch_id          integer NOT NULL REFERENCES pggit.branches (id),
    parent_commit_hash text,
    message            text,
    author             text,
    authored_at        timestamp,
    committer          text,
    committed_at       timestamp,
    tree_hash          text,
    object_hashes      jsonb,
    metadata           jsonb
);
-- Rows that came with ids of their own (a restored dump, say) may be ahead of the sequence: ours must follow them.
SELECT setval(serial.name, greatest(max(commits.id), nextval(serial.name)))
FROM pggit.commits CROSS JOIN (SELECT pg_get_serial_sequence('pggit.commits', 'id') AS name) AS serial
GROUP BY serial.name;

ALTER TABLE pggit.commits
    ADD COLUMN IF NOT EXISTS kind            text,
    ADD COLUMN IF NOT EXISTS source_lsn      pg_lsn,
    ADD COLUMN IF NOT EXISTS source_xid      bigint,
    ADD COLUMN IF NOT EXISTS occurred_at     timestamptz,
    ADD COLUMN IF NOT EXISTS objects_changed integer;
CREATE INDEX IF NOT EXISTS commits_kind_idx ON pggit.commits (kind, id);
CREATE INDEX IF NOT EXISTS commits_source_lsn_idx ON pggit.commits (source_lsn);

CREATE TABLE IF NOT EXISTS pggit.external_migrations (
    migration_id        bigint NOT NULL,
    tool_name           text NOT NULL,
    migration_name      text,
    checksum            text,
    pggit_commit_id     integer REFERENCES pggit.commits (id),
    pggit_version_start uuid,
    pggit_version_end   uuid,
    applied_at          timestamptz DEFAULT CURRENT_TIMESTAMP,
    applied_by          text DEFAULT CURRENT_USER,
    execution_time      interval,
    success             boolean DEFAULT true,
    error_message       text
);
ALTER TABLE pggit.external_migrations
    ADD COLUMN IF NOT EXISTS source      text NOT NULL DEFAULT 'sql',
    ADD COLUMN IF NOT EXISTS version     text,
    ADD COLUMN IF NOT EXISTS sequence    bigint,
    ADD COLUMN IF NOT EXISTS status      text NOT NULL DEFAULT 'applied',
    ADD COLUMN IF NOT EXISTS evidence    text,
    ADD COLUMN IF NOT EXISTS rollback_of bigint,
    ADD COLUMN IF NOT EXISTS source_lsn  pg_lsn;
-- pgGit 0.2.x keys the table by migration_id alone, so that Flyway's 1 and Liquibase's 1 could not both exist.
ALTER TABLE pggit.external_migrations DROP CONSTRAINT IF EXISTS external_migrations_pkey;
CREATE UNIQUE INDEX IF NOT EXISTS external_migrations_identity
    ON pggit.external_migrations (tool_name, source, migration_id);
CREATE INDEX IF NOT EXISTS external_migrations_commit_idx ON pggit.external_migrations (pggit_commit_id);

CREATE TABLE IF NOT EXISTS pggit.deployments (
    deployment_id   uuid PRIMARY KEY,
    deployment_name text NOT NULL,
    auto_commit     boolean NOT NULL DEFAULT false,
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'ended', 'abandoned')),
    started_by      text NOT NULL,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    message         text,
    tags            text[] NOT NULL DEFAULT '{}',
    pid             integer NOT NULL,
    backend_start   timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS deployments_session ON pggit.deployments (pid, backend_start) WHERE status = 'open';

CREATE TABLE IF NOT EXISTS pggit.conflicts (
    conflict_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conflict_type     text NOT NULL,
    object_type       text,
    object_identifier text,
    status            text NOT NULL DEFAULT 'unresolved' CHECK (status IN ('unresolved', 'resolved')),
    description       text NOT NULL,
    commit_id         integer REFERENCES pggit.commits (id),
    created_at        timestamptz NOT NULL DEFAULT now(),
    resolved_at       timestamptz,
    resolution        text
);
CREATE UNIQUE INDEX IF NOT EXISTS conflicts_open
    ON pggit.conflicts (conflict_type, object_type, object_identifier) WHERE status = 'unresolved';

-- What the daemon writes: a row of a history table as it comes as a rule. The migration with its link to a commit, the event
-- and the row as last seen are one statement, as a statement costs more than a row.

-- It waits for a row of external_migrations that somebody's transaction holds, for as long as lock_timeout lets it: `store`
-- is called again then, carefully. Each of its parts is what the function of that operation does: `store_put_migration`,
-- `store_link`, `store_put_row`, `store_record_event`.
CREATE OR REPLACE FUNCTION pggit_daemon.record_migration(
    row_id bigint, row_tool text, row_source text, row_name text, row_checksum text, row_applied_at timestamptz,
    row_applied_by text, row_execution_ms bigint, row_success boolean, row_error text, row_version text,
    row_sequence bigint, row_status text, row_evidence text, row_rollback_of bigint, row_lsn pg_lsn, row_part boolean,
    row_made boolean, row_detail jsonb, seen_key text, row_ledger_id bigint, row_new jsonb, row_old jsonb,
    row_meaning text, row_operation text, row_xid bigint, row_occurred_at timestamptz, its_commit integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    was_there boolean;
BEGIN
    WITH migration AS (
        INSERT INTO pggit.external_migrations (
            migration_id, tool_name, source, migration_name, checksum, pggit_commit_id, applied_at, applied_by,
            execution_time, success, error_message, version, sequence, status, evidence, rollback_of, source_lsn)
        VALUES (
            row_id, row_tool, row_source, row_name, row_checksum, its_commit, row_applied_at, row_applied_by,
            row_execution_ms * interval '1 millisecond', row_success, row_error, row_version, row_sequence, row_status,
            row_evidence, row_rollback_of, row_lsn)
        ON CONFLICT (tool_name, source, migration_id) DO UPDATE SET
            migration_name = excluded.migration_name,
            checksum = excluded.checksum,
            pggit_commit_id = excluded.pggit_commit_id,
            applied_at = excluded.applied_at,
            applied_by = excluded.applied_by,
            execution_time = excluded.execution_time,
            success = excluded.success,
            error_message = excluded.error_message,
            version = excluded.version,
            sequence = excluded.sequence,
            status = excluded.status,
            evidence = excluded.evidence,
            rollback_of = excluded.rollback_of,
            source_lsn = excluded.source_lsn
        RETURNING xmax <> 0 AS was_there),
    linked AS (
        INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, part, made, detail)
        SELECT row_tool, row_source, row_id, its_commit, row_evidence, row_part, row_made, coalesce(row_detail, '{}')
        WHERE its_commit IS NOT NULL
        ON CONFLICT (tool_name, source, migration_id, commit_id) DO UPDATE SET
            part = link.part AND excluded.part, made = link.made OR excluded.made),
    last_seen AS (
        INSERT INTO pggit_daemon.source_row (source, row_key, columns, migration_id)
        VALUES (row_source, seen_key, row_new, row_ledger_id)
        ON CONFLICT (source, row_key) DO UPDATE SET columns = excluded.columns, migration_id = excluded.migration_id),
    event AS (
        INSERT INTO pggit_daemon.history_event (
            source, meaning, operation, row_key, old_columns, new_columns, migration_id, evidence, commit_id, lsn, xid,
            occurred_at)
        VALUES (
            row_source, row_meaning, row_operation, seen_key, nullif(row_old, 'null'), row_new, row_id,
            row_evidence, its_commit, row_lsn, row_xid, row_occurred_at))
    SELECT m.was_there INTO was_there FROM migration AS m;
    IF was_there AND row_made AND its_commit IS NOT NULL THEN
        PERFORM pggit_daemon.unlink_seen(
            jsonb_build_object('migration_id', row_id, 'tool', row_tool, 'source', row_source));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_record_migration(p jsonb, its_commit integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    done text;      -- what void is as text
BEGIN
    done := pggit_daemon.record_migration(
        (p ->> 'migration_id')::bigint, p ->> 'tool', p ->> 'source', p ->> 'name', p ->> 'checksum',
        (p ->> 'applied_at')::timestamptz, p ->> 'applied_by', (p ->> 'execution_ms')::bigint, (p ->> 'success')::boolean,
        p ->> 'error_message', p ->> 'version', (p ->> 'sequence')::bigint, p ->> 'status', p ->> 'evidence',
        (p ->> 'rollback_of')::bigint, (p ->> 'lsn')::pg_lsn, (p ->> 'part')::boolean, (p ->> 'made')::boolean,
        p -> 'detail', p ->> 'row_key', (p ->> 'row_migration_id')::bigint, p -> 'new', p -> 'old', p ->> 'meaning',
        p ->> 'operation', (p ->> 'xid')::bigint, (p ->> 'occurred_at')::timestamptz, its_commit);
END $$;

-- The same in parts, of which the one on external_migrations may be parked; returns whether anything is parked then.
CREATE OR REPLACE FUNCTION pggit_daemon.record_carefully(p jsonb, its_commit integer, after_others boolean) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    part   jsonb := p || jsonb_build_object('commit_id', its_commit);
    parked boolean := pggit_daemon.store_on_migration('put_migration', part, after_others);
BEGIN
    PERFORM pggit_daemon.store_link(part);
    PERFORM pggit_daemon.store_record_event(part);
    PERFORM pggit_daemon.store_put_row(
        part || jsonb_build_object('columns', p -> 'new', 'migration_id', p -> 'row_migration_id'));
    RETURN parked;
END $$;

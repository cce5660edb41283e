-- What the daemon writes: a row of a history table as it comes as a rule. The migration with its link to a commit, the event
-- and the row as last seen are one statement, as a statement costs more than a row.

-- It waits for a row of external_migrations that somebody's transaction holds, for as long as lock_timeout lets it: `store`
-- is called again then, carefully. Each of its parts is what the function of that operation does: `store_put_migration`,
-- `store_link`, `store_put_row`, `store_record_event`.
CREATE OR REPLACE FUNCTION pggit_daemon.store_record_migration(p jsonb, its_commit integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    was_there boolean;
BEGIN
    WITH migration AS (
        INSERT INTO pggit.external_migrations (
            migration_id, tool_name, source, migration_name, checksum, pggit_commit_id, applied_at, applied_by,
            execution_time, success, error_message, version, sequence, status, evidence, rollback_of, source_lsn)
        VALUES (
            (p ->> 'migration_id')::bigint, p ->> 'tool', p ->> 'source', p ->> 'name', p ->> 'checksum', its_commit,
            (p ->> 'applied_at')::timestamptz, p ->> 'applied_by',
            (p ->> 'execution_ms')::bigint * interval '1 millisecond', (p ->> 'success')::boolean, p ->> 'error_message',
            p ->> 'version', (p ->> 'sequence')::bigint, p ->> 'status', p ->> 'evidence', (p ->> 'rollback_of')::bigint,
            (p ->> 'lsn')::pg_lsn)
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
        SELECT p ->> 'tool', p ->> 'source', (p ->> 'migration_id')::bigint, its_commit, p ->> 'evidence',
               (p ->> 'part')::boolean, (p ->> 'made')::boolean, coalesce(p -> 'detail', '{}')
        WHERE its_commit IS NOT NULL
        ON CONFLICT (tool_name, source, migration_id, commit_id) DO UPDATE SET
            part = link.part AND excluded.part, made = link.made OR excluded.made),
    last_seen AS (
        INSERT INTO pggit_daemon.source_row (source, row_key, columns, migration_id)
        VALUES (p ->> 'source', p ->> 'row_key', p -> 'new', (p ->> 'row_migration_id')::bigint)
        ON CONFLICT (source, row_key) DO UPDATE SET columns = excluded.columns, migration_id = excluded.migration_id),
    event AS (
        INSERT INTO pggit_daemon.history_event (
            source, meaning, operation, row_key, old_columns, new_columns, migration_id, evidence, commit_id, lsn, xid,
            occurred_at)
        VALUES (
            p ->> 'source', p ->> 'meaning', p ->> 'operation', p ->> 'row_key', nullif(p -> 'old', 'null'), p -> 'new',
            (p ->> 'migration_id')::bigint, p ->> 'evidence', its_commit, (p ->> 'lsn')::pg_lsn, (p ->> 'xid')::bigint,
            (p ->> 'occurred_at')::timestamptz))
    SELECT m.was_there INTO was_there FROM migration AS m;
    IF was_there AND (p ->> 'made')::boolean AND its_commit IS NOT NULL THEN
        PERFORM pggit_daemon.unlink_seen(p);
    END IF;
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

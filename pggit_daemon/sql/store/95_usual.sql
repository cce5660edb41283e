-- The usual call: one commit, or one row of a history table, or both, and how far the daemon has come. The values that such a
-- plan always has come as parameters: reading them out of a document took a quarter of the call. What else there is comes
-- as a document for `store`.

-- Each part may be missing: without `new_hash` there is no commit, without `row_source` no row. Returns what `store` returns.
-- It writes what `store` writes of [insert_commit, record_migration, others, advance], by the same functions, and does not
-- pin the search_path, as that costs as much as some of the operations: the session that stores has (db/session.py).
CREATE OR REPLACE FUNCTION pggit_daemon.store_usual(
    new_hash text, new_parent text, new_message text, new_author text, new_time timestamptz, new_tree text,
    new_metadata jsonb, new_kind text, new_lsn pg_lsn, new_xid bigint, new_changed integer, new_summary text,
    new_recorded_tree text, new_ended jsonb, new_begun jsonb,
    row_id bigint, row_tool text, row_source text, row_name text, row_checksum text, row_applied_at timestamptz,
    row_applied_by text, row_execution_ms bigint, row_success boolean, row_error text, row_version text,
    row_sequence bigint, row_status text, row_evidence text, row_rollback_of bigint, row_lsn pg_lsn, row_part boolean,
    row_made boolean, row_detail jsonb, seen_key text, row_ledger_id bigint, row_new jsonb, row_old jsonb,
    row_meaning text, row_operation text, row_xid bigint, row_occurred_at timestamptz, row_hash text,
    to_slot text, to_commit pg_lsn, to_end pg_lsn, to_head text, to_context jsonb, to_bound pg_lsn, to_chain text,
    from_commit pg_lsn, others jsonb) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    its_id integer;
    answer jsonb;
    done   text;    -- what void is as text
BEGIN
    IF new_hash IS NOT NULL THEN
        its_id := pggit_daemon.insert_commit(
            new_hash, new_parent, new_message, new_author, new_time, new_tree, new_metadata, new_kind, new_lsn, new_xid,
            new_changed, new_summary, new_recorded_tree, new_ended, new_begun);
    END IF;
    IF row_source IS NOT NULL THEN
        IF row_hash IS DISTINCT FROM new_hash THEN
            SELECT c.id INTO its_id FROM pggit.commits AS c WHERE c.hash = row_hash;
        END IF;
        done := pggit_daemon.record_migration(
            row_id, row_tool, row_source, row_name, row_checksum, row_applied_at, row_applied_by, row_execution_ms,
            row_success, row_error, row_version, row_sequence, row_status, row_evidence, row_rollback_of, row_lsn, row_part,
            row_made, row_detail, seen_key, row_ledger_id, row_new, row_old, row_meaning, row_operation, row_xid,
            row_occurred_at, its_id);
    END IF;
    IF others IS NOT NULL THEN
        answer := pggit_daemon.store(others);
    END IF;
    done := pggit_daemon.advance(to_slot, to_commit, to_end, to_head, to_context, to_bound, to_chain, from_commit);
    RETURN answer;
END $$;

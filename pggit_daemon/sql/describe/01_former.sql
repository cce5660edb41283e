-- What earlier versions had and this one does not, or with another result: CREATE OR REPLACE cannot change that.
-- Sessions that are in the midst of a capture may fail to find one; they say so in the outbox, and a comparison follows.

DO $$
DECLARE
    former text;
BEGIN
    FOREACH former IN ARRAY ARRAY[
        -- another result since
        'parts(oid, oid)', 'object_key(oid, oid)', 'restore_order(pggit_daemon.description[])',
        'catalog_marks()', 'view_columns(oid)', 'findings(text)', 'capture_state()', 'store_insert_commit(jsonb)',
        -- other names of parameters since
        'describe_all(pggit_daemon.object_address[], pggit_daemon.object_address[], boolean)',
        'topological_order(integer, integer[], integer[], integer[])', 'stub_forms(text, text, text)', 'sql_tokens(text)',
        'needs(pggit_daemon.description[])',
        'needs_of_forms(pggit_daemon.description[], integer[], integer[], boolean[], boolean[], integer[], boolean[], boolean[], boolean[])',
        -- gone
        'back_as_born(pggit_daemon.object_address[])', 'carrier(oid, oid)', 'carrier_key(oid, oid)',
        'hollow_forms(text, text, text)', 'hollow_rank(text, text, text, text, text)', 'loops(integer, integer[], integer[])',
        'naming(oid, oid)', 'normalise(oid, oid, integer)',
        'open_loops(pggit_daemon.description[], integer[], integer[], boolean[], boolean[])',
        'opened_forms(text, text, text, text)', 'sql_pieces(text)',
        'swallowed(text, pggit_daemon.object_address[], pggit_daemon.object_address[], bigint)',
        'telling_catalogs()', 'told_until()', 'walk(integer, integer[], integer[], integer[])', 'written_here(xid)',
        'find_migration(bigint, text)', 'commits_of(pggit.external_migrations)', 'impact_of(integer[])', 'impact_of(integer[], text[])',
        'depends_of(oid, oid, text, boolean)', 'depends_of(oid, oid, text, "char")', 'is_plain_index(oid)',
        'column_list(oid, text)', 'column_list(oid, text, integer)', 'identity_sequence(oid, integer)',
        'read_columns(oid, text, integer)', 'describe_table(oid)', 'describe_view(oid)', 'describe_index(oid)',
        'describe_constraint(oid)', 'read_quietly(pggit_daemon.object_address)', 'harmless_query(text)',
        'record_failure(text, text, text, boolean)', 'remember_snapshot()',
        'record_event(text, text, jsonb, boolean, boolean, text, text)',
        'outbox_shape()', 'told_out_of_band(text, text, integer)', 'sister_sessions()', 'sibling_sessions()',
        'tell(text, jsonb)',
        'tell_anyway(text, jsonb)', 'nudge(text, boolean)', 'opening_rank(text, text)',
        'open_cycles(pggit_daemon.description[], integer[], integer[], boolean[], boolean[])',
        'store(jsonb)', 'store_insert_blobs(jsonb)', 'store_move_head(jsonb)', 'flat_index(oid)', 'flat_view(oid)',
        'session_start(boolean)', 'watched(text, jsonb)', 'harmless_tags()', 'capture_ddl(text, text)', 'capture_drop(text, text)',
        'capture_rewrite(text, text)', 'record_failure(text, text, text)', 'read_flat(text, bigint)',
        'record_event(text, text, jsonb, boolean, boolean, text, text, text)', 'granted_table(text, bigint)', 'flat_table(oid, oid[])',
        'flat_indexes(oid[], boolean)', 'flat_keys(oid[])', 'flat_view(oid, boolean)', 'flat_function(oid)', 'flat_renamed(oid)',
        'flat_columns(oid, smallint)',        'prepare_event(text, jsonb, boolean, boolean, boolean)',
        'write_event(text, text, jsonb, boolean, text, text, text, boolean, bigint, boolean, timestamp with time zone, text, jsonb, jsonb, jsonb)']
    LOOP
        IF to_regprocedure('pggit_daemon.' || former) IS NOT NULL THEN
            EXECUTE 'DROP FUNCTION pggit_daemon.' || former;
        END IF;
    END LOOP;
END $$;

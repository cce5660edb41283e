-- The one call that writes a plan: an array of [operation, parameters], run in this order. A transaction of its own, the
-- call is stored as a whole or not at all.
-- Returns the rows of the outboxes that are handled and cannot be seen yet (handled_events, handled_requests), what is gone
-- from the second one by other ways (gone), and whether something is parked (22_parked.sql) that a next call, also one
-- without any operation, tries again.
-- An operation is a function store_<operation>; who adds one adds its line here.
CREATE OR REPLACE FUNCTION pggit_daemon.store(plan jsonb) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step     jsonb;
    p        jsonb;
    events   jsonb := '[]';
    requests jsonb := '[]';
    gone     jsonb := '[]';
    parked   boolean := pggit_daemon.store_parked();
BEGIN
    FOR step IN SELECT jsonb_array_elements(plan) LOOP
        p := step -> 1;
        CASE step ->> 0
            WHEN 'insert_blobs' THEN PERFORM pggit_daemon.store_insert_blobs(p);
            WHEN 'insert_commit' THEN PERFORM pggit_daemon.store_insert_commit(p);
            WHEN 'close_versions' THEN PERFORM pggit_daemon.store_close_versions(p);
            WHEN 'open_versions' THEN PERFORM pggit_daemon.store_open_versions(p);
            WHEN 'move_head' THEN PERFORM pggit_daemon.store_move_head(p);
            WHEN 'put_migration', 'link_known', 'link_row', 'amend_migration', 'amend_any' THEN
                parked := pggit_daemon.store_on_migration(step ->> 0, p, parked);
            WHEN 'link' THEN PERFORM pggit_daemon.store_link(p);
            WHEN 'record_event' THEN PERFORM pggit_daemon.store_record_event(p);
            WHEN 'remember' THEN PERFORM pggit_daemon.store_remember(p);
            WHEN 'forget' THEN PERFORM pggit_daemon.store_forget(p);
            WHEN 'attribute_commit' THEN PERFORM pggit_daemon.store_attribute_commit(p);
            WHEN 'decided_out_of_band' THEN PERFORM pggit_daemon.store_decided_out_of_band(p);
            WHEN 'decided_migration' THEN PERFORM pggit_daemon.store_decided_migration(p);
            WHEN 'put_row' THEN PERFORM pggit_daemon.store_put_row(p);
            WHEN 'delete_row' THEN PERFORM pggit_daemon.store_delete_row(p);
            WHEN 'handled_events' THEN events := events || pggit_daemon.store_handled_events(p);
            WHEN 'handled_requests' THEN requests := requests || pggit_daemon.store_handled_requests(p);
            WHEN 'advance' THEN PERFORM pggit_daemon.store_advance(p);
            WHEN 'out_of_band_conflicts' THEN PERFORM pggit_daemon.store_out_of_band_conflicts(p);
            WHEN 'settle_conflicts' THEN PERFORM pggit_daemon.store_settle_conflicts(p);
            WHEN 'undone_conflicts' THEN PERFORM pggit_daemon.store_undone_conflicts(p);
            WHEN 'tree_conflicts' THEN PERFORM pggit_daemon.store_tree_conflicts(p);
            WHEN 'checksum_conflict' THEN PERFORM pggit_daemon.store_checksum_conflict(p);
            WHEN 'move_versions' THEN PERFORM pggit_daemon.store_move_versions(p);
            WHEN 'put_run' THEN PERFORM pggit_daemon.store_put_run(p);
            WHEN 'end_run' THEN gone := gone || pggit_daemon.store_end_run(p);
            WHEN 'mark_part' THEN PERFORM pggit_daemon.store_mark_part(p);
            WHEN 'abandon' THEN PERFORM pggit_daemon.store_abandon(p);
            WHEN 'quarantine' THEN PERFORM pggit_daemon.store_quarantine(p);
            WHEN 'put_source' THEN PERFORM pggit_daemon.store_put_source(p);
            WHEN 'put_tools' THEN PERFORM pggit_daemon.store_put_tools(p);
            WHEN 'put_verification' THEN PERFORM pggit_daemon.store_put_verification(p);
            ELSE RAISE EXCEPTION 'the store knows no operation "%"', step ->> 0 USING ERRCODE = 'PGD02';
        END CASE;
    END LOOP;
    RETURN jsonb_build_object('handled_events', events, 'handled_requests', requests, 'gone', gone, 'parked', parked);
END $$;

-- The one call that writes a plan: an array of [operation, parameters], run in this order. A transaction of its own, the
-- call is stored as a whole or not at all.
-- Returns the rows of the outboxes that are handled and cannot be seen yet (handled_events, handled_requests), what is gone
-- from the second one by other ways (gone), and whether something is parked (22_parked.sql) that a next call, carefully and
-- also without any operation, tries again. NULL: nothing of all that.
-- An operation is a function store_<operation>; who adds one adds its line here. It runs with the search_path of this one.
--
-- `carefully`: something may be parked, or a call before this one met a row of external_migrations that somebody's
-- transaction holds (lock_timeout is short for the session that stores). Each such operation is a subtransaction then and
-- may be parked, and other locks are waited for.
--
-- What nearly every call has is asked for first. The others are branches of one expression: a PERFORM or a plpgsql CASE for
-- each would be set up anew in every transaction, which costs about as much as some of the operations.
CREATE OR REPLACE FUNCTION pggit_daemon.store(plan jsonb, carefully boolean DEFAULT false) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    op       text;
    p        jsonb;
    newest   text;      -- the hash of the commit that was made last, which is what most operations ask for (`stored_commit`)
    its_id   integer;
    events   jsonb := '[]';
    requests jsonb := '[]';
    gone     jsonb := '[]';
    parked   boolean := false;
    done     text;      -- what void is as text
BEGIN
    IF carefully THEN
        PERFORM set_config('lock_timeout', '5s', true);
        parked := pggit_daemon.store_parked();
    END IF;
    FOR step IN 0 .. jsonb_array_length(plan) - 1 LOOP
        op := plan -> step ->> 0;
        p := plan -> step -> 1;
        IF op = 'insert_commit' THEN
            newest := p ->> 'hash';
            its_id := pggit_daemon.store_insert_commit(p);
            CONTINUE;
        END IF;
        IF op = 'record_migration' AND NOT (carefully OR parked) THEN
            done := pggit_daemon.store_record_migration(
                p, CASE WHEN p ->> 'hash' = newest THEN its_id ELSE pggit_daemon.stored_commit(p) END);
            CONTINUE;
        END IF;
        IF op = 'advance' THEN
            done := pggit_daemon.store_advance(p);
            CONTINUE;
        END IF;
        IF p ->> 'hash' = newest THEN
            p := p || jsonb_build_object('commit_id', its_id);
        END IF;
        -- What void is as text, or NULL: the operation is none of those.
        CONTINUE WHEN CASE op
            WHEN 'close_versions' THEN pggit_daemon.store_close_versions(p)::text
            WHEN 'open_versions' THEN pggit_daemon.store_open_versions(p)::text
            WHEN 'link' THEN pggit_daemon.store_link(p)::text
            WHEN 'record_event' THEN pggit_daemon.store_record_event(p)::text
            WHEN 'put_row' THEN pggit_daemon.store_put_row(p)::text
            WHEN 'delete_row' THEN pggit_daemon.store_delete_row(p)::text
            WHEN 'remember' THEN pggit_daemon.store_remember(p)::text
            WHEN 'forget' THEN pggit_daemon.store_forget(p)::text
            WHEN 'attribute_commit' THEN pggit_daemon.store_attribute_commit(p)::text
            WHEN 'decided_migration' THEN pggit_daemon.store_decided_migration(p)::text
            WHEN 'decided_out_of_band' THEN pggit_daemon.store_decided_out_of_band(p)::text
            WHEN 'settle_conflicts' THEN pggit_daemon.store_settle_conflicts(p)::text
            WHEN 'out_of_band_conflicts' THEN pggit_daemon.store_out_of_band_conflicts(p)::text
            WHEN 'undone_conflicts' THEN pggit_daemon.store_undone_conflicts(p)::text
            WHEN 'tree_conflicts' THEN pggit_daemon.store_tree_conflicts(p)::text
            WHEN 'checksum_conflict' THEN pggit_daemon.store_checksum_conflict(p)::text
            WHEN 'move_versions' THEN pggit_daemon.store_move_versions(p)::text
            WHEN 'put_logged' THEN pggit_daemon.store_put_logged(p)::text
            WHEN 'put_run' THEN pggit_daemon.store_put_run(p)::text
            WHEN 'mark_part' THEN pggit_daemon.store_mark_part(p)::text
            WHEN 'abandon' THEN pggit_daemon.store_abandon(p)::text
            WHEN 'quarantine' THEN pggit_daemon.store_quarantine(p)::text
            WHEN 'put_source' THEN pggit_daemon.store_put_source(p)::text
            WHEN 'put_tools' THEN pggit_daemon.store_put_tools(p)::text
            WHEN 'put_verification' THEN pggit_daemon.store_put_verification(p)::text
        END IS NOT NULL;
        CASE op
            WHEN 'handled_events' THEN events := events || pggit_daemon.store_handled_events(p);
            WHEN 'record_migration' THEN
                parked := pggit_daemon.record_carefully(p, pggit_daemon.stored_commit(p), parked);
            WHEN 'put_migration', 'link_known', 'link_row', 'amend_migration', 'amend_any' THEN
                parked := pggit_daemon.store_on_migration(op, p, parked);
            WHEN 'handled_requests' THEN requests := requests || pggit_daemon.store_handled_requests(p);
            WHEN 'end_run' THEN gone := gone || pggit_daemon.store_end_run(p);
            ELSE RAISE EXCEPTION 'the store knows no operation "%"', op USING ERRCODE = 'PGD02';
        END CASE;
    END LOOP;
    IF NOT parked AND events = '[]' AND requests = '[]' AND gone = '[]' THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object('handled_events', events, 'handled_requests', requests, 'gone', gone, 'parked', parked);
END $$;

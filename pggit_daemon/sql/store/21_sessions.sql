-- What the daemon writes: what sessions have begun through the SQL API.

-- What sessions that have ended left open: the ledger forgets it. A migration stays as started, and validation says so.
CREATE OR REPLACE FUNCTION pggit_daemon.store_abandon(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone text[] := ARRAY(SELECT jsonb_array_elements_text(p -> 'keys'));
BEGIN
    DELETE FROM pggit_daemon.source_row AS r WHERE r.source = 'sql' AND r.row_key = ANY (gone);
    DELETE FROM pggit_daemon.open_migration AS o WHERE o.deployment::text = ANY (gone);
    UPDATE pggit.deployments AS d SET status = 'abandoned', ended_at = clock_timestamp()
    WHERE d.status = 'open' AND d.deployment_id::text = ANY (gone);
END $$;

-- Only migrations that the SQL API began have a row under this key before they end.
CREATE OR REPLACE FUNCTION pggit_daemon.store_mark_part(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pggit_daemon.source_row AS r SET columns = r.columns || jsonb_build_object('last_part', p ->> 'last_part')
    WHERE r.source = p ->> 'source' AND r.source = 'sql' AND r.row_key = p ->> 'row_key';
END $$;

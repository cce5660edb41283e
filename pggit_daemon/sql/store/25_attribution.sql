-- What the daemon writes: whose commits are, as it becomes known, and what must be remembered until it is.

-- None of this is in the commit's hash.
CREATE OR REPLACE FUNCTION pggit_daemon.store_attribute_commit(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pggit.commits AS c
    SET kind = p ->> 'kind', message = p ->> 'message',
        metadata = (c.metadata - '{source,tool,evidence,migration_id,version,part,migrations,orphan,claimed_by}'::text[])
                   || (p -> 'metadata')
    WHERE c.hash = p ->> 'hash';
END $$;

-- A commit turned out to be nobody's: what it changed of what migrations made is a conflict, as if that had been known
-- at once.
CREATE OR REPLACE FUNCTION pggit_daemon.store_decided_out_of_band(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made integer := pggit_daemon.stored_commit(p);
BEGIN
    PERFORM pggit_daemon.store_out_of_band_conflicts(pggit_daemon.objects_of_commit(made, ended => true) || p);
    PERFORM pggit_daemon.store_undone_conflicts(pggit_daemon.objects_of_commit(made, ended => false));
END $$;

-- A commit turned out to be a migration's: it is no conflict itself, and says again what its objects are.
CREATE OR REPLACE FUNCTION pggit_daemon.store_decided_migration(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made integer := pggit_daemon.stored_commit(p);
BEGIN
    UPDATE pggit.conflicts AS conflict
    SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'the change turned out to be a migration''s'
    WHERE conflict.conflict_id = ANY (ARRAY(
        SELECT own.conflict_id
        FROM (SELECT c.conflict_id, c.conflict_type, c.status FROM pggit.conflicts AS c
              WHERE c.commit_id = made OFFSET 0 FOR UPDATE SKIP LOCKED) AS own
        WHERE own.conflict_type = 'out_of_band' AND own.status = 'unresolved'));
    PERFORM pggit_daemon.store_settle_conflicts(pggit_daemon.objects_of_commit(made, ended => true));
END $$;

-- The objects of which a commit ended (`ended`) or began a version, as the columns of a plan.
CREATE OR REPLACE FUNCTION pggit_daemon.objects_of_commit(made integer, ended boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF ended THEN
        RETURN (SELECT jsonb_build_object('type', coalesce(jsonb_agg(v.type ORDER BY v.id), '[]'),
                                          'identity', coalesce(jsonb_agg(v.identity ORDER BY v.id), '[]'))
                FROM pggit_daemon.object_version AS v WHERE v.to_commit = made);
    END IF;
    RETURN (SELECT jsonb_build_object('type', coalesce(jsonb_agg(v.type ORDER BY v.id), '[]'),
                                      'identity', coalesce(jsonb_agg(v.identity ORDER BY v.id), '[]'))
            FROM pggit_daemon.object_version AS v WHERE v.from_commit = made);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_remember(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO pggit_daemon.attribution (kind, key, state)
    SELECT fact.kind, fact.key, fact.state
    FROM ROWS FROM (jsonb_array_elements_text(p -> 'kind'), jsonb_array_elements_text(p -> 'key'),
                    jsonb_array_elements(p -> 'state')) AS fact (kind, key, state)
    ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_forget(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM pggit_daemon.attribution AS known
    WHERE known.ctid = ANY (ARRAY(
        SELECT found.place
        FROM ROWS FROM (jsonb_array_elements_text(p -> 'kind'), jsonb_array_elements_text(p -> 'key')) AS gone (kind, key)
        CROSS JOIN LATERAL (
            SELECT a.ctid AS place FROM pggit_daemon.attribution AS a
            WHERE a.kind = gone.kind AND a.key = gone.key OFFSET 0) AS found));
END $$;

-- What the daemon writes: conflicts, opened and settled. Whoever resolves one right now is not waited for.

-- Whether a migration made a version of the object before this commit.
CREATE OR REPLACE FUNCTION pggit_daemon.made_by_migration(of_type text, named text, before integer) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT
        FROM (SELECT v.from_commit FROM pggit_daemon.object_version AS v
              WHERE hashtextextended(v.identity, 0) = hashtextextended(named, 0)
                AND v.type = of_type AND v.identity = named OFFSET 0) AS version
        CROSS JOIN LATERAL (SELECT c.kind FROM pggit.commits AS c WHERE c.id = version.from_commit OFFSET 0) AS earlier
        WHERE version.from_commit < before AND earlier.kind IN ('migration', 'rollback') OFFSET 0);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.told_out_of_band(of_type text, named text, made integer) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT format('%s %s was changed outside migrations by %s', of_type, named, c.author)
            FROM pggit.commits AS c WHERE c.id = made);
END $$;

-- An object that migrations made was changed by something else. An open conflict is looked for, not run into: a session
-- that resolves it right now would be waited for.
CREATE OR REPLACE FUNCTION pggit_daemon.store_out_of_band_conflicts(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description, commit_id)
    SELECT 'out_of_band', changed.type, changed.identity,
           pggit_daemon.told_out_of_band(changed.type, changed.identity, made.id), made.id
    FROM ROWS FROM (jsonb_array_elements_text(p -> 'type'), jsonb_array_elements_text(p -> 'identity'))
         AS changed (type, identity)
    CROSS JOIN (SELECT c.id FROM pggit.commits AS c WHERE c.hash = p ->> 'hash') AS made
    WHERE pggit_daemon.made_by_migration(changed.type, changed.identity, made.id)
      AND NOT EXISTS (
        SELECT FROM pggit.conflicts AS open
        WHERE open.status = 'unresolved' AND open.conflict_type = 'out_of_band' AND open.object_type = changed.type
          AND hashtextextended(open.object_identifier, 0) = hashtextextended(changed.identity, 0)
          AND open.object_identifier = changed.identity OFFSET 0)
    ON CONFLICT (conflict_type, object_type, hashtextextended(object_identifier, 0)) WHERE status = 'unresolved' DO NOTHING;
END $$;

-- The catalog was not as recorded, and nobody told why.
CREATE OR REPLACE FUNCTION pggit_daemon.store_tree_conflicts(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description, commit_id)
    SELECT 'tree_differs', found.type, found.identity, found.description, made.id
    FROM ROWS FROM (jsonb_array_elements_text(p -> 'type'), jsonb_array_elements_text(p -> 'identity'),
                    jsonb_array_elements_text(p -> 'description')) AS found (type, identity, description)
    CROSS JOIN (SELECT c.id FROM pggit.commits AS c WHERE c.hash = p ->> 'hash') AS made
    WHERE NOT EXISTS (
        SELECT FROM pggit.conflicts AS open
        WHERE open.status = 'unresolved' AND open.conflict_type = 'tree_differs' AND open.object_type = found.type
          AND hashtextextended(open.object_identifier, 0) = hashtextextended(found.identity, 0)
          AND open.object_identifier = found.identity OFFSET 0)
    ON CONFLICT (conflict_type, object_type, hashtextextended(object_identifier, 0)) WHERE status = 'unresolved' DO NOTHING;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_checksum_conflict(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description)
    SELECT 'checksum_changed', 'migration', p ->> 'identity', p ->> 'description'
    WHERE NOT EXISTS (
        SELECT FROM pggit.conflicts AS open
        WHERE open.status = 'unresolved' AND open.conflict_type = 'checksum_changed' AND open.object_type = 'migration'
          AND hashtextextended(open.object_identifier, 0) = hashtextextended(p ->> 'identity', 0)
          AND open.object_identifier = p ->> 'identity')
    ON CONFLICT (conflict_type, object_type, hashtextextended(object_identifier, 0)) WHERE status = 'unresolved' DO NOTHING;
END $$;

-- The open conflicts of these objects, locked; of those that somebody else resolves right now, none. `by`: a commit that
-- others have followed, so only conflicts from before it count. `undone`: only where the object is again what it was before
-- the change that made the conflict: now, or as the commit `by` left it.
CREATE OR REPLACE FUNCTION pggit_daemon.open_conflicts(p jsonb, undone boolean) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT open.conflict_id
    FROM ROWS FROM (jsonb_array_elements_text(p -> 'type'), jsonb_array_elements_text(p -> 'identity'))
         AS changed (type, identity)
    CROSS JOIN LATERAL (
        SELECT c.conflict_id FROM pggit.conflicts AS c
        WHERE c.status = 'unresolved' AND c.conflict_type IN ('out_of_band', 'tree_differs')
          AND hashtextextended(c.object_identifier, 0) = hashtextextended(changed.identity, 0)
          AND c.object_type = changed.type AND c.object_identifier = changed.identity
          AND (p -> 'by' IS NULL OR c.commit_id < (p ->> 'by')::integer)
          AND (NOT undone OR EXISTS (
            SELECT FROM pggit_daemon.object_version AS before
            CROSS JOIN LATERAL (
                SELECT v.blob FROM pggit_daemon.object_version AS v
                WHERE p -> 'by' IS NULL AND v.to_commit IS NULL
                  AND hashtextextended(v.identity, 0) = hashtextextended(before.identity, 0)
                  AND v.type = before.type AND v.identity = before.identity
                UNION ALL
                SELECT v.blob FROM pggit_daemon.object_version AS v
                WHERE v.from_commit = (p ->> 'by')::integer
                  AND hashtextextended(v.identity, 0) = hashtextextended(before.identity, 0)
                  AND v.type = before.type AND v.identity = before.identity OFFSET 0) AS now
            WHERE hashtextextended(before.identity, 0) = hashtextextended(c.object_identifier, 0)
              AND before.type = c.object_type AND before.identity = c.object_identifier
              AND before.to_commit = c.commit_id AND now.blob = before.blob OFFSET 0))
        OFFSET 0 FOR UPDATE SKIP LOCKED) AS open;
END $$;

-- A migration changed the object since: it says again what the object is.
CREATE OR REPLACE FUNCTION pggit_daemon.store_settle_conflicts(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pggit.conflicts AS conflict
    SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'a later migration changed the object'
    WHERE conflict.conflict_id = ANY (ARRAY(SELECT pggit_daemon.open_conflicts(p, undone => false)));
END $$;

-- The object is again what it was.
CREATE OR REPLACE FUNCTION pggit_daemon.store_undone_conflicts(p jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pggit.conflicts AS conflict
    SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'the object is again as it was before'
    WHERE conflict.conflict_id = ANY (ARRAY(SELECT pggit_daemon.open_conflicts(p, undone => true)));
END $$;

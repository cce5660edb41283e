-- What the daemon writes: conflicts, opened and settled. Whoever resolves one right now is not waited for.

-- Whether a migration made a version of the object before this commit.
CREATE OR REPLACE FUNCTION pggit_daemon.made_by_migration(of_type text, named text, before integer) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT
        FROM (SELECT v.from_commit FROM pggit_daemon.object_version AS v
              WHERE hashtextextended(v.identity, 0) = hashtextextended(named, 0)
                AND v.type = of_type AND v.identity = named OFFSET 0) AS version
        CROSS JOIN LATERAL (SELECT c.kind FROM pggit.commits AS c WHERE c.id = version.from_commit OFFSET 0) AS earlier
        WHERE version.from_commit < before AND earlier.kind IN ('migration', 'rollback') OFFSET 0);
END $$;

-- One open conflict for each kind and object: it is looked for, not run into, as a session that resolves it right now would
-- be waited for.
CREATE OR REPLACE FUNCTION pggit_daemon.open_conflict(
    kind text, of_type text, named text, said text, made integer DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description, commit_id)
    SELECT kind, of_type, named, said, made
    WHERE NOT EXISTS (
        SELECT FROM pggit.conflicts AS open
        WHERE open.status = 'unresolved' AND open.conflict_type = kind AND open.object_type = of_type
          AND hashtextextended(open.object_identifier, 0) = hashtextextended(named, 0)
          AND open.object_identifier = named OFFSET 0)
    ON CONFLICT (conflict_type, object_type, hashtextextended(object_identifier, 0)) WHERE status = 'unresolved' DO NOTHING;
END $$;

-- An object that migrations made was changed by something else.
CREATE OR REPLACE FUNCTION pggit_daemon.store_out_of_band_conflicts(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit_daemon.open_conflict('out_of_band', changed.type, changed.identity,
                format('%s %s was changed outside migrations by %s', changed.type, changed.identity, made.author), made.id)
    FROM ROWS FROM (jsonb_array_elements_text(p -> 'type'), jsonb_array_elements_text(p -> 'identity'))
         AS changed (type, identity)
    CROSS JOIN (SELECT c.id, c.author FROM pggit.commits AS c WHERE c.hash = p ->> 'hash') AS made
    WHERE pggit_daemon.made_by_migration(changed.type, changed.identity, made.id);
END $$;

-- The catalog was not as recorded, and no statement explains it.
CREATE OR REPLACE FUNCTION pggit_daemon.store_tree_conflicts(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit_daemon.open_conflict('tree_differs', found.type, found.identity, found.description, made.id)
    FROM ROWS FROM (jsonb_array_elements_text(p -> 'type'), jsonb_array_elements_text(p -> 'identity'),
                    jsonb_array_elements_text(p -> 'description')) AS found (type, identity, description)
    CROSS JOIN (SELECT c.id FROM pggit.commits AS c WHERE c.hash = p ->> 'hash') AS made;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_checksum_conflict(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit_daemon.open_conflict('checksum_changed', 'migration', p ->> 'identity', p ->> 'description');
END $$;

-- The open conflicts of these objects, locked; of those that somebody else resolves right now, none. `by`: a commit that
-- others have followed, so only conflicts from before it count. `undone`: only where the object is again what it was before
-- the change that made the conflict: now, or as the commit `by` left it.
CREATE OR REPLACE FUNCTION pggit_daemon.open_conflicts(p jsonb, undone boolean) RETURNS SETOF bigint
    LANGUAGE plpgsql AS $$
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
    LANGUAGE plpgsql AS $$
DECLARE
    settled bigint[] := ARRAY(SELECT pggit_daemon.open_conflicts(p, undone => false));
BEGIN
    IF settled <> '{}' THEN
        UPDATE pggit.conflicts AS conflict
        SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'a later migration changed the object'
        WHERE conflict.conflict_id = ANY (settled);
    END IF;
END $$;

-- The object is again what it was.
CREATE OR REPLACE FUNCTION pggit_daemon.store_undone_conflicts(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    undone bigint[] := ARRAY(SELECT pggit_daemon.open_conflicts(p, undone => true));
BEGIN
    IF undone <> '{}' THEN
        UPDATE pggit.conflicts AS conflict
        SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'the object is again as it was before'
        WHERE conflict.conflict_id = ANY (undone);
    END IF;
END $$;

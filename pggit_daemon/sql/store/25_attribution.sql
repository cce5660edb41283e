-- What the daemon writes: whose commits are, as it becomes known, and what must be remembered until it is.

-- None of this is in the commit's hash.
CREATE OR REPLACE FUNCTION pggit_daemon.store_attribute_commit(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pggit.commits AS c
    SET kind = p ->> 'kind', message = p ->> 'message',
        metadata = (c.metadata - '{source,tool,evidence,migration_id,version,part,migrations,orphan,claimed_by}'::text[])
                   || (p -> 'metadata')
    WHERE c.hash = p ->> 'hash';
END $$;

-- A commit turned out to be nobody's: what it changed of what migrations made is a conflict.
CREATE OR REPLACE FUNCTION pggit_daemon.store_decided_out_of_band(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    made integer := pggit_daemon.stored_commit(p);
BEGIN
    IF NOT EXISTS (SELECT FROM (SELECT c.conflict_type FROM pggit.conflicts AS c WHERE c.commit_id = made OFFSET 0) AS own
                   WHERE own.conflict_type = 'out_of_band') THEN
        PERFORM pggit_daemon.store_out_of_band_conflicts(pggit_daemon.objects_of_commit(made, ended => true) || p);
    END IF;
    PERFORM pggit_daemon.store_undone_conflicts(
        pggit_daemon.objects_of_commit(made, ended => false) || jsonb_build_object('by', made));
    PERFORM pggit_daemon.conflicts_since(made);
END $$;

-- A commit turned out to be a migration's: it is no conflict itself, and says again what its objects are.
CREATE OR REPLACE FUNCTION pggit_daemon.store_decided_migration(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    made     integer := pggit_daemon.stored_commit(p);
    open     boolean;
    followed boolean;
BEGIN
    -- As a rule there is no open conflict, and no commit since.
    SELECT EXISTS (SELECT FROM pggit.conflicts AS c WHERE c.status = 'unresolved' OFFSET 0),
           EXISTS (SELECT FROM pggit.commits AS c WHERE c.id > made OFFSET 0)
      INTO open, followed;
    IF open THEN
        UPDATE pggit.conflicts AS conflict
        SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'the change turned out to be a migration''s'
        WHERE conflict.conflict_id = ANY (ARRAY(
            SELECT own.conflict_id
            FROM (SELECT c.conflict_id, c.conflict_type, c.status FROM pggit.conflicts AS c
                  WHERE c.commit_id = made OFFSET 0 FOR UPDATE SKIP LOCKED) AS own
            WHERE own.conflict_type = 'out_of_band' AND own.status = 'unresolved'));
        PERFORM pggit_daemon.store_settle_conflicts(
            pggit_daemon.objects_of_commit(made, ended => true) || jsonb_build_object('by', made));
    END IF;
    IF followed THEN
        PERFORM pggit_daemon.conflicts_since(made);
    END IF;
END $$;

-- Commits after this one changed the same objects, and were judged before it was known whose it is. They are judged again,
-- so that which conflicts are open does not depend on when something became known.
CREATE OR REPLACE FUNCTION pggit_daemon.conflicts_since(made integer) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit_daemon.judge_conflicts(touched.type, touched.identity)
    FROM (SELECT v.type, v.identity FROM pggit_daemon.object_version AS v WHERE v.from_commit = made
          UNION
          SELECT v.type, v.identity FROM pggit_daemon.object_version AS v WHERE v.to_commit = made) AS touched
    WHERE EXISTS (
        SELECT FROM pggit_daemon.object_version AS v
        WHERE hashtextextended(v.identity, 0) = hashtextextended(touched.identity, 0) AND v.type = touched.type
          AND v.identity = touched.identity AND (v.from_commit > made OR v.to_commit > made) OFFSET 0);
END $$;

-- An object has one open conflict at most: of the first out-of-band change since a migration last changed it, until it is
-- as it was before that change. What somebody resolved stays resolved.
CREATE OR REPLACE FUNCTION pggit_daemon.judge_conflicts(of_type text, named text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    keys jsonb := jsonb_build_object('type', jsonb_build_array(of_type), 'identity', jsonb_build_array(named));
    migrated integer;
    change record;
    due integer;
    due_hash text;
    due_status text;
    before bytea;
BEGIN
    SELECT greatest(min(made.id) FILTER (WHERE NOT made.ends), max(made.id) FILTER (WHERE made.ends)) INTO migrated
    FROM pggit_daemon.touches(of_type, named) AS made WHERE made.kind IN ('migration', 'rollback');
    PERFORM pggit_daemon.store_settle_conflicts(keys || jsonb_build_object('by', coalesce(migrated, 0)));
    FOR change IN
        SELECT made.id, made.hash, made.kind, bool_or(made.ends) AS ends,
               (array_agg(made.blob) FILTER (WHERE made.ends))[1] AS old,
               (array_agg(made.blob) FILTER (WHERE NOT made.ends))[1] AS new,
               pggit_daemon.status_of_conflict(of_type, named, made.id) AS status
        FROM pggit_daemon.touches(of_type, named) AS made
        WHERE made.id > migrated AND made.kind IN ('out_of_band', 'snapshot')
        GROUP BY made.id, made.hash, made.kind ORDER BY made.id
    LOOP
        IF change.kind = 'out_of_band' AND change.ends
           AND (due IS NULL OR due_status = 'resolved' AND change.status IS NOT NULL) THEN
            due := change.id; due_hash := change.hash; due_status := change.status; before := change.old;
        END IF;
        IF change.new = before THEN
            PERFORM pggit_daemon.store_undone_conflicts(keys || jsonb_build_object('by', change.id));
            due := NULL; due_status := NULL; before := NULL;
        END IF;
    END LOOP;
    IF due_status IN ('unresolved', 'resolved') THEN
        RETURN;
    END IF;
    -- One of another commit is that of this one, or none.
    UPDATE pggit.conflicts AS conflict
    SET status = 'resolved', resolved_at = clock_timestamp(), resolution = 'judged again: an earlier change has the conflict'
    WHERE conflict.conflict_id = ANY (ARRAY(
        SELECT c.conflict_id FROM pggit.conflicts AS c
        WHERE c.status = 'unresolved' AND c.conflict_type = 'out_of_band' AND c.object_type = of_type
          AND hashtextextended(c.object_identifier, 0) = hashtextextended(named, 0) AND c.object_identifier = named
        OFFSET 0 FOR UPDATE SKIP LOCKED));
    IF due_status = 'settled' THEN
        UPDATE pggit.conflicts AS conflict SET status = 'unresolved', resolved_at = NULL, resolution = NULL
        WHERE conflict.commit_id = due AND conflict.conflict_type = 'out_of_band' AND conflict.object_type = of_type
          AND conflict.object_identifier = named;
    ELSIF due IS NOT NULL THEN
        PERFORM pggit_daemon.store_out_of_band_conflicts(keys || jsonb_build_object('hash', due_hash));
    END IF;
END $$;

-- The commits that ended (`ends`) or began a version of an object, with that version's content.
CREATE OR REPLACE FUNCTION pggit_daemon.touches(of_type text, named text)
    RETURNS TABLE (id integer, hash text, kind text, ends boolean, blob bytea)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT c.id, c.hash, c.kind, touch.ends, version.blob
    FROM (SELECT v.from_commit, v.to_commit, v.blob FROM pggit_daemon.object_version AS v
          WHERE hashtextextended(v.identity, 0) = hashtextextended(named, 0)
            AND v.type = of_type AND v.identity = named OFFSET 0) AS version
    CROSS JOIN LATERAL (VALUES (version.from_commit, false), (version.to_commit, true)) AS touch (commit, ends)
    CROSS JOIN LATERAL (SELECT k.id, k.hash, k.kind FROM pggit.commits AS k WHERE k.id = touch.commit OFFSET 0) AS c;
END $$;

-- The status of the conflict that an out-of-band commit made of its change of an object, `settled` where the daemon
-- resolved it; NULL: there is none.
CREATE OR REPLACE FUNCTION pggit_daemon.status_of_conflict(of_type text, named text, made integer) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT CASE WHEN own.status = 'resolved' AND own.resolved_by IS NULL THEN 'settled' ELSE own.status END
            FROM (SELECT c.conflict_type, c.object_type, c.object_identifier, c.status, c.resolved_by
                  FROM pggit.conflicts AS c WHERE c.commit_id = made OFFSET 0) AS own
            WHERE own.conflict_type = 'out_of_band' AND own.object_type = of_type AND own.object_identifier = named
            LIMIT 1);
END $$;

-- The objects of which a commit ended (`ended`) or began a version, as the columns of a plan.
CREATE OR REPLACE FUNCTION pggit_daemon.objects_of_commit(made integer, ended boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
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
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit_daemon.attribution (kind, key, state)
    SELECT fact.kind, fact.key, fact.state
    FROM ROWS FROM (jsonb_array_elements_text(p -> 'kind'), jsonb_array_elements_text(p -> 'key'),
                    jsonb_array_elements(p -> 'state')) AS fact (kind, key, state)
    ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_forget(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pggit_daemon.attribution AS known
    WHERE known.ctid = ANY (ARRAY(
        SELECT found.place
        FROM ROWS FROM (jsonb_array_elements_text(p -> 'kind'), jsonb_array_elements_text(p -> 'key')) AS gone (kind, key)
        CROSS JOIN LATERAL (
            SELECT a.ctid AS place FROM pggit_daemon.attribution AS a
            WHERE a.kind = gone.kind AND a.key = gone.key OFFSET 0) AS found));
END $$;

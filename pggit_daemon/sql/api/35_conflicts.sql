-- Conflicts: listed, and resolved by hand. The daemon opens them, and resolves those whose cause is gone.

-- The name that an object has now which had this one in a commit: renamed it goes on in the commit that ended it. NULL where
-- it is gone; an object that was made later may have its number then.
CREATE OR REPLACE FUNCTION pggit_daemon.name_now(of_type text, named text, made integer) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    version pggit_daemon.object_version;
BEGIN
    SELECT v.* INTO version FROM pggit_daemon.object_version AS v
     WHERE hashtextextended(v.identity, 0) = hashtextextended(named, 0) AND v.type = of_type AND v.identity = named
       AND v.from_commit <= made AND coalesce(v.to_commit > made, true);
    WHILE version.to_commit IS NOT NULL LOOP
        SELECT v.* INTO version FROM pggit_daemon.object_version AS v
         WHERE v.objid = version.objid AND v.classid = version.classid AND v.type = of_type
           AND v.from_commit = version.to_commit
         LIMIT 1;
    END LOOP;
    RETURN version.identity;
END $$;

CREATE OR REPLACE FUNCTION pggit.list_conflicts(status_filter text DEFAULT 'unresolved')
    RETURNS TABLE (conflict_id bigint, conflict_type text, object_type text, object_identifier text,
                   created_at timestamptz, description text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF status_filter NOT IN ('unresolved', 'resolved', 'all') THEN
        RAISE EXCEPTION 'no status is called "%"', left(status_filter, 200) USING ERRCODE = '22023',
            HINT = 'Pass unresolved, resolved or all.';
    END IF;
    RETURN QUERY
        SELECT c.conflict_id, c.conflict_type, c.object_type,
               coalesce(pggit_daemon.name_now(c.object_type, c.object_identifier, c.commit_id), c.object_identifier),
               c.created_at, c.description
        FROM pggit.conflicts AS c
        WHERE coalesce(status_filter, 'all') IN (c.status, 'all')
        ORDER BY c.conflict_id;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.resolve_conflict(conflict_id bigint, resolution text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    was pggit.conflicts;
BEGIN
    IF conflict_id IS NULL THEN
        RAISE EXCEPTION 'conflict_id must not be null' USING ERRCODE = '22004',
            HINT = 'SELECT * FROM pggit.list_conflicts() shows the ids.';
    END IF;
    IF resolution IS NULL OR resolution !~ '\S' THEN
        RAISE EXCEPTION 'resolution must not be empty' USING ERRCODE = '22023',
            HINT = 'Say in a few words how it was resolved; others will read it.';
    END IF;
    UPDATE pggit.conflicts AS c
       SET status = 'resolved', resolved_at = clock_timestamp(), resolved_by = session_user, resolution = $2
     WHERE c.conflict_id = $1 AND c.status = 'unresolved';
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO was FROM pggit.conflicts AS c WHERE c.conflict_id = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'conflict % is not recorded', conflict_id USING ERRCODE = '42704',
            HINT = 'SELECT * FROM pggit.list_conflicts() shows the ids.';
    END IF;
    RAISE NOTICE 'conflict % was resolved already at %: %', conflict_id, was.resolved_at, was.resolution;
END $$;

COMMENT ON FUNCTION pggit.list_conflicts(text) IS 'Conflicts that are unresolved, resolved, or all.';

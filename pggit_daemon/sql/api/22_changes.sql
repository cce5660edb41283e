-- What one commit changed, for functions that look at many commits: the view alone cannot be asked by a join.
CREATE OR REPLACE FUNCTION pggit_daemon.changes_in(of_commit integer) RETURNS SETOF pggit.commit_changes
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT * FROM pggit.commit_changes AS c WHERE c.commit_id = of_commit;
END $$;

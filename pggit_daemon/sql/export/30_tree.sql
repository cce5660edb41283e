-- A recorded tree: read back, and as a script.

-- Every object as it was after the commit. Nothing for a commit that does not exist.
CREATE OR REPLACE FUNCTION pggit_daemon.tree_at(of_commit integer)
    RETURNS TABLE (type text, schema_name text, identity text, definition text, later text, depends text[])
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.type, v.schema_name, v.identity, b.definition, b.later, b.depends
      FROM pggit_daemon.object_version v
      JOIN pggit_daemon.blob b ON b.sha256 = v.blob
     WHERE v.from_commit <= of_commit AND (v.to_commit IS NULL OR v.to_commit > of_commit)
       AND EXISTS (SELECT FROM pggit.commits c WHERE c.id = of_commit)
$$;

CREATE OR REPLACE FUNCTION pggit_daemon.export_tree(of_commit integer) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pggit_daemon.export_descriptions(ARRAY(
        SELECT (NULL, NULL, t.type, t.schema_name, t.identity, t.definition, t.later, t.depends, NULL)::pggit_daemon.description
          FROM pggit_daemon.tree_at(of_commit) t));
END $$;

-- Which parts of a history table have no replica identity, so that the log does not show their updates and deletions.

-- The table itself and its partitions; each has an identity of its own.
CREATE OR REPLACE FUNCTION pggit_daemon.without_identity(history regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid::regclass
      FROM (SELECT history AS relid UNION SELECT p.relid FROM pg_partition_tree(history) AS p) AS all_parts
      JOIN pg_class AS c ON c.oid = all_parts.relid
     WHERE CASE c.relreplident
               WHEN 'n' THEN true
               WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
               WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident)
               ELSE false END
$$;

-- The integrated history tables that are so, as somebody set back what integrate gave them.
CREATE OR REPLACE FUNCTION pggit_daemon.identities_set_back()
    RETURNS TABLE (source text, tool_name text, history regclass, parts text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name, s.tool_name, c.oid::regclass, bare.parts
      FROM pggit_daemon.source AS s
      JOIN pg_namespace AS n ON n.nspname = s.schema_name
      JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = s.table_name
     CROSS JOIN LATERAL (SELECT string_agg(w::text, ', ' ORDER BY w::text)
                           FROM pggit_daemon.without_identity(c.oid) AS w) AS bare (parts)
     WHERE s.present AND bare.parts IS NOT NULL
       AND EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgname = 'pggit_daemon_session')
$$;

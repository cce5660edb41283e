-- The shape of a table: by it the daemon knows the history tables of migration tools.

-- Columns with their types (without length) and whether they are NOT NULL, the primary key, and what the table is a part
-- of; NULL for what is no table. Kind is plain, partitioned, partition or child (INHERITS).
CREATE OR REPLACE FUNCTION pggit_daemon.table_shape(of_table oid) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
               'columns', (SELECT coalesce(jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, NULL), a.attnotnull)
                                                     ORDER BY a.attnum), '[]')
                             FROM pg_attribute a
                            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
               'key', (SELECT coalesce(jsonb_agg(a.attname ORDER BY array_position(i.indkey::smallint[], a.attnum)), '[]')
                         FROM pg_index i
                         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::smallint[])[:i.indnkeyatts - 1])
                        WHERE i.indrelid = c.oid AND i.indisprimary),
               'kind', CASE WHEN c.relispartition THEN 'partition'
                            WHEN c.relkind = 'p' THEN 'partitioned'
                            WHEN EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid) THEN 'child'
                            ELSE 'plain' END,
               'parent', (SELECT format('%I.%I', n.nspname, p.relname)
                            FROM pg_inherits h
                            JOIN pg_class p ON p.oid = h.inhparent
                            JOIN pg_namespace n ON n.oid = p.relnamespace
                           WHERE h.inhrelid = c.oid ORDER BY h.inhseqno LIMIT 1))
      FROM pg_class c
     WHERE c.oid = of_table AND c.relkind IN ('r', 'p')
$$;

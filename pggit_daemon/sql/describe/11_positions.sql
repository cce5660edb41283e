-- Columns that came from a parent behind the table's own: CREATE TABLE ... INHERITS would put them first.

-- Whether INHERITS would give a table its columns in another order than they have. A generated column must follow what
-- it is made of, and a NOT NULL that is not validated needs a statement of its own: those stay where INHERITS puts them.
CREATE OR REPLACE FUNCTION pggit_daemon.has_other_order(relation oid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
        <> ARRAY(SELECT x.attname FROM (
                SELECT a.attname, min(ARRAY[i.inhseqno, a.attnum]) AS place
                  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhparent
                 WHERE i.inhrelid = relation AND a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attname
                UNION ALL
                SELECT a.attname, ARRAY[2147483647, a.attnum] FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
                   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i
                                     JOIN pg_catalog.pg_attribute p ON p.attrelid = i.inhparent
                                    WHERE i.inhrelid = relation AND p.attname = a.attname AND NOT p.attisdropped)
             ) x ORDER BY x.place)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = relation AND a.attgenerated <> '' AND NOT a.attislocal)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                        WHERE k.conrelid = relation AND k.contype = 'n' AND NOT k.convalidated);
END $$;

-- The columns one by one, in their order: what is inherited comes through a parent that is there only meanwhile, so
-- that no column becomes the table's own. `kind`: TABLE or FOREIGN TABLE. Written between CREATE TABLE name ()
-- INHERITS (helper) and the statements that inherit from the parents.
CREATE OR REPLACE FUNCTION pggit_daemon.columns_one_by_one(relation oid, kind text, name text, helper text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT string_agg(
                   CASE WHEN a.attislocal
                        THEN format(E'ALTER %s ONLY %s ADD COLUMN %s;\n', kind, name,
                                    ltrim((SELECT c.list FROM pggit_daemon.columns_of(relation, 'all', a.attnum) c)))
                        ELSE format(E'ALTER TABLE %s ADD COLUMN %I %s%s%s;\n', helper, a.attname,
                                    format_type(a.atttypid, a.atttypmod),
                                    CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
                                         THEN ' COLLATE ' || pggit_daemon.collation_name(a.attcollation) ELSE '' END,
                                    CASE WHEN NOT a.attnotnull THEN ''
                                         WHEN k.oid IS NULL THEN ' NOT NULL'
                                         WHEN k.coninhcount > 0 THEN format(' CONSTRAINT %I NOT NULL', k.conname)
                                         ELSE '' END) END, '' ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
          LEFT JOIN pg_catalog.pg_constraint k
                 ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped);
END $$;

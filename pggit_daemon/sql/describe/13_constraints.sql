-- Constraints of tables (PRIMARY KEY, UNIQUE, EXCLUDE, FOREIGN KEY, CHECK), and indexes: they share what an index has.

-- Whether `index_settings` and `index_attachment` have nothing to say, as nearly always.
-- Without a SET clause, so that the planner can write it out where many indexes are read in one query.
CREATE OR REPLACE FUNCTION pggit_daemon.plain_index(o oid) RETURNS TABLE (is_plain boolean)
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
         WHERE c.oid = o AND c.relkind = 'i' AND NOT c.relispartition AND c.reltablespace = 0
           AND NOT x.indisclustered AND NOT x.indisreplident
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = o AND a.attstattarget >= 0 OFFSET 0)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = o AND d.deptype = 'x' OFFSET 0)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_description d
                            WHERE d.objoid = o AND d.classoid = 'pg_catalog.pg_class'::regclass OFFSET 0)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                            WHERE l.objoid = o AND l.classoid = 'pg_catalog.pg_class'::regclass OFFSET 0) OFFSET 0)
$$;

-- What belongs to an index beside its definition: tablespace, statistics targets, CLUSTER ON, replica identity, comment.
CREATE OR REPLACE FUNCTION pggit_daemon.index_settings(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statements text;
    i          record;
    name       text;
    owner_name text;
BEGIN
    SELECT c.relname, n.nspname, t.relname AS table_name, tn.nspname AS table_schema, s.spcname,
           x.indisclustered, x.indisreplident, c.relkind
      INTO i
      FROM pg_catalog.pg_index x
      JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
      JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
      LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
     WHERE x.indexrelid = o;
    name := format('%I.%I', i.nspname, i.relname);
    owner_name := format('%I.%I', i.table_schema, i.table_name);
    SELECT string_agg(format(E'ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s;\n', name, a.attnum, a.attstattarget),
                      '' ORDER BY a.attnum)
      INTO statements
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = o AND a.attstattarget >= 0;
    statements := coalesce(statements, '');
    IF i.spcname IS NOT NULL THEN
        statements := statements || format(E'ALTER INDEX %s SET TABLESPACE %I;\n', name, i.spcname);
    END IF;
    IF i.indisclustered THEN
        statements := statements || format(E'ALTER TABLE %s CLUSTER ON %I;\n', owner_name, i.relname);
    END IF;
    IF i.indisreplident AND i.relkind = 'i' THEN
        statements := statements || format(E'ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I;\n', owner_name, i.relname);
    END IF;
    RETURN statements || pggit_daemon.extension_links('pg_catalog.pg_class'::regclass, o, 'INDEX ' || name)
        || pggit_daemon.comments('pg_catalog.pg_class'::regclass, o, 'INDEX ' || name);
END $$;

-- An index of a partition belongs to the parent's index, once both exist. A partitioned index can be the replica
-- identity only when all its parts are attached.
CREATE OR REPLACE FUNCTION pggit_daemon.index_attachment(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN concat((SELECT format(E'ALTER INDEX %I.%I ATTACH PARTITION %I.%I;\n', pn.nspname, p.relname, n.nspname, c.relname)
              FROM pg_catalog.pg_inherits i
              JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
              JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
             WHERE i.inhrelid = o),
           (SELECT format(E'ALTER TABLE ONLY %I.%I REPLICA IDENTITY USING INDEX %I;\n', n.nspname, t.relname, c.relname)
              FROM pg_catalog.pg_index x
              JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
              JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
             WHERE x.indexrelid = o AND x.indisreplident AND c.relkind = 'I'));
END $$;

-- Those of these indexes that are ours: not a constraint's, and valid. An invalid one is what a failed CREATE INDEX
-- CONCURRENTLY left; pg_dump leaves it out too.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_indexes(objects oid[]) RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
    i record;
BEGIN
    d.classid := 'pg_catalog.pg_class'::regclass;
    d.type := 'index';
    FOR i IN
        SELECT c.oid, c.relname, t.nspname, pg_get_indexdef(c.oid) AS says, p.is_plain
          FROM pg_catalog.pg_class c
         CROSS JOIN LATERAL (
                SELECT t.oid, (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = t.relnamespace) AS nspname
                  FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
                 WHERE x.indexrelid = c.oid AND x.indisready AND (x.indisvalid OR c.relkind = 'I')
                   AND t.relkind IN ('r', 'p', 'm', 'f') AND t.relpersistence <> 't'
                   AND pggit_daemon.is_our_schema(t.relnamespace)
                OFFSET 0) t
         CROSS JOIN LATERAL pggit_daemon.plain_index(c.oid) p
         WHERE c.oid = ANY (objects)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m
                            WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid IN (c.oid, t.oid)
                              AND (m.deptype = 'e'
                                   OR m.deptype = 'i' AND m.refclassid = 'pg_catalog.pg_constraint'::regclass) OFFSET 0)
    LOOP
        d.objid := i.oid;
        d.schema_name := i.nspname;
        d.identity := format('%I.%I', i.nspname, i.relname);
        d.definition := i.says || E';\n';
        d.later := NULL;
        IF NOT i.is_plain THEN
            d.definition := d.definition || pggit_daemon.index_settings(i.oid);
            d.later := pggit_daemon.index_attachment(i.oid);
        END IF;
        RETURN NEXT d;
    END LOOP;
END $$;

-- Those of these constraints that are ours.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_constraints(objects oid[]) RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d       pggit_daemon.description;
    k       record;
    options text;
    tail    text;
BEGIN
    d.classid := 'pg_catalog.pg_constraint'::regclass;
    d.type := 'table constraint';
    FOR k IN
        SELECT x.oid, x.conname, x.contype, x.conindid, x.condeferrable, x.condeferred, c.nspname, c.relkind,
               format('%I.%I', c.nspname, c.relname) AS name, pg_get_constraintdef(x.oid) AS says,
               -- The storage options of the index are not part of what the server says.
               CASE WHEN x.contype IN ('p', 'u') THEN (
                    SELECT i.reloptions FROM pg_catalog.pg_class i WHERE i.oid = x.conindid) END AS options,
               x.contype IN ('p', 'u', 'x') AND NOT p.is_plain AS has_settings,
               EXISTS (SELECT FROM pg_catalog.pg_description y
                        WHERE y.objoid = x.oid AND y.classoid = 'pg_catalog.pg_constraint'::regclass OFFSET 0)
               OR EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                           WHERE l.objoid = x.oid AND l.classoid = 'pg_catalog.pg_constraint'::regclass OFFSET 0) AS has_comments
          FROM pg_catalog.pg_constraint x
         CROSS JOIN LATERAL (
                SELECT c.relname, c.relkind,
                       (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace) AS nspname
                  FROM pg_catalog.pg_class c
                 WHERE c.oid = x.conrelid AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
                   AND pggit_daemon.is_our_schema(c.relnamespace)
                   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m
                                    WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid
                                      AND m.deptype = 'e' OFFSET 0)
                OFFSET 0) c
         CROSS JOIN LATERAL pggit_daemon.plain_index(x.conindid) p
         WHERE x.oid = ANY (objects) AND x.oid >= 16384
           AND (x.contype IN ('p', 'u', 'x') OR x.contype = 'f' AND x.conparentid = 0 OR x.contype = 'c' AND x.conislocal)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m
                            WHERE m.classid = 'pg_catalog.pg_constraint'::regclass AND m.objid = x.oid
                              AND m.deptype = 'e' OFFSET 0)
    LOOP
        options := pggit_daemon.storage_options(k.options);
        IF options IS NOT NULL THEN    -- they stand before DEFERRABLE
            tail := CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
                 || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END;
            k.says := left(k.says, length(k.says) - length(tail)) || format(' WITH (%s)', options) || tail;
        END IF;
        d.objid := k.oid;
        d.schema_name := k.nspname;
        d.identity := format('%I on %s', k.conname, k.name);
        -- CHECK must reach the children that inherit it, and a foreign key the partitions; the others must not.
        d.definition := CASE k.relkind WHEN 'f' THEN 'ALTER FOREIGN TABLE ' ELSE 'ALTER TABLE ' END
            || CASE WHEN k.contype = 'c' OR k.contype = 'f' AND k.relkind = 'p' THEN '' ELSE 'ONLY ' END
            || k.name || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || k.says || E';\n';
        d.later := NULL;
        IF k.has_settings THEN
            d.definition := d.definition || pggit_daemon.index_settings(k.conindid);
            d.later := pggit_daemon.index_attachment(k.conindid);
        END IF;
        IF k.has_comments THEN
            d.definition := d.definition || pggit_daemon.comments('pg_catalog.pg_constraint'::regclass, k.oid,
                                                                  format('CONSTRAINT %I ON %s', k.conname, k.name));
        END IF;
        RETURN NEXT d;
    END LOOP;
END $$;

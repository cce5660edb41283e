-- Constraints of tables (PRIMARY KEY, UNIQUE, EXCLUDE, FOREIGN KEY, CHECK), and indexes: they share what an index has.

-- Whether `index_settings` and `index_attachment` have nothing to say, as nearly always.
CREATE OR REPLACE FUNCTION pggit_daemon.is_plain_index(o oid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
         WHERE c.oid = o AND c.relkind = 'i' AND NOT c.relispartition AND c.reltablespace = 0
           AND NOT x.indisclustered AND NOT x.indisreplident
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = o AND a.attstattarget >= 0)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = o AND d.deptype = 'x')
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_description d
                            WHERE d.objoid = o AND d.classoid = 'pg_catalog.pg_class'::regclass)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                            WHERE l.objoid = o AND l.classoid = 'pg_catalog.pg_class'::regclass));
END $$;

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

CREATE OR REPLACE FUNCTION pggit_daemon.describe_index(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
BEGIN
    SELECT n.nspname INTO d.schema_name FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = o;
    d.definition := pg_get_indexdef(o) || E';\n';
    IF NOT pggit_daemon.is_plain_index(o) THEN
        d.definition := d.definition || pggit_daemon.index_settings(o);
        d.later := pggit_daemon.index_attachment(o);
    END IF;
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_constraint(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d       pggit_daemon.description;
    k       record;
    name    text;
    says    text;
    options text;
    tail    text := '';
BEGIN
    SELECT x.conname, x.contype, x.conindid, x.condeferrable, x.condeferred, c.relname, n.nspname, c.relkind
      INTO k
      FROM pg_catalog.pg_constraint x
      JOIN pg_catalog.pg_class c ON c.oid = x.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE x.oid = o;
    d.schema_name := k.nspname;
    name := format('%I.%I', k.nspname, k.relname);
    says := pg_get_constraintdef(o);
    IF k.contype IN ('p', 'u') THEN
        -- The storage options of the index are not part of what the server says; they stand before DEFERRABLE.
        SELECT pggit_daemon.storage_options(c.reloptions) INTO options
          FROM pg_catalog.pg_class c WHERE c.oid = k.conindid AND c.reloptions IS NOT NULL;
        IF options IS NOT NULL THEN
            tail := CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
                 || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END;
            says := left(says, length(says) - length(tail)) || format(' WITH (%s)', options) || tail;
        END IF;
    END IF;
    -- CHECK must reach the children that inherit it, and a foreign key the partitions; the others must not.
    d.definition := format(E'ALTER %sTABLE %s%s ADD CONSTRAINT %I %s;\n',
        CASE k.relkind WHEN 'f' THEN 'FOREIGN ' ELSE '' END,
        CASE WHEN k.contype = 'c' OR k.contype = 'f' AND k.relkind = 'p' THEN '' ELSE 'ONLY ' END,
        name, k.conname, says);
    IF k.contype IN ('p', 'u', 'x') AND NOT pggit_daemon.is_plain_index(k.conindid) THEN
        d.definition := d.definition || pggit_daemon.index_settings(k.conindid);
        d.later := pggit_daemon.index_attachment(k.conindid);
    END IF;
    d.definition := d.definition || pggit_daemon.comments('pg_catalog.pg_constraint'::regclass, o,
                                                          format('CONSTRAINT %I ON %s', k.conname, name));
    RETURN d;
END $$;

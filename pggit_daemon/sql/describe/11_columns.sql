-- The columns of tables: their part of CREATE TABLE, and what only ALTER TABLE can say.

CREATE OR REPLACE FUNCTION pggit_daemon.collation_name(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT format('%I.%I', n.nspname, c.collname)
              FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = o);
END $$;

-- The parameters of a sequence, as CREATE SEQUENCE takes them after the type.
CREATE OR REPLACE FUNCTION pggit_daemon.sequence_parameters(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s    pg_catalog.pg_sequence;
    high bigint;
    low  bigint;
BEGIN
    SELECT * INTO s FROM pg_catalog.pg_sequence q WHERE q.seqrelid = o;
    high := CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                            ELSE 9223372036854775807 END;
    low := -high - 1;
    IF s.seqincrement > 0 THEN
        low := 1;
    ELSE
        high := -1;
    END IF;
    RETURN format('START WITH %s INCREMENT BY %s %s %s CACHE %s%s', s.seqstart, s.seqincrement,
        CASE WHEN s.seqmin = low THEN 'NO MINVALUE' ELSE 'MINVALUE ' || s.seqmin END,
        CASE WHEN s.seqmax = high THEN 'NO MAXVALUE' ELSE 'MAXVALUE ' || s.seqmax END,
        s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.identity_clause(relation oid, attribute integer, kind "char") RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I %s)',
                          CASE kind WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
                          n.nspname, c.relname, pggit_daemon.sequence_parameters(c.oid))
              FROM pg_catalog.pg_depend d
              JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = relation
               AND d.refobjsubid = attribute AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'i');
END $$;

-- What the columns of a table say, in one look at them. `list`: what stands between the parentheses of CREATE TABLE, one
-- column a line; NULL when no column is to be written. `names`: all columns in their order. `special`: whether some column
-- has what `column_settings` writes, `has_identity`, `has_grants`, `has_inherited`: whether some column is an
-- identity, has privileges, is not the table's own. form: 'all' columns, 'local' ones only (the others come from
-- INHERITS), 'typed' (the type gives the columns). A NOT NULL constraint has a name and a row in pg_constraint from 18
-- on. `single`: only this column, or NULL. Without a SET clause, so that the planner can write it out where many
-- tables are read in one query.
CREATE OR REPLACE FUNCTION pggit_daemon.columns_of(relation oid, form text, single integer)
    RETURNS TABLE (list text, names text[], special boolean, has_identity boolean, has_grants boolean, has_inherited boolean)
    LANGUAGE sql STABLE AS $$
    SELECT string_agg('    ' || quote_ident(l.attname)
                      || CASE form WHEN 'typed' THEN ' WITH OPTIONS' ELSE ' ' || format_type(l.atttypid, l.atttypmod) END
                      || l.collation || l.value || l.identity || l.not_null, E',\n')
               FILTER (WHERE CASE form WHEN 'all' THEN true WHEN 'local' THEN l.attislocal
                                       ELSE l.attnotnull OR l.value <> '' END),
           coalesce(array_agg(l.attname::text), '{}'),
           coalesce(bool_or(l.attstorage <> l.typstorage OR l.attcompression <> '' OR l.attstattarget >= 0
                            OR l.has_options OR NOT l.attislocal), false),
           coalesce(bool_or(l.attidentity <> ''), false),
           coalesce(bool_or(l.has_acl), false),
           coalesce(bool_or(NOT l.attislocal), false)
      FROM (
            SELECT a.attname, a.atttypid, a.atttypmod, a.attislocal, a.attnotnull, a.attstorage, t.typstorage,
                   a.attcompression, a.attstattarget, a.attidentity, a.attacl IS NOT NULL AS has_acl,
                   a.attfdwoptions IS NOT NULL
                       OR a.attoptions IS NOT NULL AND (cardinality(a.attoptions) > 1 OR a.attoptions[1] NOT LIKE 'pg\_attver=%')
                       AS has_options,
                   CASE WHEN form = 'typed' OR a.attcollation = t.typcollation OR a.attcollation = 0 THEN ''
                        ELSE ' COLLATE ' || pggit_daemon.collation_name(a.attcollation) END AS collation,
                   CASE WHEN NOT a.atthasdef THEN ''
                        ELSE coalesce((
                            SELECT CASE WHEN a.attgenerated = 's'
                                        THEN format(' GENERATED ALWAYS AS (%s) STORED', pg_get_expr(x.adbin, x.adrelid))
                                        WHEN a.attgenerated <> ''
                                        THEN format(' GENERATED ALWAYS AS (%s)', pg_get_expr(x.adbin, x.adrelid))
                                        ELSE ' DEFAULT ' || pg_get_expr(x.adbin, 0) END
                              FROM pg_catalog.pg_attrdef x
                             WHERE x.adrelid = a.attrelid AND x.adnum = a.attnum), '') END AS value,
                   CASE WHEN a.attidentity = '' THEN ''
                        ELSE coalesce(pggit_daemon.identity_clause(relation, a.attnum, a.attidentity), '') END AS identity,
                   CASE WHEN NOT a.attnotnull THEN ''
                        WHEN current_setting('server_version_num')::integer < 180000 THEN ' NOT NULL'
                        ELSE coalesce((
                            SELECT CASE WHEN NOT k.convalidated OR NOT (k.conislocal OR form = 'all') THEN ''
                                        ELSE format(' CONSTRAINT %I NOT NULL', k.conname)
                                             || CASE WHEN k.connoinherit THEN ' NO INHERIT' ELSE '' END END
                              FROM pg_catalog.pg_constraint k
                             WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]),
                            ' NOT NULL') END AS not_null
              FROM pg_catalog.pg_attribute a
              JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
               AND (single IS NULL OR a.attnum = single)
             ORDER BY a.attnum
           ) l
$$;

-- What is set on columns after CREATE TABLE. `what`: 'TABLE ONLY public.t';
-- `form` as in `read_columns`.
CREATE OR REPLACE FUNCTION pggit_daemon.column_settings(relation oid, what text, form text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statements text := '';
    a          record;
    alter_it   text;
BEGIN
    FOR a IN
        SELECT x.attnum, x.attname, x.attislocal, x.attnotnull, x.atthasdef, x.attgenerated, x.attidentity,
               x.attfdwoptions, x.attrelid,
               -- A stamp of the server's own (from some minor releases on); pg_dump leaves it out too.
               CASE WHEN x.attoptions IS NOT NULL
                    THEN (SELECT array_agg(u.word ORDER BY u.place) FROM unnest(x.attoptions) WITH ORDINALITY u (word, place)
                           WHERE u.word NOT LIKE 'pg\_attver=%') END AS attoptions,
               -- INHERITS hands on the parent's storage and compression. A child says its own whatever the parent has:
               -- its text must not change when only the parent does.
               CASE WHEN x.attstorage <> t.typstorage OR form = 'local' AND x.attinhcount > 0 AND t.typstorage <> 'p'
                    THEN x.attstorage END AS storage,
               CASE WHEN x.attcompression <> '' THEN x.attcompression
                    WHEN form = 'local' AND x.attinhcount > 0 AND t.typstorage <> 'p' THEN 'd' END AS compression,
               CASE WHEN x.attstattarget >= 0 THEN x.attstattarget END AS target, x.attinhcount > 0 AS inherited
          FROM pg_catalog.pg_attribute x
          JOIN pg_catalog.pg_type t ON t.oid = x.atttypid
         WHERE x.attrelid = relation AND x.attnum > 0 AND NOT x.attisdropped
           AND (x.attstorage <> t.typstorage OR x.attcompression <> '' OR x.attstattarget >= 0
                OR x.attoptions IS NOT NULL OR x.attfdwoptions IS NOT NULL
                OR x.attinhcount > 0)
         ORDER BY x.attname
    LOOP
        alter_it := format('ALTER %s ALTER COLUMN %I ', what, a.attname);
        IF form = 'local' AND NOT a.attislocal THEN
            statements := statements || pggit_daemon.inherited_column(relation, a.attnum, alter_it, what);
        ELSIF form = 'local' AND a.inherited AND NOT a.atthasdef AND a.attidentity = '' THEN
            statements := statements || alter_it || E'DROP DEFAULT;\n';    -- a parent's comes with INHERITS
        END IF;
        IF a.storage IS NOT NULL THEN
            statements := statements || alter_it || format(E'SET STORAGE %s;\n',
                CASE a.storage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END);
        END IF;
        IF a.compression IS NOT NULL THEN
            statements := statements || alter_it || format(E'SET COMPRESSION %s;\n',
                CASE a.compression WHEN 'p' THEN 'pglz' WHEN 'd' THEN 'default' ELSE 'lz4' END);
        END IF;
        IF a.target IS NOT NULL THEN
            statements := statements || alter_it || format(E'SET STATISTICS %s;\n', a.target);
        END IF;
        IF a.attoptions IS NOT NULL THEN
            statements := statements || alter_it
                || format(E'SET (%s);\n', pggit_daemon.storage_options(a.attoptions));
        END IF;
        IF a.attfdwoptions IS NOT NULL THEN
            statements := statements || alter_it || ltrim(pggit_daemon.foreign_options(a.attfdwoptions)) || E';\n';
        END IF;
    END LOOP;
    RETURN statements;
END $$;

-- What a column that comes from INHERITS has beyond its parents': NOT NULL and default of its own, or no default.
CREATE OR REPLACE FUNCTION pggit_daemon.inherited_column(relation oid, attribute integer, alter_it text, what text)
    RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a          pg_catalog.pg_attribute;
    k          pg_catalog.pg_constraint;
    default_is text;
    statements text := '';
BEGIN
    SELECT * INTO a FROM pg_catalog.pg_attribute x WHERE x.attrelid = relation AND x.attnum = attribute;
    IF a.attnotnull THEN
        SELECT * INTO k FROM pg_catalog.pg_constraint x
         WHERE x.conrelid = relation AND x.contype = 'n' AND x.conkey = ARRAY[attribute::smallint];
        IF k.oid IS NULL THEN
            statements := alter_it || E'SET NOT NULL;\n';
        ELSIF k.conislocal AND k.convalidated THEN
            statements := format(E'ALTER %s ADD CONSTRAINT %I NOT NULL %I%s;\n', what, k.conname, a.attname,
                                 CASE WHEN k.connoinherit THEN ' NO INHERIT' ELSE '' END);
        END IF;
    END IF;
    IF a.attgenerated <> '' THEN
        RETURN statements;
    END IF;
    SELECT pg_get_expr(x.adbin, 0) INTO default_is FROM pg_catalog.pg_attrdef x
     WHERE x.adrelid = relation AND x.adnum = attribute;
    IF default_is IS NOT NULL THEN
        statements := statements || alter_it || format(E'SET DEFAULT %s;\n', default_is);
    ELSE
        -- Whether or not a parent has one: the text must not change when only the parent does.
        statements := statements || alter_it || E'DROP DEFAULT;\n';
    END IF;
    RETURN statements;
END $$;

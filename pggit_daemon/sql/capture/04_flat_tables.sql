-- Tables and their keys as elements of ddl_event.objects, each in one flat query: what `describe` and `set_element` say
-- of them, where they are as most are. NULL for everything else, which the general way reads. They are text: nobody on the
-- server need read what is written as JSON here.
-- tests/integration/test_capture_ways.py holds both ways against each other.
--
-- A statement that runs once in a transaction pays for the start of its plan, and each function with a SET clause for its
-- settings. So there are few statements here and no SET clauses: `capture_ddl` sets what these rely on.

-- Comments of a relation and of its columns; security labels, which nearly nobody has, in general. `what` is how SQL names
-- it: 'TABLE public.t'.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_words(relation oid, what text, name text) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    words text;
    last  integer;    -- number of a column
BEGIN
    IF pg_relation_size('pg_seclabel') > 0 THEN
        RETURN pggit_daemon.comments(1259, relation, what) || pggit_daemon.column_comments(relation, name);
    END IF;
    SELECT d.description, d.objsubid INTO words, last FROM pg_description AS d
     WHERE d.objoid = relation AND d.classoid = 1259 ORDER BY d.objsubid DESC LIMIT 1;
    IF last > 0 IS NOT TRUE THEN
        RETURN CASE WHEN last = 0 THEN format(E'COMMENT ON %s IS %L;\n', what, words) ELSE '' END;
    END IF;
    RETURN (SELECT string_agg(format(E'COMMENT ON %s IS %L;\n', CASE WHEN d.objsubid = 0 THEN what ELSE d.of_column END,
                                     d.description), '')
              FROM (SELECT d.objsubid, d.description, a.attname,
                           CASE WHEN d.objsubid > 0 THEN format('COLUMN %s.%I', name, a.attname) END AS of_column
                      FROM pg_description AS d
                      LEFT JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = d.objsubid
                     WHERE d.objoid = relation AND d.classoid = 1259
                     ORDER BY d.objsubid > 0, a.attname) AS d);
END $$;

-- A name as the catalog has it, from how the server writes it as an identifier.
CREATE OR REPLACE FUNCTION pggit_daemon.plain_name(identifier text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN pg_catalog.starts_with(identifier, '"')
                THEN pg_catalog.replace(pg_catalog.substr(identifier, 2, pg_catalog.length(identifier) - 2), '""', '"')
                ELSE identifier END
$$;

-- Immutable, so that a plan has it ready.
CREATE OR REPLACE FUNCTION pggit_daemon.has_named_not_nulls() RETURNS boolean
    LANGUAGE sql IMMUTABLE AS 'SELECT current_setting(''server_version_num'')::integer >= 180000';

-- From 18 on NOT NULL is a constraint with a name: how each column says it, by its number. NULL when CREATE TABLE cannot
-- say all of it.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_not_nulls(relation oid) RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    not_nulls  jsonb;
    is_special boolean;
BEGIN
    SELECT jsonb_object_agg(k.conkey[1], format(' CONSTRAINT %I NOT NULL', k.conname)),
           NOT bool_and(k.convalidated AND NOT k.connoinherit
                        AND NOT EXISTS (SELECT FROM pg_description AS x WHERE x.objoid = k.oid AND x.classoid = 2606))
      INTO not_nulls, is_special
      FROM pg_constraint AS k WHERE k.conrelid = relation AND k.contype = 'n';
    RETURN CASE WHEN is_special IS NOT TRUE THEN coalesce(not_nulls, '{}') END;
END $$;

-- Whether a column has options, or a storage or a collation that its type has not. The server's own stamp is no option (see
-- column_settings).
CREATE OR REPLACE FUNCTION pggit_daemon.has_special_columns(relation oid) RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_attribute AS a
                    CROSS JOIN LATERAL (SELECT y.typstorage, y.typcollation FROM pg_type AS y WHERE y.oid = a.atttypid OFFSET 0) AS y
                    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
                      AND (a.attstorage <> y.typstorage OR a.attcollation <> y.typcollation
                           OR cardinality(a.attoptions) > 1 OR a.attoptions[1] NOT LIKE 'pg\_attver=%'));
END $$;

-- The elements of an ordinary table and, where the statement made it (`keys` is not NULL), of the PRIMARY KEY and UNIQUE
-- constraints with these indexes, as a JSON array. NULL when something of that has settings of its own, or when a new table
-- brought along what is an object of its own: a CHECK, a foreign key.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_table(relation oid, keys oid[]) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    t         record;
    k         record;    -- a key
    name      text;
    others    text;      -- the elements of its keys
    place     oid;
    not_nulls jsonb;
    needs     text;
    words     text;      -- its comments
BEGIN
    IF pggit_daemon.has_named_not_nulls() THEN
        not_nulls := pggit_daemon.flat_not_nulls(relation);
        IF not_nulls IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    -- All that the catalog is asked, in one statement. Each aggregate costs as much as some columns, so what is found of a column
    -- is written into the texts: \x01 where it has what `column_settings` or `relation_grants` would write, \x02 where that, or what
    -- the table is, must be looked at, \x03 round the name of the key's only column, \x04 behind a default that needs something.
    SELECT c.relname, c.relnamespace, c.relnamespace::regnamespace::text AS home, c.relpersistence, c.relowner, c.relacl, c.relhasindex,
           l.list, l.shape, pg_relation_size('pg_seclabel') > 0 AS has_labels,
           -- The indexes of a key and the TOAST table say nothing of their own.
           EXISTS (SELECT FROM pg_class AS x
                    WHERE x.oid = ANY (keys || c.reltoastrelid) AND (x.reloptions IS NOT NULL OR x.reltablespace <> 0)) AS has_options,
           -- The last of its comments, by the number of the column; 0 is the table's own.
           (SELECT concat(d.objsubid, ' ', d.description) FROM pg_description AS d
             WHERE d.objoid = c.oid AND d.classoid = 1259 ORDER BY d.objsubid DESC LIMIT 1) AS words,
           -- The table hangs on its schema, an index on its key: whether there is more. The schema may be a member of an extension.
           EXISTS (SELECT FROM pg_depend AS m
                    WHERE m.classid = ANY ('{1259,2615}') AND m.objid = ANY (keys || c.relnamespace || relation)
                      AND m.refclassid <> ALL ('{2606,2615}') AND (m.refclassid <> 1259 OR m.refobjid <> relation)) AS hangs
      INTO t
      FROM pg_class AS c
     CROSS JOIN LATERAL (
           -- What stands between the parentheses of CREATE TABLE, and the same for `table_shape`.
           SELECT string_agg(format('    %I %s%s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod), a.value, a.identity,
                                    CASE WHEN a.attnotnull THEN coalesce(not_nulls ->> a.attnum::text, ' NOT NULL') END, a.mark),
                             E',\n') AS list,
                  string_agg(format(CASE ARRAY[a.attnum]
                                    WHEN (SELECT x.conkey FROM pg_constraint AS x WHERE x.conrelid = relation AND x.contype = 'p')
                                        THEN E'[\x03"%s"\x03, "%s", %s]' ELSE '["%s", "%s", %s]' END,
                                    a.attname, format_type(a.atttypid, NULL),
                                    CASE WHEN a.attnotnull THEN 'true' ELSE 'false' END), ', ') AS shape
             FROM (SELECT a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull,
                          CASE WHEN a.atthasdef THEN (
                               SELECT concat(CASE WHEN a.attgenerated = '' THEN ' DEFAULT ' || pg_get_expr(x.adbin, 0)
                                                  ELSE format(' GENERATED ALWAYS AS (%s)%s', pg_get_expr(x.adbin, x.adrelid),
                                                              CASE WHEN a.attgenerated = 's' THEN ' STORED' END) END,
                                             CASE WHEN EXISTS (SELECT FROM pg_depend AS m
                                                                WHERE m.classid = 2604 AND m.objid = x.oid
                                                                  AND (m.refclassid <> 1259 OR m.refobjid <> relation))
                                                  THEN E'\x04' END)
                                 FROM pg_attrdef AS x WHERE x.adrelid = a.attrelid AND x.adnum = a.attnum) END AS value,
                          CASE WHEN a.attidentity <> ''
                               THEN pggit_daemon.identity_clause(relation, a.attnum, a.attidentity) END AS identity,
                          CASE
                          -- No target is NULL from 17 on. What is inherited hangs on the parent.
                          WHEN a.attacl IS NOT NULL OR a.attcompression <> '' OR a.attstattarget >= 0 THEN E'\x01'
                          -- Of the server's own types it is known: numeric, inet and cidr lie in "main", what else varies in
                          -- "extended"; text, varchar and char have the default collation (100).
                          WHEN a.attcollation <> CASE WHEN a.atttypid IN (25, 1042, 1043, 1009, 1014, 1015) THEN 100 ELSE 0 END
                               OR a.attlen = -1 AND (a.atttypid >= 16384
                                                     OR a.attstorage <> CASE WHEN a.atttypid IN (1700, 869, 650) THEN 'm' ELSE 'x' END)
                               OR a.attidentity <> '' OR a.attname = ANY (pggit_daemon.locking_columns())
                               -- Newer minor releases stamp each column there, which makes no table special.
                               OR cardinality(a.attoptions) > 1 OR a.attoptions[1] NOT LIKE 'pg\_attver=%'
                               OR c.relname = ANY (pggit_daemon.locking_histories())
                              THEN E'\x02' END AS mark
                     FROM pg_attribute AS a
                    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
                    ORDER BY a.attnum) AS a) AS l
     WHERE c.oid = relation AND c.relpersistence <> 't' AND pggit_daemon.is_our_schema(c.relnamespace)
       -- Heap is 2. A row type that is older than its table was a shell type.
       AND format('%s%s%s%s%s %s %s %s %s', c.relkind, c.relreplident, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
                  c.reloftype, c.relam, c.reltablespace, c.reloptions) = 'rdfff 0 2 0 '
       AND (keys IS NULL OR format('%s%s%s %s', c.relhastriggers, c.relhassubclass, c.reltype < c.oid, c.relchecks) = 'fff 0');
    IF NOT FOUND OR t.has_options OR strpos(t.list, E'\x01') > 0 THEN
        RETURN NULL;
    END IF;
    name := format('%s.%I', t.home, t.relname);

    IF keys IS NULL THEN
        words := CASE WHEN t.has_labels OR NOT starts_with(t.words, '0 ')
                      THEN pggit_daemon.flat_words(relation, 'TABLE ' || name, name)
                      WHEN t.words IS NOT NULL THEN format(E'COMMENT ON TABLE %s IS %L;\n', name, substr(t.words, 3)) END;
    ELSE
        IF t.words IS NOT NULL OR t.relhasindex AND keys = '{}' THEN
            RETURN NULL;
        END IF;
        -- Only keys without columns in INCLUDE.
        FOREACH place IN ARRAY keys LOOP
            SELECT x.oid, x.conname, pg_get_constraintdef(x.oid) AS says,
                   EXISTS (SELECT FROM pg_description AS d WHERE d.objoid IN (x.oid, place) OFFSET 0) AS has_words
              INTO k FROM pg_constraint AS x WHERE x.conrelid = relation AND x.conindid = place AND x.contype IN ('p', 'u');
            IF NOT FOUND OR k.has_words OR strpos(k.says, ' INCLUDE (') > 0 THEN
                RETURN NULL;
            END IF;
            others := concat(others, format(', {"op": "set", "direct": true, "type": "table constraint", "later": null, "shape": null, '
                                       '"classid": 2606, "objid": %s, "schema": %s, "identity": %s, "depends": [%s], "definition": %s}',
                                       k.oid, to_json(pggit_daemon.plain_name(t.home)), to_json(format('%I on %s', k.conname, name)), to_json('table ' || name),
                                       to_json(format(E'ALTER TABLE ONLY %s ADD CONSTRAINT %I %s;\n', name, k.conname, k.says))));
        END LOOP;
    END IF;

    -- What few tables have.
    IF strpos(t.list, E'\x02') > 0 THEN
        IF pggit_daemon.has_special_columns(relation) OR pggit_daemon.has_special_identity(relation, t.relpersistence) THEN
            RETURN NULL;
        END IF;
        t.list := replace(t.list, E'\x02', '');
        IF pggit_daemon.is_locking_history(relation) THEN
            PERFORM pggit_daemon.look_for_locks();
        END IF;
    END IF;
    IF t.hangs OR strpos(t.list, E'\x04') > 0 THEN
        t.list := replace(t.list, E'\x04', '');
        -- A member of an extension, or of a schema that is one; a child; a key that needs more than its table.
        IF EXISTS (SELECT FROM pg_depend AS m
                    WHERE m.classid IN (1259, 2615) AND m.objid = ANY (keys || t.relnamespace || relation)
                      AND (m.deptype = 'e' OR m.classid = 1259 AND (m.refclassid = 1259 AND m.refobjid <> relation
                                                                    OR m.objid <> relation AND m.refobjid >= 16384
                                                                       AND m.refclassid NOT IN (1259, 2606)))) THEN
            RETURN NULL;
        END IF;
        SELECT to_json(array_remove(array_remove(n.keys, 'table ' || name), '~table ' || name)) INTO needs
          FROM pggit_daemon.needs_of(1259, ARRAY[relation]) AS n;
    END IF;
    IF t.relacl IS NOT NULL THEN
        words := concat(words, pggit_daemon.flat_grants(t.relacl, 'r', 'TABLE ' || name, t.relowner));
    END IF;
    -- A name with a letter that JSON writes otherwise is quoted in SQL.
    RETURN format('[{"op": "set", "direct": true, "type": "table", "later": null, "classid": 1259, "objid": %s, "schema": %s, '
                  '"identity": %s, "depends": %s, "shape": %s, "definition": %s}%s]', relation, to_json(pggit_daemon.plain_name(t.home)), to_json(name),
                  coalesce(needs, format('[%s]', to_json('schema ' || t.home))),
                  CASE WHEN strpos(t.list, '"') > 0 OR t.relhasindex AND strpos(t.shape, E'\x03') = 0
                       THEN pggit_daemon.table_shape(relation)::text
                       ELSE format('{"kind": "plain", "parent": null, "columns": [%s], "key": [%s]}', replace(t.shape, E'\x03', ''),
                                   split_part(t.shape, E'\x03', 2)) END,
                  to_json(format(E'CREATE %sTABLE %s (%s);\nALTER TABLE %s OWNER TO %I;\n%s',
                                 CASE t.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, name, E'\n' || t.list || E'\n', name,
                                 pg_get_userbyid(t.relowner), words)), others);
END $$;

-- Tables and their keys as elements of ddl_event.objects, each in one flat query: what `describe` and `set_element` say
-- of them, where they are as most are. NULL for everything else, which the general way reads.
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

-- The columns of an ordinary table. `list`: what stands between the parentheses of CREATE TABLE. `shape`: the same for
-- `table_shape`, as JSON. `key_name`: the name, as JSON, of the column with the number `key`. `is_special`: whether a column
-- has what `column_settings` or `relation_grants` would write. Each aggregate costs as much as some columns, so what is
-- found is written between them: \x01 for a special column, \x02 for one that must be looked at, \x03 round the key's name.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_columns(
    relation oid, key smallint, OUT list text, OUT shape text, OUT key_name text, OUT defaults oid[], OUT is_special boolean)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    not_nulls jsonb;
BEGIN
    IF pggit_daemon.has_named_not_nulls() THEN
        not_nulls := pggit_daemon.flat_not_nulls(relation);
        IF not_nulls IS NULL THEN
            is_special := true;
            RETURN;
        END IF;
    END IF;
    SELECT string_agg(format('    %I %s%s%s%s%s', l.name, format_type(l.atttypid, l.atttypmod), l.value, l.identity,
                             CASE WHEN l.attnotnull THEN coalesce(not_nulls ->> l.attnum::text, ' NOT NULL') END, l.mark), E',\n'),
           string_agg(format(CASE WHEN l.attnum = key THEN E'[\x03"%s"\x03, "%s", %s]' ELSE '["%s", "%s", %s]' END,
                             l.name, format_type(l.atttypid, NULL), CASE WHEN l.attnotnull THEN 'true' ELSE 'false' END), ', '),
           array_agg(l.default_oid) FILTER (WHERE l.atthasdef)
      INTO list, shape, defaults
      FROM (SELECT a.attname::text AS name, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef,
                   d.oid AS default_oid, d.value,
                   CASE WHEN a.attidentity <> ''
                        THEN pggit_daemon.identity_clause(relation, a.attnum, a.attidentity) END AS identity,
                   CASE
                   -- The server's own stamp is no option (see column_settings). No target is NULL from 17 on.
                   WHEN NOT a.attislocal OR a.attacl IS NOT NULL OR a.attfdwoptions IS NOT NULL OR a.attcompression <> ''
                        OR a.attstattarget >= 0 OR a.attinhcount > 0
                        OR a.attoptions IS NOT NULL AND (cardinality(a.attoptions) > 1 OR a.attoptions[1] NOT LIKE 'pg\_attver=%')
                       THEN E'\x01'
                   -- Of the server's own types it is known: numeric, inet and cidr lie in "main", what else varies in
                   -- "extended"; text, varchar and char have the default collation (100).
                   WHEN a.attcollation <> CASE WHEN a.atttypid IN (25, 1042, 1043, 1009, 1014, 1015) THEN 100 ELSE 0 END
                        OR a.attlen = -1 AND (a.atttypid >= 16384
                                              OR a.attstorage <> CASE WHEN a.atttypid IN (1700, 869, 650) THEN 'm' ELSE 'x' END)
                       THEN E'\x02' END AS mark
              FROM pg_attribute AS a
              LEFT JOIN LATERAL (SELECT x.oid, CASE WHEN a.attgenerated = '' THEN ' DEFAULT ' || pg_get_expr(x.adbin, 0)
                                                    ELSE format(' GENERATED ALWAYS AS (%s)%s', pg_get_expr(x.adbin, x.adrelid),
                                                                CASE WHEN a.attgenerated = 's' THEN ' STORED' END) END AS value
                                   FROM pg_attrdef AS x
                                  WHERE a.atthasdef AND x.adrelid = a.attrelid AND x.adnum = a.attnum OFFSET 0) AS d ON true
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum) AS l;
    -- A name with a letter that JSON writes otherwise is quoted in SQL.
    IF strpos(list, '"') > 0 THEN
        SELECT string_agg(format('[%s, %s, %s]', to_json(a.attname::text), to_json(format_type(a.atttypid, NULL)),
                                 to_json(a.attnotnull)), ', ' ORDER BY a.attnum),
               max(to_json(a.attname::text)::text) FILTER (WHERE a.attnum = key) INTO shape, key_name
          FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    ELSE
        key_name := split_part(shape, E'\x03', 2);
        shape := replace(shape, E'\x03', '');
    END IF;
    is_special := strpos(list, E'\x01') > 0;
    IF NOT is_special AND strpos(list, E'\x02') > 0 THEN
        SELECT true INTO is_special
          FROM pg_attribute AS a
         CROSS JOIN LATERAL (SELECT y.typstorage, y.typcollation FROM pg_type AS y WHERE y.oid = a.atttypid OFFSET 0) AS y
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
           AND (a.attstorage <> y.typstorage OR a.attcollation <> y.typcollation) LIMIT 1;
        list := replace(list, E'\x02', '');
    END IF;
END $$;

-- The elements of an ordinary table and, where the statement made it (`keys` is not NULL), of the PRIMARY KEY and UNIQUE
-- constraints with these indexes. NULL when something of that has settings of its own, or when a new table brought along
-- what is an object of its own: a CHECK, a foreign key.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_table(relation oid, keys oid[]) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    t        record;
    l        record;              -- its columns
    k        record;              -- a key
    name     text;
    plain    text;                -- its schema, not quoted
    parts    oid[];               -- its keys
    others   text;                -- their elements
    place    oid;
    key      smallint[];
    is_other boolean;
    needs    text;
    words    text;                -- the statements
BEGIN
    SELECT c.relname::text, c.relnamespace::regnamespace::text AS home, c.relpersistence, c.relowner, c.relacl, c.relhasindex,
           m.objid IS NOT NULL OR x.oid IS NOT NULL AS is_other
      INTO t
      FROM pg_class AS c
      LEFT JOIN LATERAL (SELECT m.objid FROM pg_depend AS m
                          WHERE m.classid = 2615 AND m.objid = c.relnamespace AND m.deptype = 'e' LIMIT 1) AS m ON true
      -- The indexes of a key and the TOAST table say nothing of their own.
      LEFT JOIN LATERAL (SELECT x.oid FROM pg_class AS x
                          WHERE x.oid = ANY (keys || c.reltoastrelid) AND (x.reloptions IS NOT NULL OR x.reltablespace <> 0)
                          LIMIT 1) AS x ON true
     WHERE c.oid = relation AND c.relpersistence <> 't' AND pggit_daemon.is_our_schema(c.relnamespace)
       -- Heap is 2. A row type that is older than its table was a shell type.
       AND format('%s%s%s%s%s %s %s %s %s', c.relkind, c.relreplident, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
                  c.reloftype, c.relam, c.reltablespace, c.reloptions) = 'rdfff 0 2 0 '
       AND (keys IS NULL OR format('%s%s%s %s', c.relhastriggers, c.relhassubclass, c.reltype < c.oid, c.relchecks) = 'fff 0');
    IF NOT FOUND OR t.is_other OR t.relhasindex AND keys = '{}' THEN
        RETURN NULL;
    END IF;
    plain := t.home;
    IF starts_with(plain, '"') THEN
        plain := pggit_daemon.plain_name(plain);
    END IF;
    name := format('%s.%I', t.home, t.relname);

    IF keys IS NOT NULL THEN
        -- Only keys without columns in INCLUDE.
        FOREACH place IN ARRAY keys LOOP
            SELECT x.oid, x.conname, CASE x.contype WHEN 'p' THEN x.conkey END AS key, pg_get_constraintdef(x.oid) AS says INTO k
              FROM pg_constraint AS x WHERE x.conrelid = relation AND x.conindid = place AND x.contype IN ('p', 'u');
            IF NOT FOUND OR strpos(k.says, ' INCLUDE (') > 0 THEN
                RETURN NULL;
            END IF;
            parts := parts || k.oid;
            key := coalesce(k.key, key);
            others := concat(others, format(', {"op": "set", "direct": true, "type": "table constraint", "later": null, "shape": null, '
                                       '"classid": 2606, "objid": %s, "schema": %s, "identity": %s, "depends": [%s], "definition": %s}',
                                       k.oid, to_json(plain), to_json(format('%I on %s', k.conname, name)), to_json('table ' || name),
                                       to_json(format(E'ALTER TABLE ONLY %s ADD CONSTRAINT %I %s;\n', name, k.conname, k.says))));
        END LOOP;
        SELECT true INTO is_other FROM pg_description AS x WHERE x.objoid = ANY (parts || keys || relation) LIMIT 1;
        IF is_other THEN
            RETURN NULL;
        END IF;
    ELSIF t.relhasindex THEN
        SELECT i.indkey INTO key FROM pg_index AS i WHERE i.indrelid = relation AND i.indisprimary;
    END IF;

    l := pggit_daemon.flat_columns(relation, key[array_lower(key, 1)]);
    IF l.is_special OR strpos(l.list, 'AS IDENTITY (') > 0 AND pggit_daemon.has_special_identity(relation, t.relpersistence) THEN
        RETURN NULL;
    END IF;
    -- The table hangs on its schema; a key and a default on the table; an index on its key. A member of an extension and a
    -- child hang on more; so do what the table, and what its keys, need.
    SELECT true INTO is_other
      FROM pg_depend AS m
     WHERE m.classid = ANY (CASE WHEN l.defaults IS NOT NULL AND parts IS NOT NULL THEN '{1259,2606,2604}'::oid[]
                                 WHEN l.defaults IS NOT NULL THEN '{1259,2604}'
                                 WHEN parts IS NOT NULL THEN '{1259,2606}' ELSE '{1259}' END)
       AND m.objid = ANY (relation || l.defaults || parts || keys)
       AND CASE m.refclassid WHEN 2615 THEN m.deptype = 'e' WHEN 1259 THEN m.refobjid <> relation
                             WHEN 2606 THEN m.deptype <> 'i' ELSE m.refobjid >= 16384 OR m.deptype = 'e' END LIMIT 1;
    IF is_other THEN
        SELECT bool_or(m.classid = 1259 AND (m.deptype = 'e' OR m.refclassid = 1259) OR m.classid <> 2604 AND m.objid <> relation)
          INTO is_other
          FROM pg_depend AS m
         WHERE m.classid IN (1259, 2604, 2606)
           AND m.objid = ANY (relation || l.defaults || parts || keys)
           AND CASE m.refclassid WHEN 2615 THEN m.deptype = 'e' WHEN 1259 THEN m.refobjid <> relation
                                 WHEN 2606 THEN m.deptype <> 'i' ELSE m.refobjid >= 16384 OR m.deptype = 'e' END;
        IF is_other THEN
            RETURN NULL;
        END IF;
        SELECT to_json(array_remove(array_remove(n.keys, 'table ' || name), '~table ' || name)) INTO needs
          FROM pggit_daemon.needs_of(1259, ARRAY[relation]) AS n;
    ELSE
        needs := format('[%s]', to_json('schema ' || t.home));
    END IF;
    words := format(E'CREATE %sTABLE %s (%s);\nALTER TABLE %s OWNER TO %I;\n',
                    CASE t.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, name, E'\n' || l.list || E'\n', name,
                    pg_get_userbyid(t.relowner));
    IF keys IS NULL THEN
        words := words || pggit_daemon.flat_words(relation, 'TABLE ' || name, name);
    END IF;
    IF t.relacl IS NOT NULL THEN
        words := words || pggit_daemon.flat_grants(t.relacl, 'r', 'TABLE ' || name, t.relowner);
    END IF;
    IF cardinality(key) > 1 THEN
        l.key_name := btrim((pggit_daemon.table_shape(relation) -> 'key')::text, '[]');
    END IF;
    RETURN format('[{"op": "set", "direct": true, "type": "table", "later": null, "classid": 1259, "objid": %s, "schema": %s, '
                  '"identity": %s, "depends": %s, "definition": %s, '
                  '"shape": {"kind": "plain", "parent": null, "columns": [%s], "key": [%s]}}%s]', relation,
                  to_json(plain), to_json(name), needs, to_json(words), l.shape, l.key_name, others)::jsonb;
END $$;

-- Indexes, views and functions as elements of ddl_event.objects, and what a statement did beside the object that it names:
-- see 04_flat_tables.sql.

-- The elements of indexes of ordinary tables. `direct`: the statement names them.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_indexes(indexes oid[], direct boolean) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    elements text;
    number   integer;
BEGIN
    SELECT string_agg(format('{"op": "set", "direct": %s, "type": "index", "later": null, "shape": null, "classid": 1259, '
                             '"objid": %s, "schema": %s, "identity": %s, "depends": [%s], "definition": %s}',
                             direct::text, c.oid, to_json(t.home), to_json(format('%I.%I', t.home, c.relname)),
                             to_json('table ' || t.name), to_json(pg_get_indexdef(c.oid) || E';\n')), ', '), count(*)
      INTO elements, number
      FROM pg_class AS c
      JOIN pg_index AS x ON x.indexrelid = c.oid
     CROSS JOIN LATERAL (SELECT t.oid, n.nspname AS home, format('%I.%I', n.nspname, t.relname) AS name
                           FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
                          WHERE t.oid = x.indrelid AND t.relkind = 'r' AND t.relpersistence <> 't'
                            AND pggit_daemon.is_our_schema(t.relnamespace) OFFSET 0) AS t
     WHERE c.oid = ANY (indexes) AND c.relkind = 'i' AND NOT c.relispartition AND c.reltablespace = 0
       AND x.indisvalid AND x.indisready AND NOT x.indisclustered AND NOT x.indisreplident
       AND NOT EXISTS (SELECT FROM pg_depend AS m
                        WHERE m.classid = 1259 AND m.objid = c.oid AND (m.deptype <> 'a' OR m.refobjid <> t.oid))
       AND NOT EXISTS (SELECT FROM pg_description AS d WHERE d.objoid = c.oid AND d.classoid = 1259)
       AND NOT EXISTS (SELECT FROM pg_depend AS m WHERE m.classid = 1259 AND m.objid = t.oid AND m.deptype = 'e')
       AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attstattarget >= 0);
    RETURN CASE WHEN number = cardinality(indexes) THEN format('[%s]', elements) END;
END $$;

-- The elements of PRIMARY KEY and UNIQUE constraints of an ordinary table that no statement names; NOT NULL, which has a
-- row of its own from 18 on, is said with the table.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_keys(keys oid[]) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    elements text;
    number   integer;
BEGIN
    SELECT string_agg(format('{"op": "set", "direct": false, "type": "table constraint", "later": null, "shape": null, '
                             '"classid": 2606, "objid": %s, "schema": %s, "identity": %s, "depends": [%s], "definition": %s}',
                             k.oid, to_json(t.home), to_json(format('%I on %s', k.conname, t.name)),
                             to_json('table ' || t.name),
                             to_json(format(E'ALTER TABLE ONLY %s ADD CONSTRAINT %I %s;\n', t.name, k.conname,
                                            pg_get_constraintdef(k.oid)))), ', ') FILTER (WHERE k.contype <> 'n'), count(*)
      INTO elements, number
      FROM pg_constraint AS k
      LEFT JOIN pg_class AS c ON c.oid = k.conindid
      LEFT JOIN pg_index AS x ON x.indexrelid = k.conindid
     CROSS JOIN LATERAL (SELECT t.oid, n.nspname AS home, format('%I.%I', n.nspname, t.relname) AS name
                           FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
                          WHERE t.oid = k.conrelid AND t.relkind = 'r' AND t.relpersistence <> 't'
                            AND pggit_daemon.is_our_schema(t.relnamespace) OFFSET 0) AS t
     WHERE k.oid = ANY (keys)
       AND (k.contype = 'n' OR k.contype IN ('p', 'u') AND NOT c.relispartition AND c.reltablespace = 0
            AND c.reloptions IS NULL AND x.indisvalid AND x.indisready AND NOT x.indisclustered AND NOT x.indisreplident
            AND NOT EXISTS (SELECT FROM pg_depend AS m
                             WHERE m.classid IN (1259, 2606) AND m.objid IN (k.oid, k.conindid)
                               AND NOT (m.refobjid < 16384 OR m.deptype = 'a' AND m.refclassid = 1259 AND m.refobjid = t.oid
                                        OR m.deptype = 'i' AND m.refclassid = 2606 AND m.refobjid = k.oid))
            AND NOT EXISTS (SELECT FROM pg_description AS d WHERE d.objoid IN (k.oid, k.conindid))
            AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = k.conindid AND a.attstattarget >= 0));
    RETURN CASE WHEN number = cardinality(keys) THEN format('[%s]', elements) END;
END $$;

-- The element of a view that nothing hangs on, of tables and views that are ours. `direct`: the statement names it.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_view(o oid, direct boolean) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    v        record;
    name     text;
    is_other boolean;
    needs    text[];
BEGIN
    SELECT c.relnamespace::regnamespace::text AS home, c.relname, c.relowner, c.relacl, l.columns,
           pg_relation_size('pg_seclabel') > 0
           OR EXISTS (SELECT FROM pg_description AS d WHERE d.objoid = c.oid AND d.classoid = 1259) AS has_words,
           -- A member of an extension, or its schema is, or with a type of the user's in a column.
           l.is_special OR EXISTS (SELECT FROM pg_depend AS m
                                    WHERE m.classid IN (1259, 2615) AND m.objid IN (c.oid, c.relnamespace)
                                      AND (m.deptype = 'e' OR m.classid = 1259 AND m.objid = c.oid
                                                              AND m.refclassid <> 2615 AND m.refobjid >= 16384))
           -- A query that lists all columns of the view depends on it by its rule; the view's own rule does, too.
           OR (SELECT true FROM pg_depend AS m
                WHERE m.refclassid = 1259 AND m.refobjid = c.oid AND m.classid <> 1247 OFFSET 2 LIMIT 1) AS is_other
      INTO v
      FROM pg_class AS c
     CROSS JOIN LATERAL (
           SELECT string_agg(format('%s: %s', to_json(a.attname::text), to_json(format_type(a.atttypid, a.atttypmod))), ', ') AS columns,
                  bool_or(a.atthasdef OR a.attacl IS NOT NULL
                          OR a.attcollation <> CASE WHEN a.atttypid IN (25, 1042, 1043, 1009, 1014, 1015) THEN 100 ELSE 0 END)
                  AS is_special
             FROM (SELECT a.attname, a.atttypid, a.atttypmod, a.atthasdef, a.attacl, a.attcollation FROM pg_attribute AS a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS a) AS l
     WHERE c.oid = o AND c.relpersistence <> 't' AND pggit_daemon.is_our_schema(c.relnamespace)
       AND format('%s%s %s', c.relkind, c.relhastriggers, c.reloptions) = 'vf ';
    IF NOT FOUND OR v.is_other THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(DISTINCT '~' || x.key), bool_or(x.key IS NULL OR x.is_member) INTO needs, is_other
      FROM (SELECT CASE WHEN c.relpersistence <> 't' AND pggit_daemon.is_our_schema(c.relnamespace)
                        THEN CASE c.relkind WHEN 'r' THEN 'table ' WHEN 'p' THEN 'table ' WHEN 'v' THEN 'view ' END END
                   || c.oid::regclass::text AS key,
                   EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 1259 AND e.objid = c.oid AND e.deptype = 'e') AS is_member
              FROM pg_rewrite AS w
             CROSS JOIN LATERAL (SELECT DISTINCT m.refclassid, m.refobjid FROM pg_depend AS m
                                  WHERE m.classid = 2618 AND m.objid = w.oid AND m.refobjid >= 16384
                                    AND (m.refobjid <> o OR m.refclassid <> 1259) OFFSET 0) AS m
              LEFT JOIN pg_class AS c ON m.refclassid = 1259 AND c.oid = m.refobjid
             WHERE w.ev_class = o) AS x;
    IF is_other THEN
        RETURN NULL;
    END IF;
    name := format('%s.%I', v.home, v.relname);
    RETURN format('[{"op": "set", "direct": %s, "type": "view", "later": null, "shape": null, "classid": 1259, "objid": %s, '
                  '"schema": %s, "identity": %s, "depends": %s, "definition": %s}]',
                  direct::text, o, to_json(pggit_daemon.plain_name(v.home)), to_json(name),
                  -- "schema" comes before "~" in every order.
                  to_json(ARRAY['schema ' || v.home] || ARRAY(SELECT n FROM unnest(needs) AS n ORDER BY n COLLATE "C")),
                  to_json(format(E'-- Columns: {%s}\nCREATE VIEW %s AS\n%s;\nALTER VIEW %s OWNER TO %I;\n%s%s', v.columns, name,
                                 rtrim(pg_get_viewdef(o), ';'), name, pg_get_userbyid(v.relowner),
                                 CASE WHEN v.has_words THEN pggit_daemon.flat_words(o, 'VIEW ' || name, name) END,
                                 CASE WHEN v.relacl IS NOT NULL
                                      THEN pggit_daemon.flat_grants(v.relacl, 'r', 'TABLE ' || name, v.relowner) END)));
END $$;

-- The element of a function or procedure.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_function(o oid) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    f         record;
    name      text;
    what      text;
    needs     text;
    is_other  boolean;    -- NULL: it needs nothing
BEGIN
    SELECT p.pronamespace::regnamespace::text AS home, p.proname, p.prokind, p.proowner, p.proacl, p.prorettype,
           d.objoid IS NOT NULL OR pg_relation_size('pg_seclabel') > 0 AS has_words, m.objid IS NOT NULL AS home_is_member
      INTO f
      FROM pg_proc AS p
      LEFT JOIN LATERAL (SELECT d.objoid FROM pg_description AS d
                          WHERE d.objoid = p.oid AND d.classoid = 1255 LIMIT 1) AS d ON true
      LEFT JOIN LATERAL (SELECT m.objid FROM pg_depend AS m
                          WHERE m.classid = 2615 AND m.objid = p.pronamespace AND m.deptype = 'e' LIMIT 1) AS m ON true
     WHERE p.oid = o AND p.prokind <> 'a' AND pggit_daemon.is_our_schema(p.pronamespace);
    IF NOT FOUND OR f.home_is_member OR f.has_words
       -- It may be a shell that nobody made.
       OR f.prorettype >= 16384 THEN
        RETURN NULL;
    END IF;
    SELECT m.deptype <> 'n' INTO is_other
      FROM pg_depend AS m
     WHERE m.classid = 1255 AND m.objid = o AND (m.deptype <> 'n' OR m.refclassid <> 2615 AND m.refobjid >= 16384)
     ORDER BY m.deptype = 'n' LIMIT 1;
    IF is_other THEN
        RETURN NULL;
    ELSIF NOT is_other THEN
        SELECT to_json(n.keys) INTO needs FROM pggit_daemon.needs_of(1255, ARRAY[o]) AS n;
    ELSE
        needs := format('[%s]', to_json('schema ' || f.home));
    END IF;
    what := format('%s %s.%I(%s)', CASE f.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, f.home, f.proname,
                   pg_get_function_identity_arguments(o));
    RETURN format('[{"op": "set", "direct": true, "type": "%s", "later": null, "shape": null, "classid": 1255, "objid": %s, '
                  '"schema": %s, "identity": %s, "depends": %s, "definition": %s}]',
                  CASE f.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, o,
                  to_json(pggit_daemon.plain_name(f.home)), to_json((pg_identify_object(1255, o, 0)).identity), needs,
                  to_json(format(E'%s;\nALTER %s OWNER TO %I;\n%s', rtrim(pg_get_functiondef(o), E'\n'), what,
                                 pg_get_userbyid(f.proowner),
                                 CASE WHEN f.proacl IS NOT NULL
                                      THEN pggit_daemon.flat_grants(f.proacl, 'f', what, f.proowner) END)));
END $$;

-- Whether ALTER TABLE, since command `since` of this transaction, wrote beside the ordinary table only what is said with
-- it. In doubt false: a row of another transaction that is younger than this one counts as written.
CREATE OR REPLACE FUNCTION pggit_daemon.is_altered_alone(relation oid, since bigint) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    oldest  constant integer := age(pg_current_xact_id_if_assigned()::xid);
    is_more boolean;
BEGIN
    -- Its row type is written again when it gets another name, schema or owner.
    SELECT age(y.xmin) <= oldest AND y.cmin::text::bigint > since OR c.relhassubclass OR c.relhastriggers OR c.relhasrules
      INTO is_more
      FROM pg_class AS c JOIN pg_type AS y ON y.oid = c.reltype WHERE c.oid = relation;
    IF is_more IS NOT FALSE THEN
        RETURN false;
    END IF;
    SELECT true INTO is_more FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     WHERE i.indrelid = relation AND (age(i.xmin) <= oldest AND i.cmin::text::bigint > since
                                      OR age(c.xmin) <= oldest AND c.cmin::text::bigint > since) LIMIT 1;
    IF is_more THEN
        RETURN false;
    END IF;
    -- Queries that may list its columns, policies and statistics stand apart. Its sequences and constraints; NOT NULL has a
    -- row of its own from 18 on, and is said with the table.
    SELECT true INTO is_more
      FROM pg_depend AS m
      LEFT JOIN pg_class AS c ON m.classid = 1259 AND m.deptype = 'a' AND c.oid = m.objid
      LEFT JOIN pg_constraint AS k ON m.classid = 2606 AND k.oid = m.objid AND k.contype <> 'n'
     WHERE m.refclassid = 1259 AND m.refobjid = relation
       AND (m.classid NOT IN (1247, 1259, 2604, 2606) OR age(c.xmin) <= oldest AND c.cmin::text::bigint > since
            OR age(k.xmin) <= oldest AND k.cmin::text::bigint > since)
     LIMIT 1;
    RETURN is_more IS NOT TRUE;
END $$;

-- The elements of an ordinary table of which a column got another name, and of what is written with the name of that
-- column: its indexes and keys, and views. NULL where anything else hangs on it.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_renamed(relation oid) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    indexes    oid[];
    keys       oid[];
    rules      oid[];
    others     oid[];  -- its row type, the array type of that, its defaults
    is_more    boolean;
    elements   jsonb;
    dependents jsonb := '[]';
BEGIN
    SELECT ARRAY[c.reltype, y.typarray], c.relhassubclass OR c.relhastriggers OR c.relhasrules INTO others, is_more
      FROM pg_class AS c JOIN pg_type AS y ON y.oid = c.reltype WHERE c.oid = relation;
    IF is_more IS NOT FALSE OR current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(DISTINCT m.objid) FILTER (WHERE m.classid = 1259 AND m.deptype = 'a'),
           array_agg(DISTINCT m.objid) FILTER (WHERE m.classid = 2606),
           array_agg(DISTINCT m.objid) FILTER (WHERE m.classid = 2618),
           others || array_agg(DISTINCT m.objid) FILTER (WHERE m.classid = 2604),
           bool_or(m.classid NOT IN (1247, 1259, 2604, 2606, 2618) OR m.classid IN (1247, 1259) AND m.deptype NOT IN ('a', 'i'))
      INTO indexes, keys, rules, others, is_more
      FROM pg_depend AS m WHERE m.refclassid = 1259 AND m.refobjid = relation;
    IF is_more OR cardinality(indexes || keys || rules) > 50 THEN
        RETURN NULL;
    END IF;
    -- The array type hangs on the row type, a key's index on the key.
    SELECT true INTO is_more FROM pg_depend AS m
     WHERE m.refclassid IN (1247, 1259, 2604, 2606) AND m.refobjid = ANY (others || indexes || keys)
       AND NOT (m.deptype = 'i' AND (m.classid = 1247 AND m.refclassid = 1247 OR m.classid = 1259 AND m.refclassid = 2606)) LIMIT 1;
    IF is_more THEN
        RETURN NULL;
    END IF;
    elements := pggit_daemon.flat_table(relation, NULL);
    IF elements IS NOT NULL AND indexes IS NOT NULL THEN
        dependents := dependents || pggit_daemon.flat_indexes(indexes, false)::jsonb;
    END IF;
    IF elements IS NOT NULL AND keys IS NOT NULL THEN
        dependents := dependents || pggit_daemon.flat_keys(keys)::jsonb;
    END IF;
    IF elements IS NOT NULL AND rules IS NOT NULL THEN
        FOR relation IN SELECT DISTINCT w.ev_class FROM pg_rewrite AS w WHERE w.oid = ANY (rules) LOOP
            dependents := dependents || pggit_daemon.flat_view(relation, false)::jsonb;
        END LOOP;
    END IF;
    IF elements || dependents IS NULL OR dependents = '[]' THEN
        RETURN elements || dependents;
    END IF;
    RETURN elements || (SELECT jsonb_agg(e ORDER BY (e ->> 'classid')::integer, (e ->> 'objid')::bigint)
                          FROM jsonb_array_elements(dependents) AS e);
END $$;

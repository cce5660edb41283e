-- Views and materialized views. A materialized view is created empty, as in any dump of a schema.

-- What the query of a view gives, as a comment of one line: export makes a view of the same shape from it where the
-- query has to wait (see `partial_forms`). JSON, because nothing in a name can break its line.
-- Without a SET clause, so that the planner can write it out where many views are read in one query.
CREATE OR REPLACE FUNCTION pggit_daemon.view_columns(o oid) RETURNS TABLE (columns text)
    LANGUAGE sql STABLE AS $$
    SELECT format(E'-- Columns: {%s}\n', string_agg(
               to_json(a.attname::text) || ': '
               || to_json(format_type(a.atttypid, a.atttypmod)
                          || CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
                                  THEN ' COLLATE ' || pggit_daemon.collation_name(a.attcollation) ELSE '' END),
               ', ' ORDER BY a.attnum))
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = o AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- Those of these views that are ours.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_views(objects oid[]) RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d        pggit_daemon.description;
    v        record;
    name     text;
    kind     text;
    more     record;    -- what only materialized views have
    options  text;
    body     text;
    checking text;
BEGIN
    d.classid := 'pg_catalog.pg_class'::regclass;
    FOR v IN
        SELECT c.oid, c.relname, (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace) AS nspname,
               c.relkind, c.relowner, c.relacl, c.reloptions, pg_get_viewdef(c.oid) AS says, w.columns,
               EXISTS (SELECT FROM pg_catalog.pg_description x
                        WHERE x.objoid = c.oid AND x.classoid = 'pg_catalog.pg_class'::regclass OFFSET 0)
               OR EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                           WHERE l.objoid = c.oid AND l.classoid = 'pg_catalog.pg_class'::regclass OFFSET 0) AS has_comments,
               EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL OFFSET 0) AS has_grants,
               EXISTS (SELECT FROM pg_catalog.pg_attrdef x WHERE x.adrelid = c.oid OFFSET 0) AS has_defaults
          FROM pg_catalog.pg_class c
         CROSS JOIN LATERAL pggit_daemon.view_columns(c.oid) w
         WHERE c.oid = ANY (objects) AND c.relpersistence <> 't' AND pggit_daemon.is_our_schema(c.relnamespace)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m
                            WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid AND m.deptype = 'e' OFFSET 0)
    LOOP
        kind := 'VIEW';
        name := format('%I.%I', v.nspname, v.relname);
        options := NULL;
        checking := NULL;
        IF v.relkind = 'm' THEN
            kind := 'MATERIALIZED VIEW';
            SELECT toast.reloptions AS toast_options, am.amname, s.spcname INTO more
              FROM pg_catalog.pg_class c
              LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
              LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
              LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
             WHERE c.oid = v.oid;
            options := pggit_daemon.storage_options(more.toast_options, 'toast.');
        END IF;
        IF v.reloptions IS NOT NULL THEN
            checking := (SELECT upper(split_part(w, '=', 2) COLLATE "C") FROM unnest(v.reloptions) w
                          WHERE w LIKE 'check\_option=%');
            options := nullif(concat_ws(', ', pggit_daemon.storage_options(
                    ARRAY(SELECT w FROM unnest(v.reloptions) WITH ORDINALITY u (w, place)
                           WHERE w NOT LIKE 'check\_option=%' ORDER BY place)), options), '');
        END IF;
        body := format('CREATE %s %s', kind, name);
        IF v.relkind = 'm' THEN
            body := body || CASE WHEN more.amname <> 'heap' THEN format(E'\nUSING %I', more.amname) ELSE '' END;
        END IF;
        body := body || coalesce(E'\nWITH (' || options || ')', '');
        IF v.relkind = 'm' THEN
            body := body || CASE WHEN more.spcname IS NOT NULL THEN format(E'\nTABLESPACE %I', more.spcname) ELSE '' END;
        END IF;
        body := body || E' AS\n' || rtrim(v.says, ';')
            || CASE WHEN v.relkind = 'm' THEN E'\nWITH NO DATA' ELSE '' END
            || coalesce(E'\nWITH ' || checking || ' CHECK OPTION', '')
            || E';\n';
        IF v.relkind = 'm' THEN
            body := body || pggit_daemon.column_settings(v.oid, 'TABLE ONLY ' || name, 'all')
                || pggit_daemon.extension_links('pg_catalog.pg_class'::regclass, v.oid, kind || ' ' || name);
        ELSE
            body := v.columns || body;
            IF v.has_defaults THEN
                body := body || coalesce((
                    SELECT string_agg(format(E'ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s;\n', name, a.attname,
                                             pg_get_expr(x.adbin, 0)), '' ORDER BY a.attnum)
                      FROM pg_catalog.pg_attrdef x
                      JOIN pg_catalog.pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum
                     WHERE x.adrelid = v.oid), '');
            END IF;
        END IF;
        body := body || pggit_daemon.owner(kind || ' ' || name, v.relowner);
        IF v.has_comments THEN
            body := body || pggit_daemon.comments('pg_catalog.pg_class'::regclass, v.oid, kind || ' ' || name)
                || pggit_daemon.column_comments(v.oid, name);
        END IF;
        IF v.relacl IS NOT NULL OR v.has_grants THEN
            body := body || pggit_daemon.relation_grants(v.oid, name, v.relacl, v.relowner);
        END IF;
        d.objid := v.oid;
        d.type := CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END;
        d.schema_name := v.nspname;
        d.identity := name;
        d.definition := body;
        RETURN NEXT d;
    END LOOP;
END $$;

-- Views and materialized views. A materialized view is created empty, as in any dump of a schema.

-- What the query of a view gives, as a comment of one line: export makes a view of the same shape from it where the
-- query has to wait (see `opened_forms`). JSON, because nothing in a name can break its line.
CREATE OR REPLACE FUNCTION pggit_daemon.view_columns(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT format(E'-- Columns: {%s}\n', string_agg(
                   to_json(a.attname::text) || ': '
                   || to_json(format_type(a.atttypid, a.atttypmod)
                              || CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
                                      THEN ' COLLATE ' || pggit_daemon.collation_name(a.attcollation) ELSE '' END),
                   ', ' ORDER BY a.attnum))
          FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = o AND a.attnum > 0 AND NOT a.attisdropped);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_view(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d        pggit_daemon.description;
    v        record;
    name     text;
    kind     text;
    options  text;
    body     text;
    checking text;
BEGIN
    SELECT c.relname, n.nspname, c.relkind, c.relowner, c.relacl, c.reloptions,
           NULL::text[] AS toast_options, NULL::name AS amname, NULL::name AS spcname,
           EXISTS (SELECT FROM pg_catalog.pg_description x
                    WHERE x.objoid = o AND x.classoid = 'pg_catalog.pg_class'::regclass)
           OR EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                       WHERE l.objoid = o AND l.classoid = 'pg_catalog.pg_class'::regclass) AS has_comments,
           EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = o AND a.attacl IS NOT NULL) AS has_grants,
           EXISTS (SELECT FROM pg_catalog.pg_attrdef x WHERE x.adrelid = o) AS has_defaults
      INTO v
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = o;
    IF v.relkind = 'm' THEN
        SELECT toast.reloptions, am.amname, s.spcname INTO v.toast_options, v.amname, v.spcname
          FROM pg_catalog.pg_class c
          LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
          LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
          LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
         WHERE c.oid = o;
    END IF;
    d.schema_name := v.nspname;
    name := format('%I.%I', v.nspname, v.relname);
    kind := CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END;
    IF v.reloptions IS NOT NULL THEN
        checking := (SELECT upper(split_part(w, '=', 2) COLLATE "C") FROM unnest(v.reloptions) w WHERE w LIKE 'check\_option=%');
        v.reloptions := ARRAY(SELECT w FROM unnest(v.reloptions) WITH ORDINALITY u (w, place)
                               WHERE w NOT LIKE 'check\_option=%' ORDER BY place);
    END IF;
    options := nullif(concat_ws(', ', pggit_daemon.storage_options(v.reloptions),
                                pggit_daemon.storage_options(v.toast_options, 'toast.')), '');
    body := format('CREATE %s %s', kind, name)
        || CASE WHEN v.amname <> 'heap' THEN format(E'\nUSING %I', v.amname) ELSE '' END
        || coalesce(E'\nWITH (' || options || ')', '')
        || CASE WHEN v.spcname IS NOT NULL THEN format(E'\nTABLESPACE %I', v.spcname) ELSE '' END
        || E' AS\n' || rtrim(pg_get_viewdef(o), ';')
        || CASE WHEN v.relkind = 'm' THEN E'\nWITH NO DATA' ELSE '' END
        || CASE WHEN checking IS NOT NULL THEN format(E'\nWITH %s CHECK OPTION', checking) ELSE '' END
        || E';\n';
    IF v.relkind = 'm' THEN
        body := body || pggit_daemon.column_settings(o, 'TABLE ONLY ' || name, 'all')
            || pggit_daemon.extension_links('pg_catalog.pg_class'::regclass, o, kind || ' ' || name);
    ELSE
        body := pggit_daemon.view_columns(o) || body;
    END IF;
    IF v.relkind = 'v' AND v.has_defaults THEN
        body := body || coalesce((
            SELECT string_agg(format(E'ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s;\n', name, a.attname,
                                     pg_get_expr(x.adbin, x.adrelid)), '' ORDER BY a.attnum)
              FROM pg_catalog.pg_attrdef x
              JOIN pg_catalog.pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum
             WHERE x.adrelid = o), '');
    END IF;
    body := body || pggit_daemon.owner(kind || ' ' || name, v.relowner);
    IF v.has_comments THEN
        body := body || pggit_daemon.comments('pg_catalog.pg_class'::regclass, o, kind || ' ' || name)
            || pggit_daemon.column_comments(o, name);
    END IF;
    IF v.relacl IS NOT NULL OR v.has_grants THEN
        body := body || pggit_daemon.relation_grants(o, name, v.relacl, v.relowner);
    END IF;
    d.definition := body;
    RETURN d;
END $$;

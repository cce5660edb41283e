-- Views and materialized views. A materialized view is created empty, as in any dump of a schema.

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
    SELECT c.relname, n.nspname, c.relkind, c.relowner, c.relacl, am.amname, s.spcname, c.reloptions,
           toast.reloptions AS toast_options
      INTO v
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
      LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
      LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
     WHERE c.oid = o;
    d.schema_name := v.nspname;
    name := format('%I.%I', v.nspname, v.relname);
    kind := CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END;
    IF v.reloptions IS NOT NULL THEN
        checking := (SELECT upper(split_part(w, '=', 2)) FROM unnest(v.reloptions) w WHERE w LIKE 'check\_option=%');
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
        body := body || coalesce((
            SELECT string_agg(format(E'ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s;\n', name, a.attname,
                                     pg_get_expr(x.adbin, x.adrelid)), '' ORDER BY a.attnum)
              FROM pg_catalog.pg_attrdef x
              JOIN pg_catalog.pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum
             WHERE x.adrelid = o AND NOT pggit_daemon.is_late_default(x.oid, o)), '');
        d.later := pggit_daemon.late_columns(o, 'VIEW ' || name);
    END IF;
    d.definition := body
        || pggit_daemon.owner(kind || ' ' || name, v.relowner)
        || pggit_daemon.comments('pg_catalog.pg_class'::regclass, o, kind || ' ' || name)
        || pggit_daemon.column_comments(o, name)
        || pggit_daemon.relation_grants(o, name, v.relacl, v.relowner);
    RETURN d;
END $$;

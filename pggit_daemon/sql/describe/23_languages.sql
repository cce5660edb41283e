-- Procedural languages and transforms.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_language(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    l    pg_catalog.pg_language;
    what text;
BEGIN
    SELECT * INTO l FROM pg_catalog.pg_language x WHERE x.oid = o;
    what := format('LANGUAGE %I', l.lanname);
    d.definition := format(E'CREATE %sPROCEDURAL %s HANDLER %s%s%s;\n',
            CASE WHEN l.lanpltrusted THEN 'TRUSTED ' ELSE '' END, what, pggit_daemon.support_name(l.lanplcallfoid),
            ' INLINE ' || pggit_daemon.support_name(nullif(l.laninline, 0)),
            ' VALIDATOR ' || pggit_daemon.support_name(nullif(l.lanvalidator, 0)))
        || pggit_daemon.owner(what, l.lanowner)
        || pggit_daemon.comments('pg_catalog.pg_language'::regclass, o, what)
        || CASE WHEN l.lanpltrusted THEN pggit_daemon.grants(l.lanacl, 'l', what, l.lanowner) ELSE '' END;
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_transform(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    t    record;
    what text;
BEGIN
    SELECT x.*, l.lanname INTO t
      FROM pg_catalog.pg_transform x JOIN pg_catalog.pg_language l ON l.oid = x.trflang WHERE x.oid = o;
    what := format('TRANSFORM FOR %s LANGUAGE %I', format_type(t.trftype, NULL), t.lanname);
    d.definition := format(E'CREATE %s (%s);\n', what, concat_ws(', ',
            'FROM SQL WITH FUNCTION ' || pggit_daemon.support_name(nullif(t.trffromsql::oid, 0::oid))
                || format('(%s)', pggit_daemon.argument_types(t.trffromsql)),
            'TO SQL WITH FUNCTION ' || pggit_daemon.support_name(nullif(t.trftosql::oid, 0::oid))
                || format('(%s)', pggit_daemon.argument_types(t.trftosql))))
        || pggit_daemon.comments('pg_catalog.pg_transform'::regclass, o, what);
    RETURN d;
END $$;

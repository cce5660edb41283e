-- Text search: parsers, templates, dictionaries, configurations. And what else turns text: collations, conversions.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_text_search_parser(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    p    record;
    what text;
BEGIN
    SELECT x.*, n.nspname INTO p
      FROM pg_catalog.pg_ts_parser x JOIN pg_catalog.pg_namespace n ON n.oid = x.prsnamespace WHERE x.oid = o;
    d.schema_name := p.nspname;
    what := format('TEXT SEARCH PARSER %I.%I', p.nspname, p.prsname);
    d.definition := format(E'CREATE %s (\n    %s\n);\n', what, concat_ws(E',\n    ',
            'START = ' || pggit_daemon.support_name(p.prsstart),
            'GETTOKEN = ' || pggit_daemon.support_name(p.prstoken),
            'END = ' || pggit_daemon.support_name(p.prsend),
            'HEADLINE = ' || pggit_daemon.support_name(p.prsheadline),
            'LEXTYPES = ' || pggit_daemon.support_name(p.prslextype)))
        || pggit_daemon.comments('pg_catalog.pg_ts_parser'::regclass, o, what);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_text_search_template(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    t    record;
    what text;
BEGIN
    SELECT x.*, n.nspname INTO t
      FROM pg_catalog.pg_ts_template x JOIN pg_catalog.pg_namespace n ON n.oid = x.tmplnamespace WHERE x.oid = o;
    d.schema_name := t.nspname;
    what := format('TEXT SEARCH TEMPLATE %I.%I', t.nspname, t.tmplname);
    d.definition := format(E'CREATE %s (%s);\n', what, concat_ws(', ',
            'INIT = ' || pggit_daemon.support_name(t.tmplinit),
            'LEXIZE = ' || pggit_daemon.support_name(t.tmpllexize)))
        || pggit_daemon.comments('pg_catalog.pg_ts_template'::regclass, o, what);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_text_search_dictionary(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    t    record;
    what text;
BEGIN
    SELECT x.*, n.nspname, format('%I.%I', tn.nspname, p.tmplname) AS template INTO t
      FROM pg_catalog.pg_ts_dict x
      JOIN pg_catalog.pg_namespace n ON n.oid = x.dictnamespace
      JOIN pg_catalog.pg_ts_template p ON p.oid = x.dicttemplate
      JOIN pg_catalog.pg_namespace tn ON tn.oid = p.tmplnamespace
     WHERE x.oid = o;
    d.schema_name := t.nspname;
    what := format('TEXT SEARCH DICTIONARY %I.%I', t.nspname, t.dictname);
    -- The server keeps the options as the text that CREATE takes.
    d.definition := format(E'CREATE %s (\n    TEMPLATE = %s%s\n);\n', what, t.template, E',\n    ' || t.dictinitoption)
        || pggit_daemon.owner(what, t.dictowner)
        || pggit_daemon.comments('pg_catalog.pg_ts_dict'::regclass, o, what);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_text_search_configuration(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    c    record;
    what text;
BEGIN
    SELECT x.cfgname, x.cfgowner, x.cfgparser, n.nspname, format('%I.%I', pn.nspname, p.prsname) AS parser INTO c
      FROM pg_catalog.pg_ts_config x
      JOIN pg_catalog.pg_namespace n ON n.oid = x.cfgnamespace
      JOIN pg_catalog.pg_ts_parser p ON p.oid = x.cfgparser
      JOIN pg_catalog.pg_namespace pn ON pn.oid = p.prsnamespace
     WHERE x.oid = o;
    d.schema_name := c.nspname;
    what := format('TEXT SEARCH CONFIGURATION %I.%I', c.nspname, c.cfgname);
    d.definition := format(E'CREATE %s (PARSER = %s);\n', what, c.parser)
        || coalesce((
            SELECT string_agg(m.line, '' ORDER BY m.maptokentype) FROM (
                SELECT x.maptokentype,
                       format(E'ALTER %s ADD MAPPING FOR %I WITH %s;\n', what,
                              (SELECT t.alias FROM pg_catalog.ts_token_type(c.cfgparser) t WHERE t.tokid = x.maptokentype),
                              string_agg(format('%I.%I', dn.nspname, y.dictname), ', ' ORDER BY x.mapseqno)) AS line
                  FROM pg_catalog.pg_ts_config_map x
                  JOIN pg_catalog.pg_ts_dict y ON y.oid = x.mapdict
                  JOIN pg_catalog.pg_namespace dn ON dn.oid = y.dictnamespace
                 WHERE x.mapcfg = o GROUP BY x.maptokentype) m), '')
        || pggit_daemon.owner(what, c.cfgowner)
        || pggit_daemon.comments('pg_catalog.pg_ts_config'::regclass, o, what);
    RETURN d;
END $$;

-- The catalog's columns differ between versions: colliculocale (15, 16) became colllocale, collicurules came with 16.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_collation(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d        pggit_daemon.description;
    c        jsonb;
    what     text;
    provider text;
    locale   text;
BEGIN
    SELECT n.nspname, to_jsonb(x) INTO d.schema_name, c
      FROM pg_catalog.pg_collation x JOIN pg_catalog.pg_namespace n ON n.oid = x.collnamespace WHERE x.oid = o;
    what := format('COLLATION %I.%I', d.schema_name, c ->> 'collname');
    provider := CASE c ->> 'collprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' WHEN 'd' THEN 'default' ELSE 'libc' END;
    -- Up to 14 an ICU locale stands in collcollate.
    locale := coalesce(c ->> 'colllocale', c ->> 'colliculocale',
                       CASE WHEN provider = 'icu' OR c ->> 'collcollate' = c ->> 'collctype' THEN c ->> 'collcollate' END);
    d.definition := format(E'CREATE %s (%s);\n', what, concat_ws(', ',
            'provider = ' || provider,
            CASE WHEN NOT (c ->> 'collisdeterministic')::boolean THEN 'deterministic = false' END,
            'locale = ' || quote_literal(locale),
            CASE WHEN locale IS NULL THEN 'lc_collate = ' || quote_literal(c ->> 'collcollate') END,
            CASE WHEN locale IS NULL THEN 'lc_ctype = ' || quote_literal(c ->> 'collctype') END,
            'rules = ' || quote_literal(c ->> 'collicurules')))
        || pggit_daemon.owner(what, (c ->> 'collowner')::oid)
        || pggit_daemon.comments('pg_catalog.pg_collation'::regclass, o, what);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_conversion(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    c    record;
    what text;
BEGIN
    SELECT x.*, n.nspname INTO c
      FROM pg_catalog.pg_conversion x JOIN pg_catalog.pg_namespace n ON n.oid = x.connamespace WHERE x.oid = o;
    d.schema_name := c.nspname;
    what := format('CONVERSION %I.%I', c.nspname, c.conname);
    d.definition := format(E'CREATE %s%s FOR %L TO %L FROM %s;\n', CASE WHEN c.condefault THEN 'DEFAULT ' ELSE '' END, what,
            pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding),
            pggit_daemon.support_name(c.conproc))
        || pggit_daemon.owner(what, c.conowner)
        || pggit_daemon.comments('pg_catalog.pg_conversion'::regclass, o, what);
    RETURN d;
END $$;

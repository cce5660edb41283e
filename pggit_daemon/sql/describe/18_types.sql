-- Types: enum, composite, range, base (and shells); domains with their constraints.

CREATE OR REPLACE FUNCTION pggit_daemon.type_name(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT format('%I.%I', n.nspname, t.typname)
              FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = o);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_type(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    t    record;
    name text;
    what text;
    body text;
BEGIN
    SELECT y.typtype, y.typowner, y.typacl, y.typisdefined, y.typrelid, n.nspname INTO t
      FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace WHERE y.oid = o;
    d.schema_name := t.nspname;
    name := pggit_daemon.type_name(o);
    what := CASE t.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || name;
    CASE t.typtype
    WHEN 'd' THEN body := pggit_daemon.domain_body(o, name);
    WHEN 'e' THEN body := format(E'CREATE TYPE %s AS ENUM (%s);\n', name,
        (SELECT string_agg(format(E'\n    %L', e.enumlabel), ',' ORDER BY e.enumsortorder) || E'\n'
           FROM pg_catalog.pg_enum e WHERE e.enumtypid = o));
    WHEN 'c' THEN body := format(E'CREATE TYPE %s AS (%s);\n', name,
        (SELECT string_agg(format(E'\n    %I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                  CASE WHEN a.attcollation <> y.typcollation
                                       THEN ' COLLATE ' || pggit_daemon.collation_name(a.attcollation) ELSE '' END),
                           ',' ORDER BY a.attnum) || E'\n'
           FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped));
    WHEN 'r' THEN body := pggit_daemon.range_body(o, name);
    WHEN 'b' THEN body := pggit_daemon.base_type_body(o, name);
    ELSE          body := format(E'CREATE TYPE %s;\n', name);    -- a shell
    END CASE;
    d.definition := body
        || pggit_daemon.owner(what, t.typowner)
        || pggit_daemon.comments('pg_catalog.pg_type'::regclass, o, what)
        || CASE t.typtype
           WHEN 'c' THEN pggit_daemon.column_comments(t.typrelid, name)
           WHEN 'd' THEN coalesce((
                SELECT string_agg(pggit_daemon.comments('pg_catalog.pg_constraint'::regclass, k.oid,
                                      format('CONSTRAINT %I ON %s', k.conname, what)), '' ORDER BY k.conname)
                  FROM pg_catalog.pg_constraint k WHERE k.contypid = o), '')
           ELSE '' END
        || pggit_daemon.grants(t.typacl, 'T', what, t.typowner);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.domain_body(o oid, name text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t        pg_catalog.pg_type;
    inside   text;
    outside  text;
    not_null text;
BEGIN
    SELECT * INTO t FROM pg_catalog.pg_type y WHERE y.oid = o;
    SELECT string_agg(format(E'\n    CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), '' ORDER BY k.conname)
               FILTER (WHERE k.convalidated AND k.contype = 'c'),
           string_agg(format(E'ALTER DOMAIN %s ADD CONSTRAINT %I %s;\n', name, k.conname, pg_get_constraintdef(k.oid)),
                      '' ORDER BY k.conname) FILTER (WHERE NOT k.convalidated AND k.contype = 'c'),
           -- From 17 on NOT NULL of a domain is a constraint with a name.
           max(format(E'\n    CONSTRAINT %I NOT NULL', k.conname)) FILTER (WHERE k.contype = 'n')
      INTO inside, outside, not_null
      FROM pg_catalog.pg_constraint k WHERE k.contypid = o;
    RETURN format('CREATE DOMAIN %s AS %s', name, format_type(t.typbasetype, t.typtypmod))
        || CASE WHEN t.typcollation <> (SELECT b.typcollation FROM pg_catalog.pg_type b WHERE b.oid = t.typbasetype)
                THEN ' COLLATE ' || pggit_daemon.collation_name(t.typcollation) ELSE '' END
        || CASE WHEN t.typnotnull THEN coalesce(not_null, ' NOT NULL') ELSE '' END
        || CASE WHEN t.typdefaultbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0)
                WHEN t.typdefault IS NOT NULL THEN ' DEFAULT ' || quote_literal(t.typdefault) ELSE '' END
        || coalesce(inside, '') || E';\n' || coalesce(outside, '');
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.range_body(o oid, name text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT format(E'CREATE TYPE %s AS RANGE (\n    %s\n);\n', name, concat_ws(E',\n    ',
            'subtype = ' || format_type(r.rngsubtype, NULL),
            'multirange_type_name = ' || pggit_daemon.type_name(r.rngmultitypid),
            CASE WHEN NOT c.opcdefault THEN format('subtype_opclass = %I.%I', n.nspname, c.opcname) END,
            CASE WHEN r.rngcollation <> 0 AND r.rngcollation <> s.typcollation
                 THEN 'collation = ' || pggit_daemon.collation_name(r.rngcollation) END,
            'canonical = ' || pggit_daemon.support_name(r.rngcanonical),
            'subtype_diff = ' || pggit_daemon.support_name(r.rngsubdiff)))
          FROM pg_catalog.pg_range r
          JOIN pg_catalog.pg_type s ON s.oid = r.rngsubtype
          JOIN pg_catalog.pg_opclass c ON c.oid = r.rngsubopc
          JOIN pg_catalog.pg_namespace n ON n.oid = c.opcnamespace
         WHERE r.rngtypid = o);
END $$;

-- The functions of a base type take the type itself: export writes a shell first, then them, then this.
CREATE OR REPLACE FUNCTION pggit_daemon.base_type_body(o oid, name text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t pg_catalog.pg_type;
BEGIN
    SELECT * INTO t FROM pg_catalog.pg_type y WHERE y.oid = o;
    RETURN format(E'CREATE TYPE %s (\n    %s\n);\n', name, concat_ws(E',\n    ',
        'INTERNALLENGTH = ' || CASE t.typlen WHEN -1 THEN 'variable' ELSE t.typlen::text END,
        'INPUT = ' || pggit_daemon.support_name(t.typinput),
        'OUTPUT = ' || pggit_daemon.support_name(t.typoutput),
        'RECEIVE = ' || pggit_daemon.support_name(t.typreceive),
        'SEND = ' || pggit_daemon.support_name(t.typsend),
        'TYPMOD_IN = ' || pggit_daemon.support_name(t.typmodin),
        'TYPMOD_OUT = ' || pggit_daemon.support_name(t.typmodout),
        'ANALYZE = ' || pggit_daemon.support_name(t.typanalyze),
        'SUBSCRIPT = ' || pggit_daemon.support_name(t.typsubscript),
        CASE WHEN t.typcollation <> 0 THEN 'COLLATABLE = true' END,
        'DEFAULT = ' || CASE WHEN t.typdefaultbin IS NOT NULL THEN pg_get_expr(t.typdefaultbin, 0)
                             ELSE quote_literal(t.typdefault) END,
        CASE WHEN t.typelem <> 0 THEN 'ELEMENT = ' || format_type(t.typelem, NULL) END,
        CASE WHEN t.typcategory <> 'U' THEN 'CATEGORY = ' || quote_literal(t.typcategory::text) END,
        CASE WHEN t.typispreferred THEN 'PREFERRED = true' END,
        CASE WHEN t.typdelim <> ',' THEN 'DELIMITER = ' || quote_literal(t.typdelim::text) END,
        'ALIGNMENT = ' || CASE t.typalign WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'i' THEN 'int4' ELSE 'double' END,
        'STORAGE = ' || CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended'
                                          ELSE 'main' END,
        CASE WHEN t.typbyval THEN 'PASSEDBYVALUE' END));
END $$;

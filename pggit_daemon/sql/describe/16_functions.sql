-- Functions, procedures, window functions; aggregates, which have no pg_get_functiondef.

-- 'schema.name(arguments)' as ALTER and COMMENT take it.
CREATE OR REPLACE FUNCTION pggit_daemon.routine_name(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT format('%I.%I(%s)', n.nspname, p.proname,
                          CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN '*'
                               ELSE pg_get_function_identity_arguments(o) END)
              FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
             WHERE p.oid = o);
END $$;

-- A function by schema and name alone, as CREATE AGGREGATE, TYPE, OPERATOR and the like take it; NULL for none.
CREATE OR REPLACE FUNCTION pggit_daemon.support_name(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT format('%I.%I', n.nspname, p.proname)
              FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
             WHERE p.oid = o);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.operator_name(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT format('OPERATOR(%I.%s)', n.nspname, x.oprname)
              FROM pg_catalog.pg_operator x JOIN pg_catalog.pg_namespace n ON n.oid = x.oprnamespace
             WHERE x.oid = o);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_function(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    f    record;
    what text;
BEGIN
    SELECT n.nspname, p.prokind, p.proowner, p.proacl INTO f
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE p.oid = o;
    d.schema_name := f.nspname;
    what := CASE f.prokind WHEN 'p' THEN 'PROCEDURE ' WHEN 'a' THEN 'AGGREGATE ' ELSE 'FUNCTION ' END
        || pggit_daemon.routine_name(o);
    d.definition := CASE f.prokind WHEN 'a' THEN pggit_daemon.aggregate_body(o, what)
                                   ELSE rtrim(pg_get_functiondef(o), E'\n') || E';\n' END
        || CASE f.prokind WHEN 'a' THEN ''
                          ELSE pggit_daemon.extension_links('pg_catalog.pg_proc'::regclass, o, what) END
        || pggit_daemon.owner(what, f.proowner)
        || pggit_daemon.comments('pg_catalog.pg_proc'::regclass, o, what)
        -- GRANT knows no aggregates, it takes them as functions (and without the *).
        || pggit_daemon.grants(f.proacl, 'f', CASE f.prokind WHEN 'a' THEN format('FUNCTION %s(%s)',
                 pggit_daemon.support_name(o), pggit_daemon.argument_types(o)) ELSE what END, f.proowner);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.argument_types(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(string_agg(format_type(a.typ, NULL), ', ' ORDER BY a.place), '')
              FROM pg_catalog.pg_proc p, unnest(p.proargtypes) WITH ORDINALITY a (typ, place)
             WHERE p.oid = o);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.aggregate_body(o oid, what text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a       record;
    usual   "char";   -- what *_modify is when nothing is said
BEGIN
    SELECT g.*, p.proparallel INTO a
      FROM pg_catalog.pg_aggregate g JOIN pg_catalog.pg_proc p ON p.oid = g.aggfnoid WHERE p.oid = o;
    usual := CASE a.aggkind WHEN 'n' THEN 'r' ELSE 'w' END;
    RETURN format(E'CREATE %s (\n    %s\n);\n', what, concat_ws(E',\n    ',
        'SFUNC = ' || pggit_daemon.support_name(a.aggtransfn),
        'STYPE = ' || format_type(a.aggtranstype, NULL),
        CASE WHEN a.aggtransspace <> 0 THEN 'SSPACE = ' || a.aggtransspace END,
        'INITCOND = ' || quote_literal(a.agginitval),
        'FINALFUNC = ' || pggit_daemon.support_name(a.aggfinalfn),
        CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
        CASE WHEN a.aggfinalfn <> 0 AND a.aggfinalmodify <> usual
             THEN 'FINALFUNC_MODIFY = ' || pggit_daemon.modify_word(a.aggfinalmodify) END,
        'COMBINEFUNC = ' || pggit_daemon.support_name(a.aggcombinefn),
        'SERIALFUNC = ' || pggit_daemon.support_name(a.aggserialfn),
        'DESERIALFUNC = ' || pggit_daemon.support_name(a.aggdeserialfn),
        'MSFUNC = ' || pggit_daemon.support_name(a.aggmtransfn),
        'MINVFUNC = ' || pggit_daemon.support_name(a.aggminvtransfn),
        CASE WHEN a.aggmtranstype <> 0 THEN 'MSTYPE = ' || format_type(a.aggmtranstype, NULL) END,
        CASE WHEN a.aggmtransspace <> 0 THEN 'MSSPACE = ' || a.aggmtransspace END,
        'MINITCOND = ' || quote_literal(a.aggminitval),
        'MFINALFUNC = ' || pggit_daemon.support_name(a.aggmfinalfn),
        CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
        CASE WHEN a.aggmfinalfn <> 0 AND a.aggmfinalmodify <> usual
             THEN 'MFINALFUNC_MODIFY = ' || pggit_daemon.modify_word(a.aggmfinalmodify) END,
        'SORTOP = ' || pggit_daemon.operator_name(a.aggsortop),
        CASE a.aggkind WHEN 'h' THEN 'HYPOTHETICAL' END,
        CASE a.proparallel WHEN 's' THEN 'PARALLEL = safe' WHEN 'r' THEN 'PARALLEL = restricted' END));
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.modify_word(modify "char") RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE modify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END;
END $$;

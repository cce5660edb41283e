-- Extended statistics.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_statistics(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    s    record;
    what text;
BEGIN
    SELECT x.stxname, n.nspname, x.stxowner, x.stxstattarget INTO s
      FROM pg_catalog.pg_statistic_ext x JOIN pg_catalog.pg_namespace n ON n.oid = x.stxnamespace WHERE x.oid = o;
    d.schema_name := s.nspname;
    what := format('STATISTICS %I.%I', s.nspname, s.stxname);
    d.definition := pg_get_statisticsobjdef(o) || E';\n'
        || CASE WHEN s.stxstattarget >= 0
                THEN format(E'ALTER %s SET STATISTICS %s;\n', what, s.stxstattarget) ELSE '' END
        || pggit_daemon.owner(what, s.stxowner)
        || pggit_daemon.comments('pg_catalog.pg_statistic_ext'::regclass, o, what);
    RETURN d;
END $$;

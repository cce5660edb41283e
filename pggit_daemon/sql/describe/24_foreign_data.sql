-- Foreign data wrappers, servers, user mappings. No secret leaves the catalog: only options are shown that are known to
-- hold none (02_harmless.sql), whatever a wrapper of tomorrow calls its others.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_foreign_data_wrapper(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    f    pg_catalog.pg_foreign_data_wrapper;
    what text;
BEGIN
    SELECT * INTO f FROM pg_catalog.pg_foreign_data_wrapper x WHERE x.oid = o;
    what := format('FOREIGN DATA WRAPPER %I', f.fdwname);
    d.definition := format(E'CREATE %s%s%s%s;\n', what,
            ' HANDLER ' || pggit_daemon.support_name(nullif(f.fdwhandler, 0)),
            ' VALIDATOR ' || pggit_daemon.support_name(nullif(f.fdwvalidator, 0)),
            pggit_daemon.foreign_options(pggit_daemon.harmless_options(f.fdwoptions)))
        || pggit_daemon.owner(what, f.fdwowner)
        || pggit_daemon.comments('pg_catalog.pg_foreign_data_wrapper'::regclass, o, what)
        || pggit_daemon.grants(f.fdwacl, 'F', what, f.fdwowner);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_foreign_server(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    s    record;
    what text;
BEGIN
    SELECT x.*, f.fdwname INTO s
      FROM pg_catalog.pg_foreign_server x
      JOIN pg_catalog.pg_foreign_data_wrapper f ON f.oid = x.srvfdw WHERE x.oid = o;
    what := format('SERVER %I', s.srvname);
    d.definition := format(E'CREATE %s%s%s FOREIGN DATA WRAPPER %I%s;\n', what,
            ' TYPE ' || quote_literal(s.srvtype), ' VERSION ' || quote_literal(s.srvversion), s.fdwname,
            pggit_daemon.foreign_options(pggit_daemon.harmless_options(s.srvoptions)))
        || pggit_daemon.owner(what, s.srvowner)
        || pggit_daemon.comments('pg_catalog.pg_foreign_server'::regclass, o, what)
        || pggit_daemon.grants(s.srvacl, 'S', 'FOREIGN ' || what, s.srvowner);
    RETURN d;
END $$;

-- Reads options that not everybody may see, so that every role gets the same (harmless) ones. Runs as pggit_capture
-- (api/90_privileges.sql).
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_mapping_options(mapping oid) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
    SELECT pggit_daemon.harmless_options(m.umoptions) FROM pg_user_mapping AS m WHERE m.oid = mapping
$$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_user_mapping(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
BEGIN
    SELECT format(E'CREATE USER MAPPING FOR %s SERVER %I%s;\n',
                  CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(m.usename) END, m.srvname,
                  pggit_daemon.foreign_options(pggit_daemon.harmless_mapping_options(o)))
      INTO d.definition
      FROM pg_catalog.pg_user_mappings m WHERE m.umid = o;
    RETURN d;
END $$;

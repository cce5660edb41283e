-- Foreign data wrappers, servers, user mappings. No secret leaves the catalog: of a user mapping only the options that
-- are known to be none are told, of a server all but those that are known to be one.

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
            pggit_daemon.foreign_options(f.fdwoptions))
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
            pggit_daemon.foreign_options(ARRAY(
                SELECT w FROM unnest(s.srvoptions) WITH ORDINALITY u (w, place)
                 WHERE split_part(w, '=', 1) COLLATE "C" !~* '^(.*(password|passwd|secret|token|api_?key|access_?key).*|passphrase)$'
                    OR lower(split_part(w, '=', 1) COLLATE "C") = 'password_required'
                 ORDER BY place)))
        || pggit_daemon.owner(what, s.srvowner)
        || pggit_daemon.comments('pg_catalog.pg_foreign_server'::regclass, o, what)
        || pggit_daemon.grants(s.srvacl, 'S', 'FOREIGN ' || what, s.srvowner);
    RETURN d;
END $$;

-- Reads options that not everybody may see, so that every role gets the same (harmless) ones. Runs as pggit_capture
-- (api/90_privileges.sql).
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_mapping_options(mapping oid) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
    SELECT array_agg(w ORDER BY place)
      FROM pg_user_mapping AS m, unnest(m.umoptions) WITH ORDINALITY AS u (w, place)
     WHERE m.oid = mapping
       AND lower(split_part(w, '=', 1) COLLATE "C") IN ('user', 'username', 'user_name', 'password_required',
                                            'use_scram_passthrough', 'sslcert', 'sslkey', 'gssencmode')
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

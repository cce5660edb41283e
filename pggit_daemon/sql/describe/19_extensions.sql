-- Extensions: schema and comment. The version stands in a line of its own that psql passes over: an update is a change,
-- but the script takes what the server has, as pg_dump's does.
-- Members are not objects of ours. What they were granted beyond the extension's own script is said here,
-- at the end of the script.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_extension(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
    e record;
BEGIN
    SELECT x.extname, x.extversion, n.nspname INTO e
      FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE x.oid = o;
    d.definition := format(E'-- version %s\nCREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA %I;\n',
                           pggit_daemon.one_line(e.extversion), e.extname, e.nspname)
        || pggit_daemon.comments('pg_catalog.pg_extension'::regclass, o, format('EXTENSION %I', e.extname));
    d.later := pggit_daemon.member_grants(o);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.member_grants(extension oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH member AS (
            SELECT m.classid, m.objid FROM pg_catalog.pg_depend m
             WHERE m.refclassid = 'pg_catalog.pg_extension'::regclass AND m.refobjid = extension AND m.deptype = 'e'
        ), held AS (
            SELECT m.classid, m.objid, p.proacl AS acl, p.proowner AS owner, 'f' AS kind,
                   format('%s %s(%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                          pggit_daemon.support_name(p.oid), pggit_daemon.argument_types(p.oid)) AS what
              FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid
             WHERE m.classid = 'pg_catalog.pg_proc'::regclass AND p.proacl IS NOT NULL
            UNION ALL
            SELECT m.classid, m.objid, t.typacl, t.typowner, 'T',
                   CASE t.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || pggit_daemon.type_name(t.oid)
              FROM member m JOIN pg_catalog.pg_type t ON t.oid = m.objid
             WHERE m.classid = 'pg_catalog.pg_type'::regclass AND t.typacl IS NOT NULL
            UNION ALL
            SELECT m.classid, m.objid, n.nspacl, n.nspowner, 'n', format('SCHEMA %I', n.nspname)
              FROM member m JOIN pg_catalog.pg_namespace n ON n.oid = m.objid
             WHERE m.classid = 'pg_catalog.pg_namespace'::regclass AND n.nspacl IS NOT NULL
            UNION ALL
            SELECT m.classid, m.objid, l.lanacl, l.lanowner, 'l', format('LANGUAGE %I', l.lanname)
              FROM member m JOIN pg_catalog.pg_language l ON l.oid = m.objid
             WHERE m.classid = 'pg_catalog.pg_language'::regclass AND l.lanacl IS NOT NULL
            UNION ALL
            SELECT m.classid, m.objid, f.fdwacl, f.fdwowner, 'F', format('FOREIGN DATA WRAPPER %I', f.fdwname)
              FROM member m JOIN pg_catalog.pg_foreign_data_wrapper f ON f.oid = m.objid
             WHERE m.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass AND f.fdwacl IS NOT NULL
            UNION ALL
            SELECT m.classid, m.objid, s.srvacl, s.srvowner, 'S', format('FOREIGN SERVER %I', s.srvname)
              FROM member m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.objid
             WHERE m.classid = 'pg_catalog.pg_foreign_server'::regclass AND s.srvacl IS NOT NULL
        ), beyond (what, words) AS (
            SELECT h.what, pggit_daemon.grants(h.acl, coalesce(i.initprivs, acldefault(h.kind::"char", h.owner)),
                                               h.kind::"char", h.what, h.owner)
              FROM held h
              LEFT JOIN pg_catalog.pg_init_privs i
                     ON i.classoid = h.classid AND i.objoid = h.objid AND i.objsubid = 0
            UNION ALL
            SELECT r.what, pggit_daemon.relation_grants_beyond(c.oid, r.what, (CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char",
                                                               c.relacl, c.relowner)
              FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             CROSS JOIN LATERAL format('%s %I.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                                       n.nspname, c.relname) r (what)
             WHERE m.classid = 'pg_catalog.pg_class'::regclass AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        )
        SELECT nullif(string_agg(b.words, '' ORDER BY b.what COLLATE "C"), '') FROM beyond b);
END $$;

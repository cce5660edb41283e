-- Extensions: schema and comment; the version is not pinned, so that the script takes what the server has.
-- Members are not objects of ours. What they were granted beyond the extension's own script is said here,
-- at the end of the script.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_extension(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
    e record;
BEGIN
    SELECT x.extname, n.nspname INTO e
      FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE x.oid = o;
    d.definition := format(E'CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA %I;\n', e.extname, e.nspname)
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
            SELECT m.classid, m.objid, c.relacl AS acl, c.relowner AS owner,
                   CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END AS kind,
                   format('%s %I.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname) AS what
              FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE m.classid = 'pg_catalog.pg_class'::regclass AND c.relacl IS NOT NULL
            UNION ALL
            SELECT m.classid, m.objid, p.proacl, p.proowner, 'f',
                   format('%s %s(%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                          pggit_daemon.support_name(p.oid), pggit_daemon.argument_types(p.oid))
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
        )
        SELECT nullif(string_agg(pggit_daemon.grants(h.acl, coalesce(i.initprivs, acldefault(h.kind::"char", h.owner)),
                                                     h.kind::"char", h.what, h.owner),
                                 '' ORDER BY h.what COLLATE "C"), '')
          FROM held h
          LEFT JOIN pg_catalog.pg_init_privs i
                 ON i.classoid = h.classid AND i.objoid = h.objid AND i.objsubid = 0);
END $$;

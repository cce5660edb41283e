-- The objects whose privileges a GRANT or REVOKE changed: the server names none, but it wrote their rows.

CREATE OR REPLACE FUNCTION pggit_daemon.changed_privileges(tag text, kind text, since bigint)
    RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    oldest   integer := age(pg_current_xact_id_if_assigned()::xid);
    every    boolean := tag = 'DROP OWNED';
    catalogs regclass[];
    class    regclass;
BEGIN
    IF tag = 'ALTER DEFAULT PRIVILEGES' OR every THEN
        RETURN QUERY SELECT 'pg_default_acl'::regclass::oid, a.oid FROM pg_default_acl a
             WHERE age(a.xmin) <= oldest AND a.cmin::text::bigint > since AND pggit_daemon.is_own_xid(a.xmin);
        IF NOT every THEN
            RETURN;
        END IF;
    END IF;
    IF every OR kind IN ('TABLE', 'SEQUENCE') THEN
        RETURN QUERY SELECT * FROM pggit_daemon.changed_relations('{r,p,v,m,f,S}', since);
        -- Privileges of columns alone do not write to pg_class; those beside others are of the same tables.
        IF every OR NOT FOUND THEN
            RETURN QUERY SELECT DISTINCT 'pg_class'::regclass::oid, a.attrelid FROM pg_attribute a
                 WHERE age(a.xmin) <= oldest AND a.cmin::text::bigint > since
                   AND pggit_daemon.is_own_xid(a.xmin);
        END IF;
    END IF;
    catalogs := CASE
        WHEN every THEN ARRAY['pg_proc', 'pg_namespace', 'pg_type', 'pg_language', 'pg_foreign_data_wrapper',
                              'pg_foreign_server', 'pg_policy']
        WHEN kind IN ('FUNCTION', 'PROCEDURE', 'ROUTINE') THEN ARRAY['pg_proc']
        WHEN kind = 'SCHEMA' THEN ARRAY['pg_namespace']
        WHEN kind IN ('TYPE', 'DOMAIN') THEN ARRAY['pg_type']
        WHEN kind = 'LANGUAGE' THEN ARRAY['pg_language']
        WHEN kind = 'FOREIGN DATA WRAPPER' THEN ARRAY['pg_foreign_data_wrapper']
        WHEN kind = 'FOREIGN SERVER' THEN ARRAY['pg_foreign_server']
        ELSE '{}' END;
    FOREACH class IN ARRAY catalogs LOOP
        -- Our own functions alone are hundreds, which init grants again and again.
        RETURN QUERY EXECUTE format(
            'SELECT $1::oid, c.oid FROM %s c
              WHERE age(c.xmin) <= $2 AND c.cmin::text::bigint > $3 %s AND pggit_daemon.is_own_xid(c.xmin)', class,
            CASE WHEN class = 'pg_proc'::regclass THEN 'AND c.pronamespace <> ''pggit_daemon''::regnamespace' END)
            USING class, oldest, since;
    END LOOP;
END $$;

-- Of the objects of pg_catalog only changed privileges are recorded: what is back to its initial ones leaves the tree, if it was
-- ever there.
CREATE OR REPLACE FUNCTION pggit_daemon.back_to_initial(changed pggit_daemon.object_address[]) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT jsonb_agg(pggit_daemon.drop_element(c.classid, c.objid, k.type, i.schema, k.identity, true)
                             ORDER BY c.classid, c.objid)
              FROM (SELECT DISTINCT u.classid, u.objid FROM unnest(changed) u WHERE u.objid < 16384) c
             CROSS JOIN LATERAL pggit_daemon.object_key(c.classid, c.objid) k
             CROSS JOIN LATERAL pg_identify_object(c.classid, c.objid, 0) i
             WHERE pggit_daemon.catalog_grants(c.classid, c.objid) = '');
END $$;

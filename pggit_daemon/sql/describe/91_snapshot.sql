-- The whole database at once: `describe` over every object, so that both can be compared byte by byte.

CREATE OR REPLACE FUNCTION pggit_daemon.snapshot() RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    slice pggit_daemon.object_address[];
BEGIN
    -- An extension can have thousands of members, which `describe` would look at. What is the server's own (language
    -- plpgsql is a member) may still have changed privileges.
    FOR slice IN
        SELECT array_agg((a.classid, a.objid)::pggit_daemon.object_address)
          FROM (SELECT x.classid, x.objid, row_number() OVER (ORDER BY x.classid, x.objid) AS place
                  FROM pggit_daemon.addresses() x
                 WHERE x.objid < 16384
                    OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend m
                                    WHERE m.classid = x.classid AND m.objid = x.objid AND m.deptype = 'e')) a
         GROUP BY a.place / 200
    LOOP
        RETURN QUERY SELECT * FROM pggit_daemon.describe(slice);
    END LOOP;
END $$;

-- Every address that may be an object of ours; `describe` decides.
CREATE OR REPLACE FUNCTION pggit_daemon.addresses() RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    home oid[] := ARRAY(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE pggit_daemon.is_our_schema(n.oid));
BEGIN
    RETURN QUERY
    SELECT 'pg_catalog.pg_namespace'::regclass::oid, u.h FROM unnest(home) u (h)
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid FROM pg_catalog.pg_class c
     WHERE c.relnamespace = ANY (home) AND c.relkind NOT IN ('c', 't')
       AND c.oid NOT IN (SELECT k.conindid FROM pg_catalog.pg_constraint k WHERE k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, k.oid FROM pg_catalog.pg_constraint k
     WHERE k.connamespace = ANY (home) AND k.conrelid <> 0
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid FROM pg_catalog.pg_type t
     WHERE t.typnamespace = ANY (home) AND t.typcategory <> 'A'
       AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
    UNION ALL
    -- A base type may put itself into the category of arrays.
    SELECT 'pg_catalog.pg_type'::regclass, t.oid FROM pg_catalog.pg_type t
     WHERE t.typnamespace = ANY (home) AND t.typcategory = 'A'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid)
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = ANY (home)
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::regclass, t.oid FROM pg_catalog.pg_trigger t
     WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid FROM pg_catalog.pg_rewrite r
     WHERE r.oid >= 16384 AND r.rulename <> '_RETURN'
    UNION ALL SELECT 'pg_catalog.pg_policy'::regclass, x.oid FROM pg_catalog.pg_policy x
    UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::regclass, x.oid FROM pg_catalog.pg_statistic_ext x
    UNION ALL SELECT 'pg_catalog.pg_extension'::regclass, x.oid FROM pg_catalog.pg_extension x
    UNION ALL SELECT 'pg_catalog.pg_event_trigger'::regclass, x.oid FROM pg_catalog.pg_event_trigger x
    UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, x.oid FROM pg_catalog.pg_operator x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_opfamily'::regclass, x.oid FROM pg_catalog.pg_opfamily x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, x.oid FROM pg_catalog.pg_opclass x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_cast'::regclass, x.oid FROM pg_catalog.pg_cast x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_collation'::regclass, x.oid FROM pg_catalog.pg_collation x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_conversion'::regclass, x.oid FROM pg_catalog.pg_conversion x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_am'::regclass, x.oid FROM pg_catalog.pg_am x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_language'::regclass, x.oid FROM pg_catalog.pg_language x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_transform'::regclass, x.oid FROM pg_catalog.pg_transform x
    UNION ALL SELECT 'pg_catalog.pg_ts_parser'::regclass, x.oid FROM pg_catalog.pg_ts_parser x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_ts_template'::regclass, x.oid FROM pg_catalog.pg_ts_template x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_ts_dict'::regclass, x.oid FROM pg_catalog.pg_ts_dict x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_ts_config'::regclass, x.oid FROM pg_catalog.pg_ts_config x WHERE x.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, x.oid FROM pg_catalog.pg_foreign_data_wrapper x
    UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, x.oid FROM pg_catalog.pg_foreign_server x
    UNION ALL SELECT 'pg_catalog.pg_user_mapping'::regclass, x.umid FROM pg_catalog.pg_user_mappings x
    UNION ALL SELECT 'pg_catalog.pg_publication'::regclass, x.oid FROM pg_catalog.pg_publication x
    UNION ALL SELECT 'pg_catalog.pg_subscription'::regclass, x.oid FROM pg_catalog.pg_subscription x
    UNION ALL SELECT 'pg_catalog.pg_default_acl'::regclass, x.oid FROM pg_catalog.pg_default_acl x
    UNION ALL SELECT x.classid, x.objid FROM pggit_daemon.catalog_addresses() x;
END $$;

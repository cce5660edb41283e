-- What belongs to extensions is no object of ours: what joins or leaves one changes sides.

-- The members of all extensions, 'classid:objid classid:objid ...'.
CREATE OR REPLACE FUNCTION pggit_daemon.extension_members() RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT string_agg(format('%s:%s', d.classid, d.objid), ' ')
              FROM pg_depend d WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e');
END $$;

-- Before ALTER EXTENSION: who is a member. What is given away leaves no trace in the catalog afterwards. The script of
-- an update may alter extensions itself, so what was remembered before in this transaction stays. Only a hint: any
-- role could set it, and what it names is looked at as it is.
CREATE OR REPLACE FUNCTION pggit_daemon.remember_members() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('pggit_daemon.members', concat_ws(' ', nullif(current_setting('pggit_daemon.members', true), ''),
                                                         pggit_daemon.extension_members()), true);
END $$;

-- What was a member then and is none now, with all that hangs on it or names it.
CREATE OR REPLACE FUNCTION pggit_daemon.given_away() RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT n.* FROM (
            SELECT DISTINCT m[1]::oid AS classid, m[2]::oid AS objid
              FROM regexp_matches(current_setting('pggit_daemon.members', true),
                                  '\m(\d{1,9}):(\d{1,10})\M', 'g') m
             WHERE m[2]::bigint < 4294967296) was
         CROSS JOIN LATERAL pggit_daemon.dependents_by_name(was.classid, was.objid) n
         WHERE NOT EXISTS (SELECT FROM pg_depend d
                            WHERE d.classid = was.classid AND d.objid = was.objid AND d.deptype = 'e'
                              AND d.refclassid = 'pg_extension'::regclass);
END $$;

-- Elements for what became a member of one of these extensions, and for what hangs on it: gone from our side.
CREATE OR REPLACE FUNCTION pggit_daemon.taken_in(extensions pggit_daemon.object_address[], since bigint) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH RECURSIVE gone (classid, objid) AS (
            SELECT d.classid, d.objid FROM unnest(extensions) n
              JOIN pg_depend d ON d.refclassid = n.classid AND d.refobjid = n.objid AND d.deptype = 'e'
             WHERE n.classid = 'pg_extension'::regclass
               AND d.cmin::text::bigint > since AND pggit_daemon.is_own_xid(d.xmin)
            UNION
            SELECT d.classid, d.objid FROM gone g
              JOIN pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid AND (d.deptype IN ('i', 'a')
                                  OR d.classid = 'pg_user_mapping'::regclass)
        )
        SELECT jsonb_agg(pggit_daemon.drop_element(g.classid, g.objid, i.type, i.schema, i.identity, false))
          FROM gone g CROSS JOIN LATERAL pg_identify_object(g.classid, g.objid, 0) i
         WHERE NOT pggit_daemon.is_ours(g.classid, g.objid));
END $$;

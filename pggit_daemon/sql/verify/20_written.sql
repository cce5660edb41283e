-- What was written in the catalog since a moment, whoever wrote it: the statements that fire no event trigger
-- (REASSIGN OWNED, REINDEX before 17, edits by a superuser) write rows like all others.

-- Which rows of which catalog say something about which object.
CREATE OR REPLACE FUNCTION pggit_daemon.tracked_catalogs()
    RETURNS TABLE (catalog text, of_class text, of_object text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.name, quote_literal('pg_catalog.' || c.name) || '::regclass', 'x.oid'
    FROM unnest('{pg_class,pg_constraint,pg_type,pg_proc,pg_namespace,pg_trigger,pg_rewrite,pg_policy,pg_statistic_ext,
                  pg_extension,pg_event_trigger,pg_operator,pg_opfamily,pg_opclass,pg_amop,pg_amproc,pg_cast,pg_collation,
                  pg_conversion,pg_am,pg_language,pg_transform,pg_ts_parser,pg_ts_template,pg_ts_dict,pg_ts_config,
                  pg_foreign_data_wrapper,pg_foreign_server,pg_user_mapping,pg_publication,pg_publication_rel,
                  pg_publication_namespace,pg_subscription,pg_default_acl}'::text[]) AS c (name)
    UNION ALL
    SELECT v.catalog, quote_literal('pg_catalog.' || v.class) || '::regclass', 'x.' || v.of_object
    FROM (VALUES ('pg_attribute', 'pg_class', 'attrelid'), ('pg_attrdef', 'pg_class', 'adrelid'),
                 ('pg_index', 'pg_class', 'indexrelid'), ('pg_sequence', 'pg_class', 'seqrelid'),
                 ('pg_inherits', 'pg_class', 'inhrelid'), ('pg_partitioned_table', 'pg_class', 'partrelid'),
                 ('pg_foreign_table', 'pg_class', 'ftrelid'), ('pg_enum', 'pg_type', 'enumtypid'),
                 ('pg_range', 'pg_type', 'rngtypid'), ('pg_aggregate', 'pg_proc', 'aggfnoid::oid'),
                 ('pg_ts_config_map', 'pg_ts_config', 'mapcfg')) AS v (catalog, class, of_object)
    UNION ALL
    SELECT v.catalog, 'x.' || v.of_class, 'x.' || v.of_object
    FROM (VALUES ('pg_description', 'classoid', 'objoid'), ('pg_seclabel', 'classoid', 'objoid'),
                 ('pg_init_privs', 'classoid', 'objoid'), ('pg_depend', 'classid', 'objid')) AS v (catalog, of_class, of_object)
$$;

-- The same of the two catalogs that not everybody may read. What comes out are numbers. Runs as pggit_capture
-- (api/90_privileges.sql).
CREATE OR REPLACE FUNCTION pggit_daemon.written_in_closed_catalogs(horizon xid8)
    RETURNS TABLE (of_class oid, of_object oid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
    SELECT 'pg_user_mapping'::regclass::oid, x.oid FROM pg_user_mapping AS x WHERE age(x.xmin) <= age(horizon::xid)
    UNION ALL
    SELECT 'pg_subscription'::regclass, x.oid FROM pg_subscription AS x WHERE age(x.xmin) <= age(horizon::xid)
$$;

-- The objects of which something was written by this transaction or a later one, as far as it is committed, and those
-- that are recorded and gone. Rows that are as old as two billion transactions may look young; that costs a comparison
-- and no more. A row beside an object (a comment, a default) that somebody deleted by hand leaves no trace here.
-- All names are constants: what tables of ours hold, the daemon's role can write.
CREATE OR REPLACE FUNCTION pggit_daemon.written_since(horizon xid8) RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    class record;
BEGIN
    RETURN QUERY EXECUTE (
        SELECT format(
            'SELECT DISTINCT n.classid, n.objid FROM (SELECT DISTINCT w.of_class, w.of_object FROM (
                 SELECT c.of_class, c.of_object FROM pggit_daemon.written_in_closed_catalogs($1) AS c UNION ALL %s) AS w) AS w
              CROSS JOIN LATERAL pggit_daemon.canonical_address(w.of_class, w.of_object, 0) AS n
              WHERE n.classid IS NOT NULL',
            string_agg(format('SELECT %s::oid AS of_class, %s AS of_object FROM pg_catalog.%I AS x
                                WHERE age(x.xmin) <= age($1::xid)', c.of_class, c.of_object, c.catalog), ' UNION ALL '))
        FROM pggit_daemon.tracked_catalogs() AS c
        WHERE c.catalog NOT IN ('pg_user_mapping', 'pg_subscription') AND to_regclass('pg_catalog.' || c.catalog) IS NOT NULL)
    USING horizon;
    FOR class IN SELECT c.catalog, to_regclass('pg_catalog.' || c.catalog)::oid AS oid
                   FROM pggit_daemon.tracked_catalogs() AS c
                  WHERE c.of_object = 'x.oid' AND c.catalog NOT IN ('pg_user_mapping', 'pg_subscription')
                    AND to_regclass('pg_catalog.' || c.catalog) IS NOT NULL
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT v.classid, v.objid FROM pggit_daemon.object_version AS v
              WHERE v.to_commit IS NULL AND v.classid = $1
                AND NOT EXISTS (SELECT FROM pg_catalog.%I AS x WHERE x.oid = v.objid)', class.catalog)
        USING class.oid;
    END LOOP;
    RETURN QUERY
        SELECT v.classid, v.objid FROM pggit_daemon.object_version AS v
         WHERE v.to_commit IS NULL
           AND (v.classid = 'pg_user_mapping'::regclass
                    AND NOT EXISTS (SELECT FROM pg_user_mappings AS x WHERE x.umid = v.objid)
                OR v.classid = 'pg_subscription'::regclass
                    AND NOT EXISTS (SELECT FROM pg_subscription AS x WHERE x.oid = v.objid));
END $$;

-- Counters that say cheaply that a comparison is due, and from where on the next one must look.
-- `writes`: how often rows of those catalogs were written, by the server's own counters; `names`: a hash over those of
-- roles and tablespaces, which stand in definitions and belong to no database; `writer`: which functions on which
-- server describe objects; `horizon`: every transaction before it has ended; `asked`: somebody wants everything
-- compared, and that has not begun yet.
CREATE OR REPLACE FUNCTION pggit_daemon.change_counters(
    OUT writes bigint, OUT names bigint, OUT writer text, OUT horizon bigint, OUT asked boolean, OUT at timestamptz)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    SELECT (SELECT coalesce(sum(pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
                                + pg_stat_get_tuples_deleted(c.oid)), 0)::bigint
              FROM (SELECT to_regclass('pg_catalog.' || t.catalog) AS oid FROM pggit_daemon.tracked_catalogs() AS t) AS c
             WHERE c.oid IS NOT NULL),
           (SELECT coalesce(sum(hashtextextended(n.name, n.oid::bigint) % 1000000000000), 0)::bigint
              FROM (SELECT r.rolname, r.oid FROM pg_roles AS r
                    UNION ALL SELECT s.spcname, s.oid FROM pg_tablespace AS s) AS n (name, oid)),
           (SELECT i.sha256 FROM pggit_daemon.repeatable AS i) || ' on ' || current_setting('server_version_num')::integer / 10000,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
           coalesce((SELECT v.asked_at > coalesce(v.began_at, '-infinity') FROM pggit_daemon.verification AS v), false),
           clock_timestamp()
$$;

-- Which objects belong into the tree, and which of them an address leads to.

-- Whether an object belongs into the tree, given that it is one of its own (`owning_object` says so).
CREATE OR REPLACE FUNCTION pggit_daemon.belongs(of_class oid, of_object oid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    home     oid;    -- the object's schema
    relation oid;    -- the table it hangs on
    shape    "char";
    thing    record;
BEGIN
    IF of_class = 'pg_catalog.pg_namespace'::regclass AND of_object <> 'pg_catalog'::regnamespace THEN
        RETURN pggit_daemon.is_our_schema(of_object) AND pggit_daemon.extension_of(of_class, of_object) IS NULL;
    END IF;
    -- 16384 is the first OID that a user's object can have. Of the server's own only changed privileges are recorded.
    IF of_object < 16384 THEN
        RETURN coalesce(pggit_daemon.catalog_grants(of_class, of_object) <> '', false);
    ELSIF EXISTS (SELECT FROM pg_catalog.pg_depend d    -- as `extension_of` asks
                   WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'e') THEN
        RETURN false;
    END IF;

    CASE of_class
    WHEN 'pg_catalog.pg_class'::regclass THEN
        SELECT c.relnamespace, c.relkind, c.relpersistence INTO thing FROM pg_catalog.pg_class c WHERE c.oid = of_object;
        IF thing.relpersistence = 't' THEN
            RETURN false;
        ELSIF thing.relkind IN ('i', 'I') THEN
            -- An invalid index is what a failed CREATE INDEX CONCURRENTLY left; pg_dump leaves it out too.
            SELECT i.indrelid INTO relation FROM pg_catalog.pg_index i
             WHERE i.indexrelid = of_object AND i.indisready AND (i.indisvalid OR thing.relkind = 'I');
            IF NOT FOUND THEN
                RETURN false;
            END IF;
        END IF;
        home := thing.relnamespace;
    WHEN 'pg_catalog.pg_type'::regclass THEN
        SELECT t.typnamespace INTO home FROM pg_catalog.pg_type t WHERE t.oid = of_object;
    WHEN 'pg_catalog.pg_constraint'::regclass THEN
        SELECT k.conrelid INTO relation FROM pg_catalog.pg_constraint k WHERE k.oid = of_object;
    WHEN 'pg_catalog.pg_proc'::regclass THEN
        SELECT p.pronamespace INTO home FROM pg_catalog.pg_proc p WHERE p.oid = of_object;
    WHEN 'pg_catalog.pg_trigger'::regclass THEN
        SELECT t.tgrelid INTO relation FROM pg_catalog.pg_trigger t
          JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
          JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE t.oid = of_object AND n.nspname NOT IN ('pggit', 'pggit_daemon');
    WHEN 'pg_catalog.pg_rewrite'::regclass THEN
        SELECT r.ev_class INTO relation FROM pg_catalog.pg_rewrite r WHERE r.oid = of_object;
    WHEN 'pg_catalog.pg_policy'::regclass THEN
        SELECT p.polrelid INTO relation FROM pg_catalog.pg_policy p WHERE p.oid = of_object;
    WHEN 'pg_catalog.pg_statistic_ext'::regclass THEN
        SELECT s.stxrelid INTO relation FROM pg_catalog.pg_statistic_ext s
         WHERE s.oid = of_object AND pggit_daemon.is_our_schema(s.stxnamespace);
    WHEN 'pg_catalog.pg_event_trigger'::regclass THEN
        RETURN EXISTS (SELECT FROM pg_catalog.pg_event_trigger e
                         JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid
                         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                        WHERE e.oid = of_object AND n.nspname NOT IN ('pggit', 'pggit_daemon'));
    WHEN 'pg_catalog.pg_subscription'::regclass THEN
        RETURN EXISTS (SELECT FROM pg_catalog.pg_subscription s
                         JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
                        WHERE s.oid = of_object AND d.datname = pg_catalog.current_database());
    WHEN 'pg_catalog.pg_default_acl'::regclass THEN
        RETURN EXISTS (SELECT FROM pg_catalog.pg_default_acl a
                        WHERE a.oid = of_object
                          AND (a.defaclnamespace = 0 OR pggit_daemon.is_our_schema(a.defaclnamespace)));
    WHEN 'pg_catalog.pg_publication'::regclass THEN
        -- The daemon's own, where it streams by pgoutput.
        RETURN NOT EXISTS (SELECT FROM pg_catalog.pg_publication p
                            WHERE p.oid = of_object AND p.pubname IN ('pggit_daemon', 'pggit_daemon_keyed'));
    WHEN 'pg_catalog.pg_collation'::regclass THEN
        SELECT c.collnamespace INTO home FROM pg_catalog.pg_collation c WHERE c.oid = of_object;
    WHEN 'pg_catalog.pg_conversion'::regclass THEN
        SELECT c.connamespace INTO home FROM pg_catalog.pg_conversion c WHERE c.oid = of_object;
    WHEN 'pg_catalog.pg_operator'::regclass THEN
        -- An operator without a function is only named as another's commutator or negator so far.
        SELECT o.oprnamespace INTO home FROM pg_catalog.pg_operator o WHERE o.oid = of_object AND o.oprcode <> 0;
    WHEN 'pg_catalog.pg_opclass'::regclass THEN
        SELECT o.opcnamespace INTO home FROM pg_catalog.pg_opclass o WHERE o.oid = of_object;
    WHEN 'pg_catalog.pg_opfamily'::regclass THEN
        SELECT o.opfnamespace INTO home FROM pg_catalog.pg_opfamily o WHERE o.oid = of_object;
    WHEN 'pg_catalog.pg_ts_parser'::regclass THEN
        SELECT t.prsnamespace INTO home FROM pg_catalog.pg_ts_parser t WHERE t.oid = of_object;
    WHEN 'pg_catalog.pg_ts_template'::regclass THEN
        SELECT t.tmplnamespace INTO home FROM pg_catalog.pg_ts_template t WHERE t.oid = of_object;
    WHEN 'pg_catalog.pg_ts_dict'::regclass THEN
        SELECT t.dictnamespace INTO home FROM pg_catalog.pg_ts_dict t WHERE t.oid = of_object;
    WHEN 'pg_catalog.pg_ts_config'::regclass THEN
        SELECT t.cfgnamespace INTO home FROM pg_catalog.pg_ts_config t WHERE t.oid = of_object;
    WHEN 'pg_catalog.pg_user_mapping'::regclass THEN
        RETURN EXISTS (SELECT FROM pg_catalog.pg_user_mappings u
                        WHERE u.umid = of_object
                          AND pggit_daemon.extension_of('pg_catalog.pg_foreign_server'::regclass, u.srvid) IS NULL);
    ELSE
        RETURN true;    -- lives outside schemas: extension, cast, language, transform, access method, server, ...
    END CASE;

    IF relation IS NOT NULL THEN
        shape := pggit_daemon.our_relation(relation);
        IF shape IS NOT NULL THEN
            RETURN shape <> '';
        END IF;
        RETURN pggit_daemon.belongs('pg_catalog.pg_class'::regclass, relation);
    END IF;
    RETURN coalesce(pggit_daemon.is_our_schema(home), false);
END $$;

-- Whether (of_class, of_object) is an object of its own and belongs into the tree. False for what does not exist.
CREATE OR REPLACE FUNCTION pggit_daemon.is_ours(of_class oid, of_object oid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_at pggit_daemon.object_address;
    shape    "char";
BEGIN
    IF of_class = 'pg_catalog.pg_class'::regclass THEN
        shape := pggit_daemon.our_relation(of_object);
        IF shape IS NOT NULL THEN
            RETURN shape <> '';
        END IF;
    END IF;
    found_at := pggit_daemon.owning_object(of_class, of_object);
    RETURN found_at.classid IS NOT NULL AND found_at.classid = of_class AND found_at.objid = of_object
       AND pggit_daemon.belongs(of_class, of_object);
END $$;

-- Maps an address that the server named to the object of ours whose description it changes, or NULL.
-- A column, default, row type, array type, constraint's index, ... goes to its table, constraint or type;
-- a member of an extension to the extension.
CREATE OR REPLACE FUNCTION pggit_daemon.canonical_address(of_class oid, of_object oid, of_part integer)
    RETURNS pggit_daemon.object_address
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan    -- as in describe: plans that are kept, and only by index
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    found_at  pggit_daemon.object_address;
    extension oid;
BEGIN
    IF of_class = 'pg_catalog.pg_class'::regclass AND pggit_daemon.our_relation(of_object) <> '' THEN
        RETURN (of_class, of_object);
    END IF;
    found_at := pggit_daemon.owning_object(of_class, of_object);
    IF found_at.classid IS NULL THEN
        RETURN NULL;
    END IF;
    IF found_at.classid = 'pg_catalog.pg_constraint'::regclass AND pggit_daemon.our_constraint(found_at.objid)
       OR pggit_daemon.belongs(found_at.classid, found_at.objid) THEN
        RETURN found_at;
    END IF;
    extension := pggit_daemon.extension_of(found_at.classid, found_at.objid);
    IF extension IS NOT NULL AND pggit_daemon.belongs('pg_catalog.pg_extension'::regclass, extension) THEN
        RETURN ('pg_catalog.pg_extension'::regclass::oid, extension);
    END IF;
    RETURN NULL;
END $$;

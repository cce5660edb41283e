-- From whatever the server names to the object of ours that carries it.
--
-- A condition on refclassid alone is written "IS TRUE": as a plain one, it makes pg_depend be read by the other of its
-- indexes, all rows that refer to that class, where the catalog grew and was not analyzed since. deptype 'e' needs none:
-- it is always an extension. tests/integration/test_describe_plans.py counts the rows.

-- The extension that has the object as a member, or NULL.
CREATE OR REPLACE FUNCTION pggit_daemon.extension_of(of_class oid, of_object oid) RETURNS oid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT d.refobjid FROM pg_catalog.pg_depend d
             WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'e' LIMIT 1);
END $$;

-- Asked for each object and each of its references, so it takes the name from the server's cache, where the cast writes
-- it as an identifier, quoted or not, or a schema that is gone as its number; and it has no SET clause, so that the
-- planner can write it out where it is called.
CREATE OR REPLACE FUNCTION pggit_daemon.is_our_schema(schema oid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT schema::pg_catalog.regnamespace::pg_catalog.text OPERATOR(pg_catalog.!~)
           '^("?(pg_|information_schema"?$|pggit"?$|pggit_daemon"?$)|[0-9]|-$)'
$$;

-- The relkind of a table or view that belongs into the tree, '' when it does not, NULL when the relation is of another
-- kind, of the server's own or gone. What `owning_object` and `belongs` say of it, in one look: such relations are
-- most of what is asked for.
CREATE OR REPLACE FUNCTION pggit_daemon.our_relation(relation oid) RETURNS "char"
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    thing record;
BEGIN
    SELECT c.relkind, c.relnamespace, c.relpersistence,
           EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = relation AND d.deptype = 'e') AS is_member
      INTO thing
      FROM pg_catalog.pg_class c WHERE c.oid = relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND relation >= 16384;
    RETURN CASE WHEN thing.relpersistence = 't' OR thing.is_member
                  OR NOT pggit_daemon.is_our_schema(thing.relnamespace)
                THEN ''::"char" ELSE thing.relkind END;
END $$;

-- The same of a constraint that is an object of its own: whether it belongs into the tree; NULL when it is part of
-- something else or gone.
CREATE OR REPLACE FUNCTION pggit_daemon.our_constraint(o oid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    thing record;
BEGIN
    SELECT c.oid, c.relnamespace, c.relpersistence,
           EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
           OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                       WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = o AND d.deptype = 'e') AS is_member
      INTO thing
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND c.relkind IN ('r', 'p', 'f')
     WHERE k.oid = o AND o >= 16384 AND c.oid >= 16384
       AND (k.contype IN ('p', 'u', 'x') OR k.contype = 'f' AND k.conparentid = 0 OR k.contype = 'c' AND k.conislocal);
    RETURN CASE WHEN thing.oid IS NOT NULL
                THEN thing.relpersistence <> 't' AND NOT thing.is_member
                     AND pggit_daemon.is_our_schema(thing.relnamespace) END;
END $$;

-- The object whose definition says what (of_class, of_object) is; itself when it is an object of its own,
-- NULL when it is gone or is of a kind that no dump of a database holds. Extensions play no part here.
CREATE OR REPLACE FUNCTION pggit_daemon.owning_object(of_class oid, of_object oid) RETURNS pggit_daemon.object_address
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own    pggit_daemon.object_address := (of_class, of_object);
    thing  record;
    parent oid;
BEGIN
    CASE of_class
    WHEN 'pg_catalog.pg_class'::regclass THEN
        SELECT c.relkind, c.reltype,
               CASE WHEN c.relkind IN ('i', 'I')
                    THEN (SELECT d.refobjid FROM pg_catalog.pg_depend d
                           WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'i'
                             AND (d.refclassid = 'pg_catalog.pg_constraint'::regclass) IS TRUE) END AS conoid
          INTO thing FROM pg_catalog.pg_class c WHERE c.oid = of_object;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        CASE thing.relkind
        WHEN 'r', 'p', 'v', 'm', 'f' THEN
            RETURN own;
        WHEN 'i', 'I' THEN
            IF thing.conoid IS NOT NULL THEN    -- only PRIMARY KEY, UNIQUE and EXCLUDE have one
                RETURN ('pg_catalog.pg_constraint'::regclass::oid, thing.conoid);
            END IF;
            RETURN own;
        WHEN 'S', 't' THEN
            -- The sequence of an identity column and the TOAST table hang on their table, as deptype 'i'.
            SELECT d.refobjid INTO parent FROM pg_catalog.pg_depend d
             WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'i' AND (d.refclassid = of_class) IS TRUE;
            IF FOUND THEN
                RETURN pggit_daemon.owning_object(of_class, parent);
            END IF;
            RETURN CASE WHEN thing.relkind = 'S' THEN own END;
        WHEN 'c' THEN
            RETURN ('pg_catalog.pg_type'::regclass::oid, thing.reltype);
        ELSE
            RETURN NULL;
        END CASE;

    WHEN 'pg_catalog.pg_type'::regclass THEN
        SELECT t.typtype, t.typrelid, t.typelem, c.relkind, e.typarray INTO thing
          FROM pg_catalog.pg_type t
          LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
          LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
         WHERE t.oid = of_object;
        IF NOT FOUND THEN
            RETURN NULL;
        ELSIF thing.typrelid <> 0 AND thing.relkind <> 'c' THEN
            RETURN pggit_daemon.owning_object('pg_catalog.pg_class'::regclass, thing.typrelid);
        ELSIF thing.typarray = of_object THEN
            RETURN pggit_daemon.owning_object(of_class, thing.typelem);
        ELSIF thing.typtype = 'm' THEN
            RETURN (SELECT (of_class, r.rngtypid)::pggit_daemon.object_address
                      FROM pg_catalog.pg_range r WHERE r.rngmultitypid = of_object);
        END IF;
        RETURN own;

    WHEN 'pg_catalog.pg_constraint'::regclass THEN
        SELECT k.contype, k.contypid, k.conrelid, k.conparentid, k.conislocal INTO thing
          FROM pg_catalog.pg_constraint k WHERE k.oid = of_object;
        IF NOT FOUND THEN
            RETURN NULL;
        ELSIF thing.contypid <> 0 THEN
            RETURN ('pg_catalog.pg_type'::regclass::oid, thing.contypid);
        ELSIF thing.contype = 't' THEN
            RETURN (SELECT ('pg_catalog.pg_trigger'::regclass, t.oid)::pggit_daemon.object_address
                      FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = of_object LIMIT 1);
        ELSIF thing.contype = 'f' AND thing.conparentid <> 0 THEN
            RETURN pggit_daemon.owning_object(of_class, thing.conparentid);
        ELSIF thing.contype = 'n' OR (thing.contype = 'c' AND NOT thing.conislocal) THEN
            RETURN pggit_daemon.owning_object('pg_catalog.pg_class'::regclass, thing.conrelid);
        END IF;
        RETURN own;

    WHEN 'pg_catalog.pg_attrdef'::regclass THEN
        SELECT a.adrelid INTO parent FROM pg_catalog.pg_attrdef a WHERE a.oid = of_object;
        RETURN pggit_daemon.owning_object('pg_catalog.pg_class'::regclass, parent);

    WHEN 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_cast'::regclass THEN
        -- The constructors of a range type, and its cast to the multirange.
        SELECT d.refobjid INTO parent FROM pg_catalog.pg_depend d
         WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'i'
           AND (d.refclassid = 'pg_catalog.pg_type'::regclass) IS TRUE LIMIT 1;
        IF FOUND THEN
            RETURN pggit_daemon.owning_object('pg_catalog.pg_type'::regclass, parent);
        END IF;
        RETURN own;

    WHEN 'pg_catalog.pg_trigger'::regclass THEN
        SELECT t.tgparentid, t.tgisinternal, t.tgconstraint INTO thing
          FROM pg_catalog.pg_trigger t WHERE t.oid = of_object;
        IF NOT FOUND THEN
            RETURN NULL;
        ELSIF thing.tgparentid <> 0 THEN
            RETURN pggit_daemon.owning_object(of_class, thing.tgparentid);
        ELSIF thing.tgisinternal THEN
            RETURN pggit_daemon.owning_object('pg_catalog.pg_constraint'::regclass, thing.tgconstraint);
        END IF;
        RETURN own;

    WHEN 'pg_catalog.pg_rewrite'::regclass THEN
        SELECT r.rulename, r.ev_class INTO thing FROM pg_catalog.pg_rewrite r WHERE r.oid = of_object;
        IF thing.rulename = '_RETURN' THEN
            RETURN pggit_daemon.owning_object('pg_catalog.pg_class'::regclass, thing.ev_class);
        END IF;
        RETURN CASE WHEN FOUND THEN own END;

    WHEN 'pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_amproc'::regclass THEN
        -- Members of an operator class hang on it as 'i'; what was added to the family hangs on the family.
        RETURN (SELECT (d.refclassid, d.refobjid)::pggit_daemon.object_address
                  FROM pg_catalog.pg_depend d
                 WHERE d.classid = of_class AND d.objid = of_object
                   AND (d.refclassid = 'pg_catalog.pg_opclass'::regclass AND d.deptype = 'i'
                        OR d.refclassid = 'pg_catalog.pg_opfamily'::regclass)
                 ORDER BY d.refclassid = 'pg_catalog.pg_opclass'::regclass DESC LIMIT 1);

    WHEN 'pg_catalog.pg_publication_rel'::regclass THEN
        RETURN (SELECT ('pg_catalog.pg_publication'::regclass, p.prpubid)::pggit_daemon.object_address
                  FROM pg_catalog.pg_publication_rel p WHERE p.oid = of_object);

    WHEN 'pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_extension'::regclass, 'pg_catalog.pg_policy'::regclass,
         'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_event_trigger'::regclass,
         'pg_catalog.pg_publication'::regclass, 'pg_catalog.pg_subscription'::regclass,
         'pg_catalog.pg_collation'::regclass, 'pg_catalog.pg_conversion'::regclass,
         'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass,
         'pg_catalog.pg_ts_parser'::regclass, 'pg_catalog.pg_ts_template'::regclass,
         'pg_catalog.pg_ts_dict'::regclass, 'pg_catalog.pg_ts_config'::regclass, 'pg_catalog.pg_transform'::regclass,
         'pg_catalog.pg_language'::regclass, 'pg_catalog.pg_foreign_data_wrapper'::regclass,
         'pg_catalog.pg_foreign_server'::regclass, 'pg_catalog.pg_user_mapping'::regclass,
         'pg_catalog.pg_default_acl'::regclass, 'pg_catalog.pg_am'::regclass THEN
        RETURN own;
    ELSE
        -- Only from 15 on there are schemas in publications, so the catalog cannot be named outright.
        IF of_class = pg_catalog.to_regclass('pg_catalog.pg_publication_namespace') THEN
            EXECUTE 'SELECT pnpubid FROM pg_catalog.pg_publication_namespace WHERE oid = $1' INTO parent USING of_object;
            RETURN CASE WHEN parent IS NOT NULL
                        THEN ('pg_catalog.pg_publication'::regclass, parent)::pggit_daemon.object_address END;
        END IF;
        RETURN NULL;
    END CASE;
END $$;

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
                            WHERE p.oid = of_object AND p.pubname = 'pggit_daemon');
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

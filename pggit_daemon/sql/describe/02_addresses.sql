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
    SELECT NOT schema::pg_catalog.regnamespace::pg_catalog.text OPERATOR(pg_catalog.^@)
               ANY (ARRAY['pg_', '"pg_', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-'])
       AND schema::pg_catalog.regnamespace::pg_catalog.text OPERATOR(pg_catalog.<>)
           ALL (ARRAY['information_schema', '"information_schema"', 'pggit', '"pggit"', 'pggit_daemon', '"pggit_daemon"'])
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

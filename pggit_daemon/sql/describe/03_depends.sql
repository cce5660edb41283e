-- Keys of objects, and which objects must exist before one.

-- The key of an object of ours in the tree: 'type identity'.
CREATE OR REPLACE FUNCTION pggit_daemon.object_key(
    of_class oid, of_object oid, OUT type text, OUT identity text, OUT key text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT i.type, i.identity INTO type, identity FROM pg_catalog.pg_identify_object(of_class, of_object, 0) i;
    IF of_class = 'pg_catalog.pg_type'::regclass THEN
        type := (SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END
                   FROM pg_catalog.pg_type t WHERE t.oid = of_object);
    END IF;
    key := type || ' ' || identity;
END $$;

-- Whether a column default must wait until the end: it calls a function that needs the table itself
-- (takes its row type, or names it in a body of the SQL standard's form).
CREATE OR REPLACE FUNCTION pggit_daemon.is_late_default(attrdef oid, relation oid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Nearly always this is the end of it, and it is asked for each default.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = attrdef
                      AND d.refclassid = 'pg_catalog.pg_proc'::regclass) THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        SELECT FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_depend f ON f.classid = d.refclassid AND f.objid = d.refobjid
         WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = attrdef
           AND d.refclassid = 'pg_catalog.pg_proc'::regclass
           AND (f.refclassid = 'pg_catalog.pg_class'::regclass AND f.refobjid = relation
                OR f.refclassid = 'pg_catalog.pg_type'::regclass
                   AND EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_type t ON t.oid = c.reltype
                                WHERE c.oid = relation AND f.refobjid IN (t.oid, t.typarray))))
       AND NOT EXISTS (    -- a generated column cannot come later
        SELECT FROM pg_catalog.pg_attrdef x
          JOIN pg_catalog.pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum
         WHERE x.oid = attrdef AND a.attgenerated <> '');
END $$;

-- The same for a CHECK of a domain: it calls a function that takes the domain itself.
CREATE OR REPLACE FUNCTION pggit_daemon.is_late_check(check_constraint oid, of_domain oid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_depend f ON f.classid = d.refclassid AND f.objid = d.refobjid
          JOIN pg_catalog.pg_type t ON t.oid = of_domain
         WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = check_constraint
           AND d.refclassid = 'pg_catalog.pg_proc'::regclass
           AND f.refclassid = 'pg_catalog.pg_type'::regclass AND f.refobjid IN (t.oid, t.typarray));
END $$;

-- The objects in pg_depend whose entries count as the object's own.
CREATE OR REPLACE FUNCTION pggit_daemon.parts(of_class oid, of_object oid) RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NEXT (of_class, of_object)::pggit_daemon.object_address;
    CASE of_class
    WHEN 'pg_catalog.pg_class'::regclass THEN
        RETURN QUERY
            SELECT 'pg_catalog.pg_attrdef'::regclass::oid, a.oid FROM pg_catalog.pg_attrdef a
             WHERE a.adrelid = of_object AND NOT pggit_daemon.is_late_default(a.oid, of_object)
            UNION ALL
            SELECT 'pg_catalog.pg_rewrite'::regclass::oid, r.oid FROM pg_catalog.pg_rewrite r
             WHERE r.ev_class = of_object AND r.rulename = '_RETURN';
    WHEN 'pg_catalog.pg_type'::regclass THEN
        RETURN QUERY
            SELECT 'pg_catalog.pg_constraint'::regclass::oid, k.oid FROM pg_catalog.pg_constraint k
             WHERE k.contypid = of_object AND NOT pggit_daemon.is_late_check(k.oid, of_object)
            UNION ALL
            SELECT 'pg_catalog.pg_class'::regclass::oid, t.typrelid FROM pg_catalog.pg_type t
             WHERE t.oid = of_object AND t.typrelid <> 0;
    WHEN 'pg_catalog.pg_constraint'::regclass THEN
        RETURN QUERY
            SELECT 'pg_catalog.pg_class'::regclass::oid, k.conindid FROM pg_catalog.pg_constraint k
             WHERE k.oid = of_object AND k.contype IN ('p', 'u', 'x');
    WHEN 'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass THEN
        RETURN QUERY
            SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
             WHERE d.refclassid = of_class AND d.refobjid = of_object
               AND d.classid IN ('pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_amproc'::regclass);
    WHEN 'pg_catalog.pg_publication'::regclass THEN
        RETURN QUERY
            SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
             WHERE d.refclassid = of_class AND d.refobjid = of_object;
    ELSE
        NULL;
    END CASE;
END $$;

-- Sorted keys of the objects of ours that must exist before this one.
-- Left out, because their statement waits in `later`: the table that owns a sequence ('a' of a sequence),
-- the index or constraint of the parent that a partition's is attached to ('P').
CREATE OR REPLACE FUNCTION pggit_daemon.depends_of(of_class oid, of_object oid, own_key text, is_sequence boolean)
    RETURNS text[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys text[] := '{}';
    k    text;
    a    pggit_daemon.object_address;
    ref  record;
BEGIN
    FOR ref IN
        SELECT DISTINCT d.refclassid, d.refobjid
          FROM pggit_daemon.parts(of_class, of_object) p
          JOIN pg_catalog.pg_depend d ON d.classid = p.classid AND d.objid = p.objid
         WHERE d.deptype <> 'P'
           AND NOT (is_sequence AND d.deptype = 'a')
           AND (d.refclassid, d.refobjid) <> (of_class, of_object)
    LOOP
        a := pggit_daemon.normalise(ref.refclassid, ref.refobjid, 0);
        IF a.classid IS NOT NULL THEN
            SELECT o.key INTO k FROM pggit_daemon.object_key(a.classid, a.objid) o;
            IF k <> own_key THEN
                keys := keys || k;
            END IF;
        END IF;
    END LOOP;
    IF cardinality(keys) > 1 THEN
        keys := ARRAY(SELECT DISTINCT u.k COLLATE "C" FROM unnest(keys) u (k) ORDER BY 1);
    END IF;
    RETURN keys;
END $$;

-- Keys of objects, and which objects must exist before one.

-- The key of an object of ours in the tree: 'type identity'.
CREATE OR REPLACE FUNCTION pggit_daemon.object_key(of_class oid, of_object oid)
    RETURNS TABLE (type text, identity text, key text)
    LANGUAGE sql STABLE AS $$
    SELECT k.type, k.identity, k.type || ' ' || k.identity
      FROM (SELECT CASE WHEN of_class = 'pg_catalog.pg_type'::regclass
                        THEN (SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END
                                FROM pg_catalog.pg_type t WHERE t.oid = of_object)
                        ELSE i.type END AS type, i.identity
              FROM pg_catalog.pg_identify_object(of_class, of_object, 0) i OFFSET 0) k
$$;

-- The objects in pg_depend whose entries count as the object's own. `can_wait`: the object can exist without this part
-- (a CHECK of a domain, a loose member of an operator family) and get it later. Those of relations (defaults, the query of
-- a view) and of constraints (the index) are written out where they are asked for, in `references_of`.
CREATE OR REPLACE FUNCTION pggit_daemon.parts(of_class oid, of_object oid)
    RETURNS TABLE (classid oid, objid oid, can_wait boolean)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT of_class, of_object, false;
    CASE of_class
    WHEN 'pg_catalog.pg_type'::regclass THEN
        RETURN QUERY
            SELECT 'pg_catalog.pg_constraint'::regclass::oid, k.oid, true FROM pg_catalog.pg_constraint k
             WHERE k.contypid = of_object
            UNION ALL
            SELECT 'pg_catalog.pg_class'::regclass::oid, t.typrelid, false FROM pg_catalog.pg_type t
             WHERE t.oid = of_object AND t.typrelid <> 0;
    WHEN 'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass THEN
        RETURN QUERY
            SELECT d.classid, d.objid, of_class = 'pg_catalog.pg_opfamily'::regclass FROM pg_catalog.pg_depend d
             WHERE d.refclassid = of_class AND d.refobjid = of_object
               AND d.classid IN ('pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_amproc'::regclass);
    WHEN 'pg_catalog.pg_publication'::regclass THEN
        RETURN QUERY
            SELECT d.classid, d.objid, false FROM pg_catalog.pg_depend d
             WHERE d.refclassid = of_class AND d.refobjid = of_object;
    ELSE
        NULL;
    END CASE;
END $$;

-- Of a function with a body of the SQL standard's form, and of a domain: what its own entries in pg_depend are for.
-- The server does not say which of them come from the body, and which from a domain's default.
CREATE OR REPLACE FUNCTION pggit_daemon.only_in_body(of_class oid, of_object oid, ref_class oid, ref_object oid)
    RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF ref_class IN ('pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_language'::regclass,
                     'pg_catalog.pg_extension'::regclass, 'pg_catalog.pg_transform'::regclass) THEN
        RETURN false;
    ELSIF of_class = 'pg_catalog.pg_proc'::regclass THEN
        RETURN (
            SELECT p.prosqlbody IS NOT NULL AND ref_object <> p.prosupport
                   AND ref_object <> p.prorettype AND ref_object <> ALL (p.proargtypes)
                   AND ref_object <> ALL (coalesce(p.proallargtypes, '{}'))
                   -- The defaults of arguments: an OID in a node tree, whatever the field is called.
                   AND coalesce(p.proargdefaults::text !~ (':(?!location)\w+ ' || ref_object || '\M'), true)
              FROM pg_catalog.pg_proc p WHERE p.oid = of_object);
    END IF;
    RETURN (
        SELECT t.typtype = 'd' AND ref_object NOT IN (t.typbasetype, t.typcollation)
          FROM pg_catalog.pg_type t WHERE t.oid = of_object);
END $$;

-- The key of the object of ours that carries what the server names, or NULL: `canonical_address` and `object_key` in
-- one, and at once for the two kinds of things that most references lead to.
CREATE OR REPLACE FUNCTION pggit_daemon.owning_object_key(of_class oid, of_object oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shape "char";
    a     pggit_daemon.object_address;
BEGIN
    IF of_class = 'pg_catalog.pg_class'::regclass THEN
        shape := pggit_daemon.our_relation(of_object);
        IF shape <> '' THEN
            RETURN CASE shape WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
                              ELSE 'table ' END || of_object::regclass::text;
        END IF;
    ELSIF of_class = 'pg_catalog.pg_namespace'::regclass AND pggit_daemon.is_our_schema(of_object)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                           WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'e') THEN
        RETURN 'schema ' || of_object::regnamespace::text;
    END IF;
    a := pggit_daemon.canonical_address(of_class, of_object, 0);
    RETURN CASE WHEN a.classid IS NOT NULL THEN (SELECT k.key FROM pggit_daemon.object_key(a.classid, a.objid) k) END;
END $$;

-- What these objects of one class refer to in pg_depend, by themselves and through their parts; not what every
-- new server has: that need not be made, whatever its privileges; "public" may have to.
-- Left out, because their statement waits in `later`: the table that owns a sequence ('a' of a sequence),
-- the index or constraint of the parent that a partition's is attached to ('P').
-- The frequent classes each in one query. OFFSET 0: where the catalog has grown and was not
-- analyzed since (a restored dump), the planner would take all rows of the class for few, and read them each time.
CREATE OR REPLACE FUNCTION pggit_daemon.references_of(of_class oid, objects oid[])
    RETURNS TABLE (objid oid, refclassid oid, refobjid oid, can_wait boolean)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE of_class
    WHEN 'pg_catalog.pg_class'::regclass THEN
        RETURN QUERY
        SELECT c.oid, x.refclassid, x.refobjid, x.can_wait
          FROM pg_catalog.pg_class c
         CROSS JOIN LATERAL (
                SELECT d.refclassid, d.refobjid, false AS can_wait FROM pg_catalog.pg_depend d
                 WHERE d.classid = of_class AND d.objid = c.oid AND d.deptype <> 'P'
                   AND (d.deptype <> 'a' OR c.relkind <> 'S')
                UNION ALL
                SELECT d.refclassid, d.refobjid, a.attgenerated = ''
                  FROM pg_catalog.pg_attrdef f
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
                 CROSS JOIN LATERAL (
                        SELECT e.refclassid, e.refobjid FROM pg_catalog.pg_depend e
                         WHERE e.classid = 'pg_catalog.pg_attrdef'::regclass AND e.objid = f.oid
                           AND e.deptype <> 'P' OFFSET 0) d
                 WHERE f.adrelid = c.oid AND c.relkind IN ('r', 'p', 'f', 'v')
                UNION ALL
                SELECT d.refclassid, d.refobjid, c.relkind = 'v'
                  FROM pg_catalog.pg_rewrite w
                 CROSS JOIN LATERAL (
                        SELECT e.refclassid, e.refobjid FROM pg_catalog.pg_depend e
                         WHERE e.classid = 'pg_catalog.pg_rewrite'::regclass AND e.objid = w.oid
                           AND e.deptype <> 'P' OFFSET 0) d
                 WHERE w.ev_class = c.oid AND w.rulename = '_RETURN' AND c.relkind IN ('v', 'm')
                OFFSET 0) x
         WHERE c.oid = ANY (objects)
           AND (x.refobjid >= 16384 AND (x.refobjid <> c.oid OR x.refclassid <> of_class)
                OR x.refclassid = 'pg_catalog.pg_namespace'::regclass);
    WHEN 'pg_catalog.pg_constraint'::regclass THEN
        RETURN QUERY
        SELECT k.oid, x.refclassid, x.refobjid, false
          FROM pg_catalog.pg_constraint k
         CROSS JOIN LATERAL (
                SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
                 WHERE d.classid = of_class AND d.objid = k.oid AND d.deptype <> 'P'
                UNION ALL
                SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
                 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = k.conindid
                   AND k.contype IN ('p', 'u', 'x') AND d.deptype <> 'P'
                OFFSET 0) x
         WHERE k.oid = ANY (objects)
           AND (x.refobjid >= 16384 AND (x.refobjid <> k.oid OR x.refclassid <> of_class)
                OR x.refclassid = 'pg_catalog.pg_namespace'::regclass);
    WHEN 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_opclass'::regclass,
         'pg_catalog.pg_opfamily'::regclass, 'pg_catalog.pg_publication'::regclass THEN
        RETURN QUERY
        SELECT o.objid, x.refclassid, x.refobjid,
               x.can_wait OR of_class IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass)
                             AND pggit_daemon.only_in_body(of_class, o.objid, x.refclassid, x.refobjid)
          FROM unnest(objects) o (objid)
         CROSS JOIN LATERAL (
                SELECT d.refclassid, d.refobjid, p.can_wait
                  FROM pggit_daemon.parts(of_class, o.objid) p
                 CROSS JOIN LATERAL (
                        SELECT e.refclassid, e.refobjid FROM pg_catalog.pg_depend e
                         WHERE e.classid = p.classid AND e.objid = p.objid AND e.deptype <> 'P' OFFSET 0) d
                OFFSET 0) x
         WHERE x.refobjid >= 16384 AND (x.refobjid <> o.objid OR x.refclassid <> of_class)
            OR x.refclassid = 'pg_catalog.pg_namespace'::regclass;
    ELSE
        RETURN QUERY
        SELECT o.objid, x.refclassid, x.refobjid, false
          FROM unnest(objects) o (objid)
         CROSS JOIN LATERAL (
                SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
                 WHERE d.classid = of_class AND d.objid = o.objid AND d.deptype <> 'P' OFFSET 0) x
         WHERE x.refobjid >= 16384 AND (x.refobjid <> o.objid OR x.refclassid <> of_class)
            OR x.refclassid = 'pg_catalog.pg_namespace'::regclass;
    END CASE;
END $$;

-- Of objects of one class: the sorted keys of the objects of ours that must exist before each, maybe its own among them.
-- A key with "~" before it is needed only by a part that can wait: where objects need each other, export makes the object
-- without that part first. An object that needs nothing has no row. What many refer to is looked at once.
CREATE OR REPLACE FUNCTION pggit_daemon.needs_of(of_class oid, objects oid[])
    RETURNS TABLE (objid oid, keys text[])
    LANGUAGE sql STABLE AS $$
    SELECT n.objid, array_agg(n.word COLLATE "C" ORDER BY n.word COLLATE "C")
      FROM (SELECT u.objid, CASE WHEN bool_and(u.can_wait) THEN '~' ELSE '' END || t.key AS word
              FROM (SELECT pggit_daemon.owning_object_key(r.refclassid, r.refobjid) AS key,
                           array_agg(r.objid) AS refs, array_agg(r.can_wait) AS waits
                      FROM pggit_daemon.references_of(of_class, objects) r
                     GROUP BY r.refclassid, r.refobjid OFFSET 0) t
             CROSS JOIN LATERAL unnest(t.refs, t.waits) u (objid, can_wait)
             WHERE t.key IS NOT NULL
             GROUP BY u.objid, t.key) n
     GROUP BY n.objid
$$;

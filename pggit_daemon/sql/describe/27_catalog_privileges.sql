-- Privileges on what every new database has: tables, views, functions, types of pg_catalog, the schema itself, the
-- built-in languages. Of these objects only that is recorded, and only what differs from their birth (pg_init_privs),
-- as pg_dump writes it: such an object enters the tree when its privileges change and leaves it when they are back.

-- What a relation and its columns were granted beyond their initial privileges. `what`: 'TABLE public.t'.
CREATE OR REPLACE FUNCTION pggit_daemon.relation_grants_beyond(
    o oid, what text, kind "char", acl aclitem[], owner oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pggit_daemon.grants(acl, coalesce((
               SELECT i.initprivs FROM pg_catalog.pg_init_privs i
                WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = o AND i.objsubid = 0),
               acldefault(kind, owner)), kind, what, owner)
        || coalesce((
            -- A column without any privilege has no list at all, even where it had one initially.
            SELECT string_agg(pggit_daemon.grants(coalesce(a.attacl, '{}'), i.initprivs, 'c', what, owner, a.attname),
                              '' ORDER BY a.attname)
              FROM pg_catalog.pg_attribute a
              LEFT JOIN pg_catalog.pg_init_privs i
                     ON i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = o AND i.objsubid = a.attnum
             WHERE a.attrelid = o AND a.attnum > 0 AND NOT a.attisdropped
               AND (a.attacl IS NOT NULL OR i.initprivs IS NOT NULL)), '');
END $$;

-- The statements that turn the initial privileges of an object into those it has: '' where nothing differs,
-- NULL for what is no such object. OIDs below 16384 are those of the server itself.
CREATE OR REPLACE FUNCTION pggit_daemon.catalog_grants(of_class oid, of_object oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    home constant oid := 'pg_catalog'::regnamespace;
    initial aclitem[];
    x    record;
BEGIN
    IF of_object >= 16384 THEN
        RETURN NULL;
    END IF;
    CASE of_class
    WHEN 'pg_catalog.pg_class'::regclass THEN
        SELECT c.relname, c.relowner, c.relacl INTO x FROM pg_catalog.pg_class c
         WHERE c.oid = of_object AND c.relnamespace = home AND c.relkind IN ('r', 'v', 'm', 'p', 'f');
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        RETURN pggit_daemon.relation_grants_beyond(of_object, format('TABLE pg_catalog.%I', x.relname), 'r',
                                                   x.relacl, x.relowner);
    WHEN 'pg_catalog.pg_proc'::regclass THEN
        SELECT p.proacl AS acl, p.proowner AS owner, 'f'::"char" AS kind,
               format('%s %s(%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                      pggit_daemon.support_name(of_object), pggit_daemon.argument_types(of_object)) AS what
          INTO x FROM pg_catalog.pg_proc p WHERE p.oid = of_object AND p.pronamespace = home;
    WHEN 'pg_catalog.pg_type'::regclass THEN
        SELECT t.typacl AS acl, t.typowner AS owner, 'T'::"char" AS kind,
               'TYPE ' || pggit_daemon.type_name(of_object) AS what
          INTO x FROM pg_catalog.pg_type t
         WHERE t.oid = of_object AND t.typnamespace = home AND t.typrelid = 0 AND t.typtype <> 'm'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid);
    WHEN 'pg_catalog.pg_language'::regclass THEN
        SELECT l.lanacl AS acl, l.lanowner AS owner, 'l'::"char" AS kind, format('LANGUAGE %I', l.lanname) AS what
          INTO x FROM pg_catalog.pg_language l WHERE l.oid = of_object AND l.lanpltrusted;
    WHEN 'pg_catalog.pg_namespace'::regclass THEN
        SELECT n.nspacl AS acl, n.nspowner AS owner, 'n'::"char" AS kind, 'SCHEMA pg_catalog' AS what
          INTO x FROM pg_catalog.pg_namespace n WHERE n.oid = of_object AND n.oid = home;
    ELSE
        RETURN NULL;
    END CASE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT i.initprivs INTO initial FROM pg_catalog.pg_init_privs i
     WHERE i.classoid = of_class AND i.objoid = of_object AND i.objsubid = 0;
    RETURN pggit_daemon.grants(x.acl, coalesce(initial, acldefault(x.kind, x.owner)), x.kind, x.what, x.owner);
END $$;

-- Which of them may have privileges of their own: `describe` decides. Nothing is recorded of information_schema, whose views
-- have no initial privileges to be equal to.
CREATE OR REPLACE FUNCTION pggit_daemon.catalog_addresses() RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT x.classid, x.objid FROM (
        SELECT 'pg_catalog.pg_class'::regclass::oid, c.oid, 0, c.relacl FROM pg_catalog.pg_class c
         WHERE c.oid < 16384 AND c.relnamespace = 'pg_catalog'::regnamespace
        UNION ALL
        SELECT 'pg_catalog.pg_class'::regclass, a.attrelid, a.attnum, a.attacl
          FROM pg_catalog.pg_attribute a WHERE a.attrelid < 16384 AND a.attacl IS NOT NULL
        UNION ALL
        SELECT 'pg_catalog.pg_class'::regclass, i.objoid, i.objsubid, a.attacl
          FROM pg_catalog.pg_init_privs i
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.objoid AND a.attnum = i.objsubid
         WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objsubid > 0 AND i.objoid < 16384
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0, p.proacl FROM pg_catalog.pg_proc p WHERE p.oid < 16384
        UNION ALL
        SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0, t.typacl FROM pg_catalog.pg_type t WHERE t.oid < 16384
        UNION ALL
        SELECT 'pg_catalog.pg_language'::regclass, l.oid, 0, l.lanacl FROM pg_catalog.pg_language l WHERE l.oid < 16384
        UNION ALL
        SELECT 'pg_catalog.pg_namespace'::regclass, n.oid, 0, n.nspacl
          FROM pg_catalog.pg_namespace n WHERE n.oid = 'pg_catalog'::regnamespace
    ) x (classid, objid, part, acl)
      LEFT JOIN pg_catalog.pg_init_privs i ON i.classoid = x.classid AND i.objoid = x.objid AND i.objsubid = x.part
     WHERE x.acl IS DISTINCT FROM i.initprivs
     GROUP BY 1, 2;
END $$;

-- What every kind of object says in the same way: owner, comments, security labels, privileges, options.

-- Names for a comment: nothing in them may end the line.
CREATE OR REPLACE FUNCTION pggit_daemon.one_line(words text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(words, '[\n\r]+', ' ', 'g')
$$;

-- Comments and security labels of one object (not of its columns). `what` is how SQL names it: 'TABLE public.t'.
CREATE OR REPLACE FUNCTION pggit_daemon.comments(of_class oid, of_object oid, what text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statements text;
BEGIN
    -- Nearly always this is the end of it, and it is asked for each object.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_description d WHERE d.objoid = of_object AND d.classoid = of_class)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_seclabel l WHERE l.objoid = of_object AND l.classoid = of_class)
    THEN
        RETURN '';
    END IF;
    SELECT string_agg(s, '' ORDER BY s COLLATE "C") INTO statements FROM (
        SELECT format(E'COMMENT ON %s IS %L;\n', what, d.description) AS s
          FROM pg_catalog.pg_description d
         WHERE d.objoid = of_object AND d.classoid = of_class AND d.objsubid = 0
        UNION ALL
        SELECT format(E'SECURITY LABEL FOR %I ON %s IS %L;\n', l.provider, what, l.label)
          FROM pg_catalog.pg_seclabel l
         WHERE l.objoid = of_object AND l.classoid = of_class AND l.objsubid = 0
    ) x;
    RETURN coalesce(statements, '');
END $$;

-- Comments and security labels of the columns of a relation, by name: where columns are inherited, a
-- restored copy may have them in another order.
CREATE OR REPLACE FUNCTION pggit_daemon.column_comments(relation oid, relation_name text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statements text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_description d
                    WHERE d.objoid = relation AND d.classoid = 'pg_catalog.pg_class'::regclass)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                        WHERE l.objoid = relation AND l.classoid = 'pg_catalog.pg_class'::regclass)
    THEN
        RETURN '';
    END IF;
    SELECT string_agg(x.s, '' ORDER BY x.attname, x.s COLLATE "C") INTO statements FROM (
        SELECT a.attname,
               format(E'COMMENT ON COLUMN %s.%I IS %L;\n', relation_name, a.attname, d.description) AS s
          FROM pg_catalog.pg_description d
          JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND NOT a.attisdropped
         WHERE d.objoid = relation AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid > 0
        UNION ALL
        SELECT a.attname,
               format(E'SECURITY LABEL FOR %I ON COLUMN %s.%I IS %L;\n', l.provider, relation_name, a.attname, l.label)
          FROM pg_catalog.pg_seclabel l
          JOIN pg_catalog.pg_attribute a ON a.attrelid = l.objoid AND a.attnum = l.objsubid AND NOT a.attisdropped
         WHERE l.objoid = relation AND l.classoid = 'pg_catalog.pg_class'::regclass AND l.objsubid > 0
    ) x;
    RETURN coalesce(statements, '');
END $$;

-- One GRANT or REVOKE for one entry of an access list. `column_name`: the privileges are those of a column.
CREATE OR REPLACE FUNCTION pggit_daemon.grant_of(
    item aclitem, kind "char", what text, owner oid, column_name text, verb text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part      record;
    words     text;
    statement text := '';
BEGIN
    FOR part IN
        SELECT x.grantor, x.grantee, x.is_grantable,
               string_agg(x.privilege_type || CASE WHEN column_name IS NULL THEN ''
                                                   ELSE format('(%I)', column_name) END,
                          ', ' ORDER BY x.privilege_type COLLATE "C") AS privileges,
               array_agg(x.privilege_type ORDER BY x.privilege_type COLLATE "C") AS list
          FROM pg_catalog.aclexplode(ARRAY[item]) x
         GROUP BY 1, 2, 3
         ORDER BY x.is_grantable
    LOOP
        words := part.privileges;
        IF column_name IS NULL AND part.list = ARRAY(
            SELECT d.privilege_type FROM pg_catalog.aclexplode(pg_catalog.acldefault(kind, owner)) d
             WHERE d.grantee = owner ORDER BY d.privilege_type COLLATE "C") THEN
            words := 'ALL';
        END IF;
        statement := statement || format(E'%s %s ON %s %s %s%s;\n',
            verb, words, what, CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END,
            CASE part.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(part.grantee)) END,
            CASE WHEN part.is_grantable AND verb = 'GRANT' THEN ' WITH GRANT OPTION' ELSE '' END);
        -- What a superuser grants is recorded as granted by the owner; only another grantor must speak himself.
        IF part.grantor <> owner THEN
            statement := format(E'SET SESSION AUTHORIZATION %I;\n%sRESET SESSION AUTHORIZATION;\n',
                pg_catalog.pg_get_userbyid(part.grantor), statement);
        END IF;
    END LOOP;
    RETURN statement;
END $$;

-- The statements that turn the privileges a new object has (`base`) into `acl`, keeping the order of its entries:
-- the order is part of what pg_dump prints, and a grant may rest on an earlier one. The owner's own come first.
CREATE OR REPLACE FUNCTION pggit_daemon.grants(
    acl aclitem[], base aclitem[], kind "char", what text, owner oid, column_name text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statements text := '';
    entry      record;
BEGIN
    IF acl IS NULL THEN
        RETURN '';
    END IF;
    FOR entry IN
        SELECT i.item FROM unnest(base) WITH ORDINALITY i (item, place)
         WHERE NOT i.item = ANY (acl) ORDER BY i.place
    LOOP
        statements := statements || pggit_daemon.grant_of(entry.item, kind, what, owner, column_name, 'REVOKE');
    END LOOP;
    FOR entry IN
        SELECT i.item FROM unnest(acl) WITH ORDINALITY i (item, place)
         WHERE base IS NULL OR NOT i.item = ANY (base)
         ORDER BY NOT EXISTS (SELECT FROM pg_catalog.aclexplode(ARRAY[i.item]) x
                               WHERE x.grantee = owner AND x.grantor = owner), i.place
    LOOP
        statements := statements || pggit_daemon.grant_of(entry.item, kind, what, owner, column_name, 'GRANT');
    END LOOP;
    RETURN statements;
END $$;

-- Privileges of an object whose defaults are the server's own.
CREATE OR REPLACE FUNCTION pggit_daemon.grants(acl aclitem[], kind "char", what text, owner oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF acl IS NULL THEN
        RETURN '';
    END IF;
    RETURN pggit_daemon.grants(acl, pg_catalog.acldefault(kind, owner), kind, what, owner);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.owner(what text, owner oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN format(E'ALTER %s OWNER TO %I;\n', what, pg_catalog.pg_get_userbyid(owner));
END $$;

-- ALTER ... DEPENDS ON EXTENSION, for the kinds that have it.
CREATE OR REPLACE FUNCTION pggit_daemon.extension_links(of_class oid, of_object oid, what text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'x') THEN
        RETURN '';
    END IF;
    RETURN coalesce((
        SELECT string_agg(format(E'ALTER %s DEPENDS ON EXTENSION %I;\n', what, e.extname), '' ORDER BY e.extname)
          FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
         WHERE d.classid = of_class AND d.objid = of_object AND d.deptype = 'x'
           AND d.refclassid = 'pg_catalog.pg_extension'::regclass), '');
END $$;

-- Storage options {name=value, ...} as 'name=''value'', ...', or NULL without any. Names may carry a namespace: toast.x.
CREATE OR REPLACE FUNCTION pggit_daemon.storage_options(options text[], prefix text DEFAULT '') RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF options IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT string_agg(format('%s%I=%L', prefix, split_part(o.word, '=', 1),
                                     substr(o.word, strpos(o.word, '=') + 1)), ', ' ORDER BY o.place)
              FROM unnest(options) WITH ORDINALITY o (word, place));
END $$;

-- Options of foreign things as ' OPTIONS (name ''value'', ...)', or '' without any.
CREATE OR REPLACE FUNCTION pggit_daemon.foreign_options(options text[]) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce((SELECT ' OPTIONS (' || string_agg(format('%I %L', o.option_name, o.option_value), ', ') || ')'
                       FROM pg_catalog.pg_options_to_table(options) o), '');
END $$;

-- Privileges as elements of ddl_event.objects say them, for the quick way: see 04_flat_tables.sql.

-- The privileges of a whole relation or function, where its owner granted all of them.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_grants(acl aclitem[], kind "char", what text, owner oid) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    base       aclitem[] := acldefault(kind, owner);    -- of a table: owner=arwdDxt/owner
    item       aclitem;
    said       text[];    -- of an item, grantee=privileges/grantor
    statements text;
BEGIN
    IF acl @> base THEN
        FOREACH item IN ARRAY array_remove(array_remove(acl, base[1]), base[2]) LOOP
            -- A plain name or none, for PUBLIC; no grant option; the owner's.
            said := regexp_match(item::text, '^([A-Za-z_][A-Za-z0-9_]*)?=([A-Za-z]+)/(.*)$');
            IF said IS NULL OR said[3] <> split_part(base[cardinality(base)]::text, '/', 2) THEN
                RETURN pggit_daemon.grants_in_order(acl, base, kind, what, owner);
            END IF;
            statements := concat(statements, 'GRANT ', pggit_daemon.privilege_words(
                said[2], split_part(split_part(base[cardinality(base)]::text, '=', 2), '/', 1)), ' ON ', what, ' TO ',
                coalesce(quote_ident(said[1]), 'PUBLIC'), E';\n');
        END LOOP;
        RETURN statements;
    END IF;
    RETURN pggit_daemon.grants_in_order(acl, base, kind, what, owner);
END $$;

-- Privileges of an object by their letters, sorted by name. `every`: all that there are for the object.
CREATE OR REPLACE FUNCTION pggit_daemon.privilege_words(letters text, every text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE letters WHEN every THEN 'ALL' WHEN 'r' THEN 'SELECT' ELSE
           concat_ws(', ', CASE WHEN strpos(letters, 'd') > 0 THEN 'DELETE' END, CASE WHEN strpos(letters, 'a') > 0 THEN 'INSERT' END,
                     CASE WHEN strpos(letters, 'm') > 0 THEN 'MAINTAIN' END, CASE WHEN strpos(letters, 'x') > 0 THEN 'REFERENCES' END,
                     CASE WHEN strpos(letters, 'r') > 0 THEN 'SELECT' END, CASE WHEN strpos(letters, 't') > 0 THEN 'TRIGGER' END,
                     CASE WHEN strpos(letters, 'D') > 0 THEN 'TRUNCATE' END, CASE WHEN strpos(letters, 'w') > 0 THEN 'UPDATE' END,
                     CASE WHEN strpos(letters, 'X') > 0 THEN 'EXECUTE' END) END;
END $$;

-- The same in general, by one look at the lists.
CREATE OR REPLACE FUNCTION pggit_daemon.grants_in_order(
    acl aclitem[], base aclitem[], kind "char", what text, owner oid) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    statements text;
    is_simple  boolean;
BEGIN
    SELECT string_agg(g.verb || ' ' || g.words || ' ON ' || what || g.towards
                      || CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END
                      || CASE WHEN g.is_grantable AND g.verb = 'GRANT' THEN ' WITH GRANT OPTION' ELSE '' END || E';\n',
                      '' ORDER BY g.verb = 'GRANT', g.verb = 'GRANT' AND g.grantee <> owner, g.place, g.is_grantable),
           bool_and(g.grantor = owner)
      INTO statements, is_simple
      FROM (SELECT e.verb, e.towards, e.place, x.grantor, x.grantee, x.is_grantable,
                   CASE WHEN count(*) = every.number THEN 'ALL'
                        ELSE string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type COLLATE "C") END AS words
              FROM (SELECT 'REVOKE' AS verb, ' FROM ' AS towards, i.item, i.place FROM unnest(base) WITH ORDINALITY AS i (item, place)
                     WHERE NOT i.item = ANY (acl)
                    UNION ALL
                    SELECT 'GRANT', ' TO ', i.item, i.place FROM unnest(acl) WITH ORDINALITY AS i (item, place)
                     WHERE NOT i.item = ANY (base)) AS e
             CROSS JOIN LATERAL aclexplode(ARRAY[e.item]) AS x
             CROSS JOIN (SELECT count(*) AS number FROM aclexplode(base) AS x WHERE x.grantee = owner) AS every
             GROUP BY 1, 2, 3, 4, 5, 6, every.number) AS g;
    IF is_simple IS NOT FALSE THEN
        RETURN coalesce(statements, '');
    END IF;
    RETURN pggit_daemon.grants(acl, kind, what, owner);
END $$;

-- The one table whose privileges a GRANT or REVOKE changed, if the client's text is this statement alone and names one
-- table; NULL in doubt. The server names none, so it is looked for by its name among what this transaction has written
-- since command `since`.
CREATE OR REPLACE FUNCTION pggit_daemon.granted_table(since bigint, said text) RETURNS oid
    LANGUAGE plpgsql AS $$
DECLARE
    named  text[];
    tables oid[];
BEGIN
    -- No list of columns, no list of tables, no ALL ... IN SCHEMA, no role or other kind of object.
    IF strpos(said, '(') = 0 THEN
        named := regexp_match(split_part(split_part(split_part(lower(said COLLATE "C"), ' on ', 2), ' to ', 1), ' from ', 1),
                              '^ *(?:table +)?(?:[a-z_][a-z0-9_]*\.)?([a-z_][a-z0-9_]*) *$');
    END IF;
    IF named IS NULL THEN
        RETURN NULL;
    END IF;
    tables := ARRAY(SELECT c.oid FROM pg_class AS c
                     WHERE c.relname = left(named[1], 63)::name AND c.oid >= 16384 AND c.relkind = 'r'
                       AND c.cmin::text::bigint > since
                       AND (c.xmin = pg_current_xact_id_if_assigned()::xid OR pggit_daemon.is_own_xid(c.xmin)));
    RETURN CASE WHEN cardinality(tables) = 1 THEN tables[1] END;
END $$;

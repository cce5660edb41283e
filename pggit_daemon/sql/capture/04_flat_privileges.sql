-- Privileges as elements of ddl_event.objects say them, for the quick way: see 04_flat_tables.sql.

-- The privileges of a whole relation or function, where its owner granted all of them.
CREATE OR REPLACE FUNCTION pggit_daemon.flat_grants(acl aclitem[], kind "char", what text, owner oid) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    base       aclitem[] := acldefault(kind, owner);
    every      text := base[cardinality(base)];    -- what the owner has by default: owner=arwdDxt/owner
    item       aclitem;
    word       text;    -- an entry of the list: grantee=privileges/grantor
    statements text := '';
BEGIN
    FOREACH item IN ARRAY base LOOP
        IF NOT item = ANY (acl) THEN
            RETURN pggit_daemon.grants_in_order(acl, base, kind, what, owner);
        END IF;
    END LOOP;
    FOREACH item IN ARRAY acl LOOP
        IF NOT item = ANY (base) THEN
            word := item;
            -- A plain name or none, for PUBLIC; no grant option; the owner's.
            IF word ~ '^([A-Za-z_][A-Za-z0-9_]*)?=[A-Za-z]+/' AND split_part(word, '/', 2) = split_part(every, '/', 2) THEN
                statements := concat(statements, 'GRANT ', pggit_daemon.privilege_words(
                    split_part(split_part(word, '=', 2), '/', 1), split_part(split_part(every, '=', 2), '/', 1)),
                    ' ON ', what, ' TO ', coalesce(quote_ident(nullif(split_part(word, '=', 1), '')), 'PUBLIC'), E';\n');
            ELSE
                RETURN pggit_daemon.grants_in_order(acl, base, kind, what, owner);
            END IF;
        END IF;
    END LOOP;
    RETURN statements;
END $$;

-- Privileges of an object by their letters, sorted by name. `every`: all that there are for the object.
CREATE OR REPLACE FUNCTION pggit_daemon.privilege_words(letters text, every text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    words text;
BEGIN
    IF letters = every THEN
        RETURN 'ALL';
    END IF;
    FOR place IN 1 .. 8 LOOP
        IF strpos(letters, substr('damxrtDw', place, 1)) > 0 THEN
            words := concat_ws(', ', words, (ARRAY['DELETE', 'INSERT', 'MAINTAIN', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE',
                                                   'UPDATE'])[place]);
        END IF;
    END LOOP;
    RETURN words;
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
CREATE OR REPLACE FUNCTION pggit_daemon.granted_table(tag text, since bigint) RETURNS oid
    LANGUAGE plpgsql AS $$
DECLARE
    oldest constant integer := age(pg_current_xact_id_if_assigned()::xid);
    stack  text;
    said   text;
    named  text[];
    tables oid[];
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF split_part(stack, E'\n', -1) !~ 'pggit_daemon\.on_\w+\(\)' THEN
        RETURN NULL;
    END IF;
    said := pggit_daemon.harmless_statement(tag);
    -- No list of columns, no list of tables, no ALL ... IN SCHEMA, no role or other kind of object.
    named := regexp_match(said COLLATE "C",
        '^\s*(?:GRANT|REVOKE)\s+[a-z,\s]+\sON\s+(?:TABLE\s+)?(?:([a-z_][a-z0-9_]*)\.)?([a-z_][a-z0-9_]*)\s+(?:TO|FROM)\s[^()]*$', 'i');
    IF named IS NULL THEN
        RETURN NULL;
    END IF;
    tables := ARRAY(SELECT c.oid FROM pg_class AS c
                     WHERE c.relname = left(lower(named[2] COLLATE "C"), 63)::name AND c.oid >= 16384 AND c.relkind = 'r'
                       AND age(c.xmin) <= oldest AND c.cmin::text::bigint > since AND pggit_daemon.is_own_xid(c.xmin));
    RETURN CASE WHEN cardinality(tables) = 1 THEN tables[1] END;
END $$;

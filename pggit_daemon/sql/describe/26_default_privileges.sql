-- ALTER DEFAULT PRIVILEGES: one object for each role, schema and kind of thing.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_default_privileges(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d      pggit_daemon.description;
    a      record;
    prefix text;
    things text;
    base   aclitem[];
    kind   "char";
BEGIN
    SELECT x.*, n.nspname INTO a FROM pg_catalog.pg_default_acl x
      LEFT JOIN pg_catalog.pg_namespace n ON n.oid = x.defaclnamespace WHERE x.oid = o;
    kind := CASE a.defaclobjtype WHEN 'S' THEN 's' ELSE a.defaclobjtype END;    -- acldefault knows sequences as 's'
    things := CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                   WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END;
    -- Entries for one schema add to the global ones, those for all schemas replace the server's own.
    base := CASE WHEN a.defaclnamespace = 0 THEN acldefault(kind, a.defaclrole) ELSE '{}' END;
    prefix := format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s ', pg_get_userbyid(a.defaclrole),
                     CASE WHEN a.nspname IS NOT NULL THEN format(' IN SCHEMA %I', a.nspname) ELSE '' END);
    d.definition := coalesce((
        SELECT string_agg(prefix || s || E';\n', '' ORDER BY place)
          FROM regexp_split_to_table(pggit_daemon.grants(a.defaclacl, base, kind, things, a.defaclrole),
                                     E';\n(?=GRANT |REVOKE |$)') WITH ORDINALITY u (s, place)
         WHERE s <> ''), '');
    RETURN d;
END $$;

-- From descriptions to a script that `psql -v ON_ERROR_STOP=1 --single-transaction` restores into an empty database.

-- Names for a comment: nothing in them may end the line.
CREATE OR REPLACE FUNCTION pggit_daemon.one_line(words text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(words, '[\n\r]+', ' ', 'g')
$$;

-- The roles that a definition names, as they stand in it. Lines of a function's body can be taken for one; the list is
-- for people to read.
CREATE OR REPLACE FUNCTION pggit_daemon.roles_named(definition text) RETURNS SETOF text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name constant text := '("(?:""|[^"])+"|[a-z_][a-z0-9_$]*)';
    rest constant text := '(?:"(?:""|[^"])*"|[^";])*';     -- up to the end of the statement, beyond quoted names
BEGIN
    RETURN QUERY SELECT m[1] FROM regexp_matches(definition, '^ALTER ' || rest || ' OWNER TO ' || name || ';$', 'gw') m;
    IF definition ~ '(GRANT|REVOKE|AUTHORIZATION|POLICY|PRIVILEGES|MAPPING) ' THEN
        RETURN QUERY
            SELECT m[1] FROM regexp_matches(definition, '^(?:ALTER DEFAULT ' || rest || ' )?GRANT ' || rest || ' TO ' || name
                                            || '(?: WITH GRANT OPTION)?;$', 'gw') m
            UNION ALL
            SELECT m[1] FROM regexp_matches(definition, '^(?:ALTER DEFAULT ' || rest || ' )?REVOKE ' || rest || ' FROM '
                                            || name || ';$', 'gw') m
            UNION ALL
            SELECT m[1] FROM regexp_matches(definition, '^SET SESSION AUTHORIZATION ' || name || ';$', 'gw') m
            UNION ALL
            SELECT m[1] FROM regexp_matches(definition, '^ALTER DEFAULT PRIVILEGES FOR ROLE ' || name || ' ', 'gw') m
            UNION ALL
            SELECT m[1] FROM regexp_matches(definition, '^CREATE USER MAPPING FOR ' || name || ' ', 'gw') m
            UNION ALL
            SELECT r[1] FROM regexp_matches(definition, '^CREATE POLICY .*? TO (' || name || '(?:, ' || name || ')*)'
                                            || '(?: USING \(| WITH CHECK \(|;$)', 'w') m,
                             regexp_matches(m[1], name, 'g') r;
    END IF;
END $$;

-- The whole script for a set of descriptions, whatever order they come in.
CREATE OR REPLACE FUNCTION pggit_daemon.export_descriptions(descriptions pggit_daemon.description[]) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sorted pggit_daemon.description[] := ARRAY(
        SELECT u FROM unnest(descriptions) u
         ORDER BY pggit_daemon.kind_rank(u.type), u.schema_name COLLATE "C" NULLS FIRST, u.identity COLLATE "C", u.type);
    placed integer[] := pggit_daemon.restore_order(sorted);
    roles  text;
    shells text;
    main   text;
    late   text;
    last   text;
BEGIN
    SELECT string_agg(E'--     ' || pggit_daemon.one_line(r.name) || E'\n', '' ORDER BY r.name COLLATE "C") INTO roles
      FROM (SELECT DISTINCT x.name FROM unnest(sorted) u, pggit_daemon.roles_named(u.definition) x (name)
             WHERE x.name NOT IN ('PUBLIC', 'pg_database_owner')) r;

    -- Types that their own functions take: a shell first.
    SELECT string_agg(format(E'CREATE TYPE %s;\n', t.identity), '' ORDER BY t.identity COLLATE "C") INTO shells
      FROM (SELECT DISTINCT u.identity
              FROM unnest(sorted) u CROSS JOIN LATERAL unnest(u.depends) k (key)
              JOIN unnest(sorted) f ON f.type = 'function' AND f.type || ' ' || f.identity = k.key
             WHERE u.type = 'type' AND 'type ' || u.identity = ANY (f.depends)) t;

    WITH item AS MATERIALIZED (
        SELECT o.place, u.type, u.identity, u.definition, u.later,
               pggit_daemon.script_part(u.type, u.definition) AS part
          FROM unnest(placed) WITH ORDINALITY o (item, place)
          JOIN unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
            ON u.place = o.item
    ), piece AS MATERIALIZED (
        SELECT i.*, format(E'\n-- %s %s\n%s', i.type, pggit_daemon.one_line(i.identity), i.definition)
                 || CASE WHEN i.type = 'schema' AND lead(i.type) OVER (ORDER BY i.place) IS DISTINCT FROM 'schema'
                         THEN coalesce(E'\n' || shells, '') ELSE '' END AS words
          FROM item i
    )
    SELECT string_agg(p.words, '' ORDER BY p.place) FILTER (WHERE p.part = 1 AND p.definition <> ''
                                                              OR p.type = 'schema' AND p.words LIKE '%CREATE TYPE%'),
           -- A partitioned index becomes valid with the last of its parts; only then can it be a replica identity.
           string_agg(p.later, '' ORDER BY p.later LIKE '%REPLICA IDENTITY USING INDEX%', p.place),
           string_agg(p.words, '' ORDER BY p.part, p.place) FILTER (WHERE p.part > 1)
      INTO main, late, last
      FROM piece p;

    RETURN E'--\n-- Schema recorded by pggit-daemon. Restore into an empty database:\n'
        || E'--     psql -v ON_ERROR_STOP=1 --single-transaction -f THIS_FILE\n'
        || E'-- Extensions need their files on the server. Needed roles:\n' || coalesce(roles, E'--     (none)\n') || E'--\n\n'
        || E'SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n'
        || E'SET client_encoding = ''UTF8'';\nSET standard_conforming_strings = on;\n'
        || E'SELECT pg_catalog.set_config(''search_path'', '''', false);\nSET check_function_bodies = false;\n'
        || E'SET xmloption = content;\nSET client_min_messages = warning;\nSET row_security = off;\n'
        || E'SET DateStyle = ''ISO, YMD'';\nSET IntervalStyle = ''postgres'';\nSET TimeZone = ''UTC'';\nSET lc_monetary = ''C'';\n'
        || E'SET default_tablespace = '''';\nSET default_table_access_method = heap;\n'
        -- Every new database has the schema "public"; where it was dropped, it must go.
        || CASE WHEN cardinality(sorted) > 0
                 AND NOT EXISTS (SELECT FROM unnest(sorted) u WHERE u.type = 'schema' AND u.identity = 'public')
                THEN E'\nDROP SCHEMA IF EXISTS public;\n' ELSE '' END
        || coalesce(main, '')
        || coalesce(E'\n-- What had to wait until everything exists\n' || late, '')
        || coalesce(last, '');
END $$;

-- From descriptions to a script that `psql -v ON_ERROR_STOP=1 --single-transaction` restores into an empty database.

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

-- Why a script does not restore as it is: for its header. Nothing where it does.
CREATE OR REPLACE FUNCTION pggit_daemon.stuck_comment(stuck text[]) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        E'--\n-- WARNING: this script does not restore as it is. These objects need each other, and there is no statement to\n'
        || E'-- make one of them before the others (pg_dump cannot write them either):\n'
        || string_agg(format(E'--     %s\n', pggit_daemon.one_line(u.names)), '' ORDER BY u.place), '')
      FROM unnest(stuck) WITH ORDINALITY u (names, place)
$$;

-- The same for tables that are made column by column, with a generated column that names the table's own row type: older
-- servers made them, and only those can make them again.
CREATE OR REPLACE FUNCTION pggit_daemon.refused_comment(tables text[]) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        E'--\n-- WARNING: only servers of older minor releases (15.18 is one, 15.20 is not) restore this script. Newer ones do not add\n'
        || E'-- a generated column whose expression names the row type of its own table (pg_dump cannot write them for either):\n'
        || string_agg(format(E'--     table %s\n', pggit_daemon.one_line(u.name)), '' ORDER BY u.name COLLATE "C"), '')
      FROM unnest(tables) u (name)
$$;

-- The loose members of an operator family stand with it: constraints and queries may need them.
CREATE OR REPLACE FUNCTION pggit_daemon.later_is_early(type text, depends text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT type = 'operator family' AND EXISTS (SELECT FROM unnest(depends) k (key) WHERE k.key LIKE '~%')
$$;

-- What an item of the script says: an object as a whole, or in one of the forms of `partial_forms` and `stub_forms`.
CREATE OR REPLACE FUNCTION pggit_daemon.script_item(
    form text, type text, identity text, definition text, later text, depends text[]) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    says text := definition;
BEGIN
    IF form = 'whole' AND pggit_daemon.later_is_early(type, depends) THEN
        says := definition || coalesce(later, '');
    ELSIF form IN ('first', 'first completion') THEN
        says := (pggit_daemon.partial_forms(type, identity, definition, later)).first;
    ELSIF form = 'rest' THEN
        says := (pggit_daemon.partial_forms(type, identity, definition, later)).rest;
    END IF;
    IF form IN ('completion', 'first completion') THEN
        says := (pggit_daemon.stub_forms(type, identity, says)).completion;
    ELSIF form = 'stub' THEN
        says := (pggit_daemon.stub_forms(type, identity, says)).stub;
    END IF;
    RETURN CASE WHEN says <> '' THEN
        format(E'\n-- %s %s%s\n%s', type, pggit_daemon.one_line(identity),
               CASE form WHEN 'whole' THEN '' WHEN 'stub' THEN ' (begun: others need it)'
                         WHEN 'first' THEN ' (first form: others need it)' WHEN 'first completion' THEN ' (first form)'
                         ELSE ' (completed)' END,
               says) END;
END $$;

-- The whole script for a set of descriptions, whatever order they come in.
CREATE OR REPLACE FUNCTION pggit_daemon.export_descriptions(descriptions pggit_daemon.description[]) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on    -- our own SQL is read as it is written, whatever the session says
    SET quote_all_identifiers = off
AS $$
DECLARE
    sorted pggit_daemon.description[] := ARRAY(
        SELECT u FROM unnest(descriptions) u
         ORDER BY pggit_daemon.kind_rank(u.type), u.schema_name COLLATE "C" NULLS FIRST, u.identity COLLATE "C", u.type);
    ordered record;
    unsure  text[] := ARRAY(SELECT DISTINCT c.name FROM unnest(sorted) u, pggit_daemon.unvalidated_check(u.definition) c (name)
                             WHERE u.type = 'table constraint' AND u.definition LIKE '% NOT VALID;%' AND c.name IS NOT NULL);
    roles   text;
    main    text;
    late    text;
    last    text;
    refused text[];
BEGIN
    SELECT string_agg(E'--     ' || pggit_daemon.one_line(r.name) || E'\n', '' ORDER BY r.name COLLATE "C") INTO roles
      FROM (SELECT DISTINCT x.name FROM unnest(sorted) u,
                   pggit_daemon.roles_named(u.definition || coalesce(u.later, '')) x (name)
             WHERE x.name NOT IN ('PUBLIC', 'pg_database_owner')) r;
    SELECT * INTO ordered FROM pggit_daemon.restore_order(sorted);

    WITH item AS MATERIALIZED (
        SELECT o.place, pggit_daemon.script_part(u.type, u.definition) AS part,
               pggit_daemon.script_item(o.form, u.type, u.identity,
                   CASE WHEN u.type = 'table constraint' AND cardinality(unsure) > 0
                        THEN pggit_daemon.validated_later(u.definition, unsure) ELSE u.definition END,
                   u.later, u.depends) AS words,
               o.form LIKE '%completion' AND u.type = 'table' AS is_by_columns, u.identity,
               CASE WHEN o.form NOT IN ('stub', 'rest') AND NOT pggit_daemon.later_is_early(u.type, u.depends) THEN u.later END AS later
          FROM unnest(ordered.placed, ordered.forms) WITH ORDINALITY o (item, form, place)
          JOIN unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
            ON u.place = o.item
    )
    SELECT string_agg(i.words, '' ORDER BY i.place) FILTER (WHERE i.part = 1),
           -- A partitioned index becomes valid with the last of its parts; only then can it be a replica identity.
           string_agg(i.later, '' ORDER BY i.later LIKE '%REPLICA IDENTITY USING INDEX%', i.place),
           string_agg(i.words, '' ORDER BY i.part, i.place) FILTER (WHERE i.part > 1),
           array_agg(i.identity) FILTER (WHERE i.is_by_columns AND EXISTS (
               SELECT FROM pggit_daemon.statements(i.words) s
                WHERE s.statement ~ (' GENERATED ALWAYS AS \(.*::' || regexp_replace(i.identity, '\W', '\\\&', 'g') || '(?![\w$])')))
      INTO main, late, last, refused
      FROM item i;

    RETURN E'--\n-- Schema recorded by pggit-daemon. Restore into an empty database:\n'
        || E'--     psql -v ON_ERROR_STOP=1 --single-transaction -f THIS_FILE\n'
        || E'-- Extensions need their files on the server. Needed roles:\n' || coalesce(roles, E'--     (none)\n')
        || pggit_daemon.stuck_comment(ordered.stuck) || pggit_daemon.refused_comment(refused) || E'--\n\n'
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

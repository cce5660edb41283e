-- How grave a change of one object is. All rules stand here:
--   high    destroys data or access, or rewrites a table
--   medium  changes structure
--   low     adds or describes: indexes, statistics, comments, new grants
--
--   CREATE  index, statistics object                                                   low
--           everything else                                                            medium
--   DROP    table, materialized view, sequence, schema, extension, policy              high
--           everything else                                                            medium
--   ALTER   a table that was rewritten                                                 high
--           a column dropped; NOT NULL for a column that was there; row security on    high
--           a privilege taken away                                                     high
--           anything else in the definition itself, or the owner                       medium
--           only comments, new privileges; anything about an index                     low
--   RENAME  as ALTER, but at least medium

-- A definition in its parts: what the object is (with its owner), its comments, its privileges.
CREATE OR REPLACE FUNCTION pggit_daemon.definition_parts(definition text, OUT body text, OUT comments text, OUT privileges text)
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The owner's statement ends the body; of what has no owner, the first comment or privilege does.
    cut text[] := coalesce(
        regexp_match(definition, E'^(.*\nALTER [^\n]* OWNER TO [^\n]*;\n)(.*)$'),
        regexp_match(definition, E'^(.*?;\n)((?:COMMENT ON |GRANT |REVOKE ).*)$'),
        ARRAY[definition, '']);
    tail text[] := coalesce(regexp_match(cut[2], E'^(.*?)((?:(?:GRANT|REVOKE|SET SESSION AUTHORIZATION) [^\n]*\n)+.*)$'),
                            ARRAY[cut[2], '']);
BEGIN
    IF cut[2] ~ E'^(GRANT|REVOKE|SET SESSION AUTHORIZATION) ' THEN
        tail := ARRAY['', cut[2]];
    END IF;
    body := cut[1];
    comments := tail[1];
    privileges := tail[2];
END $$;

-- Whether somebody may do less by the new privileges than by the old ones. A right to a column that is not among
-- `columns` any more went with it, or has its new name.
CREATE OR REPLACE FUNCTION pggit_daemon.takes_away(old_privileges text, new_privileges text, columns text[])
    RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH granted AS (
        SELECT line.side, one.privilege, line.words[2] AS target
        FROM (SELECT 'old' AS side, regexp_matches(old_privileges, E'^GRANT (.*?)( ON [^\n]*);$', 'gn') AS words
              UNION ALL
              SELECT 'new', regexp_matches(new_privileges, E'^GRANT (.*?)( ON [^\n]*);$', 'gn')) AS line,
             regexp_split_to_table(line.words[1], ',\s*(?![^(]*\))') AS one (privilege)
    )
    SELECT EXISTS (
        SELECT FROM granted AS old
        WHERE old.side = 'old' AND (strpos(old.privilege, '(') = 0 OR columns IS NULL
                                    OR substring(old.privilege FROM '\((.*)\)$') = ANY (columns))
          AND NOT EXISTS (
            SELECT FROM granted AS new
            WHERE new.side = 'new' AND new.privilege IN (old.privilege, 'ALL', 'ALL PRIVILEGES')
              AND new.target IN (old.target, old.target || ' WITH GRANT OPTION')))
        OR EXISTS (
        SELECT line FROM regexp_split_to_table(new_privileges, E'\n') AS line WHERE line LIKE 'REVOKE %'
        EXCEPT
        SELECT line FROM regexp_split_to_table(old_privileges, E'\n') AS line)
$$;

-- The columns of a table's definition: name, type, whether it is NOT NULL.
CREATE OR REPLACE FUNCTION pggit_daemon.columns_of(body text)
    RETURNS TABLE (place bigint, name text, type text, required boolean)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT line.place, line.words[1],
           regexp_replace(line.words[2], '( COLLATE | DEFAULT | GENERATED | NOT NULL| STORAGE | COMPRESSION | CONSTRAINT |,$).*$', ''),
           regexp_replace(line.words[2], '''(''''|[^''])*''', '', 'g') ~ ' NOT NULL'
    FROM regexp_matches(substring(body FROM E'\\(\n(.*)\n\\)'),
                        E'^    ("(?:[^"]|"")*"|[^ "\n]+) ([^\n]*)$', 'gn') WITH ORDINALITY AS line (words, place)
    WHERE line.words[1] NOT IN ('CONSTRAINT', 'CHECK', 'LIKE', 'EXCLUDE', 'PRIMARY', 'FOREIGN', 'UNIQUE')
$$;

-- Whether a table's columns lost data or refuse rows that they took.
CREATE OR REPLACE FUNCTION pggit_daemon.columns_destroyed(old_body text, new_body text) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH old AS (SELECT * FROM pggit_daemon.columns_of(old_body)),
         new AS (SELECT * FROM pggit_daemon.columns_of(new_body))
    SELECT EXISTS (
        -- A column that is gone; one of the same type in its place, under a name that is new, is a rename.
        SELECT FROM old
        WHERE NOT EXISTS (SELECT FROM new WHERE new.name = old.name)
          AND NOT EXISTS (SELECT FROM new
                          WHERE new.place = old.place AND new.type = old.type
                            AND NOT EXISTS (SELECT FROM old AS known WHERE known.name = new.name)))
        OR EXISTS (SELECT FROM old JOIN new USING (name) WHERE new.required AND NOT old.required)
$$;

CREATE OR REPLACE FUNCTION pggit_daemon.impact_level(
    type text, operation text, old_definition text, new_definition text, rewritten boolean) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old record;
    new record;
BEGIN
    IF operation = 'CREATE' THEN
        RETURN CASE WHEN type IN ('index', 'statistics object') THEN 'low' ELSE 'medium' END;
    ELSIF operation = 'DROP' THEN
        RETURN CASE WHEN type IN ('table', 'materialized view', 'sequence', 'schema', 'extension', 'policy')
                    THEN 'high' ELSE 'medium' END;
    ELSIF rewritten THEN
        RETURN 'high';
    END IF;
    old := pggit_daemon.definition_parts(old_definition);
    new := pggit_daemon.definition_parts(new_definition);
    IF old.privileges <> new.privileges AND pggit_daemon.takes_away(
           old.privileges, new.privileges,
           CASE WHEN type = 'table' THEN ARRAY(SELECT c.name FROM pggit_daemon.columns_of(new.body) AS c) END)
       OR type IN ('table', 'foreign table') AND pggit_daemon.columns_destroyed(old.body, new.body)
       OR new.body ~ E'\nALTER TABLE [^\n]* (ENABLE|FORCE) ROW LEVEL SECURITY;'
          AND old.body !~ E'\nALTER TABLE [^\n]* (ENABLE|FORCE) ROW LEVEL SECURITY;' THEN
        RETURN 'high';
    END IF;
    RETURN CASE WHEN operation = 'RENAME' THEN 'medium'
                WHEN type IN ('index', 'statistics object') OR old.body = new.body THEN 'low'
                ELSE 'medium' END;
END $$;

-- Levels as numbers, to find the gravest of several.
CREATE OR REPLACE FUNCTION pggit_daemon.level_rank(level text) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_position('{low,medium,high}'::text[], level)
$$;

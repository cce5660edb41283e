-- analyze_migration_impact: what a migration did to which object, and how grave that is.

-- The table that an object is a part of: of its constraint, of a sequence that a column owns. NULL for all others.
CREATE OR REPLACE FUNCTION pggit_daemon.table_of(type text, identity text, definition text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE type
        WHEN 'table constraint' THEN substring(identity FROM '^(?:"(?:[^"]|"")*"|[^" ]+) on (.*)$')
        WHEN 'sequence' THEN
            substring(definition FROM E'\nALTER SEQUENCE [^;]* OWNED BY (.*)\\.(?:"(?:[^"]|"")*"|[^".;]+);')
        END
$$;

-- What a migration changed, as people speak of it: a table with all that is its part.
CREATE OR REPLACE FUNCTION pggit_daemon.impact_of(m pggit.external_migrations)
    RETURNS TABLE (object_type text, object_name text, operation text, impact_level text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH made AS MATERIALIZED (
        SELECT min(b.commit_id) AS first, max(b.commit_id) AS last FROM pggit_daemon.made_by(m) AS b
    ), change AS MATERIALIZED (
        SELECT c.*, pggit_daemon.table_of(c.type, c.identity, coalesce(c.new_definition, c.old_definition)) AS part_of
        FROM pggit_daemon.changes_of(m) AS c
    ), principal AS (
        SELECT coalesce(whole.type, CASE WHEN change.part_of IS NULL THEN change.type ELSE 'table' END) AS type,
               coalesce(whole.identity, change.part_of, change.identity) AS identity,
               coalesce(whole.schema_name, change.schema_name) AS schema_name,
               coalesce(whole.operation, CASE WHEN change.part_of IS NULL THEN change.operation ELSE 'ALTER' END) AS operation,
               change.level
        FROM change
        LEFT JOIN change AS whole
               ON whole.type IN ('table', 'foreign table') AND change.part_of IN (whole.identity, whole.old_identity)
    )
    SELECT p.type,
           CASE WHEN p.type = 'index' AND NOT EXISTS (
                    SELECT FROM pggit_daemon.object_version AS other
                    WHERE other.type = 'index' AND other.identity <> p.identity
                      AND substr(other.identity, length(quote_ident(other.schema_name)) + 2)
                          = substr(p.identity, length(quote_ident(p.schema_name)) + 2)
                      AND other.from_commit <= (SELECT made.last FROM made)
                      AND (other.to_commit IS NULL OR other.to_commit >= (SELECT made.first FROM made))
                      AND other.schema_name <> p.schema_name)
                THEN substr(p.identity, length(quote_ident(p.schema_name)) + 2) ELSE p.identity END,
           p.operation,
           (array_agg(p.level ORDER BY pggit_daemon.level_rank(p.level) DESC))[1]
    FROM principal AS p
    GROUP BY p.type, p.identity, p.schema_name, p.operation
    ORDER BY pggit_daemon.kind_rank(p.type), p.schema_name COLLATE "C" NULLS FIRST, p.identity COLLATE "C", p.type
$$;

-- Several tools may have the id: then all of them answer, and the last two columns say which does.
CREATE OR REPLACE FUNCTION pggit.analyze_migration_impact(migration_id bigint, tool_name text DEFAULT NULL)
    RETURNS TABLE (object_type text, object_name text, operation text, impact_level text, tool text, source text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    m    pggit.external_migrations;
    note text;
BEGIN
    FOR m IN SELECT f.* FROM pggit_daemon.find_migrations($1, $2) AS f LOOP
        note := pggit_daemon.not_its_own(m);
        IF note IS NOT NULL THEN
            RAISE NOTICE '%', note;
        END IF;
        RETURN QUERY SELECT i.object_type, i.object_name, i.operation, i.impact_level, m.tool_name, m.source
                     FROM pggit_daemon.impact_of(m) AS i;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pggit.analyze_migration_impact(migration text, tool_name text DEFAULT NULL)
    RETURNS TABLE (object_type text, object_name text, operation text, impact_level text, tool text, source text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT impact.* FROM pggit_daemon.find_migrations($1, $2) AS m
    CROSS JOIN LATERAL pggit.analyze_migration_impact(m.migration_id, m.source) AS impact
$$;

COMMENT ON FUNCTION pggit.analyze_migration_impact(text, text) IS
    'The same of a migration that is named by its tool''s own version, or by its name where only one has it.';
COMMENT ON FUNCTION pggit.analyze_migration_impact(bigint, text) IS
    'The objects that a migration changed (all its parts together), each with its operation and impact: high destroys data or access or rewrites a table, medium changes structure, low adds or describes. Constraints and owned sequences are part of their table. Where several tools have the id, all of them answer.';

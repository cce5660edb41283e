-- validate_migrations: the findings (30_findings.sql) of all tools or of one.

-- The tool or source that a caller names, if there is one of that name.
CREATE OR REPLACE FUNCTION pggit_daemon.known_tool(wanted text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text;
BEGIN
    IF wanted !~ '\S' THEN
        RAISE EXCEPTION 'tool_name must not be empty' USING ERRCODE = '22023',
            HINT = 'Leave it out to check all tools, or pass the name of one, as ''flyway''.';
    END IF;
    -- A tool that comes with a preset may be asked for before its first migration.
    IF wanted IS NOT NULL
       AND NOT EXISTS (SELECT FROM pggit_daemon.tool_shape AS t WHERE t.tool_name = wanted)
       AND NOT EXISTS (SELECT FROM pggit.external_migrations AS m WHERE wanted IN (m.tool_name, m.source))
       AND NOT EXISTS (SELECT FROM pggit_daemon.source AS s WHERE wanted IN (s.tool_name, s.name)) THEN
        SELECT string_agg(t.tool_name, ', ' ORDER BY t.tool_name) INTO known
          FROM (SELECT m.tool_name FROM pggit.external_migrations AS m
                UNION SELECT s.tool_name FROM pggit_daemon.source AS s) AS t;
        RAISE EXCEPTION 'no tool or source "%" is recorded', left(wanted, 200) USING ERRCODE = '42704',
            HINT = format('Recorded are: %s.', coalesce(known, 'none yet'));
    END IF;
    RETURN wanted;
END $$;

-- In SQL, because only there a parameter and a column may both be called tool_name.
CREATE OR REPLACE FUNCTION pggit.validate_migrations(tool_name text DEFAULT NULL)
    RETURNS TABLE (migration_id bigint, status text, message text, tool_name text, source text, version text, finding text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.migration_id, f.status, f.message, f.tool_name, f.source, f.version, f.finding
    FROM pggit_daemon.findings(pggit_daemon.known_tool($1)) AS f
    ORDER BY f.tool_name, f.source, f.place, f.status
$$;

COMMENT ON FUNCTION pggit.validate_migrations(text) IS
    'What is wrong with the migrations of all tools, or of one tool or source: gap, failed, unlinked, out_of_order, checksum_changed, missing, started, orphan, abandoned_lock, no_identity; only without a tool: drift, history_gap, deleted_commit, quarantined; and pending. No rows: all is well. acknowledge_finding() takes the last column.';

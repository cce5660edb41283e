-- export_migration_schema and schema_at: the whole schema as a script.

-- With the rights of the owner: the script of the schema right after a migration. Where several tools have the id, it must
-- be the same commit for all of them. A schema that is not the migration's own says so in its first line.
CREATE OR REPLACE FUNCTION pggit_daemon.migration_script(number bigint, tool text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found pggit.external_migrations[] := ARRAY(SELECT f FROM pggit_daemon.find_migrations(number, tool) AS f);
    m     pggit.external_migrations := found[1];
    note  text := pggit_daemon.not_its_own(m);
BEGIN
    IF EXISTS (SELECT FROM unnest(found) AS f WHERE f.pggit_commit_id IS DISTINCT FROM m.pggit_commit_id) THEN
        RAISE EXCEPTION 'several migrations have the id %: %', number,
                (SELECT string_agg(format('%s (%s)', f.tool_name, f.source), ', ' ORDER BY f.tool_name, f.source)
                   FROM unnest(found) AS f)
            USING ERRCODE = '42725',
                  HINT = 'Pass tool_name: the tool''s name or, where one tool has several history tables, that in parentheses.';
    ELSIF m.pggit_commit_id IS NULL THEN
        RAISE EXCEPTION 'migration % of % is not linked to a commit (status %)', number, m.tool_name, m.status
            USING ERRCODE = '55000',
                  HINT = 'SELECT pggit.wait_for_sync() waits for the daemon; pggit.link_migration links a migration by hand.';
    END IF;
    IF note IS NOT NULL THEN
        RAISE NOTICE '%', note;
    END IF;
    -- A tool's name may hold a line's end.
    RETURN coalesce('-- ' || regexp_replace(note, '\s+', ' ', 'g') || E'\n\n', '') || pggit_daemon.export_tree(m.pggit_commit_id);
END $$;

-- With the rights of the caller: the file is written only if the caller may write server files.
CREATE OR REPLACE FUNCTION pggit_daemon.write_file(script text, path text, number bigint) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- COPY writes lines as they are only in CSV, with a quote and a delimiter that do not occur; it quotes a carriage
    -- return and a lone backslash-period whatever they are.
    IF script ~ '[\r\x01\x02]' OR script ~ '(^|\n)\\\.(\n|$)' THEN
        RAISE EXCEPTION 'the server cannot write this schema unchanged: it has control characters in a definition'
            USING ERRCODE = '0A000', HINT = format('Run on the client: pggit-daemon export %s --output FILE', number);
    END IF;
    EXECUTE format('COPY (SELECT line FROM string_to_table(%L, E''\n'') AS line) TO %L '
                   'WITH (FORMAT csv, QUOTE E''\x01'', DELIMITER E''\x02'', NULL E''\x03'', ENCODING ''UTF8'')',
                   rtrim(script, E'\n'), path);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION '% may not write files on the server', current_user USING ERRCODE = '42501',
        HINT = format('Run on the client: pggit-daemon export %s --output FILE. Or, as a superuser: GRANT pg_write_server_files TO %I.',
                      number, current_user);
END $$;

CREATE OR REPLACE FUNCTION pggit.export_migration_schema(
    migration_id bigint, output_path text DEFAULT NULL, tool_name text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    script text;
BEGIN
    IF output_path !~ '^/' AND output_path !~ '^[A-Za-z]:[\\/]' THEN
        RAISE EXCEPTION 'output_path must be an absolute path on the server' USING ERRCODE = '22023',
            HINT = 'Pass a path as ''/var/tmp/schema.sql'', or leave it out and use the text that is returned.';
    END IF;
    script := pggit_daemon.migration_script(migration_id, tool_name);
    IF output_path IS NOT NULL THEN
        PERFORM pggit_daemon.write_file(script, output_path, migration_id);
    END IF;
    RETURN script;
END $$;

CREATE OR REPLACE FUNCTION pggit.schema_at(commit text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pggit_daemon.export_tree(pggit_daemon.find_commit(commit))
$$;
CREATE OR REPLACE FUNCTION pggit.schema_at(commit integer) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pggit_daemon.export_tree(pggit_daemon.find_commit('@' || commit))
$$;

COMMENT ON FUNCTION pggit.export_migration_schema(bigint, text, text) IS
    'The whole schema right after a migration, as a script that restores it. With output_path the server also writes it there, if the caller may write server files.';
COMMENT ON FUNCTION pggit.schema_at(text) IS
    'The whole schema at a commit (head, an id, or digits of the hash), as a script that restores it.';
COMMENT ON FUNCTION pggit.schema_at(integer) IS 'The whole schema at a commit, as a script that restores it.';

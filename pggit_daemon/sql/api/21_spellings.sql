-- What people call a migration: its id, its tool's own version, that version as the tool writes it elsewhere, or its name.

-- How well a word names a migration: 1 by its version, 2 by the version as the tool prints it where several columns make it
-- (Django: shop.0001_initial for shop 0001_initial), 3 by its name; NULL: it does not.
CREATE OR REPLACE FUNCTION pggit_daemon.called_by(word text, version text, name text) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN version = word THEN 1 WHEN version = regexp_replace(word, '[./]', ' ') THEN 2 WHEN name = word THEN 3 END
$$;

-- The migrations that a word names best: of all tools that have such a one, or of one. Two of one history table are an
-- error that names them.
CREATE OR REPLACE FUNCTION pggit_daemon.find_migrations(said text, tool text) RETURNS SETOF pggit.external_migrations
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number bigint;
    found  pggit.external_migrations[];
BEGIN
    IF said ~ '^-?[0-9]{1,19}$' AND abs(said::numeric) <= 9223372036854775807 THEN
        number := said::bigint;
    END IF;
    -- Nobody writes an id with zeros before it.
    IF said IS NULL OR tool !~ '\S' OR (number IS NOT NULL AND said !~ '^-?0[0-9]' AND EXISTS (
           SELECT FROM pggit.external_migrations AS m
            WHERE m.migration_id = number AND (tool IS NULL OR tool IN (m.tool_name, m.source)))) THEN
        RETURN QUERY SELECT f.* FROM pggit_daemon.find_migrations(number, tool) AS f;
        RETURN;
    END IF;
    -- A version is that of the migration; its rollback has an id of its own.
    found := ARRAY(
        SELECT m
          FROM (SELECT rank() OVER (ORDER BY pggit_daemon.called_by(said, e.version, e.migration_name),
                                             e.rollback_of IS NOT NULL) AS place, e AS m, e.tool_name, e.source
                  FROM pggit.external_migrations AS e
                 WHERE pggit_daemon.called_by(said, e.version, e.migration_name) IS NOT NULL
                   AND (tool IS NULL OR tool IN (e.tool_name, e.source))) AS ranked
         WHERE place = 1
         ORDER BY tool_name, source);
    IF EXISTS (SELECT FROM unnest(found) AS f GROUP BY f.tool_name, f.source HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'several migrations are called "%": %', left(said, 200),
                (SELECT string_agg(format('%s %s (%s)', f.tool_name, f.version, f.migration_id), ', ' ORDER BY f.migration_id)
                   FROM unnest(found) AS f)
            USING ERRCODE = '42725', HINT = 'Pass the id in parentheses, or the tool''s own version.';
    ELSIF cardinality(found) > 0 THEN
        RETURN QUERY SELECT f.* FROM unnest(found) AS f;
    ELSIF number IS NOT NULL THEN
        RETURN QUERY SELECT f.* FROM pggit_daemon.find_migrations(number, tool) AS f;
    ELSE
        RAISE EXCEPTION 'migration "%" is not recorded%', left(said, 200), coalesce(' for ' || left(tool, 200), '')
            USING ERRCODE = '42704',
            HINT = 'SELECT migration_id, version, migration_name, tool_name FROM pggit.migration_history lists what is; SELECT pggit.wait_for_sync() waits for what was just applied.';
    END IF;
END $$;

-- Statements of the installer where a dump of the schema alone was restored.

-- name: is_restored
-- Tables of ours without the rows that say so: restored from a dump of the schema alone.
SELECT pg_catalog.to_regclass('pggit_daemon.schema_step') IS NOT NULL
   AND pg_catalog.to_regclass('pggit_daemon.ddl_event') IS NOT NULL;

-- name: has_copy
-- Whether such a dump brought a copy of the bookkeeping along: a function holds it, since step 13.
SELECT pg_catalog.to_regprocedure('pggit_daemon.bookkeeping_copy()') IS NOT NULL;

-- name: restored_steps
SELECT (s ->> 'number')::integer FROM jsonb_array_elements(pggit_daemon.bookkeeping_copy() -> 'steps') AS s;

-- name: steps_by_their_marks
-- The same for a dump of an earlier version: each of its steps left something by which it is known.
SELECT mark.number FROM (VALUES
    (1, 'pggit.commits', 'kind'), (2, 'pggit_daemon.ddl_event', 'id'), (3, 'pggit_daemon.object_version_oid', NULL),
    (4, 'pggit_daemon.verification', NULL), (5, 'pggit_daemon.ddl_event', 'snapshot'),
    (6, 'pggit_daemon.ddl_event', 'statement'), (7, 'pggit_daemon.object_version_history', 'hashtextextended'),
    (8, 'pggit_daemon.progress', 'bound_lsn'), (10, 'pggit_daemon.attribution', NULL), (11, 'pggit_daemon.open_run', NULL),
    (12, 'pggit_daemon.tool_lock', NULL), (13, 'pggit_daemon.acknowledgement', NULL),
    (16, 'pggit_daemon.publishing', NULL)) AS mark (number, relation, attribute)
 WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c
                WHERE c.oid = to_regclass(mark.relation)
                  AND (mark.attribute IS NULL
                       OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                                   WHERE a.attrelid = c.oid AND a.attname = mark.attribute AND NOT a.attisdropped)));

-- name: restore_step
-- A step of such a dump.
INSERT INTO pggit_daemon.schema_step (number, name, sha256) VALUES ({number}, {name}, {sha256}) ON CONFLICT DO NOTHING;

-- name: restore_bookkeeping
-- The rows that an installation leaves, where a dump of the schema alone was restored.
DO $restore$
BEGIN
    IF to_regprocedure('pggit_daemon.bookkeeping_copy()') IS NOT NULL THEN
        INSERT INTO pggit_daemon.schema_step (number, name, sha256)
        SELECT s.number, s.name, s.sha256
          FROM jsonb_populate_recordset(NULL::pggit_daemon.schema_step, pggit_daemon.bookkeeping_copy() -> 'steps') AS s
            ON CONFLICT DO NOTHING;
        INSERT INTO pggit_daemon.object_before
        SELECT * FROM jsonb_populate_recordset(NULL::pggit_daemon.object_before, pggit_daemon.bookkeeping_copy() -> 'before')
            ON CONFLICT DO NOTHING;
        INSERT INTO pggit_daemon.object_added
        SELECT * FROM jsonb_populate_recordset(NULL::pggit_daemon.object_added, pggit_daemon.bookkeeping_copy() -> 'added')
            ON CONFLICT DO NOTHING;
    ELSIF NOT EXISTS (SELECT FROM pg_class AS c
                       WHERE c.relnamespace = to_regnamespace('pggit') AND c.relkind IN ('r', 'p')
                         AND c.relname NOT IN ('branches', 'commits', 'external_migrations', 'deployments', 'conflicts')) THEN
        -- An earlier version kept no copy. No pgGit was there before it: that has many more tables.
        INSERT INTO pggit_daemon.object_added (type, identity)
        SELECT o.type, o.identity FROM (
{objects}
        ) AS o
         WHERE o.schema = 'pggit' OR (o.type, o.identity) = ('schema', 'pggit')
            ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO pggit.branches (id, name) VALUES (1, 'main') ON CONFLICT DO NOTHING;
    PERFORM setval(pg_get_serial_sequence('pggit.branches', 'id'), (SELECT max(id) FROM pggit.branches));
    INSERT INTO pggit_daemon.secret (key)
    VALUES (encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')), 'hex'))
        ON CONFLICT DO NOTHING;
    IF to_regclass('pggit_daemon.verification') IS NOT NULL THEN
        INSERT INTO pggit_daemon.verification DEFAULT VALUES ON CONFLICT DO NOTHING;
    END IF;
    -- What the live event triggers wrote meanwhile belongs to no history.
    DELETE FROM pggit_daemon.ddl_event;
    DELETE FROM pggit_daemon.request;
END $restore$;

-- name: copy_bookkeeping
DO $copy$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION pggit_daemon.bookkeeping_copy() RETURNS jsonb LANGUAGE sql IMMUTABLE '
                   'SET search_path = pg_catalog, pg_temp AS %L', format('SELECT %L::jsonb', jsonb_build_object(
        'steps', (SELECT jsonb_agg(to_jsonb(s) - 'applied_at' ORDER BY s.number) FROM pggit_daemon.schema_step AS s),
        'before', (SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.type, b.identity), '[]') FROM pggit_daemon.object_before AS b),
        'added', (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.type, a.identity), '[]') FROM pggit_daemon.object_added AS a))));
    REVOKE ALL ON FUNCTION pggit_daemon.bookkeeping_copy() FROM PUBLIC;
END $copy$;

-- Statements of the installer.

-- name: bookkeeping
-- What the installer must remember, made before the first step.
CREATE SCHEMA IF NOT EXISTS pggit_daemon;
REVOKE ALL ON SCHEMA pggit_daemon FROM PUBLIC;
CREATE TABLE IF NOT EXISTS pggit_daemon.schema_step (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The repeatable files as they ran last. One row.
CREATE TABLE IF NOT EXISTS pggit_daemon.repeatable (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- What schema pggit held before the first installation, with the definition of what may be replaced.
CREATE TABLE IF NOT EXISTS pggit_daemon.object_before (
    type       text NOT NULL,
    identity   text NOT NULL,
    definition text,                       -- NULL: the branch had no head
    PRIMARY KEY (type, identity)
);
-- A routine as statements that make it again: definition, owner, privileges, comment.
CREATE OR REPLACE FUNCTION pggit_daemon.routine_as_made(routine oid) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(E'%s;\nALTER ROUTINE %s OWNER TO %I;\nREVOKE ALL ON ROUTINE %2$s FROM PUBLIC;\n',
                  rtrim(pg_get_functiondef(p.oid), E'\n'), i.identity, pg_get_userbyid(p.proowner))
        || coalesce((SELECT string_agg(format(E'GRANT EXECUTE ON ROUTINE %s TO %s%s;\n', i.identity,
                                              CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                                   ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                                              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), ''
                                       ORDER BY a.grantee)
                       FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                      WHERE pg_get_userbyid(a.grantee) NOT IN ('pggit_reader', 'pggit_migrator')), '')
        || format(E'COMMENT ON ROUTINE %s IS %L;\n', i.identity, obj_description(p.oid, 'pg_proc'))
      FROM pg_proc AS p, pg_identify_object('pg_proc'::regclass, p.oid, 0) AS i
     WHERE p.oid = routine
$$;
-- Schema pggit, its tables and views and their columns, as COMMENT ON names them, with their comments.
CREATE OR REPLACE FUNCTION pggit_daemon.public_comments() RETURNS TABLE (what text, words text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'SCHEMA pggit', obj_description(n.oid, 'pg_namespace') FROM pg_namespace AS n WHERE n.nspname = 'pggit'
    UNION ALL
    SELECT format('%s pggit.%I', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.relname),
           obj_description(c.oid, 'pg_class')
      FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('pggit') AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT format('COLUMN pggit.%I.%I', c.relname, a.attname), col_description(c.oid, a.attnum)
      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = to_regnamespace('pggit') AND c.relkind IN ('r', 'p', 'v')
$$;
-- What we added outside of our own schema.
CREATE TABLE IF NOT EXISTS pggit_daemon.object_added (
    type     text NOT NULL,
    identity text NOT NULL,
    PRIMARY KEY (type, identity)
);

-- name: settings
SET LOCAL lock_timeout = {lock_timeout};
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL client_min_messages = warning;
SET LOCAL statement_timeout = 0;

-- name: lock
SELECT pg_catalog.pg_advisory_xact_lock({key});

-- name: lock_holders
-- Who stands in the way of an installation: holders of its advisory lock or of locks on its tables.
SELECT DISTINCT a.pid, a.usename, a.application_name, a.state, left(a.query, 80) AS query
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid()
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND (n.nspname IN ('pggit', 'pggit_daemon')
        OR l.locktype = 'advisory' AND l.objsubid = 1 AND (l.classid::bigint << 32 | l.objid::bigint) = %(key)s)
 ORDER BY a.pid;

-- name: rights
SELECT r.rolsuper, r.rolname, pg_catalog.current_setting('server_version_num')::integer AS server
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user;

-- name: is_installed
SELECT pg_catalog.to_regclass('pggit_daemon.schema_step') IS NOT NULL;

-- name: version
SELECT max(number) FROM pggit_daemon.schema_step;

-- name: applied_steps
SELECT number FROM pggit_daemon.schema_step ORDER BY number;

-- name: can_tell_state
SELECT pg_catalog.to_regprocedure('pggit_daemon.capture_state()') IS NOT NULL;

-- name: repairable
SELECT part, problem FROM pggit_daemon.capture_state() WHERE repairable;

-- name: all_tables_publications
-- Publications FOR ALL TABLES, which take our tables along, with the statements that leave them out.
SELECT p.pubname,
       format('BEGIN; DROP PUBLICATION %1$I; CREATE PUBLICATION %1$I FOR %2$s WITH (publish = %3$L%4$s);'
              ' ALTER PUBLICATION %1$I OWNER TO %5$I; COMMIT;', p.pubname,
              CASE WHEN current_setting('server_version_num')::integer >= 150000
                   THEN (SELECT 'TABLES IN SCHEMA ' || string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname)
                           FROM pg_catalog.pg_namespace AS n
                          WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pggit', 'pggit_daemon'))
                   ELSE (SELECT 'TABLE ' || string_agg(format('%I.%I', t.schemaname, t.tablename), ', ' ORDER BY 1)
                           FROM pg_catalog.pg_publication_tables AS t
                          WHERE t.pubname = p.pubname AND t.schemaname NOT IN ('pggit', 'pggit_daemon')) END,
              concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                        CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
              CASE WHEN p.pubviaroot THEN ', publish_via_partition_root = true' ELSE '' END,
              pg_catalog.pg_get_userbyid(p.pubowner)) AS statement
  FROM pg_catalog.pg_publication AS p WHERE p.puballtables ORDER BY 1;

-- name: repeatable_digest
SELECT sha256 FROM pggit_daemon.repeatable;

-- name: record_step
INSERT INTO pggit_daemon.schema_step (number, name, sha256) VALUES ({number}, {name}, {sha256});

-- name: record_repeatable
INSERT INTO pggit_daemon.repeatable (sha256, functions) VALUES ({sha256}, pggit_daemon.functions_now()::text)
    ON CONFLICT (singleton) DO UPDATE
    SET sha256 = excluded.sha256, functions = excluded.functions, applied_at = clock_timestamp();

-- name: remember_before
-- The definitions in schema pggit that steps and repeatable files may replace: functions, views, constraints.
INSERT INTO pggit_daemon.object_before (type, identity, definition)
SELECT i.type, i.identity, pggit_daemon.routine_as_made(p.oid)
  FROM pg_proc p, pg_identify_object('pg_proc'::regclass, p.oid, 0) i
 WHERE p.pronamespace = to_regnamespace('pggit') AND p.prokind <> 'a'
UNION ALL
SELECT i.type, i.identity,
       format(E'CREATE VIEW %s AS %s\nALTER VIEW %1$s OWNER TO %3$I;\n', i.identity, pg_get_viewdef(c.oid),
              pg_get_userbyid(c.relowner))
  FROM pg_class c, pg_identify_object('pg_class'::regclass, c.oid, 0) i
 WHERE c.relnamespace = to_regnamespace('pggit') AND c.relkind = 'v'
UNION ALL
SELECT i.type, i.identity,
       format(E'ALTER TABLE %s ADD CONSTRAINT %I %s;\n', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
  FROM pg_constraint k, pg_identify_object('pg_constraint'::regclass, k.oid, 0) i
 WHERE k.connamespace = to_regnamespace('pggit') AND k.conrelid <> 0
UNION ALL
SELECT 'comment', c.what, c.words FROM pggit_daemon.public_comments() c
UNION ALL
SELECT 'usage', 'PUBLIC', NULL
  FROM pg_namespace n, aclexplode(n.nspacl) a
 WHERE n.nspname = 'pggit' AND a.grantee = 0 AND a.privilege_type = 'USAGE';

-- name: remember_heads
-- Where the branches stood before us, kept like a definition.
INSERT INTO pggit_daemon.object_before (type, identity, definition)
SELECT 'branch head', b.id::text, b.head_commit_hash FROM pggit.branches b;

-- name: objects
-- Every object of the users and of ours that an installation can add or a removal can take along.
SELECT i.type, i.identity, o.home::regnamespace::text AS schema
  FROM (
       SELECT 'pg_catalog.pg_namespace'::regclass, n.oid, 0, n.oid FROM pg_catalog.pg_namespace n
        WHERE n.oid >= 16384
       UNION ALL
       SELECT 'pg_catalog.pg_class'::regclass, c.oid, 0, c.relnamespace FROM pg_catalog.pg_class c
        WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.relnamespace <> 'pg_toast'::regnamespace
       UNION ALL
       SELECT 'pg_catalog.pg_class'::regclass, c.oid, a.attnum, c.relnamespace
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
        WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
          AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL
       SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid, 0, c.relnamespace
         FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
        WHERE c.oid >= 16384 AND c.relpersistence <> 't'
       UNION ALL
       SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0, p.pronamespace FROM pg_catalog.pg_proc p
        WHERE p.oid >= 16384
       UNION ALL
       SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0, t.typnamespace FROM pg_catalog.pg_type t
        WHERE t.oid >= 16384 AND t.typnamespace <> pg_catalog.pg_my_temp_schema()
       UNION ALL
       SELECT 'pg_catalog.pg_constraint'::regclass, k.oid, 0, k.connamespace FROM pg_catalog.pg_constraint k
        WHERE k.oid >= 16384 AND k.contype <> 't' AND k.connamespace <> pg_catalog.pg_my_temp_schema()
       UNION ALL
       SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, 0, c.relnamespace
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND t.tgparentid = 0
       UNION ALL
       SELECT 'pg_catalog.pg_policy'::regclass, p.oid, 0, c.relnamespace
         FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
       UNION ALL
       SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid, 0, c.relnamespace
         FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
        WHERE r.oid >= 16384 AND r.rulename <> '_RETURN'
       UNION ALL
       SELECT 'pg_catalog.pg_publication_rel'::regclass, p.oid, 0, NULL FROM pg_catalog.pg_publication_rel p
       UNION ALL
       SELECT 'pg_catalog.pg_event_trigger'::regclass, e.oid, 0, NULL FROM pg_catalog.pg_event_trigger e
  ) AS o (classid, objid, objsubid, home)
 CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.classid, o.objid, o.objsubid) i;

-- name: before
-- What there is before an installation changes anything; `added_since` tells by it what came.
CREATE TABLE pggit_daemon.objects_before AS
{objects};

-- name: added_since
INSERT INTO pggit_daemon.object_added (type, identity)
SELECT o.type, o.identity FROM (
{objects}
) AS o
 WHERE (o.schema = 'pggit' OR (o.type, o.identity) = ('schema', 'pggit'))
   AND NOT EXISTS (SELECT FROM pggit_daemon.objects_before b WHERE (b.type, b.identity) = (o.type, o.identity))
ON CONFLICT DO NOTHING;
DROP TABLE pggit_daemon.objects_before;

-- name: put_tools
-- What the capture is to look for of tools, by the presets that come with this version; the daemon knows more.
SELECT pggit_daemon.store_put_tools({tools}::jsonb);

-- name: server
-- What the server must be set to before anything can be read from its WAL.
SELECT current_setting('wal_level') AS wal_level,
       current_setting('output_plugin_libraries', true) AS plugin_libraries,
       current_setting('max_slot_wal_keep_size') AS slot_limit;

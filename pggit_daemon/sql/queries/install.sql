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

-- name: mendable
SELECT part, problem FROM pggit_daemon.capture_state() WHERE mendable;

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
    (12, 'pggit_daemon.tool_lock', NULL), (13, 'pggit_daemon.acknowledgement', NULL)) AS mark (number, relation, attribute)
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

-- name: permit_migrators
-- Who records migrations: the database's owner, and whom init was told. Superusers may anyway.
DO $permit$
DECLARE
    migrator name;
BEGIN
    FOR migrator IN
        SELECT named.role FROM unnest({migrators}::name[]) AS named (role)
        UNION
        SELECT r.rolname FROM pg_catalog.pg_database AS d JOIN pg_catalog.pg_roles AS r ON r.oid = d.datdba
         WHERE d.datname = current_database()
    LOOP
        IF NOT pg_has_role(migrator, 'pggit_migrator', 'MEMBER') THEN
            EXECUTE format('GRANT pggit_migrator TO %I', migrator);
            INSERT INTO pggit_daemon.object_added (type, identity) VALUES ('migrator', migrator) ON CONFLICT DO NOTHING;
        END IF;
    END LOOP;
END $permit$;

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

-- name: changed_since
-- What was there before us and is gone or says something else now.
SELECT o.type, o.identity, o.definition, now.definition IS NOT NULL AS present
  FROM pggit_daemon.object_before o
  LEFT JOIN LATERAL (
       SELECT pggit_daemon.routine_as_made(p.oid)
         FROM pg_proc p WHERE o.type IN ('function', 'procedure') AND p.oid = to_regprocedure(o.identity)
       UNION ALL
       SELECT format(E'CREATE VIEW %s AS %s\nALTER VIEW %1$s OWNER TO %3$I;\n', o.identity, pg_get_viewdef(c.oid),
                     pg_get_userbyid(c.relowner))
         FROM pg_class c WHERE o.type = 'view' AND c.oid = to_regclass(o.identity)
       UNION ALL
       SELECT format(E'ALTER TABLE %s ADD CONSTRAINT %I %s;\n', k.conrelid::regclass, k.conname,
                     pg_get_constraintdef(k.oid))
         FROM pg_constraint k, pg_identify_object('pg_constraint'::regclass, k.oid, 0) i
        WHERE o.type = 'table constraint' AND i.identity = o.identity
          AND k.connamespace = to_regnamespace('pggit')
  ) AS now (definition) ON true
 WHERE o.type NOT IN ('branch head', 'comment', 'usage') AND now.definition IS DISTINCT FROM o.definition
 ORDER BY o.type <> 'table constraint', o.identity;

-- name: comments_changed
-- The statements that give back the comments of what stays.
SELECT format('COMMENT ON %s IS %L', now.what, o.definition)
  FROM pggit_daemon.public_comments() AS now
  LEFT JOIN pggit_daemon.object_before AS o ON o.type = 'comment' AND o.identity = now.what
 WHERE now.words IS DISTINCT FROM o.definition;

-- name: usage_added
-- Whether it was us who let everybody into schema pggit.
SELECT NOT EXISTS (SELECT FROM pggit_daemon.object_before o WHERE o.type = 'usage');

-- name: roles_of_ours
-- The roles of the contract that exist and those that we made (ours), with their members.
SELECT r.rolname, coalesce(shobj_description(r.oid, 'pg_authid') LIKE 'made by pggit-daemon%', false) AS ours,
       ARRAY(SELECT pg_get_userbyid(m.member)::text FROM pg_catalog.pg_auth_members m WHERE m.roleid = r.oid) AS members
  FROM pg_catalog.pg_roles r WHERE r.rolname IN ('pggit_reader', 'pggit_migrator')
    OR shobj_description(r.oid, 'pg_authid') LIKE 'made by pggit-daemon%'
 ORDER BY 1;

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

-- name: close_to_public
-- New functions are open to everybody until somebody says otherwise.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pggit_daemon FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA pggit_daemon FROM PUBLIC;

-- name: put_tools
-- What the capture is to look for of tools, by the presets that come with this version; the daemon knows more.
SELECT pggit_daemon.store_put_tools({tools}::jsonb);

-- name: permit_daemon
-- The daemon's role: it logs in, reads the WAL and sees since when other sessions run, so that a session is never taken
-- for one before it with the same process id; it works on the tables of the two schemas and calls the functions that the
-- server does not call itself. A superuser needs none of it. A role that was given this before gets what has come since.
DO $permit$
DECLARE
    daemon name;
    known  record;
    ours   record;
BEGIN
    FOR daemon IN
        SELECT {role}::name AS role WHERE {role} IS NOT NULL
        UNION
        SELECT pg_get_userbyid(granted.grantee)
          FROM pg_catalog.pg_class AS c, aclexplode(c.relacl) AS granted
         WHERE c.oid = to_regclass('pggit_daemon.progress') AND granted.privilege_type = 'INSERT'
           AND granted.grantee NOT IN (0, c.relowner)
    LOOP
        IF daemon = {role} AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = daemon) THEN
            EXECUTE format('CREATE ROLE %I LOGIN REPLICATION', daemon);
            EXECUTE format('COMMENT ON ROLE %I IS %L', daemon, 'made by pggit-daemon: it logs in as this role');
        END IF;
        SELECT r.rolsuper, r.rolcanlogin, r.rolreplication INTO known FROM pg_catalog.pg_roles r WHERE r.rolname = daemon;
        IF daemon = {role} AND (NOT known.rolcanlogin OR NOT known.rolreplication AND NOT known.rolsuper) THEN
            EXECUTE format('ALTER ROLE %I LOGIN REPLICATION', daemon);
        END IF;
        CONTINUE WHEN known.rolsuper;
        IF NOT pg_has_role(daemon, 'pg_read_all_stats', 'MEMBER') THEN
            EXECUTE format('GRANT pg_read_all_stats TO %I', daemon);
        END IF;
        IF {read_all_data} AND daemon = {role} AND NOT pg_has_role(daemon, 'pg_read_all_data', 'MEMBER') THEN
            EXECUTE format('GRANT pg_read_all_data TO %I', daemon);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA pggit, pggit_daemon TO %I', daemon);
        -- One statement for many objects: each fires the event triggers, ours among them.
        FOR ours IN
            SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS word,
                   string_agg(format('%I.%I', n.nspname, c.relname), ', ') AS names,
                   CASE WHEN n.nspname = 'pggit' AND c.relkind IN ('r', 'p') THEN 'SELECT, INSERT, UPDATE, DELETE'
                        WHEN c.relkind IN ('v', 'm') THEN 'SELECT'
                        WHEN c.relkind = 'S' THEN 'USAGE'
                        -- What functions that run as another role read is not the daemon's to write.
                        WHEN c.relname IN ('schema_step', 'repeatable', 'object_before', 'object_added', 'integration',
                                           'secret') THEN 'SELECT'
                        WHEN c.relname IN ('ddl_event', 'request') THEN 'SELECT, DELETE'
                        ELSE 'SELECT, INSERT, UPDATE, DELETE'
                   END AS rights
              FROM pg_catalog.pg_class c
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
               AND (n.nspname = 'pggit_daemon'
                    OR n.nspname = 'pggit'
                       AND (c.relname IN ('branches', 'commits', 'external_migrations')
                            OR c.relname IN ('branches_id_seq', 'commits_id_seq')
                            OR EXISTS (SELECT FROM pggit_daemon.object_added a
                                        WHERE a.identity = quote_ident(n.nspname) || '.' || quote_ident(c.relname)
                                          AND a.type IN ('table', 'view', 'materialized view', 'sequence'))))
               AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                                                     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                                                       AND d.deptype = 'i'))
             GROUP BY 1, 3
        LOOP
            EXECUTE format('GRANT %s ON %s %s TO %I', ours.rights, ours.word, ours.names, daemon);
        END LOOP;
        FOR ours IN
            SELECT string_agg(p.oid::regprocedure::text, ', ') AS signatures
              FROM pg_catalog.pg_proc p
              JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'pggit_daemon' AND p.prokind <> 'a'
               AND p.prorettype NOT IN ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype)
               -- Those that write as another role are for migrators.
               AND NOT (p.prosecdef AND p.provolatile = 'v')
        LOOP
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', ours.signatures, daemon);
        END LOOP;
    END LOOP;
END $permit$;

-- name: may_read_all_data
SELECT pg_catalog.pg_has_role(%(role)s, 'pg_read_all_data', 'MEMBER');

-- name: server
-- What the server must be set to before anything can be read from its WAL.
SELECT current_setting('wal_level') AS wal_level,
       current_setting('output_plugin_libraries', true) AS plugin_libraries,
       current_setting('max_slot_wal_keep_size') AS slot_limit;

-- name: triggers_of_ours
-- Triggers that call functions of ours, also on tables of the users: integrate_flyway makes such.
SELECT t.tgname, n.nspname, c.relname, i.type, i.identity
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
 CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_trigger'::regclass, t.oid, 0) i
 CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_proc'::regclass, p.oid, 0) g
 WHERE NOT t.tgisinternal AND t.tgparentid = 0
   AND (f.nspname = 'pggit_daemon'
        OR EXISTS (SELECT FROM pggit_daemon.object_added a WHERE a.type = g.type AND a.identity = g.identity))
 ORDER BY 2, 3, 1;

-- name: event_triggers_of_ours
SELECT e.evtname
  FROM pg_catalog.pg_event_trigger e
  JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'pggit_daemon'
 ORDER BY 1;

-- name: added
SELECT type, identity FROM pggit_daemon.object_added;

-- name: forget_rows
-- Rows that the daemon wrote into tables that stay: its commits, and the migrations it recorded.
DELETE FROM pggit.external_migrations WHERE source_lsn IS NOT NULL;
UPDATE pggit.external_migrations m SET pggit_commit_id = NULL
  FROM pggit.commits c WHERE c.id = m.pggit_commit_id AND c.kind IS NOT NULL;

-- name: forget_heads
UPDATE pggit.branches b SET head_commit_hash = o.definition
  FROM pggit_daemon.object_before o
 WHERE o.type = 'branch head' AND o.identity = b.id::text
   AND EXISTS (SELECT FROM pggit.commits c WHERE c.hash = b.head_commit_hash AND c.kind IS NOT NULL);

-- name: forget_commits
DELETE FROM pggit.commits WHERE kind IS NOT NULL;

-- name: left_in_pggit
SELECT x.type || ' ' || x.identity AS what
  FROM pg_catalog.pg_namespace n
 CROSS JOIN LATERAL (
       SELECT i.type, i.identity FROM pg_catalog.pg_class c,
              pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, c.oid, 0) i
        WHERE c.relnamespace = n.oid AND c.relkind NOT IN ('i', 'I', 't', 'c')
       UNION ALL
       SELECT i.type, i.identity FROM pg_catalog.pg_proc p,
              pg_catalog.pg_identify_object('pg_catalog.pg_proc'::regclass, p.oid, 0) i
        WHERE p.pronamespace = n.oid
       UNION ALL
       SELECT i.type, i.identity FROM pg_catalog.pg_type t,
              pg_catalog.pg_identify_object('pg_catalog.pg_type'::regclass, t.oid, 0) i
        WHERE t.typnamespace = n.oid AND t.typelem = 0
          AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c
                                          WHERE c.oid = t.typrelid AND c.relkind = 'c'))
 ) x
 WHERE n.nspname = 'pggit'
 ORDER BY 1;

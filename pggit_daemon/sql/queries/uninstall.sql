-- Statements that remove an installation.

-- name: added
SELECT type, identity FROM pggit_daemon.object_added;

-- name: publications_of_ours
-- The publications of pgoutput's stream, and each table in them.
SELECT p.pubname, i.type, i.identity
  FROM pg_catalog.pg_publication p
  LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
  LEFT JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_publication_rel'::regclass, r.oid, 0) i ON true
 WHERE p.pubname IN ('pggit_daemon', 'pggit_daemon_keyed')
   AND obj_description(p.oid, 'pg_publication') LIKE 'made by pggit-daemon%';

-- name: event_triggers_of_ours
SELECT e.evtname
  FROM pg_catalog.pg_event_trigger e
  JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'pggit_daemon'
 ORDER BY 1;

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
-- The roles of the contract that exist and those that we made (ours), with their members; this database's owner, whom
-- init makes one, needs it no more.
SELECT r.rolname, coalesce(shobj_description(r.oid, 'pg_authid') LIKE 'made by pggit-daemon%', false) AS ours,
       ARRAY(SELECT pg_get_userbyid(m.member)::text FROM pg_catalog.pg_auth_members m
              WHERE m.roleid = r.oid AND m.member <> (SELECT d.datdba FROM pg_catalog.pg_database d
                                                       WHERE d.datname = current_database())) AS members
  FROM pg_catalog.pg_roles r WHERE r.rolname IN ('pggit_reader', 'pggit_migrator')
    OR shobj_description(r.oid, 'pg_authid') LIKE 'made by pggit-daemon%'
 ORDER BY 1;

-- name: roles_left
-- The roles that we made and that are still there: who is a member, which other databases need them, and whether this one
-- does.
SELECT r.rolname::text,
       ARRAY(SELECT pg_get_userbyid(m.member)::text FROM pg_catalog.pg_auth_members m
              WHERE m.roleid = r.oid AND pg_get_userbyid(m.member) NOT IN ('pggit_reader', 'pggit_migrator')
              ORDER BY 1) AS members,
       ARRAY(SELECT DISTINCT d.datname::text FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
              WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = r.oid
                AND d.datname <> current_database() ORDER BY 1) AS databases,
       EXISTS (SELECT FROM pg_catalog.pg_shdepend s
                WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = r.oid
                  AND (s.dbid = 0 OR s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d
                                                WHERE d.datname = current_database()))) AS rests_here
  FROM pg_catalog.pg_roles r
 WHERE shobj_description(r.oid, 'pg_authid') LIKE 'made by pggit-daemon%'
 ORDER BY 1;

-- name: rights_of_followers
-- Roles that the daemon logs in as and that were there before: what init gave them, if they had it not.
SELECT r.rolname::text, r.rolreplication AND NOT r.rolsuper,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
              WHERE m.member = r.oid AND g.rolname IN ('pg_read_all_stats', 'pg_read_all_data') ORDER BY 1)
  FROM pg_catalog.pg_class c
 CROSS JOIN LATERAL aclexplode(c.relacl) a
  JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE c.oid = to_regclass('pggit_daemon.progress') AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
   AND coalesce(shobj_description(r.oid, 'pg_authid'), '') NOT LIKE 'made by pggit-daemon%'
 ORDER BY 1;

-- name: unchecked
-- Takes back what keeps plpgsql_check from the functions that the daemon's roles call.
SELECT format('ALTER ROLE %I IN DATABASE %I RESET plpgsql_check.mode', r.rolname, d.datname)
  FROM pg_catalog.pg_class c
 CROSS JOIN LATERAL aclexplode(c.relacl) a
  JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
  JOIN pg_catalog.pg_database d ON d.datname = current_database()
  JOIN pg_catalog.pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = d.oid
 WHERE c.oid = to_regclass('pggit_daemon.progress') AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
   AND 'plpgsql_check.mode=disabled' = ANY (s.setconfig)
 ORDER BY 1;

-- name: full_identities
-- Tables that were followed or integrated, and their partitions, whose rows are written whole into the WAL.
SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relreplident = 'f' AND n.nspname NOT IN ('pggit', 'pggit_daemon')
   AND c.oid IN (
       SELECT part.relid
         FROM (SELECT t.tgrelid FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
                WHERE p.pronamespace = to_regnamespace('pggit_daemon') AND NOT t.tgisinternal
               UNION
               SELECT to_regclass(format('%I.%I', s.schema_name, s.table_name)) FROM pggit_daemon.source s) AS ours (oid)
        CROSS JOIN LATERAL (SELECT ours.oid UNION SELECT p.relid FROM pg_partition_tree(ours.oid) p) AS part (relid))
 ORDER BY 1;

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

-- Statements of the installer: who may what.

-- name: permit_migrators
-- Who records migrations: the database's owner, and the roles given to init. Superusers may anyway. The members are the
-- whole server's, and each database remembers whom it needs as one, whichever of them made it one.
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
        END IF;
        INSERT INTO pggit_daemon.object_added (type, identity)
        SELECT 'migrator', migrator
          FROM pg_catalog.pg_auth_members AS m
         WHERE m.roleid = 'pggit_migrator'::regrole AND m.member = (SELECT r.oid FROM pg_catalog.pg_roles AS r
                                                                     WHERE r.rolname = migrator)
            ON CONFLICT DO NOTHING;
    END LOOP;
END $permit$;

-- name: close_to_public
-- New functions are open to everybody until somebody says otherwise.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pggit_daemon FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA pggit_daemon FROM PUBLIC;

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
        -- plpgsql_check in a passive mode takes functions of ours for wrong; superusers alone may say that it should not.
        IF current_setting('plpgsql_check.mode', true) IS NOT NULL THEN
            BEGIN
                EXECUTE format('ALTER ROLE %I IN DATABASE %I SET plpgsql_check.mode = %L',
                               daemon, current_database(), 'disabled');
            EXCEPTION WHEN insufficient_privilege THEN
                NULL;
            END;
        END IF;
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
                        WHEN c.relname = 'tool_watch' THEN 'USAGE, UPDATE'
                        WHEN c.relkind = 'S' THEN 'USAGE'
                        -- What functions that run as another role read is not the daemon's to write.
                        WHEN c.relname IN ('schema_step', 'repeatable', 'object_before', 'object_added', 'integration',
                                           'secret', 'publishing') THEN 'SELECT'
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
               AND (NOT (p.prosecdef AND p.provolatile = 'v') OR p.proname = 'publish')
                -- The commands run as this role, too, and read as readers do.
                OR n.nspname = 'pggit' AND EXISTS (SELECT FROM pggit_daemon.contract() AS c
                                                    WHERE c.name = p.proname AND c.audience = 'reader'
                                                      AND c.arguments = pg_catalog.pg_get_function_arguments(p.oid))
        LOOP
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', ours.signatures, daemon);
        END LOOP;
    END LOOP;
END $permit$;

-- name: may_read_all_data
SELECT pg_catalog.pg_has_role(%(role)s, 'pg_read_all_data', 'MEMBER');

-- name: given
-- What an installation may give: a digest that is another one where it has given something.
SELECT pg_catalog.md5(pg_catalog.concat_ws(E'\n',
           (SELECT pg_catalog.string_agg(c.oid || ' ' || c.relacl::text, ',' ORDER BY c.oid)
              FROM pg_catalog.pg_class AS c
             WHERE c.relnamespace IN (to_regnamespace('pggit'), to_regnamespace('pggit_daemon'))),
           (SELECT pg_catalog.string_agg(p.oid || ' ' || p.proacl::text, ',' ORDER BY p.oid)
              FROM pg_catalog.pg_proc AS p
             WHERE p.pronamespace IN (to_regnamespace('pggit'), to_regnamespace('pggit_daemon'))),
           (SELECT pg_catalog.string_agg(n.nspacl::text, ',' ORDER BY n.nspname)
              FROM pg_catalog.pg_namespace AS n WHERE n.nspname IN ('pggit', 'pggit_daemon')),
           (SELECT pg_catalog.string_agg(m.roleid || ' ' || m.member, ',' ORDER BY m.roleid, m.member)
              FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS r ON r.oid = m.member
             WHERE r.rolname = ANY (%(roles)s)
                OR r.oid = (SELECT d.datdba FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())),
           (SELECT pg_catalog.string_agg(r.rolcanlogin || ' ' || r.rolreplication, ',' ORDER BY r.oid)
              FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY (%(roles)s))));

-- Who may use what, by the contract's list. Roles belong to the whole cluster: several databases share them, and the
-- comment tells that we made them.

DO $$
DECLARE
    made name;
BEGIN
    FOREACH made IN ARRAY '{pggit_reader,pggit_migrator}'::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = made) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', made);
                EXECUTE format('COMMENT ON ROLE %I IS %L', made, 'made by pggit-daemon: '
                    || CASE made WHEN 'pggit_reader' THEN 'reads the history' ELSE 'records migrations and resolves conflicts' END);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database was quicker
            END;
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA pggit TO PUBLIC;
-- export_migration_schema runs with its caller's rights, and calls two functions here; they get no right to any table.
GRANT USAGE ON SCHEMA pggit_daemon TO pggit_reader, pggit_migrator;
GRANT EXECUTE ON FUNCTION pggit_daemon.migration_script(bigint, text), pggit_daemon.write_file(text, text, bigint),
    pggit_daemon.impact_level(text, text, text, text, boolean) TO pggit_reader, pggit_migrator;
GRANT SELECT ON pggit.migration_history, pggit.commit_changes, pggit.deployment_commits, pggit.external_migrations,
    pggit.commits, pggit.branches, pggit.deployments, pggit.conflicts TO pggit_reader, pggit_migrator;
GRANT EXECUTE ON FUNCTION pggit_daemon.acknowledge_finding(text, text), pggit_daemon.reopen_finding(text) TO pggit_migrator;
-- A rollback is recorded by an INSERT.
GRANT INSERT ON pggit.external_migrations TO pggit_migrator;

DO $$
DECLARE
    ours record;
BEGIN
    FOR ours IN
        SELECT p.oid::regprocedure AS signature, c.audience
          FROM pggit_daemon.contract() AS c
          JOIN pg_catalog.pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'pggit'::regnamespace
           AND pg_catalog.pg_get_function_arguments(p.oid) = c.arguments
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, pggit_reader, pggit_migrator', ours.signature);
        CASE ours.audience
            WHEN 'public' THEN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', ours.signature);
            WHEN 'reader' THEN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO pggit_reader, pggit_migrator', ours.signature);
            WHEN 'migrator' THEN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO pggit_migrator', ours.signature);
        END CASE;
    END LOOP;
END $$;

-- Whether everything that records statements is there, and as init made it. Event triggers can be disabled and functions
-- replaced by any superuser, and a dump restored elsewhere brings them along; nothing else shows that.

-- Our functions as they are, by signature: a hash of what they do, and as whom.
CREATE OR REPLACE FUNCTION pggit_daemon.functions_now() RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(p.oid::regprocedure::text, md5(concat_ws(E'\n', p.prosrc, pg_get_function_result(p.oid),
                                p.prosqlbody, p.prosecdef, p.proconfig, pg_get_userbyid(p.proowner))))
      FROM pg_proc AS p
     WHERE p.pronamespace = 'pggit_daemon'::regnamespace AND p.prokind = 'f'
        OR p.pronamespace = to_regnamespace('pggit') AND p.proname IN (SELECT c.name FROM pggit_daemon.contract() AS c)
$$;

-- What is not as it should be, one row each; no rows: all is well. `repairable`: init repairs it.
CREATE OR REPLACE FUNCTION pggit_daemon.capture_state() RETURNS TABLE (part text, problem text, repairable boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'event trigger ' || w.name,
           CASE WHEN e.oid IS NULL THEN 'is missing'
                WHEN e.evtenabled = 'D' THEN 'is disabled'
                WHEN e.evtenabled <> 'A' THEN 'does not fire in every session'
                ELSE 'was made otherwise' END,
           true
      FROM (VALUES ('pggit_daemon_ddl', 'ddl_command_end', 'on_ddl_command_end'), ('pggit_daemon_drop', 'sql_drop', 'on_sql_drop'),
                   ('pggit_daemon_rewrite', 'table_rewrite', 'on_table_rewrite'),
                   ('pggit_daemon_members', 'ddl_command_start', 'on_ddl_command_start')) AS w (name, event, function)
      LEFT JOIN pg_event_trigger AS e ON e.evtname = w.name
     WHERE e.oid IS NULL OR e.evtenabled <> 'A' OR e.evtevent <> w.event
        OR e.evtfoid IS DISTINCT FROM to_regprocedure('pggit_daemon.' || w.function || '()')
        OR (e.evttags IS NULL) = (w.name = 'pggit_daemon_members')
    UNION ALL
    -- Where the stream comes by pgoutput: what keeps its publications harmless. While it is off, no updates are published.
    SELECT 'event trigger ' || w.name, CASE WHEN e.oid IS NULL THEN 'is missing' ELSE 'is disabled' END, true
      FROM (VALUES ('pggit_daemon_publish'), ('pggit_daemon_unlogged')) AS w (name)
      LEFT JOIN pg_event_trigger AS e ON e.evtname = w.name
     WHERE e.evtenabled IS DISTINCT FROM 'A' AND EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = 'pggit_daemon_keyed')
    UNION ALL
    SELECT 'function ' || made.signature, CASE WHEN now.hash IS NULL THEN 'is missing' ELSE 'was changed' END, true
      FROM pggit_daemon.repeatable AS r
     CROSS JOIN LATERAL jsonb_each_text(r.functions::jsonb) AS made (signature, hash)
      LEFT JOIN jsonb_each_text(pggit_daemon.functions_now()) AS now (signature, hash) ON now.signature = made.signature
     WHERE now.hash IS DISTINCT FROM made.hash
    UNION ALL
    SELECT 'function ' || p.oid::regprocedure, format('belongs to %s, who is no superuser any more', r.rolname), true
      FROM pggit_daemon.definers() AS d
      JOIN pg_proc AS p ON p.proname = d.name AND p.pronamespace = 'pggit_daemon'::regnamespace
      JOIN pg_roles AS r ON r.oid = p.proowner
     WHERE d.owner = 'superuser' AND NOT r.rolsuper
    UNION ALL
    SELECT 'role ' || w.name, format('lacks %s', w.lacks), true
      FROM (SELECT r.rolname AS name,
                   CASE WHEN NOT pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') THEN 'pg_read_all_stats'
                        WHEN r.rolname = 'pggit_capture' AND NOT pg_has_role(r.oid, 'pg_read_all_data', 'USAGE')
                            THEN 'pg_read_all_data'
                        WHEN r.rolname = 'pggit_capture'
                             AND NOT has_table_privilege(r.oid, to_regclass('pggit_daemon.ddl_event'), 'INSERT')
                            THEN 'INSERT on pggit_daemon.ddl_event' END AS lacks
              FROM pg_roles AS r WHERE r.rolname IN ('pggit_capture', 'pggit_api')) AS w
     WHERE w.lacks IS NOT NULL
    UNION ALL
    SELECT 'installation', 'was restored from a dump of the schema alone', true
     WHERE NOT EXISTS (SELECT FROM pggit_daemon.repeatable)
    UNION ALL
    -- Since version 17 they can be switched off for the whole server.
    SELECT 'event triggers', 'are switched off: event_triggers = off', false
     WHERE current_setting('event_triggers', true) = 'off'
    ORDER BY 1
$$;

-- What hangs on a relation and calls code: triggers, rules, policies. And event triggers.

CREATE OR REPLACE FUNCTION pggit_daemon.relation_name(o oid, OUT schema_name text, OUT name text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT n.nspname, format('%I.%I', n.nspname, c.relname) INTO schema_name, name
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = o;
END $$;

-- How ALTER TABLE and ALTER EVENT TRIGGER name a state other than "as created".
CREATE OR REPLACE FUNCTION pggit_daemon.firing_word(state "char") RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE state WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_trigger(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    t    record;
    name text;
BEGIN
    SELECT g.tgname, g.tgrelid, g.tgenabled, c.relkind INTO t
      FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid WHERE g.oid = o;
    SELECT r.schema_name, r.name INTO d.schema_name, name FROM pggit_daemon.relation_name(t.tgrelid) r;
    d.definition := pg_get_triggerdef(o, false) || E';\n';
    IF t.tgenabled <> 'O' THEN
        d.definition := d.definition || format(E'ALTER TABLE %s %s TRIGGER %I;\n', name,
                                               pggit_daemon.firing_word(t.tgenabled), t.tgname);
    END IF;
    d.definition := d.definition
        || pggit_daemon.extension_links('pg_catalog.pg_trigger'::regclass, o, format('TRIGGER %I ON %s', t.tgname, name))
        || pggit_daemon.comments('pg_catalog.pg_trigger'::regclass, o, format('TRIGGER %I ON %s', t.tgname, name));
    -- A partition's copy of the trigger may be switched on or off by itself.
    IF t.relkind = 'p' THEN
        d.later := (
            WITH RECURSIVE copy AS (
                SELECT g.oid, g.tgname, g.tgrelid, g.tgenabled, t.tgenabled AS above
                  FROM pg_catalog.pg_trigger g WHERE g.tgparentid = o
                UNION ALL
                SELECT g.oid, g.tgname, g.tgrelid, g.tgenabled, copy.tgenabled
                  FROM copy JOIN pg_catalog.pg_trigger g ON g.tgparentid = copy.oid)
            SELECT string_agg(format(E'ALTER TABLE %s %s TRIGGER %I;\n', r.name,
                                     pggit_daemon.firing_word(copy.tgenabled), copy.tgname), ''
                              ORDER BY r.name COLLATE "C")
              FROM copy, LATERAL pggit_daemon.relation_name(copy.tgrelid) r
             WHERE copy.tgenabled <> copy.above);
    END IF;
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_rule(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    w    record;
    name text;
BEGIN
    SELECT r.rulename, r.ev_class, r.ev_enabled INTO w FROM pg_catalog.pg_rewrite r WHERE r.oid = o;
    SELECT r.schema_name, r.name INTO d.schema_name, name FROM pggit_daemon.relation_name(w.ev_class) r;
    d.definition := rtrim(pg_get_ruledef(o), ';') || E';\n';
    IF w.ev_enabled <> 'O' THEN
        d.definition := d.definition || format(E'ALTER TABLE %s %s RULE %I;\n', name,
                                               pggit_daemon.firing_word(w.ev_enabled), w.rulename);
    END IF;
    d.definition := d.definition || pggit_daemon.comments('pg_catalog.pg_rewrite'::regclass, o,
                                                          format('RULE %I ON %s', w.rulename, name));
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_policy(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d     pggit_daemon.description;
    p     pg_catalog.pg_policy;
    name  text;
    roles text;
BEGIN
    SELECT * INTO p FROM pg_catalog.pg_policy x WHERE x.oid = o;
    SELECT r.schema_name, r.name INTO d.schema_name, name FROM pggit_daemon.relation_name(p.polrelid) r;
    IF p.polroles <> '{0}' THEN
        roles := (SELECT string_agg(CASE u.r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u.r)) END,
                                    ', ' ORDER BY pg_get_userbyid(u.r))
                    FROM unnest(p.polroles) u (r));
    END IF;
    d.definition := format(E'CREATE POLICY %I ON %s%s%s%s%s%s;\n', p.polname, name,
            CASE WHEN p.polpermissive THEN '' ELSE ' AS RESTRICTIVE' END,
            CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE'
                          WHEN 'd' THEN ' FOR DELETE' ELSE '' END,
            ' TO ' || roles,
            ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
            ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
        || pggit_daemon.comments('pg_catalog.pg_policy'::regclass, o, format('POLICY %I ON %s', p.polname, name));
    RETURN d;
END $$;

-- Export puts event triggers behind everything else: they would fire on the rest of the script.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_event_trigger(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    e    pg_catalog.pg_event_trigger;
    what text;
BEGIN
    SELECT * INTO e FROM pg_catalog.pg_event_trigger x WHERE x.oid = o;
    what := format('EVENT TRIGGER %I', e.evtname);
    d.definition := format(E'CREATE %s ON %s%s\n    EXECUTE FUNCTION %s();\n', what, e.evtevent,
            (SELECT E'\n    WHEN TAG IN (' || string_agg(quote_literal(t), ', ' ORDER BY place) || ')'
               FROM unnest(e.evttags) WITH ORDINALITY u (t, place)),
            pggit_daemon.support_name(e.evtfoid))
        || CASE WHEN e.evtenabled <> 'O'
                THEN format(E'ALTER %s %s;\n', what, pggit_daemon.firing_word(e.evtenabled)) ELSE '' END
        || pggit_daemon.owner(what, e.evtowner)
        || pggit_daemon.comments('pg_catalog.pg_event_trigger'::regclass, o, what);
    RETURN d;
END $$;

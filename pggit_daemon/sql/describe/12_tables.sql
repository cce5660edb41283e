-- Tables: ordinary, partitioned, partitions, inheriting, typed, foreign. Constraints other than NOT NULL are objects
-- of their own, because they may have to wait for other objects and change without their table.

-- Whether `identity_sequences` has something to say.
CREATE OR REPLACE FUNCTION pggit_daemon.has_special_identity(relation oid, persistence "char") RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
                    WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = relation AND d.refobjsubid > 0
                      AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'i'
                      AND (c.relacl IS NOT NULL OR c.relpersistence <> persistence
                           OR EXISTS (SELECT FROM pg_catalog.pg_description x
                                       WHERE x.objoid = c.oid AND x.classoid = 'pg_catalog.pg_class'::regclass)
                           OR EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                                       WHERE l.objoid = c.oid AND l.classoid = 'pg_catalog.pg_class'::regclass)));
END $$;

-- The identity sequences of a table hold privileges, comments and their own persistence.
CREATE OR REPLACE FUNCTION pggit_daemon.identity_sequences(relation oid, persistence "char") RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statements text := '';
    s          record;
    what       text;
BEGIN
    FOR s IN
        SELECT c.oid, n.nspname, c.relname, c.relpersistence, c.relacl, c.relowner
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_depend d
            ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = relation AND d.refobjsubid = a.attnum
           AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'i'
          JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE a.attrelid = relation AND a.attidentity <> '' AND NOT a.attisdropped
         ORDER BY a.attname
    LOOP
        what := format('SEQUENCE %I.%I', s.nspname, s.relname);
        IF s.relpersistence <> persistence AND current_setting('server_version_num')::integer >= 150000 THEN
            statements := statements || format(E'ALTER %s SET %s;\n', what,
                                               CASE s.relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE 'LOGGED' END);
        END IF;
        statements := statements || pggit_daemon.comments('pg_catalog.pg_class'::regclass, s.oid, what)
            || pggit_daemon.grants(s.relacl, 's', what, s.relowner);
    END LOOP;
    RETURN statements;
END $$;

-- Privileges of columns, and of the relation itself first.
CREATE OR REPLACE FUNCTION pggit_daemon.relation_grants(o oid, name text, acl aclitem[], owner oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pggit_daemon.grants(acl, 'r', 'TABLE ' || name, owner)
        || coalesce((SELECT string_agg(pggit_daemon.grants(a.attacl, NULL, 'c', 'TABLE ' || name, owner, a.attname),
                                       '' ORDER BY a.attname)
                       FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = o AND a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped), '');
END $$;

-- From 18 on NOT NULL is a constraint with a name: what CREATE TABLE could not say of it (not validated, comments).
CREATE OR REPLACE FUNCTION pggit_daemon.not_null_constraints(o oid, what text, name text, form text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce((
        SELECT string_agg(CASE WHEN k.convalidated OR NOT (k.conislocal OR form = 'all') THEN ''
                               ELSE format(E'ALTER %s ADD CONSTRAINT %I %s;\n', what, k.conname, pg_get_constraintdef(k.oid)) END
                          || pggit_daemon.comments('pg_catalog.pg_constraint'::regclass, k.oid,
                                                   format('CONSTRAINT %I ON %s', k.conname, name)), '' ORDER BY k.conname)
          FROM pg_catalog.pg_constraint k WHERE k.conrelid = o AND k.contype = 'n'), '');
END $$;

-- The parents of a table, in their order.
CREATE OR REPLACE FUNCTION pggit_daemon.parents_of(o oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY i.inhseqno)
              FROM pg_catalog.pg_inherits i
              JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE i.inhrelid = o);
END $$;

-- Those of these tables that are ours.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_tables(objects oid[]) RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d         pggit_daemon.description;
    t         record;
    parent    record;
    name      text;
    kind      text;      -- TABLE or FOREIGN TABLE
    helper    text;      -- a parent that is there only meanwhile, see `columns_one_by_one`
    body      text;
    words     text;
BEGIN
    d.classid := 'pg_catalog.pg_class'::regclass;
    FOR t IN
        SELECT r.*, k.*
          FROM (
                SELECT c.oid, c.relname, (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace) AS nspname,
                       c.relkind, c.relpersistence, c.relowner,
                       c.relacl, c.reloptions, c.relispartition, c.reloftype, c.relreplident, c.relrowsecurity,
                       c.relforcerowsecurity, c.relam, c.reltablespace,
                       CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS bound,
                       CASE WHEN c.reltoastrelid <> 0 THEN (
                            SELECT toast.reloptions FROM pg_catalog.pg_class toast
                             WHERE toast.oid = c.reltoastrelid) END AS toast_options,
                       NOT c.relispartition AND EXISTS (
                            SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid OFFSET 0) AS has_parents,
                       CASE WHEN c.reloftype <> 0 THEN 'typed' ELSE 'all' END AS form,
                       EXISTS (SELECT FROM pg_catalog.pg_description x
                                WHERE x.objoid = c.oid AND x.classoid = 'pg_catalog.pg_class'::regclass OFFSET 0)
                       OR EXISTS (SELECT FROM pg_catalog.pg_seclabel l
                                   WHERE l.objoid = c.oid AND l.classoid = 'pg_catalog.pg_class'::regclass OFFSET 0) AS has_comments
                  FROM pg_catalog.pg_class c
                 WHERE c.oid = ANY (objects) AND c.relpersistence <> 't' AND pggit_daemon.is_our_schema(c.relnamespace)
                   AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_depend m
                         WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid AND m.deptype = 'e' OFFSET 0)
                 OFFSET 0
               ) r
         CROSS JOIN LATERAL pggit_daemon.columns_of(r.oid, r.form, NULL) k
    LOOP
        name := format('%I.%I', t.nspname, t.relname);
        kind := CASE t.relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END;
        helper := NULL;
        IF t.has_parents AND t.has_inherited THEN
            -- INHERITS puts the parents' columns first. Where every column is also the table's own, ALTER TABLE INHERIT
            -- keeps them in their order.
            t.form := 'local';
            IF pggit_daemon.has_other_order(t.oid) THEN
                helper := format('%I.%I', t.nspname, 'columns_of_' || md5(name));
                t.list := NULL;
            ELSE
                SELECT k.list INTO t.list FROM pggit_daemon.columns_of(t.oid, 'local', NULL) k;
            END IF;
        END IF;

        body := coalesce('CREATE TABLE ' || helper || E' ();\n', '')
            || CASE t.relpersistence WHEN 'u' THEN 'CREATE UNLOGGED ' ELSE 'CREATE ' END || kind || ' ' || name
            || CASE WHEN t.reloftype <> 0 THEN ' OF ' || format_type(t.reloftype, NULL) ELSE '' END
            || CASE WHEN t.list IS NOT NULL THEN E' (\n' || t.list || E'\n)'
                    WHEN t.form = 'typed' THEN '' ELSE ' ()' END;
        IF t.form = 'local' THEN
            body := body || format(E'\nINHERITS (%s)', coalesce(helper, pggit_daemon.parents_of(t.oid)));
        END IF;
        IF t.relkind = 'p' THEN
            body := body || E'\nPARTITION BY ' || pg_get_partkeydef(t.oid);
        END IF;
        IF t.relkind = 'f' THEN
            body := body || (SELECT format(E'\nSERVER %I', s.srvname) || pggit_daemon.foreign_options(f.ftoptions)
                               FROM pg_catalog.pg_foreign_table f
                               JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = t.oid);
        END IF;
        -- A partitioned table has an access method only when it was named: it is what new partitions get.
        IF t.relam <> 0 AND (t.relam <> 2 OR t.relkind = 'p') THEN    -- 2 is heap
            SELECT format(E'\nUSING %I', am.amname) INTO words FROM pg_catalog.pg_am am WHERE am.oid = t.relam;
            body := body || words;
        END IF;
        IF t.reloptions IS NOT NULL OR t.toast_options IS NOT NULL THEN
            body := body || format(E'\nWITH (%s)', concat_ws(', ', pggit_daemon.storage_options(t.reloptions),
                                                             pggit_daemon.storage_options(t.toast_options, 'toast.')));
        END IF;
        IF t.reltablespace <> 0 THEN
            SELECT format(E'\nTABLESPACE %I', s.spcname) INTO words
              FROM pg_catalog.pg_tablespace s WHERE s.oid = t.reltablespace;
            body := body || words;
        END IF;
        body := body || E';\n';
        IF helper IS NOT NULL THEN
            body := body || pggit_daemon.columns_one_by_one(t.oid, kind, name, helper);
        END IF;
        IF current_setting('server_version_num')::integer >= 180000 THEN
            body := body || pggit_daemon.not_null_constraints(t.oid, kind || ' ' || name, name, t.form);
        END IF;

        IF t.relispartition THEN
            body := body || format(E'ALTER TABLE ONLY %s ATTACH PARTITION %s %s;\n', pggit_daemon.parents_of(t.oid), name,
                                   t.bound);
        ELSIF t.has_parents AND t.form = 'all' OR helper IS NOT NULL THEN
            FOR parent IN
                SELECT format('%I.%I', n.nspname, c.relname) AS name
                  FROM pg_catalog.pg_inherits i
                  JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE i.inhrelid = t.oid ORDER BY i.inhseqno
            LOOP
                body := body || format(E'ALTER %s %s INHERIT %s;\n', kind, name, parent.name);
            END LOOP;
            IF helper IS NOT NULL THEN
                body := body || format(E'ALTER %s %s NO INHERIT %s;\nDROP TABLE %s;\n', kind, name, helper, helper);
            END IF;
        END IF;

        IF t.special THEN
            body := body || pggit_daemon.column_settings(t.oid, kind || ' ONLY ' || name, t.form);
        END IF;
        IF t.relreplident IN ('n', 'f') AND t.relkind IN ('r', 'p') THEN
            body := body || format(E'ALTER TABLE ONLY %s REPLICA IDENTITY %s;\n', name,
                                   CASE t.relreplident WHEN 'n' THEN 'NOTHING' ELSE 'FULL' END);
        END IF;
        IF t.relrowsecurity THEN
            body := body || format(E'ALTER TABLE %s ENABLE ROW LEVEL SECURITY;\n', name);
        END IF;
        IF t.relforcerowsecurity THEN
            body := body || format(E'ALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY;\n', name);
        END IF;
        body := body || pggit_daemon.owner(kind || ' ' || name, t.relowner);
        IF t.has_comments THEN
            body := body || pggit_daemon.comments('pg_catalog.pg_class'::regclass, t.oid, kind || ' ' || name)
                || pggit_daemon.column_comments(t.oid, name);
        END IF;
        IF t.has_identity AND pggit_daemon.has_special_identity(t.oid, t.relpersistence) THEN
            body := body || pggit_daemon.identity_sequences(t.oid, t.relpersistence);
        END IF;
        IF t.relacl IS NOT NULL OR t.has_grants THEN
            body := body || pggit_daemon.relation_grants(t.oid, name, t.relacl, t.relowner);
        END IF;
        d.objid := t.oid;
        d.type := CASE t.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END;
        d.schema_name := t.nspname;
        d.identity := name;
        d.definition := body;
        d.columns := CASE WHEN t.relkind <> 'f' THEN t.names END;
        RETURN NEXT d;
    END LOOP;
END $$;

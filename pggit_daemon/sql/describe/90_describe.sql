-- The way in: objects by their addresses.

-- Objects of one class, without keys and needs; only those that are ours.
CREATE OR REPLACE FUNCTION pggit_daemon.definitions_of(of_class oid, objects oid[]) RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
    d pggit_daemon.description;
    o oid;
BEGIN
    -- What most objects are, many in one query.
    IF of_class = 'pg_catalog.pg_constraint'::regclass THEN
        RETURN QUERY SELECT * FROM pggit_daemon.describe_constraints(objects);
        RETURN;
    ELSIF of_class = 'pg_catalog.pg_class'::regclass THEN
        SELECT array_agg(x.oid) FILTER (WHERE x.relkind IN ('r', 'p', 'f') AND x.oid >= 16384) AS tables,
               array_agg(x.oid) FILTER (WHERE x.relkind IN ('v', 'm') AND x.oid >= 16384) AS views,
               array_agg(x.oid) FILTER (WHERE x.relkind IN ('i', 'I') AND x.oid >= 16384) AS indexes,
               array_agg(x.oid) FILTER (WHERE x.relkind = 'S' OR x.oid < 16384) AS others
          INTO c FROM pg_catalog.pg_class x WHERE x.oid = ANY (objects);
        IF c.tables IS NOT NULL THEN
            RETURN QUERY SELECT * FROM pggit_daemon.describe_tables(c.tables);
        END IF;
        IF c.views IS NOT NULL THEN
            RETURN QUERY SELECT * FROM pggit_daemon.describe_views(c.views);
        END IF;
        IF c.indexes IS NOT NULL THEN
            RETURN QUERY SELECT * FROM pggit_daemon.describe_indexes(c.indexes);
        END IF;
        objects := coalesce(c.others, '{}');
    END IF;
    FOREACH o IN ARRAY objects LOOP
        IF pggit_daemon.is_ours(of_class, o) THEN
            d := pggit_daemon.definition_of(of_class, o);
            d.classid := of_class;
            d.objid := o;
            RETURN NEXT d;
        END IF;
    END LOOP;
END $$;

-- One object of ours of the rarer kinds.
CREATE OR REPLACE FUNCTION pggit_daemon.definition_of(of_class oid, of_object oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
BEGIN
    IF of_object < 16384 THEN
        d.definition := pggit_daemon.catalog_grants(of_class, of_object);
        IF d.definition IS NOT NULL THEN
            d.schema_name := CASE WHEN of_class IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass,
                                                    'pg_catalog.pg_type'::regclass) THEN 'pg_catalog' END;
            RETURN d;
        END IF;
    END IF;
    CASE of_class
    WHEN 'pg_catalog.pg_class'::regclass         THEN d := pggit_daemon.describe_sequence(of_object);
    WHEN 'pg_catalog.pg_proc'::regclass          THEN d := pggit_daemon.describe_function(of_object);
    WHEN 'pg_catalog.pg_type'::regclass          THEN d := pggit_daemon.describe_type(of_object);
    WHEN 'pg_catalog.pg_namespace'::regclass     THEN d := pggit_daemon.describe_schema(of_object);
    WHEN 'pg_catalog.pg_trigger'::regclass       THEN d := pggit_daemon.describe_trigger(of_object);
    WHEN 'pg_catalog.pg_rewrite'::regclass       THEN d := pggit_daemon.describe_rule(of_object);
    WHEN 'pg_catalog.pg_policy'::regclass        THEN d := pggit_daemon.describe_policy(of_object);
    WHEN 'pg_catalog.pg_extension'::regclass     THEN d := pggit_daemon.describe_extension(of_object);
    WHEN 'pg_catalog.pg_statistic_ext'::regclass THEN d := pggit_daemon.describe_statistics(of_object);
    WHEN 'pg_catalog.pg_event_trigger'::regclass THEN d := pggit_daemon.describe_event_trigger(of_object);
    WHEN 'pg_catalog.pg_operator'::regclass      THEN d := pggit_daemon.describe_operator(of_object);
    WHEN 'pg_catalog.pg_opfamily'::regclass      THEN d := pggit_daemon.describe_operator_family(of_object);
    WHEN 'pg_catalog.pg_opclass'::regclass       THEN d := pggit_daemon.describe_operator_class(of_object);
    WHEN 'pg_catalog.pg_cast'::regclass          THEN d := pggit_daemon.describe_cast(of_object);
    WHEN 'pg_catalog.pg_collation'::regclass     THEN d := pggit_daemon.describe_collation(of_object);
    WHEN 'pg_catalog.pg_conversion'::regclass    THEN d := pggit_daemon.describe_conversion(of_object);
    WHEN 'pg_catalog.pg_am'::regclass            THEN d := pggit_daemon.describe_access_method(of_object);
    WHEN 'pg_catalog.pg_language'::regclass      THEN d := pggit_daemon.describe_language(of_object);
    WHEN 'pg_catalog.pg_transform'::regclass     THEN d := pggit_daemon.describe_transform(of_object);
    WHEN 'pg_catalog.pg_ts_parser'::regclass     THEN d := pggit_daemon.describe_text_search_parser(of_object);
    WHEN 'pg_catalog.pg_ts_template'::regclass   THEN d := pggit_daemon.describe_text_search_template(of_object);
    WHEN 'pg_catalog.pg_ts_dict'::regclass       THEN d := pggit_daemon.describe_text_search_dictionary(of_object);
    WHEN 'pg_catalog.pg_ts_config'::regclass     THEN d := pggit_daemon.describe_text_search_configuration(of_object);
    WHEN 'pg_catalog.pg_foreign_data_wrapper'::regclass THEN d := pggit_daemon.describe_foreign_data_wrapper(of_object);
    WHEN 'pg_catalog.pg_foreign_server'::regclass THEN d := pggit_daemon.describe_foreign_server(of_object);
    WHEN 'pg_catalog.pg_user_mapping'::regclass  THEN d := pggit_daemon.describe_user_mapping(of_object);
    WHEN 'pg_catalog.pg_publication'::regclass   THEN d := pggit_daemon.describe_publication(of_object);
    WHEN 'pg_catalog.pg_subscription'::regclass  THEN d := pggit_daemon.describe_subscription(of_object);
    WHEN 'pg_catalog.pg_default_acl'::regclass   THEN d := pggit_daemon.describe_default_privileges(of_object);
    ELSE NULL;
    END CASE;
    RETURN d;
END $$;

-- What the objects are, as SQL, in no particular order; nothing for what is gone or none of ours. Some hundreds at once
-- cost least. The settings that would change how the server writes values and names are pinned, so that the text is the
-- same whoever asks; the script that export builds reads it under the same settings. The planner is told what one
-- statement needs: plans that are kept, and only by index, whatever the statistics of the catalog say; this runs within
-- the user's DDL. What is called from here relies on these settings.
CREATE OR REPLACE FUNCTION pggit_daemon.describe(wanted pggit_daemon.object_address[])
    RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET DateStyle = 'ISO, YMD'
    SET IntervalStyle = 'postgres'
    SET TimeZone = 'UTC'
    SET extra_float_digits = 3
    SET bytea_output = 'hex'
    SET lc_monetary = 'C'
    SET quote_all_identifiers = off
    SET standard_conforming_strings = on
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    of_class oid;
    objects  oid[];
    defined  pggit_daemon.description[];
    keys     text[];
    unread   text;
BEGIN
    FOR of_class, objects IN SELECT w.classid, array_agg(w.objid) FROM unnest(wanted) w GROUP BY w.classid LOOP
        SELECT array_agg(ROW(x.classid, x.objid, k.type, x.schema_name, k.identity, x.definition, nullif(x.later, ''),
                             NULL, x.columns)::pggit_daemon.description),
               array_agg(x.objid), array_agg(k.key), min(k.key) FILTER (WHERE x.definition IS NULL)
          INTO defined, objects, keys, unread
          FROM pggit_daemon.definitions_of(of_class, objects) x
         CROSS JOIN LATERAL pggit_daemon.object_key(x.classid, x.objid) k
         WHERE k.key IS NOT NULL;    -- otherwise dropped by another session meanwhile
        IF unread IS NOT NULL THEN
            -- A part of it is gone or not readable; half a definition would be worse than none.
            RAISE EXCEPTION 'pggit-daemon cannot describe %', unread USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        RETURN QUERY
            SELECT d.classid, d.objid, d.type, d.schema_name, d.identity, d.definition, d.later,
                   coalesce(n.depends, '{}'), d.columns
              FROM unnest(defined) d
              LEFT JOIN pggit_daemon.needs_of(of_class, objects, keys) n ON n.objid = d.objid;
    END LOOP;
END $$;

-- One object; NULL when it is gone or none of ours.
CREATE OR REPLACE FUNCTION pggit_daemon.describe(of_class oid, of_object oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
BEGIN
    SELECT * INTO d FROM pggit_daemon.describe(ARRAY[(of_class, of_object)::pggit_daemon.object_address]);
    RETURN d;
END $$;

-- The way in: objects by their addresses.

-- One object of ours of the kinds that are not read many at once.
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

-- Those of these objects that are ours, one by one.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_others(of_class oid, objects oid[]) RETURNS SETOF pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
    o oid;
BEGIN
    FOREACH o IN ARRAY objects LOOP
        CONTINUE WHEN NOT pggit_daemon.is_ours(of_class, o);
        d := pggit_daemon.definition_of(of_class, o);
        d.classid := of_class;
        d.objid := o;
        SELECT k.type, k.identity INTO d.type, d.identity FROM pggit_daemon.object_key(of_class, o) k;
        CONTINUE WHEN d.identity IS NULL;    -- dropped by another session meanwhile
        RETURN NEXT d;
    END LOOP;
END $$;

-- What the objects are, as SQL, in no particular order; nothing for what is gone or none of ours. Some hundreds at once
-- cost least. The settings that would change how the server writes values and names are pinned, so that the text is the
-- same whoever asks; the script that export builds reads it under the same settings. The planner settings suit one statement:
-- plans that are kept, and only by index, whatever the statistics of the catalog say; this runs within the user's DDL. What is called from here relies on these settings.
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
    SET enable_bitmapscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    of_class oid;
    kind     text;    -- what the frequent kinds are; NULL for others
    objects  oid[];
    defined  pggit_daemon.description[];
BEGIN
    FOR of_class, kind, objects IN
        SELECT w.classid,
               CASE WHEN w.objid < 16384 THEN NULL
                    WHEN w.classid = 'pg_catalog.pg_constraint'::regclass THEN 'constraint'
                    WHEN c.relkind IN ('r', 'p', 'f') THEN 'table'
                    WHEN c.relkind IN ('v', 'm') THEN 'view'
                    WHEN c.relkind IN ('i', 'I') THEN 'index' END AS kind,
               array_agg(w.objid)
          FROM unnest(wanted) w
          LEFT JOIN pg_catalog.pg_class c ON w.classid = 'pg_catalog.pg_class'::regclass AND c.oid = w.objid
         GROUP BY w.classid, kind
    LOOP
        defined := CASE kind
            WHEN 'table'      THEN ARRAY(SELECT x FROM pggit_daemon.describe_tables(objects) x)
            WHEN 'view'       THEN ARRAY(SELECT x FROM pggit_daemon.describe_views(objects) x)
            WHEN 'index'      THEN ARRAY(SELECT x FROM pggit_daemon.describe_indexes(objects) x)
            WHEN 'constraint' THEN ARRAY(SELECT x FROM pggit_daemon.describe_constraints(objects) x)
            ELSE ARRAY(SELECT x FROM pggit_daemon.describe_others(of_class, objects) x) END;
        RETURN QUERY
            SELECT d.classid, d.objid, d.type, d.schema_name, d.identity,
                   coalesce(d.definition, pggit_daemon.cannot_describe(d.type, d.identity)), nullif(d.later, ''),
                   coalesce(array_remove(array_remove(n.keys, d.type || ' ' || d.identity),
                                         '~' || d.type || ' ' || d.identity), '{}'), d.columns
              FROM unnest(defined) d
              LEFT JOIN pggit_daemon.needs_of(of_class, objects) n ON n.objid = d.objid;
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

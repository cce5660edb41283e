-- The way in: one object by its address.

-- What the object is, as SQL, or NULL when it is gone or none of ours. The settings that would change how the server
-- writes values and names are pinned, so that the text is the same whoever asks; the script that export builds
-- reads it under the same settings. The planner is told what one object needs: plans that are kept, and only by index,
-- whatever the statistics of the catalog say; this runs within the user's DDL.
CREATE OR REPLACE FUNCTION pggit_daemon.describe(of_class oid, of_object oid) RETURNS pggit_daemon.description
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
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    d     pggit_daemon.description;
    shape "char";
    k     record;
BEGIN
    IF of_class = 'pg_catalog.pg_class'::regclass THEN
        shape := pggit_daemon.our_relation(of_object);
    END IF;
    IF shape = '' OR shape IS NULL AND NOT pggit_daemon.is_ours(of_class, of_object) THEN
        RETURN NULL;
    END IF;
    IF of_object < 16384 THEN
        d.definition := pggit_daemon.catalog_grants(of_class, of_object);
    END IF;
    IF d.definition IS NOT NULL THEN
        d.schema_name := CASE WHEN of_class IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass,
                                                'pg_catalog.pg_type'::regclass) THEN 'pg_catalog' END;
    ELSE
        CASE of_class
        WHEN 'pg_catalog.pg_class'::regclass THEN
            IF shape IS NULL THEN
                SELECT c.relkind INTO shape FROM pg_catalog.pg_class c WHERE c.oid = of_object;
            END IF;
            CASE shape
            WHEN 'r', 'p', 'f' THEN d := pggit_daemon.describe_table(of_object);
            WHEN 'i', 'I'      THEN d := pggit_daemon.describe_index(of_object);
            WHEN 'S'           THEN d := pggit_daemon.describe_sequence(of_object);
            ELSE                    d := pggit_daemon.describe_view(of_object);
            END CASE;
        WHEN 'pg_catalog.pg_constraint'::regclass    THEN d := pggit_daemon.describe_constraint(of_object);
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
        ELSE RETURN NULL;
        END CASE;
    END IF;

    k := pggit_daemon.object_key(of_class, of_object);
    IF k.identity IS NULL THEN
        RETURN NULL;    -- dropped by another session meanwhile
    ELSIF d.definition IS NULL THEN
        -- A part of it is gone or not readable; half a definition would be worse than none.
        RAISE EXCEPTION 'pggit-daemon cannot describe % %', k.type, k.identity
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    d.classid := of_class;
    d.objid := of_object;
    d.type := k.type;
    d.identity := k.identity;
    d.later := nullif(d.later, '');
    d.depends := pggit_daemon.depends_of(of_class, of_object, k.key, shape);
    RETURN d;
END $$;

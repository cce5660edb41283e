-- Reading what a statement dropped.

CREATE OR REPLACE FUNCTION pggit_daemon.drop_element(
    of_class oid, of_object oid, type text, schema text, identity text, direct boolean) RETURNS jsonb
    LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('op', 'drop', 'direct', direct,
        'classid', of_class::bigint, 'objid', of_object::bigint, 'type', type, 'schema', schema, 'identity', identity)
$$;

-- The elements of what a statement dropped. `has_survivors`: whether something may have lost a part of itself and live on.
CREATE OR REPLACE FUNCTION pggit_daemon.dropped_elements(OUT elements jsonb, OUT has_survivors boolean)
    LANGUAGE plpgsql AS $$
BEGIN
    SELECT jsonb_agg(pggit_daemon.drop_element(d.classid, d.objid, d.object_type, d.schema_name, d.object_identity,
                                               d.original) ORDER BY d.original DESC, d.place)
               FILTER (WHERE d.objsubid = 0
                         AND coalesce(d.schema_name !~ '^pg_' AND d.schema_name NOT IN ('pggit', 'pggit_daemon'), true)
                         AND coalesce(d.address_names[1] !~ '^pg_temp'
                                      AND d.address_names[1] NOT IN ('pggit', 'pggit_daemon'), true)
                         AND d.object_type NOT IN ('default value', 'toast table', 'composite type', 'domain constraint',
                                                   'publication relation', 'publication namespace',
                                                   'operator of access method', 'function of access method')
                         AND NOT (d.object_type = 'type' AND d.object_identity LIKE '%[]')
                         AND NOT (d.object_type = 'type' AND EXISTS (
                                      SELECT FROM pg_event_trigger_dropped_objects() r
                                       WHERE r.object_identity = d.object_identity
                                         AND r.object_type IN ('table', 'view', 'materialized view', 'foreign table')))
                         AND NOT (d.object_type = 'rule' AND d.address_names[3] = '_RETURN')
                         AND NOT (d.object_type = 'trigger' AND d.address_names[3] LIKE 'RI_ConstraintTrigger_%')),
           bool_or(CASE
               WHEN d.object_type IN ('default value', 'table constraint')
                   THEN NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() r
                                     WHERE r.classid = 1259 AND r.objsubid = 0 AND r.address_names = d.address_names[1:2])
               WHEN d.object_type = 'trigger' THEN NOT d.original AND d.address_names[3] NOT LIKE 'RI_ConstraintTrigger_%'
               ELSE d.objsubid <> 0 OR d.object_type IN ('domain constraint', 'operator', 'operator of access method',
                                                         'function of access method', 'publication relation',
                                                         'publication namespace') END)
      INTO elements, has_survivors
      FROM pg_event_trigger_dropped_objects() WITH ORDINALITY
           AS d (classid, objid, objsubid, original, normal, is_temporary, object_type, schema_name, object_name,
                 object_identity, address_names, address_args, place)
     WHERE NOT d.is_temporary;
END $$;

-- The elements of a statement at sql_drop: what is gone, then what lost a part of itself and lives on.
-- The catalog no longer knows what is gone, so some of it may never have been an object of its own (the index of
-- a constraint, a member of an extension): the daemon knows objects by their OID and passes over the others.
CREATE OR REPLACE FUNCTION pggit_daemon.read_dropped(one_by_one boolean) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    elements jsonb;
    survivors   pggit_daemon.object_address[];
    covered  pggit_daemon.object_address[];    -- what ddl_command_end will describe anyway
BEGIN
    SELECT d.elements INTO elements FROM pggit_daemon.dropped_elements() AS d;
    survivors := ARRAY(
        SELECT DISTINCT n
          FROM pg_event_trigger_dropped_objects() d
         CROSS JOIN LATERAL (
               SELECT d.classid, d.objid WHERE d.objsubid <> 0
               UNION ALL
               SELECT 'pg_class'::regclass, c.oid
                 FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                WHERE d.object_type IN ('default value', 'table constraint')
                  AND s.nspname = d.address_names[1] AND c.relname = d.address_names[2]
               UNION ALL
               SELECT 'pg_type'::regclass, t.oid
                 FROM pg_type t JOIN pg_namespace s ON s.oid = t.typnamespace
                WHERE d.object_type = 'domain constraint' AND t.typtype = 'd'
                  AND format('%I.%I', s.nspname, t.typname) = d.address_names[1]
               UNION ALL
               -- A loose member of an operator family goes with its operator or function.
               SELECT 'pg_opfamily'::regclass, f.oid
                 FROM pg_opfamily f JOIN pg_am m ON m.oid = f.opfmethod JOIN pg_namespace s ON s.oid = f.opfnamespace
                WHERE d.object_type IN ('operator of access method', 'function of access method')
                  AND m.amname = d.address_names[1] AND s.nspname = d.address_names[2]
                  AND f.opfname = d.address_names[3]
               UNION ALL
               SELECT 'pg_publication'::regclass, p.oid FROM pg_publication p
                WHERE d.object_type IN ('publication relation', 'publication namespace')
                  AND p.pubname = d.address_args[1]
               UNION ALL
               -- Its commutator and its negator name it no longer.
               SELECT 'pg_operator'::regclass, o.oid FROM pg_operator o
                WHERE d.object_type = 'operator' AND o.oid >= 16384 AND pggit_daemon.is_own_xid(o.xmin)
               UNION ALL
               -- A trigger of a partitioned table says which of its copies on partitions differ from it.
               SELECT 'pg_trigger'::regclass, t.oid
                 FROM pg_partitioned_table p
                 JOIN pg_trigger t ON t.tgrelid = p.partrelid AND t.tgname = d.address_names[3]
                WHERE d.object_type = 'trigger' AND NOT d.original AND NOT t.tgisinternal
         ) AS a (classid, objid)
         CROSS JOIN LATERAL pggit_daemon.canonical_address(a.classid, a.objid, 0) n
         WHERE NOT d.is_temporary AND n.classid IS NOT NULL
         ORDER BY n);
    IF cardinality(survivors) > 0 THEN
        covered := ARRAY(SELECT pggit_daemon.canonical_address(c.classid, c.objid, c.objsubid)
                           FROM pg_event_trigger_ddl_commands() c WHERE c.classid IS NOT NULL);
        -- Queries that list all columns of a table lose one with it.
        survivors := ARRAY(
            SELECT b FROM unnest(survivors) b WHERE b <> ALL (covered)
            UNION
            SELECT n FROM unnest(survivors) b
             CROSS JOIN LATERAL pggit_daemon.listing_columns(b.objid, -1) v
             CROSS JOIN LATERAL pggit_daemon.canonical_address(v.classid, v.objid, 0) n
             WHERE b <> ALL (covered) AND b.classid = 'pg_class'::regclass AND n.classid IS NOT NULL
             ORDER BY 1);
    END IF;
    IF cardinality(survivors) > 0 THEN
        elements := coalesce(elements, '[]') || coalesce(pggit_daemon.describe_all('{}', survivors, one_by_one), '[]');
    END IF;
    RETURN nullif(elements, '[]');
END $$;
